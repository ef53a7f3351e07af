// @ts-check
// Where a scenario of scenarios.mjs can run: in a Node of its own, or in a tab of Chromium with a profile of its own (private windows read their
// storage through another process, which is slower).
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const CHROMIUM = process.env.EDGE_NET_CHROMIUM ?? '/usr/bin/chromium';

/** @typedef {import('./scenarios.mjs').Samples} Samples */
/** @typedef {{scenario: string, model: string, options: import('../js-glue/session.js').SessionOptions, reps: number, pp: number, tg: number, against?: string}} Job model, against: files */

/** What a program prints. @param {string} command @param {string[]} args @returns {Promise<string>} */
export function output(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text) => { out += text; });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(out) : reject(new Error(`${path.basename(command)} ${args[0]} ended with code ${code}`))));
  });
}
/** @param {string[]} args of node @returns {Promise<string>} */
const node = (args) => output(process.execPath, args);

/** @param {Job} job @returns {Promise<Samples>} */
export async function inNode({ model, against, options, ...job }) {
  const task = { ...job, source: path.resolve(model), ...(against && { against: path.resolve(against) }), options: { ...options, storage: 'none' } };
  return JSON.parse(await node(['--no-warnings', 'bench/node-place.mjs', JSON.stringify(task)]));
}

/** Pages of this and another build, with a model beside them. @param {string} model @param {string} [against] @param {string} [other] */
async function site(model, against, other) {
  const { serve } = await import('../tools/serve.mjs');
  return serve({
    port: 0, csp: false, home: '/bench/', mounts: { '/dist/': path.join(ROOT, 'dist'), ...(other && { '/other/': path.resolve(other) }), '/bench/': path.join(ROOT, 'bench'), '/models/': path.dirname(path.resolve(model)), ...(against && { '/against/': path.dirname(path.resolve(against)) }) },
    routes: { '/blank': (_request, response) => { response.writeHead(200, { 'content-type': 'text/html', 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' }).end('<!doctype html><title>bench</title>'); } },
  });
}
/** A browser with this profile, at an empty page. @template T @param {string} profile @param {string} url @param {(page: import('@playwright/test').Page) => Promise<T>} use @returns {Promise<T>} */
async function browsing(profile, url, use) {
  const { chromium } = await import('@playwright/test');
  const browser = await chromium.launchPersistentContext(profile, { executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
  try {
    const page = browser.pages()[0] ?? await browser.newPage();
    await page.goto(new URL('/blank', url).href);
    return await use(page);
  } finally { await browser.close().catch(() => {}); }
}
const newProfile = () => mkdtempSync(path.join(os.tmpdir(), 'edge-net-bench-'));

/**
 * Every repetition in a browser that was just started, with a profile that has the model in its storage: what somebody meets who comes back.
 * @param {Job} job @param {string} [other] another dist/, by turns with this one: its samples are named "other " @returns {Promise<Samples>}
 */
export async function inNewTabs({ model, against, reps, ...job }, other) {
  const served = await site(model, against, other);
  const builds = ['dist', ...(other === undefined ? [] : ['other'])].map((folder) => ({ folder, name: folder === 'dist' ? '' : 'other ', profile: newProfile() }));
  /** @type {Samples} */ const out = {};
  try {
    for (let r = -1; r < reps; r++) {
      for (const { folder, name, profile } of r % 2 ? [...builds].reverse() : builds) {
        const samples = await browsing(profile, served.url, (page) => page.evaluate(async ({ folder, scenario, ...task }) => {
          const load = (/** @type {string} */ url) => import(url);
          const [sdk, { SCENARIOS }] = await Promise.all([load(`/${folder}/index.js`), load('/bench/scenarios.mjs')]);
          return SCENARIOS[scenario]({ sdk, reps: 1, ...task });
        }, { ...job, folder, source: new URL(`/models/${path.basename(model)}`, served.url).href }));
        for (const [metric, values] of Object.entries(samples)) if (r >= 0) (out[name + metric] ??= []).push(...values);
      }
    }
    return out;
  } finally {
    await served.close();
    for (const { profile } of builds) rmSync(profile, { recursive: true, force: true });
  }
}

/**
 * @param {Job} job @param {string} [other] another dist/, taken by turns with this one in one tab: its samples are named "other "
 * @returns {Promise<Samples>}
 */
export async function inTab({ model, against, ...job }, other) {
  const served = await site(model, against, other), profile = newProfile();
  try {
    return await browsing(profile, served.url, (page) => page.evaluate(async ({ scenario, other, ...task }) => {
      const load = (/** @type {string} */ url) => import(url);
      const [sdk, { SCENARIOS }] = await Promise.all([load('/dist/index.js'), load('/bench/scenarios.mjs')]);
      if (!other) return SCENARIOS[scenario]({ sdk, ...task });
      /** @type {Samples} */ const out = {};
      const sdks = [{ name: '', sdk }, { name: 'other ', sdk: await load('/other/index.js') }];
      for (let r = 0; r < task.reps; r++) {
        for (const { name, sdk } of r % 2 ? sdks.reverse() : sdks) {
          for (const [metric, values] of Object.entries(await SCENARIOS[scenario]({ sdk, ...task, reps: 1 }))) (out[name + metric] ??= []).push(...values);
        }
      }
      return out;
    }, { ...job, other: other !== undefined, source: new URL(`/models/${path.basename(model)}`, served.url).href, ...(against && { against: new URL(`/against/${path.basename(against)}`, served.url).href }) }));
  } finally {
    await served.close();
    rmSync(profile, { recursive: true, force: true });
  }
}
