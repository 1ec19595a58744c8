// What pages are made of.

import { append, el, fill, link, newId } from "./dom.js";
import { ago, time } from "./format.js";

// A page: its heading takes the focus when it is opened, so that a screen reader says where one is.
export function page(title, { intro, back, actions = [] } = {}, ...content) {
  const shown = actions.filter(Boolean);
  return el("div", { class: "page" },
    back && el("nav", { class: "crumb", "aria-label": "Back" }, link(back[0], `← ${back[1]}`)),
    el("header", { class: "page-head" },
      el("div", el("h1", { tabindex: "-1" }, title), intro && el("p", { class: "intro" }, intro)),
      shown.length > 0 && el("div", { class: "actions" }, shown)),
    content);
}

export function card(title, { actions = [], intro, level = 2 } = {}, ...content) {
  const id = newId("card");
  const shown = actions.filter(Boolean);
  return el("section", { class: "card", "aria-labelledby": id },
    el("div", { class: "card-head" },
      el(`h${level}`, { id }, title),
      shown.length > 0 && el("div", { class: "actions" }, shown)),
    intro && el("p", { class: "note" }, intro),
    content);
}

// `columns`: [heading, row => content]; the first one names the row.
export function table(caption, columns, rows, empty) {
  if (rows.length === 0) return el("p", { class: "empty" }, empty);
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Table of ${caption.toLowerCase()}` },
    // The roles are said, since a phone shows rows as blocks, which would make them no table any more.
    el("table", { role: "table" },
      el("caption", { class: "unseen" }, caption),
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, columns.map(([heading]) =>
        el("th", { scope: "col", role: "columnheader" }, heading || el("span", { class: "unseen" }, "Actions"))))),
      el("tbody", { role: "rowgroup" }, rows.map((row) => el("tr", { role: "row" }, columns.map(([heading, cell], index) => {
        const content = cell(row);
        if (index === 0) return el("th", { scope: "row", role: "rowheader" }, content);
        return el("td", { role: "cell", "data-label": heading, class: heading ? null : "row-actions" },
          heading ? el("div", content) : content);
      }))))));
}

// Terms and what they are.
export function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.filter(Boolean).map(([term, value]) =>
    el("div", el("dt", term), el("dd", value === null || value === undefined || value === "" ? "–" : value))));
}

export function pill(text, kind = "plain") {
  return el("span", { class: `pill ${kind}` }, text);
}

const KINDS = { healthy: "good", connected: "good", active: "good", degraded: "warn", inactive: "plain", down: "bad", lost: "bad", expired: "bad" };

export function status(word) {
  return pill(word ?? "unknown", KINDS[word] ?? "plain");
}

export function moment(text) {
  return text ? el("time", { datetime: text, title: time(text) }, ago(text)) : "–";
}

export function code(text) {
  return el("code", text);
}

export function notice(kind, ...content) {
  return el("div", { class: `notice ${kind}`, role: kind === "bad" ? "alert" : null }, content);
}

// What went wrong, with each of its parts.
export function failure(error) {
  const parts = error.chain?.length > 0 ? error.chain : [];
  return notice("bad",
    el("p", error.message),
    parts.length > 0 && el("ul", parts.map((part) => el("li", part))),
    error.code >= 2008 && error.code <= 2016 && el("p", { class: "note" }, `Code ${error.code}`));
}

export function button(text, onclick, { kind = "", label, disabled } = {}) {
  return el("button", { type: "button", class: kind, "aria-label": label, disabled, onclick }, text);
}

// A button whose work takes time: it cannot be pressed twice, and a failure is shown.
export function worker(text, work, options = {}) {
  const made = button(text, async () => {
    made.disabled = true;
    made.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (error) {
      if (error.name !== "AbortError") toast(error.message, "bad");
    } finally {
      made.disabled = false;
      made.removeAttribute("aria-busy");
    }
  }, options);
  return made;
}

const TOASTS_MAX = 2;

export function toast(text, kind = "good") {
  const shown = el("div", { class: `toast ${kind}` }, el("span", text),
    button("×", () => shown.remove(), { kind: "quiet", label: "Dismiss" }));
  const place = document.getElementById("toasts");
  place.append(shown);
  while (place.childElementCount > TOASTS_MAX) place.firstElementChild.remove();
  setTimeout(() => shown.remove(), kind === "bad" ? 15000 : 4000);
}

export async function copy(text) {
  // Over plain HTTP to another machine there is no clipboard for pages.
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = el("textarea", { class: "unseen", readonly: true, value: text });
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("The browser does not let this page copy; select the text instead.");
}

export function copyButton(text, label) {
  return worker("Copy", async () => {
    await copy(text);
    toast(`Copied: ${label}`);
  }, { kind: "small", label: `Copy ${label}` });
}

// A value to be taken along, such as a password that is shown once.
export function copyable(label, text) {
  const id = newId("copyable");
  return el("div", { class: "copyable" },
    el("span", { id, class: "label" }, label),
    el("div", { class: "copyable-row" },
      el("pre", { tabindex: "0", role: "group", "aria-labelledby": id }, el("code", text)),
      copyButton(text, label)));
}

// A field with its label. `input` is any control.
export function field(label, input, hint) {
  const id = newId("field");
  input.id = id;
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  return el("div", { class: "field" },
    el("label", { for: id }, label),
    input,
    hint && el("p", { class: "hint", id: `${id}-hint` }, hint));
}

export function text(name, { value = "", type = "text", ...more } = {}) {
  return el("input", { name, type, value, autocomplete: type === "password" ? "new-password" : "off", spellcheck: "false", ...more });
}

export function select(name, options, value) {
  return el("select", { name }, options.map(([key, shown]) =>
    el("option", { value: key, selected: key === value }, shown)));
}

export function check(name, label, checked, hint) {
  const id = newId("check");
  return el("div", { class: "field check" },
    el("input", { type: "checkbox", name, id, checked: Boolean(checked), "aria-describedby": hint ? `${id}-hint` : null }),
    el("label", { for: id }, label),
    hint && el("p", { class: "hint", id: `${id}-hint` }, hint));
}

// A form whose failures are shown above its button. `send` gets what was typed.
export function form({ submit, send, cancel, kind = "primary" }, ...fields) {
  const trouble = el("div");
  const go = el("button", { type: "submit", class: kind }, submit);
  const made = el("form", {
    async onsubmit(event) {
      event.preventDefault();
      fill(trouble);
      go.disabled = true;
      go.setAttribute("aria-busy", "true");
      try {
        await send(Object.fromEntries(new FormData(made)), made);
      } catch (error) {
        if (error.name !== "AbortError") fill(trouble, failure(error));
      } finally {
        go.disabled = false;
        go.removeAttribute("aria-busy");
      }
    },
  }, fields, trouble, el("div", { class: "form-actions" }, go, cancel));
  return made;
}

// A dialog, which keeps the focus until it is closed. `content` gets a function that closes it with a value.
export function dialog(title, content) {
  const id = newId("dialog");
  return new Promise((resolve) => {
    const box = el("dialog", { "aria-labelledby": id });
    const close = (value) => {
      box.returned = value;
      box.close();
    };
    append(box, [el("h2", { id }, title), content(close)]);
    box.addEventListener("close", () => {
      box.remove();
      resolve(box.returned);
    });
    document.body.append(box);
    box.showModal();
  });
}

// Asks before something is done that cannot be undone; with `name` that has to be typed.
export function confirm(title, explanation, action, { name, danger = true, fields = [], send }) {
  return dialog(title, (close) => {
    const typed = name && text("typed", { required: true });
    return form({
      submit: action,
      cancel: button("Cancel", () => close(false)),
      kind: danger ? "danger" : "primary",
      async send(values) {
        if (name && values.typed !== name) throw new Error(`Type ${name} to confirm.`);
        close(await send(values) ?? true);
      },
    }, el("p", explanation), fields, typed && field(`Type ${name} to confirm`, typed));
  });
}
