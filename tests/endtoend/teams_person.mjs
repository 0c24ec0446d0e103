// A person at Microsoft's local Teams client, in Chromium: takes orders as lines of JSON and says what is to be seen.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [url, executablePath, profile] = process.argv.slice(2);
const BOT = "Test Bot";
const args = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"];

const context = await chromium.launchPersistentContext(profile, {
  executablePath,
  args: [...args, "--disable-gpu", "--disable-sync"],
  viewport: { width: 1280, height: 1000 },
});
const page = context.pages()[0];
page.setDefaultTimeout(20_000);

const button = (name) => page.getByRole("button", { name, exact: true });
const dialog = page.getByRole("dialog");

async function text(after = "") {
  const shown = await page.evaluate(() => document.body.innerText);
  const place = after ? shown.lastIndexOf(after) : 0;
  return place < 0 ? "" : shown.slice(place + after.length);
}

// Return what stands behind AFTER, as soon as UNTIL stands there.
async function read(after, until) {
  const end = Date.now() + 20_000;
  for (;;) {
    const shown = await text(after);
    if (shown.includes(until)) return shown;
    if (Date.now() > end) throw new Error(`"${until}" did not come; there is: ${shown}`);
    await page.waitForTimeout(40);
  }
}

const orders = {
  async open({ chat }) {
    await page.getByRole("treeitem", { name: chat, exact: true }).click();
  },
  async say({ words, mention }) {
    await page.getByRole("textbox").first().click();
    if (mention) {
      await page.keyboard.type("@");
      await page.getByRole("menuitem", { name: BOT }).click();
    }
    await page.keyboard.type(mention ? ` ${words}` : words);
    if (await button("Post").count()) await button("Post").click();
    else await page.keyboard.press("Enter");
  },
  read: ({ after, until }) => read(after, until),
  async press({ name }) {
    await button(name).last().click();
  },
  async point({ name }) {
    const before = await text();
    await button(name).last().hover();
    await page.waitForFunction((length) => document.body.innerText.length > length, before.length);
    const found = await text();
    await page.mouse.move(1, 1);
    return found;
  },
  async rate({ thumb, words }) {
    const thumbs = button(thumb);
    await thumbs.nth((await thumbs.count()) - 2).click(); // the client shows text and card as two messages
    await dialog.getByRole("textbox").fill(words);
    await dialog.getByRole("button", { name: "Submit" }).click();
    const close = dialog.getByRole("button", { name: "Close", exact: true });
    await close.waitFor();
    const said = await dialog.innerText();
    await close.click();
    await dialog.waitFor({ state: "detached" });
    return said;
  },
  async mock({ activity }) {
    await button("Mock an Activity").click();
    await page.getByText(activity, { exact: true }).click();
    await dialog.getByRole("button", { name: "Send activity" }).click();
    await dialog.waitFor({ state: "detached" });
  },
  async picture({ path }) {
    await page.screenshot({ path });
  },
};

await page.goto(url);
await button("Hide log panel").click();
console.log(JSON.stringify({ done: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const { order, ...given } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ done: (await orders[order](given)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ failed: error.message }));
  }
}
await context.close();
