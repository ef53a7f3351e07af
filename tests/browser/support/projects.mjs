// @ts-check
/** The browsers of the suites: the distribution's own, no download. */
import { existsSync } from 'node:fs';

/** @param {string | undefined} given @param {string} usual @returns {{ executablePath?: string }} */
function browserAt(given, usual) {
  const path = given ?? (existsSync(usual) ? usual : undefined);
  return path ? { executablePath: path } : {};
}

/** @type {import('@playwright/test').Project[]} */
export const projects = [
  {
    name: 'chromium',
    use: {
      browserName: 'chromium',
      launchOptions: {
        ...browserAt(process.env.EDGE_NET_CHROMIUM, '/usr/bin/chromium'),
        args: ['--no-sandbox', '--disable-quic', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
      },
    },
  },
  {
    name: 'firefox',
    testIgnore: /serve\.spec/,
    // Driven over WebDriver BiDi, Firefox now and then never starts a worker that a worker asked for (a bare script without this package hangs
    // the same way; without automation it does not happen).
    retries: 2,
    use: {
      browserName: 'firefox',
      channel: 'moz-firefox', // a stock Firefox over WebDriver BiDi, not Playwright's patched build
      launchOptions: browserAt(process.env.EDGE_NET_FIREFOX, '/usr/bin/firefox-esr'),
    },
  },
];

/** @type {import('@playwright/test').PlaywrightTestConfig} */
export const common = {
  workers: 1, // the tests use every core themselves, and one machine's timing must not disturb another test
  fullyParallel: false,
  retries: 1, // a browser that hangs under automation must not fail a run; whatever passes only when tried again is reported (tools/test.mjs)
  forbidOnly: !!process.env.CI,
  reporter: [['list']],
  projects,
};
