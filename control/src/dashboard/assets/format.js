// How values are written for people.

const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS = [["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600], ["minute", 60]];

export function time(text) {
  if (!text) return "";
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? String(text) : TIME.format(date);
}

export function ago(text) {
  const seconds = (new Date(text).getTime() - Date.now()) / 1000;
  if (Number.isNaN(seconds)) return "";
  const [unit, length] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  if (unit === "second" && Math.abs(seconds) < 10) return "just now";
  return AGO.format(Math.round(seconds / length), unit);
}

// Whether it ends within so many days; what never ends has no time.
export function endsWithin(text, days) {
  return Boolean(text) && new Date(text).getTime() - Date.now() < days * 86400000;
}

export function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

export function isMysql(config) {
  return config.origin.scheme === "mysql";
}

export function engine(config) {
  return isMysql(config) ? "MySQL" : "PostgreSQL";
}

// Where a database is.
export function where(origin) {
  return origin.port ? `${origin.host}:${origin.port}` : origin.host ?? "";
}

export function caching(config) {
  if (config.caching.disabled) return "off";
  return `up to ${config.caching.max_age ?? 60} s`;
}
