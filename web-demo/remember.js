// @ts-check
/**
 * Small values that outlive a reload. Storage may be missing, full or forbidden (private windows, blocked cookies):
 * then nothing is remembered, and nothing else changes.
 */
const PREFIX = 'edge-net.';

/**
 * @template T
 * @param {string} key
 * @param {T} fallback what to answer when nothing, or nothing readable, is kept
 * @returns {T}
 */
export function recall(key, fallback) {
  try {
    const text = localStorage.getItem(PREFIX + key);
    return text === null ? fallback : JSON.parse(text);
  } catch {
    return fallback;
  }
}

/** @param {string} key @param {unknown} value undefined forgets the key */
export function remember(key, value) {
  try {
    if (value === undefined) localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // see above
  }
}
