import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { instruments } from './instruments.mjs';
import { Screen } from './screen.mjs';

const { SCHEMACAST_CHROMIUM: executablePath, SCHEMACAST_PAGE: address, SCHEMACAST_TOKEN: token } = process.env;

// Nothing of Chromium's own business with the network.
const args = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath, headless: true, chromiumSandbox: false, args });
});
after(() => browser?.close());

/**
 * A test with a browser. `open` shows the page of a tenant to somebody who has signed in, unless the token is null.
 * Afterwards every page must have been quiet, but for what `allow` lists.
 */
export function look(name, body, { timeout = 60_000 } = {}) {
  test(name, { timeout }, async () => {
    const screens = [];
    const contexts = [];
    const open = async ({ tenant = '', query = '', hash = '', as = token, allow = [], ...options } = {}) => {
      const context = await browser.newContext({
        viewport: { width: 1440, height: 900 },
        reducedMotion: 'reduce',
        ...options,
      });
      contexts.push(context);
      await context.addInitScript(instruments);
      if (as) await signIn(context, as);
      const page = await context.newPage();
      page.setDefaultTimeout(15_000);
      const screen = new Screen(page, allow);
      screens.push(screen);
      const search = new URLSearchParams({ ...(tenant && { tenant }), ...query });
      await page.goto(`${address}/?${search}${hash}`);
      return screen;
    };
    try {
      await body(open);
      for (const screen of screens) await screen.wantQuiet();
    } catch (error) {
      // A page that has died has no picture; the error tells.
      await Promise.allSettled(screens.map((screen, i) => screen.shot(`failed ${name} ${i + 1}`.replace(/\W+/g, '-'))));
      for (const { problems } of screens) for (const problem of problems) console.log(`in the console: ${problem}`);
      throw error;
    } finally {
      await Promise.all(contexts.map(context => context.close()));
    }
  });
}

async function signIn(context, token) {
  const response = await context.request.post(`${address}/api/session`, { data: { token } });
  if (!response.ok()) throw new Error(`sign in: ${response.status()} ${await response.text()}`);
}

/** Prints a measured figure. */
export const figure = (what, value, unit = 'ms') =>
  console.log(`FIGURE ${what}: ${Math.round(value * 10) / 10} ${unit}`);
