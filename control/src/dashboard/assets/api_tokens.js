// Tokens of the API and of nodes.

import { all, ask, session } from "./api.js";
import { el } from "./dom.js";
import { button, card, confirm, copyable, dialog, field, form, moment, notice, page, pill, select, status, table, text } from "./parts.js";

const SCOPES = [["read", "read: look"], ["edit", "edit: look and change"], ["admin", "admin: tokens, accounts and the audit log too"]];
const NODE = ["node", "node: for a proxy or an edge, and nothing of the API"];
const LASTS = [["", "for ever"], ["2592000", "30 days"], ["7776000", "90 days"], ["31536000", "a year"]];

export async function show({ signal, again }) {
  const tokens = await all("/user/tokens", signal);
  return page("API tokens", {
    intro: "For wrangler, Terraform, the SDKs, the command line, this dashboard, and nodes. Their texts are not kept.",
    actions: [button("Create token", () => create(again), { kind: "primary" })],
  }, card("All tokens", {}, table("API tokens", [
    ["Name", (it) => [it.name, it.id === session.who.id && [" ", pill("this session")]]],
    ["Scope", (it) => it.scope],
    ["Account", (it) => session.accounts.find((known) => known.id === it.account_id)?.name ?? it.account_id ?? "all"],
    ["State", (it) => status(it.status)],
    ["Created", (it) => moment(it.issued_on)],
    ["Ends", (it) => it.expires_on ? moment(it.expires_on) : "never"],
    ["", (it) => [
      button("Roll", () => roll(it, again), { kind: "small", label: `Roll the text of ${it.name}` }),
      button("Delete", () => remove(it, again), { kind: "small danger", label: `Delete ${it.name}` }),
    ]],
  ], tokens, "There are none.")));
}

async function create(again) {
  const scopes = session.seesAll() ? [...SCOPES, NODE] : SCOPES;
  const accounts = session.accounts.map((it) => [it.id, it.name]);
  const made = await dialog("Create token", (close) => form({
    submit: "Create",
    cancel: button("Cancel", () => close(null)),
    async send(values) {
      const body = { name: values.name, scope: values.scope };
      if (values.account) body.account_id = values.account;
      if (values.lasts) body.expires_in = Number(values.lasts);
      close(await ask("POST", "/user/tokens", body));
    },
  },
    field("Name", text("name", { required: true, maxlength: 120 }), "It stands in the audit log."),
    field("Scope", select("scope", scopes, "read")),
    field("Account", select("account", session.seesAll() ? [["", "all"], ...accounts] : accounts, "")),
    field("Valid", select("lasts", LASTS, ""))));
  if (made) {
    await showOnce("The new token", made.value);
    again();
  }
}

function showOnce(title, value) {
  return dialog(title, (close) => [
    notice("warn", el("p", "It is not shown again. Copy it now.")),
    copyable("Token", value),
    el("div", { class: "form-actions" }, button("Done", () => close(true), { kind: "primary" })),
  ]);
}

async function roll(token, again) {
  const words = `${token.name} gets another text, and the present one is refused at once.${token.id === session.who.id ? " It is the one that you are logged in with: you have to log in again." : ""}`;
  const value = await confirm("Give it another text?", words, "Roll", {
    send: () => ask("PUT", `/user/tokens/${encodeURIComponent(token.id)}/value`),
  });
  if (value) {
    await showOnce("The new text", value);
    again();
  }
}

async function remove(token, again) {
  const done = await confirm(`Delete ${token.name}?`, "Whoever uses it is refused from then on.", "Delete", {
    async send() {
      await ask("DELETE", `/user/tokens/${encodeURIComponent(token.id)}`);
      return true;
    },
  });
  if (done) again();
}
