// How each driver is told where to connect, ready to be copied.

import { get, session } from "./api.js";
import { el, fill } from "./dom.js";
import { isMysql } from "./format.js";
import { copyable, field, select, text } from "./parts.js";

const PLACEHOLDER = "PASSWORD";

// JSON's strings are JavaScript's, and Python's too.
const quoted = (value) => JSON.stringify(String(value));
// For a shell.
const shell = (value) => `'${String(value).replaceAll("'", "'\\''")}'`;
const encoded = (value) => encodeURIComponent(value).replace(/[!'()*]/g, (it) => `%${it.charCodeAt(0).toString(16).toUpperCase()}`);

// An address as URLs have it.
const place = (to) => `${to.host.includes(":") ? `[${to.host}]` : to.host}:${to.port}`;

export function url(config, to) {
  const scheme = isMysql(config) ? "mysql" : "postgres";
  return `${scheme}://${encoded(to.user)}:${encoded(to.password)}@${place(to)}/${encoded(config.name)}`;
}

const parts = (to, database, assign, names, gap = "  ") => [
  [names[0], quoted(to.host)], [names[1], to.port], [names[2], quoted(to.user)],
  [names[3], quoted(to.password)], [names[4], quoted(database)],
].map(([name, value]) => `${gap}${name}${assign}${value},`).join("\n");

const JS_NAMES = ["host", "port", "user", "password", "database"];

const POSTGRES = [
  ["psql", (config, to) => `psql ${shell(url(config, to))}`],
  ["node-postgres", (config, to) => `import pg from "pg";\nconst pool = new pg.Pool({\n${parts(to, config.name, ": ", JS_NAMES)}\n});`],
  ["postgres.js", (config, to) => `import postgres from "postgres";\nconst sql = postgres({\n${parts(to, config.name, ": ", JS_NAMES)}\n});`],
  ["psycopg", (config, to) => `import psycopg\nconnection = psycopg.connect(\n${parts(to, config.name, "=", ["host", "port", "user", "password", "dbname"], "    ")}\n)`],
  ["asyncpg", (config, to) => `import asyncpg\npool = await asyncpg.create_pool(\n${parts(to, config.name, "=", JS_NAMES, "    ")}\n)`],
  ["SQLAlchemy", (config, to) => `from sqlalchemy import create_engine\nengine = create_engine(${quoted(url(config, to).replace("postgres:", "postgresql+psycopg:"))})`],
  ["Go, pgx", (config, to) => `pool, err := pgxpool.New(ctx, ${quoted(url(config, to))})`],
  ["Rust, sqlx", (config, to) => `let pool = sqlx::PgPool::connect(${quoted(url(config, to))}).await?;`],
  ["JDBC", (config, to) => `jdbc:postgresql://${place(to)}/${encoded(config.name)}?user=${encoded(to.user)}&password=${encoded(to.password)}`],
];

const MYSQL = [
  ["mysql", (config, to) => `mysql -h ${shell(to.host)} -P ${to.port} -u ${shell(to.user)} -p${to.password === PLACEHOLDER ? "" : shell(to.password)} ${shell(config.name)}`],
  ["mysql2", (config, to) => `import mysql from "mysql2/promise";\nconst pool = mysql.createPool({\n${parts(to, config.name, ": ", JS_NAMES)}\n});`],
  ["PyMySQL", (config, to) => `import pymysql\nconnection = pymysql.connect(\n${parts(to, config.name, "=", JS_NAMES, "    ")}\n)`],
  ["MySQL Connector/Python", (config, to) => `import mysql.connector\nconnection = mysql.connector.connect(\n${parts(to, config.name, "=", JS_NAMES, "    ")}\n)`],
  ["SQLAlchemy", (config, to) => `from sqlalchemy import create_engine\nengine = create_engine(${quoted(url(config, to).replace("mysql:", "mysql+pymysql:"))})`],
  ["Go, go-sql-driver", (config, to) => `db, err := sql.Open("mysql", ${quoted(`${to.user}:${to.password}@tcp(${place(to)})/${config.name}`)})`],
  ["Rust, sqlx", (config, to) => `let pool = sqlx::MySqlPool::connect(${quoted(url(config, to))}).await?;`],
  ["JDBC", (config, to) => `jdbc:mysql://${place(to)}/${encoded(config.name)}?user=${encoded(to.user)}&password=${encoded(to.password)}`],
];

// The binding of a Worker in wrangler.jsonc.
export function wrangler(config, connection) {
  const binding = { binding: "HYPERDRIVE", id: config.id, localConnectionString: connection };
  return `"hyperdrive": [\n${JSON.stringify(binding, null, 2).replace(/^/gm, "  ")}\n]`;
}

function worker(config) {
  return isMysql(config)
    ? "import { createConnection } from \"mysql2/promise\";\n\nexport default {\n  async fetch(request, env) {\n    const { host, port, user, password, database } = env.HYPERDRIVE;\n    const connection = await createConnection({ host, port, user, password, database, disableEval: true });\n    const [rows] = await connection.query(\"SELECT 1\");\n    return Response.json(rows);\n  },\n};"
    : "import postgres from \"postgres\";\n\nexport default {\n  async fetch(request, env) {\n    const sql = postgres(env.HYPERDRIVE.connectionString);\n    return Response.json(await sql`SELECT 1`);\n  },\n};";
}

// `credential` has its password only just after it was made.
export function strings(config, credential) {
  const mysql = isMysql(config);
  const kept = localStorage.getItem(mysql ? "jumpgate.proxy.mysql" : "jumpgate.proxy.postgres");
  const told = credential?.connection_string;
  const usual = told ? new URL(told).host : `127.0.0.1:${mysql ? 6306 : 6432}`;
  const address = text("proxy", { value: kept ?? usual, placeholder: usual });
  const drivers = mysql ? MYSQL : POSTGRES;
  const driver = select("driver", drivers.map(([name]) => [name, name]), drivers[0][0]);
  const drawn = el("div", { class: "stack" });
  const draw = () => {
    const found = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d+))?$/.exec(address.value.trim() || usual);
    const host = found?.[1] ?? found?.[2] ?? "127.0.0.1";
    const port = Number(found?.[3] ?? usual.split(":").at(-1));
    const to = { host: host || "127.0.0.1", port, user: credential?.user ?? "USER", password: credential?.password ?? PLACEHOLDER };
    const [name, make] = drivers.find(([known]) => known === driver.value);
    fill(drawn,
      copyable("Connection string", url(config, to)),
      copyable(`For ${name}`, make(config, to)),
      el("details", { open: Boolean(credential?.password) }, el("summary", "A Worker, with wrangler"),
        el("div", { class: "stack" },
          copyable("In wrangler.jsonc", wrangler(config, url(config, to))),
          copyable("The Worker", worker(config)))));
  };
  address.addEventListener("input", () => {
    localStorage.setItem(mysql ? "jumpgate.proxy.mysql" : "jumpgate.proxy.postgres", address.value.trim());
    draw();
  });
  driver.addEventListener("change", draw);
  draw();
  suggest(address, mysql);
  return el("div", { class: "stack" },
    el("div", { class: "fields" },
      field("Driver", driver),
      field("Proxy", address, "Where your application reaches a proxy node; it is remembered in this browser.")),
    drawn);
}

// Where proxies say that clients reach them; else the addresses from which they ask this control plane are the best guess.
async function suggest(input, mysql) {
  if (!session.seesAll()) return;
  const nodes = await get("/nodes").catch(() => []);
  const places = nodes.filter((it) => it.role === "proxy").flatMap((it) =>
    (it.listeners ?? []).filter((one) => one.engine === (mysql ? "mysql" : "postgres")).map((one) => {
      const host = one.host ?? it.address ?? "127.0.0.1";
      return el("option", { value: `${host.includes(":") ? `[${host}]` : host}:${one.port}` }, it.name);
    }));
  if (places.length === 0) return;
  const list = el("datalist", { id: `${input.id}-proxies` }, places);
  input.after(list);
  input.setAttribute("list", list.id);
}
