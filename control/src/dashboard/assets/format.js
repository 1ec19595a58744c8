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

const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });

// A number of anything: 950, 1.25K, 3M; small ones with what they need.
export function amount(value) {
  if (value === null || value === undefined) return "–";
  return value !== 0 && Math.abs(value) < 0.001 ? "<0.001" : COMPACT.format(value);
}

export function percent(ratio) {
  if (ratio === null || ratio === undefined) return "–";
  // What is not all is not shown as all.
  const shown = ratio < 1 ? Math.min(ratio * 100, 99.9) : 100;
  return `${shown.toFixed(shown === 0 || shown === 100 ? 0 : 1)}\u00a0%`;
}

const SPANS = [[86400000, "d"], [3600000, "h"], [60000, "min"], [1000, "s"], [1, "ms"], [0.001, "µs"]];

// How long something took or lasts.
export function span(millis) {
  if (millis === null || millis === undefined) return "–";
  if (millis === 0) return "0\u00a0ms";
  const [size, unit] = SPANS.find(([size]) => millis >= size) ?? [0.001, "µs"];
  return `${Number((millis / size).toPrecision(millis / size < 10 ? 2 : 3))}\u00a0${unit}`;
}

const SIZES = ["B", "kB", "MB", "GB", "TB", "PB"];

export function bytes(count) {
  if (count === null || count === undefined) return "–";
  const at = count < 1 ? 0 : Math.min(Math.floor(Math.log10(count) / 3), SIZES.length - 1);
  return `${Number((count / 1000 ** at).toPrecision(3))}\u00a0${SIZES[at]}`;
}

// When a point of a chart begins.
export function clock(text, withDay) {
  return (withDay ? DAY : CLOCK).format(new Date(text));
}
