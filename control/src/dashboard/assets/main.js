// The frame around every page, and which page is shown.

import { session } from "./api.js";
import { el, fill } from "./dom.js";
import { login } from "./login.js";
import { button, failure, page, toast, worker } from "./parts.js";
import * as access from "./access.js";
import * as apiTokens from "./api_tokens.js";
import * as applications from "./applications.js";
import * as audit from "./audit.js";
import * as certificates from "./certificates.js";
import * as config from "./config.js";
import * as configEdit from "./config_edit.js";
import * as configs from "./configs.js";
import * as createPrivate from "./create_private.js";
import * as createPublic from "./create_public.js";
import * as hostnames from "./hostnames.js";
import * as nodes from "./nodes.js";
import * as overview from "./overview.js";
import * as policies from "./policies.js";
import * as tunnel from "./tunnel.js";
import * as tunnels from "./tunnels.js";

// `:` stands for any segment. The first that fits is shown.
const ROUTES = [
  ["", overview],
  ["configs", configs],
  ["configs/new", { show: configs.choose }],
  ["configs/new/public", createPublic],
  ["configs/new/private", createPrivate],
  ["configs/:", config],
  ["configs/:/edit", configEdit],
  ["tunnels", tunnels],
  ["tunnels/:", tunnel],
  ["hostnames", hostnames],
  ["access", access],
  ["access/policies", policies],
  ["access/applications", applications],
  ["certificates", certificates],
  ["nodes", nodes],
  ["tokens", apiTokens],
  ["audit", audit],
];

const NAVIGATION = [
  ["Databases", [["", "Overview"], ["configs", "Configurations"], ["certificates", "Certificates"]]],
  ["Private networks", [["tunnels", "Tunnels"], ["hostnames", "Hostnames"], ["access", "Access"]]],
  ["System", [["nodes", "Nodes", "all"], ["tokens", "API tokens", "admin"], ["audit", "Audit log", "all-admin"]]],
];

const app = document.getElementById("app");
let leaving = new AbortController();

function segments() {
  const parts = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean);
  try {
    return parts.map(decodeURIComponent);
  } catch {
    return ["?"];
  }
}

function route(parts) {
  for (const [pattern, shown] of ROUTES) {
    const wanted = pattern.split("/").filter(Boolean);
    const fits = wanted.length === parts.length && wanted.every((it, at) => it === ":" || it === parts[at]);
    if (fits) return [shown, parts.filter((_, at) => wanted[at] === ":")];
  }
  return [null, []];
}

function isSeen(rule) {
  const forAll = rule?.startsWith("all") ? session.seesAll() : true;
  return forAll && (rule?.endsWith("admin") ? session.isAdmin() : true);
}

function navigation(current) {
  return el("nav", { "aria-label": "Main" }, NAVIGATION.map(([heading, links]) => {
    const seen = links.filter(([, , rule]) => isSeen(rule));
    return seen.length > 0 && el("div",
      el("h2", heading),
      el("ul", seen.map(([target, text]) =>
        el("li", el("a", { href: `#/${target}`, "aria-current": target === current ? "page" : null }, text)))));
  }));
}

function accounts() {
  if (session.accounts.length < 2) return null;
  const choice = el("select", {
    "aria-label": "Account",
    onchange() {
      session.choose(choice.value);
      show();
    },
  }, session.accounts.map((it) => el("option", { value: it.id, selected: it.id === session.account?.id }, it.name)));
  return el("div", { class: "account" }, choice);
}

function side(current) {
  const made = el("header", { class: "side" });
  const toggle = button("Menu", () => {
    const isOpen = made.classList.toggle("open");
    toggle.setAttribute("aria-expanded", String(isOpen));
  }, { kind: "menu-button" });
  toggle.setAttribute("aria-expanded", "false");
  toggle.setAttribute("aria-controls", "menu");
  return fill(made,
    el("div", { class: "side-head" },
      el("a", { class: "brand", href: "#/" }, el("img", { src: "/assets/icon.svg", alt: "" }), "Jumpgate"),
      toggle),
    el("div", { class: "side-body", id: "menu" },
      accounts(),
      navigation(current),
      el("div", { class: "who" },
        el("p", "Logged in with the token ", el("strong", session.who.name), ` (${session.who.scope})`),
        worker("Log out", logOut, { kind: "small" }))));
}

async function logOut() {
  await session.close();
  start();
}

// Shows the page that the address names. A page that is left stops what it does.
async function show() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const parts = segments();
  const [shown, params] = route(parts);
  const main = el("main", { id: "main", tabindex: "-1" }, el("p", { class: "loading", role: "status" }, "Loading…"));
  const current = parts[0] ?? "";
  const skip = el("a", {
    class: "skip",
    href: "#main",
    onclick(event) {
      event.preventDefault();
      main.focus();
    },
  }, "Skip to the content");
  fill(app, skip, el("div", { class: "frame" }, side(current), main));
  let content;
  try {
    if (!session.account) throw new Error("This token sees no account.");
    if (!shown) throw new Error("There is no such page.");
    content = await shown.show({ params, signal, again: show });
  } catch (error) {
    if (error.name === "AbortError" || error.status === 401) return;
    content = page("This page cannot be shown", {}, failure(error), el("p", button("Try again", show)));
  }
  if (signal.aborted) return;
  fill(main, content);
  const heading = main.querySelector("h1");
  document.title = `${heading?.textContent ?? "Jumpgate"} · Jumpgate`;
  heading?.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

function askForLogin() {
  leaving.abort();
  document.title = "Log in · Jumpgate";
  document.querySelectorAll("dialog").forEach((it) => it.remove());
  fill(app, login(show));
  app.querySelector("input").focus();
}

async function start() {
  try {
    await session.look();
  } catch (error) {
    fill(app, el("main", { class: "login" }, el("div", { class: "card" },
      el("h1", "Jumpgate"), failure(error), button("Try again", start))));
    return;
  }
  if (session.who) show(); else askForLogin();
}

window.addEventListener("hashchange", () => {
  if (session.who && location.hash !== "#main") show();
});
window.addEventListener("signed-out", () => {
  if (!session.who) return;
  session.who = null;
  askForLogin();
  toast("The session has ended; log in again.", "bad");
});
start();
