// @ts-check
/** The progress of loading: phase, bytes, rate, time left, and a way out. */
import { announce, byId } from './dom.js';
import { formatBytes, formatDuration } from './format.js';

/** @typedef {{ phase: string, loaded: number, total?: number | null, rate?: number | null, eta?: number | null }} Progress rate in bytes a second, eta in seconds */

/** @type {Record<string, string>} */
const PHASES = { download: 'Downloading', read: 'Reading', prepare: 'Preparing', ready: 'Ready' };

/** @param {Progress} p @returns {string} for example "120 MB of 398 MB · 45.1 MB/s · 7 s left" */
export function progressText({ loaded, total, rate, eta }) {
  const parts = [total ? `${formatBytes(loaded)} of ${formatBytes(total)}` : formatBytes(loaded)];
  if (rate && rate > 0) parts.push(`${formatBytes(rate)}/s`);
  if (eta !== null && eta !== undefined && Number.isFinite(eta) && eta >= 1) parts.push(`${formatDuration(eta)} left`);
  return parts.join(' · ');
}

export class LoadPanel {
  #box = byId('loading');
  #phase = byId('loading-phase');
  #detail = byId('loading-detail');
  #bar = byId('loading-bar', HTMLProgressElement);
  #quarter = 0;

  /** @param {() => void} cancel */
  constructor(cancel) {
    byId('cancel-load').addEventListener('click', cancel);
  }

  /** @param {string} name what is being loaded */
  begin(name) {
    this.#quarter = 0;
    this.#phase.textContent = `Opening ${name}`;
    this.#detail.textContent = '';
    this.#bar.removeAttribute('value');
    this.#box.hidden = false;
    announce(`Opening ${name}.`);
  }

  /** @param {Progress} p */
  update(p) {
    this.#phase.textContent = PHASES[p.phase] ?? 'Loading';
    this.#detail.textContent = progressText(p);
    if (!p.total) return void this.#bar.removeAttribute('value');
    const share = Math.min(1, p.loaded / p.total);
    this.#bar.value = share;
    const quarter = Math.floor(share * 4); // a screen reader hears four steps, not four hundred
    if (quarter > this.#quarter && quarter < 4) {
      this.#quarter = quarter;
      announce(`${quarter * 25} percent loaded.`);
    }
  }

  end() {
    this.#box.hidden = true;
  }
}
