// What clients do, in the dashboard: live while they do it, and as charts once a minute is over.
//
// A proxy at PROXY follows the control node; ORIGIN_URL is a PostgreSQL. `pages.js` has what else it needs.

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { BASE, TOKEN, api, browse, held, open, shell } = require("./pages.js");

const ORIGIN = new globalThis.URL(process.env.ORIGIN_URL);
const HOSTILE = "<img src=x onerror=alert(1)>'\"";
const PASSWORD = "clients-password";
const PHONE = { width: 375, height: 740 };

// A configuration, and the command that connects to it.
async function made() {
  const origin = {
    scheme: "postgres", host: ORIGIN.hostname, port: Number(ORIGIN.port), database: ORIGIN.pathname.slice(1),
    user: ORIGIN.username, password: decodeURIComponent(ORIGIN.password),
  };
  const { id } = await api("POST", "{a}/hyperdrive/configs", { name: HOSTILE, origin });
  await api("POST", `{a}/hyperdrive/configs/${id}/credentials`, { user: "app", password: PASSWORD });
  const database = encodeURIComponent(HOSTILE).replaceAll("'", "%27");
  return [id, `psql 'postgres://app:${PASSWORD}@${process.env.PROXY}/${database}'`];
}

async function served(page, command) {
  // A proxy is told of a new configuration a moment later.
  for (let count = 0; ; count += 1) {
    try {
      return shell(`${command} -Atc 'SELECT 1'`);
    } catch (error) {
      if (count === 20) throw error;
      await page.waitForTimeout(250);
    }
  }
}

// What clients do is seen while they do it.
async function live(page, command) {
  const client = spawn("bash", ["-c", `exec ${command} -At`], { stdio: ["pipe", "ignore", "ignore"] });
  try {
    client.stdin.write("BEGIN; CREATE TEMPORARY TABLE mine (i int);\n");
    for (let count = 0; count < 3; count += 1) shell(`${command} -Atc "SELECT relname FROM pg_class WHERE oid = ${count}"`);
    const clients = page.getByRole("region", { name: "Table of clients" });
    await clients.getByText("in transaction", { exact: true }).waitFor();
    assert.equal(await page.getByRole("button", { name: "Pause" }).count(), 1);
    const statements = page.getByRole("region", { name: "Table of statements" });
    const one = statements.getByRole("row").filter({ hasText: /pg_class WHERE oid/ });
    await one.waitFor();
    assert.ok(!/oid = \d/.test(await one.innerText()), "no constant of a statement is shown");
    const calls = statements.getByRole("columnheader", { name: "Calls" });
    for (const order of ["descending", "ascending"]) {
      await calls.getByRole("button").press("Enter");
      assert.equal(await calls.getAttribute("aria-sort"), order);
    }
    await held(page, "config-live");
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("button", { name: "Go on" }).click();
    client.stdin.end();
    await clients.getByText("in transaction", { exact: true }).waitFor({ state: "hidden" });
  } finally {
    client.kill();
  }
}

// A minute that is over moves the charts, of the configuration and of the account.
async function charts(page) {
  await open(page, "configs", "Configurations");
  await page.getByRole("link", { name: HOSTILE }).click();
  await page.getByRole("heading", { level: 1, name: HOSTILE }).waitFor();
  const counted = () => !["", "0"].includes(document.querySelector(".figures dd")?.textContent ?? "");
  await page.waitForFunction(counted, null, { timeout: 150000 });
  const plot = page.getByRole("slider", { name: "Statements per second" });
  assert.ok(await plot.locator("rect").count() > 0);
  await plot.focus();
  const said = new Set();
  for (let count = 0; count < 4; count += 1) {
    await page.keyboard.press("ArrowLeft");
    said.add(await plot.getAttribute("aria-valuetext"));
  }
  assert.equal(said.size, 4, [...said].join("; "));
  await page.keyboard.press("Escape");
  await page.getByText("As a table").first().click();
  await page.getByRole("region", { name: "Values of Statements per second" }).getByRole("row").nth(1).waitFor();
  await held(page, "config-charts");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.getByRole("button", { name: "Week" }).click();
  await page.waitForFunction(counted);
  await held(page, "config-charts-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await open(page, "", "Overview");
  await page.getByRole("region", { name: "Table of configurations in the last hour" }).getByText(HOSTILE).waitFor();
  await page.waitForFunction(counted);
  await held(page, "overview-charts");
}

browse("activity.js", async (page) => {
  const [id, command] = await made();
  await page.goto(BASE);
  await page.getByLabel("API token").fill(TOKEN);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  await served(page, command);
  await open(page, `configs/${id}`, HOSTILE);
  await live(page, command);
  await charts(page);
  await page.setViewportSize(PHONE);
  await held(page, "overview-charts-phone");
  await open(page, `configs/${id}`, HOSTILE);
  await page.locator(".figures dd").first().waitFor();
  await held(page, "config-charts-phone");
});
