// The fields of a configuration, and what they ask of the API.

import { el } from "./dom.js";
import { check, field, select, text } from "./parts.js";

const SCHEMES = [["postgres", "PostgreSQL"], ["mysql", "MySQL or MariaDB"]];
const SSL_MODES = [
  ["", "usual (require)"],
  ["require", "require: encrypted, any certificate"],
  ["verify-ca", "verify-ca: a certificate of a CA that I name"],
  ["verify-full", "verify-full: and for this host"],
  ["plaintext-for-local-development", "none, for local development only"],
];
// MySQL's words for them.
const PLAIN = { REQUIRED: "require", VERIFY_CA: "verify-ca", VERIFY_IDENTITY: "verify-full" };

export function nameField(value = "") {
  return field("Name", text("name", { value, required: true, maxlength: 64 }),
    "Clients give it as the name of the database.");
}

export function schemeField(value = "postgres") {
  return field("Engine", select("scheme", SCHEMES, value === "postgresql" ? "postgres" : value));
}

// Database, user, password. A password that is left empty stays when a configuration is edited.
export function loginFields(origin = {}, isNew = true) {
  return [
    field("Database name", text("database", { value: origin.database ?? "", required: true })),
    field("User", text("user", { value: origin.user ?? "", required: true })),
    field("Password", text("password", { type: "password", required: isNew }),
      isNew ? "It is sealed in the store, and never shown again." : "Leave it empty to keep the one that is there."),
  ];
}

export function cachingFields(caching = {}) {
  return el("fieldset", el("legend", "Caching"),
    check("caching", "Answer reads from the cache", !caching.disabled,
      "Reads that change nothing and depend on nothing else are kept; writes through Jumpgate end what they touch."),
    el("div", { class: "fields" },
      field("Kept for (seconds)", text("max_age", { type: "number", min: 0, max: 3600, value: caching.max_age ?? "", placeholder: "60" }),
        "At most 3600."),
      field("Stale while asked anew (seconds)", text("stale_while_revalidate", { type: "number", min: 0, value: caching.stale_while_revalidate ?? "", placeholder: "15" }))));
}

export function limitField(value) {
  return field("Connections to the database, at most", text("origin_connection_limit", { type: "number", min: 1, value: value ?? "", placeholder: "20" }),
    "Per proxy. All clients share them.");
}

// What is set of the TLS, in the words that these fields have; null for what is not.
export function tlsValue(mtls, key) {
  const value = mtls?.[key] ?? null;
  return PLAIN[value] ?? value;
}

// `certificates`: all of the account.
export function tlsFields(mtls, certificates) {
  const mode = tlsValue(mtls, "sslmode") ?? "";
  const known = (isCa) => [["", "none"], ...certificates.filter((it) => it.ca === isCa).map((it) => [it.id, it.name])];
  return el("fieldset", el("legend", "TLS to the database"),
    el("div", { class: "fields" },
      field("Mode", select("sslmode", SSL_MODES, mode)),
      field("CA certificate", select("ca_certificate_id", known(true), mtls?.ca_certificate_id ?? ""), "Needed by the verify modes unless its CA is a public one."),
      field("Client certificate", select("mtls_certificate_id", known(false), mtls?.mtls_certificate_id ?? ""), "For databases that ask for one.")));
}

const number = (value) => value === "" || value === undefined ? null : Number(value);

// What the API is asked for, but for where the database is. Empty means null, which is: not set.
export function asked(values) {
  const disabled = values.caching !== "on";
  const max_age = number(values.max_age);
  const stale_while_revalidate = number(values.stale_while_revalidate);
  const caching = disabled ? { disabled } : {
    disabled,
    ...(max_age !== null && { max_age }),
    ...(stale_while_revalidate !== null && { stale_while_revalidate }),
  };
  const mtls = {};
  for (const key of ["sslmode", "ca_certificate_id", "mtls_certificate_id"]) {
    if (values[key]) mtls[key] = values[key];
  }
  return {
    name: values.name,
    caching,
    mtls: Object.keys(mtls).length > 0 ? mtls : null,
    origin_connection_limit: number(values.origin_connection_limit),
  };
}

export function login(values) {
  return {
    scheme: values.scheme,
    database: values.database,
    user: values.user,
    ...(values.password && { password: values.password }),
  };
}

// A connection string, taken apart; null where it is none.
export function parts(url) {
  const found = /^(postgres|postgresql|mysql):\/\/([^:@/]*):(.*)@(\[[^\]]*\]|[^:@/]*)(?::(\d+))?\/([^?]*)(?:\?.*)?$/.exec(url.trim());
  if (!found) return null;
  try {
    const [, scheme, user, password, host, port, database] = found;
    return {
      scheme: scheme === "mysql" ? "mysql" : "postgres",
      user: decodeURIComponent(user),
      password: decodeURIComponent(password),
      host: decodeURIComponent(host),
      port: port ?? (scheme === "mysql" ? "3306" : "5432"),
      database: decodeURIComponent(database),
    };
  } catch {
    return null;
  }
}
