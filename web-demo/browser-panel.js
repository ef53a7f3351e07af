// @ts-check
/** What this browser can do, in words: rows of yes and no, which engine build runs and why, and what would be faster. */
import { el } from './dom.js';
import { formatBytes, plural } from './format.js';

/** @typedef {import('../js-glue/capabilities.js').Capabilities} Capabilities */
/** @typedef {{ ok: boolean, label: string, text: string }} Row */

/** @param {Capabilities} c @returns {Row[]} */
export function capabilityRows(c) {
  const { kinds, quota, usage } = c.storage;
  const keeps = kinds.some((kind) => kind !== 'memory');
  const room = quota !== null && usage !== null ? `; ${formatBytes(Math.max(0, quota - usage))} may be used` : '';
  return [
    { ok: c.simd, label: 'SIMD', text: c.simd ? 'computes on 16 bytes at once' : 'missing: much slower' },
    { ok: c.relaxedSimd, label: 'Relaxed SIMD', text: c.relaxedSimd ? 'faster products for quantized weights' : 'missing: somewhat slower' },
    { ok: c.threads, label: 'Threads', text: c.threads ? `up to ${plural(c.cores, 'core')}` : threadsMissing(c) },
    { ok: keeps, label: 'Storage', text: keeps ? `models are kept in ${kinds[0] === 'opfs' ? 'private files' : 'IndexedDB'}${room}` : 'models are forgotten on reload' },
    { ok: true, label: 'Memory', text: `${formatBytes(c.memory.maxBytes)} at most for one model${c.memory.deviceGiB ? `; this device has ${c.memory.deviceGiB} GB or more` : ''}` },
  ];
}

/** @param {Capabilities} c */
function threadsMissing(c) {
  return c.crossOriginIsolated ? 'missing in this browser: one core works' : 'not allowed here (see below): one core works';
}

/** @param {Capabilities} c @returns {string[]} what a person could do to get faster, empty when nothing is left */
export function adviceFor(c) {
  const advice = [];
  if (!c.crossOriginIsolated) {
    advice.push('Several cores: the server must send Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp with this page. "npm start" does.');
  }
  if (!c.simd || !c.relaxedSimd) advice.push('Use a current Chrome, Edge or Firefox: they have relaxed SIMD.');
  return advice;
}

/**
 * @param {HTMLElement} box is filled
 * @param {Capabilities} c
 * @param {{ variant: string, threads: number, why: string } | null} running what the loaded model uses, if one is loaded
 */
export function showBrowser(box, c, running) {
  const variant = running?.variant ?? c.variant;
  const why = running && running.variant !== c.variant ? running.why : c.why; // another build than usual explains itself
  const rows = capabilityRows(c).map((row) => el('li', { class: row.ok ? 'yes' : 'no' },
    el('span', { class: 'mark', 'aria-hidden': 'true' }),
    el('span', {}, el('span', { class: 'visually-hidden' }, row.ok ? 'Yes: ' : 'No: '), el('strong', {}, row.label), ` ${row.text}`)));
  const advice = adviceFor(c);
  box.replaceChildren(
    el('p', { class: 'engine-line' }, el('code', { id: 'engine-variant' }, variant), running
      ? ` runs now, on ${plural(running.threads, 'thread')}.` : ' is the build that will be used.'),
    el('p', { class: 'detail', id: 'engine-why' }, why),
    el('ul', { class: 'marks' }, ...rows),
    ...(advice.length === 0 ? [el('p', { class: 'detail' }, 'Nothing is left that would make it faster here.')]
      : [el('h3', {}, 'To get faster'), el('ul', { class: 'advice', id: 'advice' }, ...advice.map((text) => el('li', {}, text)))]),
  );
}
