// @ts-check
// Bytes as text and back. Readers are strict: one text for one byte string, so that nobody can change a message without changing its bytes.
import { EdgeNetError } from '../errors.js';

/** @param {Uint8Array} bytes @returns {string} lower-case hexadecimal digits */
export function toHex(bytes) {
  let text = '';
  for (const b of bytes) text += b.toString(16).padStart(2, '0');
  return text;
}

/** @param {string} text an even number of lower-case hexadecimal digits @returns {Uint8Array} */
export function fromHex(text) {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new EdgeNetError('FORMAT', 'hexadecimal text must be pairs of the digits 0-9 and a-f');
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** @param {Uint8Array} bytes @returns {string} base64 of RFC 4648 section 4, padded */
export function toBase64(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192)); // an argument list has a limit
  return btoa(text);
}

/**
 * Only the one canonical form: padded, no white space, unused bits zero. @param {string} text @param {string} what for the error sentence @returns {Uint8Array}
 */
export function fromBase64(text, what) {
  let raw;
  try { raw = atob(text); } catch { /* told below */ }
  if (raw === undefined || btoa(raw) !== text) throw new EdgeNetError('NOT_CANONICAL', `${what} is not base64 in its canonical form (padded, no white space, unused bits zero)`);
  return Uint8Array.from(raw, (c) => c.charCodeAt(0));
}

/** @param {string} text */
export function utf8(text) { return new TextEncoder().encode(text); }

/** @param {Uint8Array} a @param {Uint8Array} b equal lengths and equal bytes; time does not matter, hashes are public */
export function sameBytes(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** @param {readonly Uint8Array[]} parts @returns {Uint8Array<ArrayBuffer>} */
export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) { whole.set(part, at); at += part.length; }
  return whole;
}
