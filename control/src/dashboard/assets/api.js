// Asking the API. Everything that the pages show comes through here.

const BASE = "/client/v4";
const PAGE = 500;

// What the API refused, in its own words.
export class Refused extends Error {
  constructor(status, answer) {
    const errors = answer?.errors ?? [];
    super(errors.map((error) => error.message).join("; ") || `the control node answered ${status}`);
    this.name = "Refused";
    this.status = status;
    this.code = errors[0]?.code;
    this.chain = errors.flatMap((error) => error.error_chain ?? []).map((link) => link.message);
  }
}

async function send(method, path, body, signal) {
  let response;
  try {
    response = await fetch(path, {
      method,
      signal,
      headers: { "content-type": "application/json", "x-jumpgate-csrf": "1" },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The control node cannot be reached. Is it running?");
  }
  const answer = await response.json().catch(() => null);
  if (!answer?.success) throw new Refused(response.status, answer);
  return answer;
}

export async function ask(method, path, body, signal) {
  try {
    return (await send(method, BASE + path, body, signal)).result;
  } catch (error) {
    if (error.status === 401) window.dispatchEvent(new Event("signed-out"));
    throw error;
  }
}

export const get = (path, signal) => ask("GET", path, undefined, signal);

// Every entry of a list, page after page.
export async function all(path, signal) {
  const found = [];
  for (let page = 1; ; page += 1) {
    const mark = path.includes("?") ? "&" : "?";
    const part = await get(`${path}${mark}page=${page}&per_page=${PAGE}`, signal);
    found.push(...part);
    if (part.length < PAGE) return found;
  }
}

// A list that this control node or this token may not have: none, then, in place of a failure.
export async function allIfAny(path, signal) {
  try {
    return await all(path, signal);
  } catch (error) {
    if (error.status === 404 || error.status === 403) return null;
    throw error;
  }
}

export const session = {
  who: null,
  accounts: [],
  account: null,

  async look() {
    this.who = (await send("GET", "/session")).result;
    if (this.who) await this.findAccounts();
    return this.who;
  },

  async open(token) {
    this.who = (await send("POST", "/session", { token })).result;
    await this.findAccounts();
  },

  async close() {
    await send("DELETE", "/session");
    this.who = null;
  },

  async findAccounts() {
    this.accounts = await all("/accounts");
    // The first one is what somebody sees who has chosen none.
    this.accounts.sort((a, b) => a.created_on.localeCompare(b.created_on));
    const kept = localStorage.getItem("jumpgate.account");
    this.account = this.accounts.find((it) => it.id === kept) ?? this.accounts[0] ?? null;
  },

  choose(id) {
    this.account = this.accounts.find((it) => it.id === id) ?? this.account;
    localStorage.setItem("jumpgate.account", this.account.id);
  },

  mayEdit() {
    return this.who?.scope === "edit" || this.who?.scope === "admin";
  },

  isAdmin() {
    return this.who?.scope === "admin";
  },

  // Nodes and the audit log are of no account.
  seesAll() {
    return this.who !== null && this.who.account_id === null;
  },
};

// A path below the account that is chosen; each segment is encoded.
export function path(...segments) {
  return `/accounts/${session.account.id}/${segments.map(encodeURIComponent).join("/")}`;
}
