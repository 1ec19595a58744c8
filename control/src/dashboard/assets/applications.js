// Applications: guarded hostnames, and the policies that let requests pass.

import { all, allIfAny, ask, path, session } from "./api.js";
import { el } from "./dom.js";
import { tabs } from "./access.js";
import { decision, rules } from "./policies.js";
import { missing } from "./tunnels.js";
import { button, card, check, confirm, dialog, field, form, moment, page, table, text } from "./parts.js";

const LIST = () => path("access", "apps");

export async function show({ signal, again }) {
  const apps = await allIfAny(LIST(), signal);
  if (apps === null) return missing("Applications");
  const [policies, tokens] = await Promise.all([
    all(path("access", "policies"), signal),
    all(path("access", "service_tokens"), signal),
  ]);
  return page("Applications", {
    intro: "A hostname that no application guards lets nobody pass.",
    actions: [session.mayEdit() && button("Create application", () => edit(null, policies, again), { kind: "primary" })],
  }, tabs("access/applications"), card("All applications", {}, table("Applications", [
    ["Name", (it) => it.name],
    ["Guards", (it) => it.domain],
    ["Policies", (it) => el("ol", { class: "plain" }, (it.policies ?? []).map((policy) =>
      el("li", policy.name, " ", decision(policy), el("span", { class: "sub" }, rules(policy.include, tokens)))))],
    ["Changed", (it) => moment(it.updated_at)],
    ["", (it) => session.mayEdit() && [
      button("Edit", () => edit(it, policies, again), { kind: "small", label: `Edit ${it.name}` }),
      button("Delete", () => remove(it, again), { kind: "small danger", label: `Delete ${it.name}` }),
    ]],
  ], apps, "There are none yet.")));
}

async function edit(app, policies, again) {
  const linked = (app?.policies ?? []).map((it) => it.id);
  const own = (app?.policies ?? []).filter((it) => !it.reusable);
  const choices = [...own, ...policies];
  const done = await dialog(app ? "Edit application" : "Create application", (close) => form({
    submit: app ? "Save" : "Create",
    cancel: button("Cancel", () => close(null)),
    async send(values) {
      const chosen = choices.filter((it) => values[`policy-${it.id}`] === "on");
      // In the order that they have, and those that are new behind them.
      const place = (it) => linked.includes(it.id) ? linked.indexOf(it.id) : linked.length;
      chosen.sort((a, b) => place(a) - place(b));
      const body = { ...app, type: "self_hosted", name: values.name, domain: values.domain, policies: chosen.map((it) => it.id) };
      delete body.self_hosted_domains;
      delete body.destinations;
      close(await (app ? ask("PUT", path("access", "apps", app.id), body) : ask("POST", LIST(), body)));
    },
  },
    field("Name", text("name", { value: app?.name ?? "", required: true, maxlength: 120 })),
    field("Hostname", text("domain", { value: app?.domain ?? "", required: true, placeholder: "db.example.com" })),
    el("fieldset", el("legend", "Policies"),
      choices.length === 0 && el("p", { class: "note" }, "There are none yet, so nobody could pass. Create one first."),
      choices.map((it) => check(`policy-${it.id}`, it.reusable ? it.name : `${it.name} (of this application)`, linked.includes(it.id))))));
  if (done) again();
}

async function remove(app, again) {
  const done = await confirm(`Delete ${app.name}?`, `Nobody may pass to ${app.domain} from then on.`, "Delete", {
    async send() {
      await ask("DELETE", path("access", "apps", app.id));
      return true;
    },
  });
  if (done) again();
}
