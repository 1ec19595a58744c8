// The dashboard's pages in a real browser, full of names that would be markup: light, dark, on a phone, and each dialog by keys.
//
// URL, TOKEN and ACCOUNT are of a control node, which a proxy follows; ORIGIN_URL is a PostgreSQL. HOME is a folder with a ca.pem.
// `pages.js` has what else it needs.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const { DESK, HOME, HOSTILE, api, browse, held, logIn, open } = require("./pages.js");

const PHONE = { width: 375, height: 740 };

function origin() {
  const url = new URL(process.env.ORIGIN_URL);
  const { username: user, password, hostname: host } = url;
  return { scheme: "postgres", host, port: Number(url.port), database: url.pathname.slice(1), user, password };
}

// What else has a name, made by programs.
async function hostileNames() {
  const name = HOSTILE;
  await api("POST", "{a}/hyperdrive/configs", { name, origin: origin(), mtls: { sslmode: "require" } });
  const token = await api("POST", "{a}/access/service_tokens", { name, duration: "100h" });
  const include = [{ service_token: { token_id: token.id } }];
  const policy = await api("POST", "{a}/access/policies", { name, decision: "non_identity", include });
  await api("POST", "{a}/access/apps", { type: "self_hosted", name, domain: "a.example.com", policies: [policy.id] });
  const tunnel = await api("POST", "{a}/cfd_tunnel", { name, config_src: "cloudflare" });
  await api("PUT", "{a}/hostnames/a.example.com", { tunnel: tunnel.id, service: "tcp://10.0.0.1:5432" });
  await api("POST", "/user/tokens", { name, scope: "read" });
  await api("POST", "/accounts", { name });
  const certificates = fs.readFileSync(`${HOME}/ca.pem`, "utf8");
  await api("POST", "{a}/mtls_certificates", { name, certificates, ca: true });
  return tunnel;
}

async function everyPage(page, tunnel, suffix) {
  for (const [place, title] of [
    ["", "Overview"],
    ["configs", "Configurations"],
    ["configs/new", "Create configuration"],
    ["tunnels", "Tunnels"],
    [`tunnels/${tunnel.id}`, HOSTILE],
    ["hostnames", "Hostnames"],
    ["access", "Service tokens"],
    ["access/policies", "Policies"],
    ["access/applications", "Applications"],
    ["certificates", "Certificates"],
    ["nodes", "Nodes"],
    ["tokens", "API tokens"],
    ["audit", "Audit log"],
  ]) {
    await open(page, place, title);
    if (/^(configs|tunnels|access|certificates|tokens)(\/policies|\/applications)?$/.test(place) && suffix !== "-read") {
      await page.getByRole("main").getByText(HOSTILE).first().waitFor();
    }
    await held(page, `${title === HOSTILE ? "tunnel" : title.toLowerCase().replaceAll(" ", "-")}${suffix}`);
  }
}

async function dialogs(page) {
  for (const [place, title, name] of [
    ["tunnels", "Tunnels", "Create tunnel"],
    ["hostnames", "Hostnames", "Add hostname"],
    ["access", "Service tokens", "Create service token"],
    ["access/policies", "Policies", "Create policy"],
    ["access/applications", "Applications", "Create application"],
    ["certificates", "Certificates", "Upload certificate"],
    ["tokens", "API tokens", "Create token"],
  ]) {
    await open(page, place, title);
    const opener = page.getByRole("button", { name });
    await opener.press("Enter");
    await page.getByRole("dialog", { name }).waitFor();
    await held(page, `dialog-${place.replace("/", "-")}`);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    assert.ok(await opener.evaluate((it) => it === document.activeElement), `the focus is back at ${name}`);
  }
  await open(page, "access", "Service tokens");
  await page.getByRole("button", { name: "Create service token" }).click();
  await page.getByLabel("Name").fill("made here");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.getByRole("group", { name: "Client secret" }).waitFor();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: "Revoke made here" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("button", { name: "Allow made here" }).waitFor();
  await page.getByRole("button", { name: "Delete made here" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Delete made here" }).waitFor({ state: "detached" });
}

browse("pages_look.js", async (page) => {
  await logIn(page);
  const tunnel = await hostileNames();
  await page.reload();
  await everyPage(page, tunnel, "");
  await page.emulateMedia({ colorScheme: "dark" });
  await everyPage(page, tunnel, "-dark");
  await open(page, "configs/new/public", "Public database");
  await held(page, "create-public-dark");
  await page.setViewportSize(PHONE);
  await page.emulateMedia({ colorScheme: "light" });
  await everyPage(page, tunnel, "-phone");
  await open(page, "configs/new/private", "Private database");
  await held(page, "create-private-phone");
  await open(page, "configs", "Configurations");
  await page.getByRole("link", { name: HOSTILE }).click();
  await page.getByRole("heading", { level: 1, name: HOSTILE }).waitFor();
  await held(page, "config-phone");
  await page.setViewportSize(DESK);
  await dialogs(page);
});
