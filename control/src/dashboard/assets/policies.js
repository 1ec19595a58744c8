// Policies: which service tokens may pass. Applications name them.

import { all, allIfAny, ask, path, session } from "./api.js";
import { el } from "./dom.js";
import { tabs } from "./access.js";
import { missing } from "./tunnels.js";
import { button, card, check, confirm, dialog, field, form, moment, page, pill, table, text } from "./parts.js";

const LIST = () => path("access", "policies");

export async function show({ signal, again }) {
  const policies = await allIfAny(LIST(), signal);
  if (policies === null) return missing("Policies");
  const tokens = await all(path("access", "service_tokens"), signal);
  return page("Policies", {
    intro: "Those that any application can name. A policy that belongs to one application alone is shown there.",
    actions: [session.mayEdit() && button("Create policy", () => edit(null, tokens, again), { kind: "primary" })],
  }, tabs("access/policies"), card("All policies", {}, table("Policies", [
    ["Name", (it) => it.name],
    ["Decision", decision],
    ["Lets pass", (it) => rules(it.include, tokens)],
    ["Only with", (it) => rules(it.require, tokens)],
    ["But not", (it) => rules(it.exclude, tokens)],
    ["Applications", (it) => it.app_count],
    ["Changed", (it) => moment(it.updated_at)],
    ["", (it) => session.mayEdit() && [
      button("Edit", () => edit(it, tokens, again), { kind: "small", label: `Edit ${it.name}` }),
      button("Delete", () => remove(it, again), { kind: "small danger", label: `Delete ${it.name}` }),
    ]],
  ], policies, "There are none yet.")));
}

export function decision(policy) {
  return policy.decision === "non_identity" ? pill("service auth", "good") : pill(policy.decision, "bad");
}

// Rules in words.
export function rules(list, tokens) {
  const words = (list ?? []).map((rule) => {
    if (rule.any_valid_service_token) return "any valid service token";
    const id = rule.service_token?.token_id;
    return id ? tokens.find((it) => it.id === id)?.name ?? id : JSON.stringify(rule);
  });
  return words.length > 0 ? words.join(", ") : "–";
}

async function edit(policy, tokens, again) {
  const named = (policy?.include ?? []).map((rule) => rule.service_token?.token_id);
  const isAny = (policy?.include ?? []).some((rule) => rule.any_valid_service_token);
  const done = await dialog(policy ? "Edit policy" : "Create policy", (close) => form({
    submit: policy ? "Save" : "Create",
    cancel: button("Cancel", () => close(null)),
    async send(values) {
      const include = tokens.filter((it) => values[`token-${it.id}`] === "on").map((it) => ({ service_token: { token_id: it.id } }));
      if (values.any === "on") include.push({ any_valid_service_token: {} });
      if (include.length === 0) throw new Error("Choose at least one token.");
      const body = { name: values.name, decision: policy?.decision ?? "non_identity", include, require: policy?.require ?? [], exclude: policy?.exclude ?? [] };
      close(await (policy ? ask("PUT", path("access", "policies", policy.id), body) : ask("POST", LIST(), body)));
    },
  },
    field("Name", text("name", { value: policy?.name ?? "", required: true, maxlength: 120 })),
    el("fieldset", el("legend", "Lets pass"),
      tokens.map((it) => check(`token-${it.id}`, it.name, named.includes(it.id))),
      check("any", "Any valid service token of this account", isAny))));
  if (done) again();
}

async function remove(policy, again) {
  const done = await confirm(`Delete ${policy.name}?`, "A policy that an application names cannot be deleted.", "Delete", {
    async send() {
      await ask("DELETE", path("access", "policies", policy.id));
      return true;
    },
  });
  if (done) again();
}
