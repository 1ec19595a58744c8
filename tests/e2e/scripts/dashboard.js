// The dashboard in a real browser: what a person does there, and what axe-core finds of the pages on the way.
//
// URL, TOKEN and ACCOUNT are of a control node, which a proxy at PROXY and an edge follow; ORIGIN_URL is a PostgreSQL. JUMPGATE
// runs the connector, in the folder HOME with the edge's ca.pem. `pages.js` has
// what else it needs. What the pages say is to be run is run, as it stands there.

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const { ACCOUNT, BASE, DESK, HOME, HOSTILE, TOKEN, api, browse, held, logIn, open, shell, watched } = require("./pages.js");

const ORIGIN = new globalThis.URL(process.env.ORIGIN_URL);
let connector = null;

// What a page shows to be copied.
function shown(page, label) {
  return page.getByRole("group", { name: label, exact: true }).innerText();
}

// The command of the page leads to the database, through the proxy.
async function connects(page) {
  await page.getByLabel("Proxy").fill(process.env.PROXY);
  await page.getByLabel("Driver").selectOption("psql");
  const command = await shown(page, "For psql");
  assert.ok(command.includes(await shown(page, "Connection string")), command);
  // A proxy is told of a new configuration a moment later.
  for (let count = 0; ; count += 1) {
    try {
      assert.equal(shell(`${command} -Atc 'SELECT 40 + 2'`), "42");
      return;
    } catch (error) {
      if (count === 20) throw error;
      await page.waitForTimeout(250);
    }
  }
}

async function cookieIsSealed(page) {
  const [cookie, ...others] = await page.context().cookies();
  assert.equal(others.length, 0);
  assert.ok(cookie.httpOnly && cookie.sameSite === "Strict" && !cookie.secure, JSON.stringify(cookie));
  assert.ok(!cookie.value.includes(TOKEN));
  assert.ok(!(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).includes(TOKEN));
}

// A public configuration: created, rotated, purged, edited.
async function publicConfig(page) {
  await open(page, "configs/new/public", "Public database");
  await page.getByLabel("Connection string (optional)").fill(process.env.ORIGIN_URL);
  await page.getByLabel("Name", { exact: true }).fill(HOSTILE);
  await page.getByText("Caching, connections, TLS").click();
  await page.getByLabel("Kept for (seconds)").fill("120");
  await page.getByLabel("Mode").selectOption("require");
  await held(page, "create-public");
  await page.getByRole("button", { name: "Create configuration" }).click();
  await page.getByText("The password is shown this once.").waitFor();
  const first = await shown(page, "Password");
  assert.match(first, /^[0-9a-f]{32}$/);
  assert.ok((await shown(page, "For psql")).includes(first));
  for (const [driver, part] of [["psycopg", "psycopg.connect("], ["postgres.js", "postgres({"], ["asyncpg", "create_pool("]]) {
    await page.getByLabel("Driver").selectOption(driver);
    assert.ok((await shown(page, `For ${driver}`)).includes(part));
  }
  await page.getByRole("button", { name: "Copy Password" }).click();
  await page.getByText("Copied: Password").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), first);
  await connects(page);
  await held(page, "created-public");
  await page.getByRole("link", { name: "Open the configuration" }).click();
  await page.getByRole("heading", { level: 1, name: HOSTILE }).waitFor();
  await page.getByRole("button", { name: `Rotate the password of ${HOSTILE}` }).click();
  await held(page, "rotate");
  await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click();
  const dialog = page.getByRole("dialog", { name: "The new password" });
  await dialog.waitFor();
  const second = await shown(dialog, "Password");
  assert.notEqual(second, first);
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await page.getByText("right until").waitFor();
  await page.getByRole("button", { name: "Create credential" }).click();
  await page.getByLabel("User").fill(`${HOSTILE}2`);
  await page.getByRole("dialog").getByRole("button", { name: "Create" }).click();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: `Delete ${HOSTILE}2` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: `Delete ${HOSTILE}2` }).waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Purge cache" }).click();
  await page.getByLabel("Only of these tables (optional)").fill("orders, items");
  await page.getByRole("button", { name: "Purge", exact: true }).click();
  await page.getByText("Purged on 1 node.").waitFor();
  await page.getByRole("button", { name: "Restart" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Restart" }).click();
  await page.getByText(`Restarted ${HOSTILE}.`).waitFor();
  await page.getByRole("button", { name: "Check" }).click();
  await page.getByText("The database can be reached.").waitFor();
  await held(page, "config");
  await page.getByRole("link", { name: "Edit" }).click();
  await page.getByLabel("Kept for (seconds)").fill("");
  await page.getByLabel("Connections to the database, at most").fill("15");
  await held(page, "edit");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { level: 1, name: HOSTILE }).waitFor();
  const [config] = await api("GET", "{a}/hyperdrive/configs");
  assert.equal(config.origin_connection_limit, 15);
  assert.deepEqual(config.caching, { disabled: false });
}

async function deleted(page) {
  await open(page, "configs", "Configurations");
  await page.getByRole("link", { name: HOSTILE }).click();
  await page.getByRole("button", { name: "Delete configuration" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(/^Type /).fill("another");
  await dialog.getByRole("button", { name: "Delete configuration" }).click();
  await dialog.getByRole("alert").waitFor();
  await dialog.getByLabel(/^Type /).fill(HOSTILE);
  await dialog.getByRole("button", { name: "Delete configuration" }).click();
  await page.getByRole("heading", { level: 1, name: "Configurations" }).waitFor();
  assert.ok((await api("GET", "{a}/hyperdrive/configs")).every((it) => it.name !== HOSTILE));
}

async function counts() {
  const lists = ["cfd_tunnel?is_deleted=false", "hostnames", "access/service_tokens", "access/apps", "hyperdrive/configs"];
  return Promise.all(lists.map(async (list) => (await api("GET", `{a}/${list}`)).length));
}

async function fillPrivate(page, name, hostname) {
  await open(page, "configs/new/private", "Private database");
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Database name").fill(ORIGIN.pathname.slice(1));
  await page.getByLabel("User").fill(ORIGIN.username);
  await page.getByLabel("Password").fill(ORIGIN.password);
  await page.getByLabel("Database port").fill(ORIGIN.port);
  await page.getByLabel("Name of the new tunnel").fill(`office of ${name}`);
  await page.getByLabel("Hostname").fill(hostname);
}

// A private one: stopped, refused because its name is taken, and done.
async function privateConfig(page) {
  const before = await counts();
  await fillPrivate(page, "inner", "inner.example.com");
  await held(page, "create-private");
  await page.getByRole("button", { name: "Create configuration" }).click();
  await page.getByRole("button", { name: "Go on without waiting" }).waitFor();
  await held(page, "private-steps");
  await page.getByRole("button", { name: "Stop, and take it back" }).click();
  await page.getByText("What was made before has been taken back.").waitFor();
  assert.deepEqual(await counts(), before);
  await fillPrivate(page, HOSTILE, "taken.example.com");
  await page.getByRole("button", { name: "Create configuration" }).click();
  await page.getByRole("button", { name: "Go on without waiting" }).click();
  await page.getByText("What was made before has been taken back.").waitFor();
  await held(page, "private-undone");
  assert.deepEqual(await counts(), before);
  await fillPrivate(page, "inner", "inner.example.com");
  await page.getByRole("button", { name: "Create configuration" }).click();
  await page.getByRole("button", { name: "Go on without waiting" }).waitFor();
  // It goes on by itself, once the connector that it says is connected.
  shell(await shown(page, "The tunnel's token, kept in a file"));
  const command = await shown(page, "Jumpgate's connector");
  assert.ok(command.endsWith(`--token-file tunnel.token --allow '127.0.0.1:${ORIGIN.port}'`), command);
  const log = fs.openSync(`${HOME}/connector.log`, "w");
  const [program, ...words] = command.replace(/^jumpgate/, process.env.JUMPGATE).replaceAll("'", "").split(" ");
  connector = spawn(program, words, { cwd: HOME, stdio: ["ignore", log, log] });
  await page.getByText("The password is shown this once.").waitFor();
  const after = await counts();
  assert.deepEqual(after, before.map((count) => count + 1));
  assert.ok((await shown(page, "In wrangler.jsonc")).includes("localConnectionString"));
  await connects(page);
  await held(page, "created-private");
  await open(page, "tunnels", "Tunnels");
  await page.getByRole("link", { name: "office of inner" }).click();
  await page.getByText("healthy").waitFor();
  await held(page, "tunnel-connected");
}

// By keys alone: past the navigation, to a configuration, and into a dialog that keeps the focus.
async function byKeys(page) {
  await open(page, "configs", "Configurations");
  await page.reload();
  await page.getByRole("heading", { level: 1, name: "Configurations" }).waitFor();
  await page.locator(".skip").focus();
  await page.keyboard.press("Enter");
  const wanted = page.getByRole("link", { name: HOSTILE });
  for (let count = 0; count < 8 && !await wanted.evaluate((it) => it === document.activeElement); count += 1) {
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: HOSTILE }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1");
  await page.getByRole("button", { name: "Restart" }).focus();
  await page.keyboard.press("Space");
  await page.getByRole("dialog").waitFor();
  for (let count = 0; count < 6; count += 1) {
    await page.keyboard.press("Tab");
    const isWithin = await page.evaluate(() => {
      const at = document.activeElement;
      return at === document.body || at.closest("dialog") !== null;
    });
    assert.ok(isWithin, "the dialog keeps the focus");
  }
  await page.keyboard.press("Escape");
}

// A session ends with its token, and a token that may only look sees nothing to change.
async function otherTokens(browser) {
  const made = await api("POST", "/user/tokens", { name: "reader", scope: "read", account_id: ACCOUNT });
  const page = watched(await browser.newPage({ viewport: DESK }));
  await page.goto(BASE);
  await page.getByLabel("API token").fill(made.value);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  assert.equal(await page.getByRole("link", { name: "Create configuration" }).count(), 0);
  await open(page, "access", "Service tokens");
  assert.equal(await page.getByRole("button", { name: /Rotate|Delete|Create/ }).count(), 0);
  await api("DELETE", `/user/tokens/${made.id}`);
  await page.goto(`${BASE}/#/configs`);
  await page.getByLabel("API token").waitFor();
  await page.close();
}

browse("dashboard.js", async (page, browser, context) => {
  try {
    await page.goto(BASE);
    await page.getByLabel("API token").fill("jg_wrong");
    await held(page, "login");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("Authentication error").waitFor();
    await logIn(page);
    await cookieIsSealed(page);
    await publicConfig(page);
    await privateConfig(page);
    await page.reload();
    await byKeys(page);
    await otherTokens(browser);
    await deleted(page);
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByLabel("API token").waitFor();
    assert.equal((await context.cookies()).length, 0);
  } finally {
    connector?.kill();
  }
});
