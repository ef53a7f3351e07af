// @ts-check
/** Numbers as people read them. */

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB'];

/** @param {number} bytes 1 KB = 1000 bytes, as download pages and file managers count */
export function formatBytes(bytes) {
  if (!Number.isFinite(bytes) || bytes < 0) return 'unknown size';
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : value >= 9.95 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** @param {number} seconds */
export function formatDuration(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return '';
  const s = Math.ceil(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

/** @param {number} ms */
export function formatMs(ms) {
  if (!Number.isFinite(ms)) return '';
  return ms < 1000 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** @param {number} tokens @param {number} ms @returns {string} tokens a second, empty where it means nothing */
export function formatRate(tokens, ms) {
  if (!(tokens > 0) || !(ms > 0)) return '';
  const rate = (tokens * 1000) / ms;
  return `${rate >= 99.5 ? Math.round(rate).toLocaleString('en') : rate.toFixed(1)} tokens/s`;
}

/** @param {number} count @param {string} one @param {string} [many] */
export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}
