// Walks the documentation page as an integrator would, in a headless Chromium: node check.mjs BASE SCREENSHOTS CHROMIUM
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const [told, screenshots, program] = process.argv.slice(2);
const demo = JSON.parse(readFileSync(told, "utf8"));
const { url, examples } = demo;

function oneTimeCode(otpauth) {
  const secret = new URL(otpauth).searchParams.get("secret");
  const bits = [...secret].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((octet) => parseInt(octet, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000)));
  const digest = createHmac("sha1", key).update(step).digest();
  const at = digest[digest.length - 1] & 15;
  return String((digest.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

async function token(userName) {
  const { password, pin, otpauth } = demo.accounts.find((account) => account.userName === userName);
  const body = JSON.stringify({ userName, password, pin, oneTimeCode: oneTimeCode(otpauth) });
  const answer = await fetch(`${url}/v1/sessions`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
  assert.equal(answer.status, 200, "the teacher signs in");
  return (await answer.json()).accessToken;
}

const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
  const strange = [];
  page.on("console", (message) => message.type() === "error" && strange.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => strange.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const own = request.url().startsWith(`${url}/`) || /^(data|blob|about):/.test(request.url());
    if (!own) strange.push(`leaves the origin: ${request.url()}`);
  });
  const shot = (name) => page.screenshot({ path: `${screenshots}/${name}.png` });

  await page.goto(`${url}/docs/`);
  await page.waitForSelector(".opblock");
  await shot("1-page");

  const document = await (await fetch(`${url}/openapi.json`)).json();
  const operations = Object.values(document.paths).flatMap((item) => Object.values(item)).filter((o) => o.operationId);
  const tags = await page.locator(".opblock-tag").evaluateAll((all) => all.map((one) => one.dataset.tag));
  assert.deepEqual(tags, document.tags.map((tag) => tag.name), "every tag is listed, in order");
  const listed = await page.locator(".opblock-summary-description").allInnerTexts();
  assert.deepEqual([...listed].sort(), operations.map((o) => o.summary).sort(), "every operation is listed");
  assert.equal(listed[0], "Sign in", "signing in comes first");
  await page.screenshot({ path: `${screenshots}/2-whole-page.png`, fullPage: true });

  await page.locator(".auth-wrapper .authorize").first().click();
  await page.locator(".modal-ux input").fill(await token("teacher"));
  await shot("3-authorize");
  await page.locator(".modal-ux .auth.authorize, .modal-ux button[type=submit]").first().click();
  await page.locator(".modal-ux .btn-done").click();

  const search = await opened("Find a child");
  await search.screenshot({ path: `${screenshots}/4-search.png` });
  const prepared = JSON.parse(await search.locator("textarea.body-param__text").inputValue());
  assert.deepEqual(Object.keys(prepared), Object.keys(examples.search), "the example body is a search");
  await search.locator("textarea.body-param__text").fill(JSON.stringify(examples.search));
  const found = await executed(search, "search_children");
  assert.equal(found.status, 200);
  assert.ok(found.text.includes(examples.indexNumber), "the search finds the child");
  await search.locator(".live-responses-table").scrollIntoViewIfNeeded();
  await shot("5-search-answer");

  const record = await opened("Open a child's record");
  await record.locator("tr[data-param-name=indexNumber] input").fill(examples.indexNumber);
  const read = await executed(record, "open_child");
  assert.equal(read.status, 200);
  assert.ok(read.text.includes(examples.indexNumber) && read.text.includes("involvements"), "the record opens");
  await record.locator(".live-responses-table").scrollIntoViewIfNeeded();
  await shot("6-record-answer");

  assert.deepEqual(strange, [], "nothing leaves the origin and nothing goes wrong");
  console.log(`The documentation page works: ${listed.length} operations; screenshots are in ${screenshots}`);

  async function opened(summary) {
    const block = page.locator(".opblock", { has: page.locator(".opblock-summary-description", { hasText: summary }) }).first();
    await block.locator(".opblock-summary-control").click();
    const reason = block.locator("tr[data-param-name='Access-Reason'] select");
    await reason.waitFor();
    await reason.selectOption("direct-service");
    return block;
  }

  async function executed(block, what) {
    await block.locator(".execute").click();
    const answer = block.locator(".live-responses-table tr.response").first();
    await answer.waitFor();
    const status = Number(await answer.locator(".response-col_status").first().innerText());
    const text = await answer.locator(".highlight-code, .microlight").first().innerText();
    assert.ok(status, `${what} has an answer`);
    return { status, text };
  }
} finally {
  await browser.close();
}
