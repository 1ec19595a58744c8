// How a tunnel's connector is installed and run.

import { get, session } from "./api.js";
import { el, fill } from "./dom.js";
import { copyable } from "./parts.js";

const UNKNOWN = "EDGE:7844";

// Where connectors find an edge, if a node says so.
export async function edgeAddress(signal) {
  if (!session.seesAll()) return UNKNOWN;
  const nodes = await get("/nodes", signal).catch(() => []);
  const edge = nodes.find((it) => it.role === "edge" && it.connectors_address && it.status !== "lost")
    ?? nodes.find((it) => it.role === "edge" && it.connectors_address);
  if (!edge) return UNKNOWN;
  // An edge that listens on every address is where it comes from.
  const port = edge.connectors_address.split(":").at(-1);
  const isAny = /^(0\.0\.0\.0|\[::\]):/.test(edge.connectors_address);
  if (!isAny || !edge.address) return edge.connectors_address;
  return `${edge.address.includes(":") ? `[${edge.address}]` : edge.address}:${port}`;
}

// The CAs of edges that have their own, for a file.
async function authorities(place) {
  if (!session.seesAll()) return;
  const nodes = await get("/nodes").catch(() => []);
  const pems = new Set(nodes.map((it) => it.ca_certificate?.trim()).filter(Boolean));
  if (pems.size === 0) return;
  fill(place, copyable("The edge's CA, kept in a file", `cat > ca.pem <<'PEM'\n${[...pems].join("\n")}\nPEM`));
}

const shell = (value) => `'${String(value).replaceAll("'", "'\\''")}'`;

// `service`: tcp://host:port, or none. `token`: the tunnel's.
export function commands(token, edge, service) {
  const target = service?.replace(/^tcp:\/\//, "");
  const keep = `(umask 077; printf '%s\\n' ${shell(token)} > tunnel.token)`;
  const allow = target ? ` --allow ${shell(target)}` : " --allow HOST:PORT";
  const ours = `jumpgate connector --edge ${edge} --cacert ca.pem --token-file tunnel.token${allow}`;
  const edges = Array(5).fill(`--edge ${edge}`).join(" ");
  const theirs = `cloudflared tunnel ${edges} \\\n  --cacert ca.pem --protocol http2 --no-autoupdate --no-prechecks \\\n  run --token-file tunnel.token`;
  const ca = el("div");
  authorities(ca);
  return el("div", { class: "stack" },
    el("p", { class: "note" },
      "On a machine in the private network that reaches the database. It only dials out. ca.pem is the CA of the edge's certificate; leave --cacert out if that is a public one. cloudflared opens as many connections as it is given edges.",
      edge === UNKNOWN && " EDGE is the address of your edge."),
    copyable("The tunnel's token, kept in a file", keep),
    ca,
    copyable("Jumpgate's connector", ours),
    copyable("or cloudflared, unmodified", theirs));
}
