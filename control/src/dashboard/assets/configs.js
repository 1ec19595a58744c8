// All configurations, and the choice of which kind to create.

import { all, path, session } from "./api.js";
import { el, link } from "./dom.js";
import { caching, engine, where } from "./format.js";
import { card, moment, page, pill, table } from "./parts.js";

export async function show({ signal }) {
  const configs = await all(path("hyperdrive", "configs"), signal);
  return page("Configurations", {
    intro: "Each leads to one database, pools connections to it, and may answer reads from the cache.",
    actions: [session.mayEdit() && el("a", { class: "button primary", href: "#/configs/new" }, "Create configuration")],
  }, card("All configurations", {}, table("Configurations", [
    ["Name", (it) => link(["configs", it.id], it.name)],
    ["Engine", engine],
    ["Database", (it) => [where(it.origin), el("span", { class: "sub" }, `${it.origin.database} as ${it.origin.user}`)]],
    ["Way", way],
    ["Caching", caching],
    ["Connections", (it) => it.origin_connection_limit ?? "usual"],
    ["Changed", (it) => it.declared_by ? pill(declared(it)) : moment(it.modified_on)],
  ], configs, "There are no configurations yet. Create one to get a connection string for your application.")));
}

// Where a configuration is changed that is not changed here.
export function declared(config) {
  return `in the file of ${config.declared_by.join(", ")}`;
}

export function way(config) {
  return config.origin.access_client_id ? pill("private") : pill("public");
}

export async function choose() {
  const choice = (target, name, ...words) => el("li", link(target, el("b", name), words.map((it) => el("span", it))));
  return page("Create configuration", { back: [["configs"], "Configurations"], intro: "Where is the database?" },
    el("ul", { class: "choices" },
      choice(["configs", "new", "public"], "Public database",
        "A proxy reaches it by host and port: on the internet, or in the proxies' own network."),
      choice(["configs", "new", "private"], "Private database",
        "It is in a network that nothing can connect to from outside. A connector in there dials out; tunnel, hostname and access are made for you.")));
}
