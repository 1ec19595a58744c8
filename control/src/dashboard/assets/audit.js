// Who changed what.

import { get } from "./api.js";
import { append, el } from "./dom.js";
import { card, code, moment, page, table, worker } from "./parts.js";

const COUNT = 50;

export async function show({ signal }) {
  const list = el("div", { class: "stack" });
  const rest = el("div");
  const more = async (before) => {
    const found = await get(`/audit?count=${COUNT}${before ? `&before=${before}` : ""}`, signal);
    if (found.length > 0 || !before) append(list, [records(found)]);
    const last = found.at(-1)?.revision;
    rest.replaceChildren();
    if (found.length === COUNT && last > 1) rest.append(worker("Show older changes", () => more(last)));
  };
  await more(null);
  return page("Audit log", { intro: "Every change of what this control plane keeps, the latest first." },
    card("Changes", {}, list, rest));
}

export function records(found) {
  return table("Changes", [
    ["What", (it) => it.action],
    ["Who", (it) => [it.who, el("span", { class: "sub" }, `from ${it.from}`)]],
    ["When", (it) => moment(it.when)],
    ["Concerns", (it) => code(it.subject)],
  ], found, "Nothing was changed yet.");
}
