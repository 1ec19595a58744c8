// What scripts in a real browser share. URL, TOKEN and ACCOUNT are of a control node, HOME is a folder, SHOTS one for pictures, if
// there are to be any, and CHROMIUM the browser.

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const { chromium } = require("playwright-core");

const { URL: BASE, TOKEN, ACCOUNT, CHROMIUM, SHOTS, HOME } = process.env;
const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const DESK = { width: 1280, height: 900 };
// What a name is that would be markup, if a page let it.
const HOSTILE = "<img src=x onerror=alert(1)>'\"";
const trouble = [];

async function api(method, path, body) {
  const answer = await fetch(`${BASE}/client/v4${path.replace("{a}", `/accounts/${ACCOUNT}`)}`, {
    method,
    headers: { authorization: `Bearer ${TOKEN}` },
    body: body && JSON.stringify(body),
  });
  const { success, result, errors } = await answer.json();
  assert.ok(success, `${method} ${path}: ${JSON.stringify(errors)}`);
  return result;
}

function watched(page) {
  page.on("dialog", (dialog) => {
    trouble.push(`an alert: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("pageerror", (error) => trouble.push(`a page's error: ${error.message}`));
  page.on("console", (message) => {
    // A refused request is shown by the page, and by the browser too.
    const isRefusal = /Failed to load resource: the server responded with a status of 4\d\d/.test(message.text());
    if (message.type() === "error" && !isRefusal) trouble.push(`the console: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(`${BASE}/`)) trouble.push(`asked elsewhere: ${request.url()}`);
  });
  return page;
}

function shell(command) {
  return execFileSync("bash", ["-c", command], { cwd: HOME, encoding: "utf8", timeout: 30000 }).trim();
}

async function logIn(page) {
  await page.goto(BASE);
  await page.getByLabel("API token").fill(TOKEN);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
}

async function open(page, place, title) {
  await page.goto(`${BASE}/#/${place}`);
  await page.getByRole("heading", { level: 1, name: title, exact: true }).waitFor();
}

// Nothing wider than the window, and nothing that axe-core calls serious. A shorter look at what is behind a dialog is no
// page of its own, so that what is open counts.
async function held(page, name) {
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, impact, nodes } of found.violations) {
    if (impact !== "serious" && impact !== "critical" && impact !== "moderate") continue;
    trouble.push(`axe on ${name}: ${id} (${impact}): ${nodes.map((it) => it.html.slice(0, 200)).join(" | ")}`);
  }
  const [wide, window] = await page.evaluate(() => [document.scrollingElement.scrollWidth, innerWidth]);
  if (wide > window) trouble.push(`${name} is ${wide} wide in a window of ${window}`);
  const made = await page.locator("img:not([src='/assets/icon.svg']), iframe, object, [onerror]").count();
  if (made > 0) trouble.push(`${name} has elements that nobody made`);
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
}

// Does something in a browser; what goes wrong meanwhile fails the script, whose name is said at its end.
async function browse(name, work) {
  try {
    const browser = await chromium.launch({ executablePath: CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
    try {
      const context = await browser.newContext({ viewport: DESK, permissions: ["clipboard-read", "clipboard-write"] });
      // Before the policy of the page counts, so that it is measured as it is.
      await context.addInitScript(AXE);
      await work(watched(await context.newPage()), browser, context);
    } finally {
      await browser.close();
    }
    assert.deepEqual(trouble, []);
    console.log(`${name}: done`);
  } catch (error) {
    for (const text of trouble) console.error(text);
    console.error(error);
    process.exitCode = 1;
  }
}

module.exports = { ACCOUNT, BASE, DESK, HOME, HOSTILE, TOKEN, api, browse, held, logIn, open, shell, watched };
