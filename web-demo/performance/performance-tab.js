// @ts-check
/** The Performance tab: what the open model does in a second here, and what it takes. */
import { announce, byId, el } from '../dom.js';
import { formatBytes, formatMs, plural } from '../format.js';
import { macsPerToken, measure } from './measure.js';

/** @typedef {import('../engine.js').Session} Session */

export class PerformanceTab {
  /** @type {{ busy(): boolean, changed(): void, problem(error: unknown): void }} */ #page;
  /** @type {Session | null} */ #session = null;
  /** @type {import('./measure.js').Measured | null} */ #measured = null;
  #running = false;

  /** @param {{ busy(): boolean, changed(): void, problem(error: unknown): void }} page */
  constructor(page) {
    this.#page = page;
    byId('measure').addEventListener('click', () => void this.#measure());
  }

  /** @param {Session | null} session */
  use(session) {
    this.#session = session?.info.hasLogits ? session : null;
    this.#measured = null;
    this.show();
  }

  show() {
    const session = this.#session;
    byId('measure', HTMLButtonElement).disabled = !session || this.#running || this.#page.busy();
    if (byId('panel-performance').hidden) return;
    byId('figures').replaceChildren(...(session ? figures(session, this.#measured) : [])
      .map(([term, value, note]) => el('div', {}, el('dt', {}, term), el('dd', {}, value, ...(note ? [el('span', { class: 'detail' }, note)] : [])))));
  }

  async #measure() {
    const session = this.#session;
    if (!session || this.#running) return;
    this.#running = true;
    this.show();
    byId('measure-note').textContent = 'Measuring …';
    try {
      this.#measured = await measure(session);
      byId('measure-note').textContent = 'Best of three runs each. Other tabs and programs make it slower.';
      announce(`Measured: ${Math.round(this.#measured.write)} tokens a second.`);
    } catch (error) {
      byId('measure-note').textContent = '';
      this.#page.problem(error);
    } finally {
      this.#running = false;
      this.show();
    }
  }
}

/** @param {Session} session @param {import('./measure.js').Measured | null} m @returns {[string, string, string?][]} */
function figures(session, m) {
  const { info } = session, memory = session.getMemoryInfo(), macs = macsPerToken(info);
  const rate = (/** @type {number | undefined} */ r) => (r === undefined ? '–' : Math.round(r).toLocaleString('en'));
  const giga = (/** @type {number | undefined} */ r) => (r === undefined ? '' : `${((r * macs) / 1e9).toFixed(1)} GMAC/s`);
  return [
    ['Writing', rate(m?.write), m ? `tokens/s · ${giga(m.write)}` : 'tokens/s'],
    ['Reading', rate(m?.read), m ? `tokens/s · ${giga(m.read)}` : 'tokens/s'],
    ['First token', m ? formatMs(m.firstMs) : '–', 'after a short request'],
    ['Engine', info.engine.variant, info.engine.kernels],
    ['Threads', String(info.engine.threads), info.engine.threads > 1 ? '' : 'see This browser'],
    ['Weights', formatBytes(memory.modelBytes), `${plural(info.parameters, 'parameter')}`],
    ['Context memory', formatBytes(memory.kvCacheBytes), plural(info.contextLength, 'token')],
    ['Adapters', formatBytes(memory.adapterBytes), plural(session.listAdapters().length, 'taught command')],
    ['Memory in all', formatBytes(memory.wasmBytes), ''],
  ];
}
