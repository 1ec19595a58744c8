// Logging in with an API token.

import { session } from "./api.js";
import { el } from "./dom.js";
import { field, form, text } from "./parts.js";

export function login(done) {
  const token = text("token", { type: "password", required: true, autocomplete: "current-password", placeholder: "jg_…" });
  return el("main", { class: "login" },
    el("div", { class: "card" },
      el("div", { class: "brand" }, el("img", { src: "/assets/icon.svg", alt: "" }), "Jumpgate"),
      el("h1", { tabindex: "-1" }, "Log in"),
      form({
        submit: "Log in",
        async send(values) {
          await session.open(values.token.trim());
          done();
        },
      }, field("API token", token, "The admin's is printed by “jumpgate control init”; others are made here or with “jumpgate token create”.")),
      el("p", { class: "note" }, "The browser keeps a cookie of its own for twelve hours, and not the token.")));
}
