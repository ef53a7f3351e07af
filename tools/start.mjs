#!/usr/bin/env node
// @ts-check
/**
 * `npm start`: set up, build, serve the demo with the default model on localhost, open a browser.
 *
 *   node tools/start.mjs [--port 8080] [--no-open] [--no-build]
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { have, setup } from './lib.mjs';
import { serve } from './serve.mjs';

/** @param {string} url */
function openBrowser(url) {
  const quiet = process.env.CI || (process.platform === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY);
  const opener = process.platform === 'darwin' ? 'open' : ['xdg-open', 'firefox-esr', 'chromium'].find(have);
  if (quiet || !opener) return;
  spawn(opener, [url], { stdio: 'ignore', detached: true }).on('error', () => {}).unref();
}

async function main() {
  const { values } = parseArgs({
    options: { port: { type: 'string', default: '8080' }, 'no-open': { type: 'boolean' }, 'no-build': { type: 'boolean' } },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`--port ${values.port}: must be 0..65535`);
  if (!values['no-build']) {
    await setup('build');
    await build('wasm', 'js', 'types', 'model', 'list');
  }
  const { url } = await serve({ port }).catch((error) => {
    if (error.code !== 'EADDRINUSE') throw error;
    console.log(`Port ${port} is taken, using another one.`);
    return serve({ port: 0 });
  });
  console.log(`\nedge-net demo: ${url}\nStop with Ctrl-C.`);
  if (!values['no-open']) openBrowser(url);
}

main().catch((error) => {
  console.error(`start: ${error.message}`);
  process.exitCode = 1;
});
