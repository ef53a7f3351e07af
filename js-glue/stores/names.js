// @ts-check
// Names in a store: safe in every file system, readable, and different for different ids.

/** 64 bits as hexadecimal digits, by two multiplicative hashes. Records hold the full text, so that a collision only costs a download. @param {string} text */
export function shortHash(text) {
  let a = 0xdeadbeef, b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = Math.imul(a ^ c, 0x85ebca6b);
    b = Math.imul(b ^ c, 0xc2b2ae35);
  }
  const hex = (/** @type {number} */ v) => ((v ^ v >>> 15) >>> 0).toString(16).padStart(8, '0');
  return hex(a) + hex(b);
}

/** @param {string} id */
export function fileName(id) {
  const tail = /([^/\\?#]*)(?:[?#].*)?$/.exec(id)?.[1] ?? '';
  return `${tail.replace(/[^\w.-]/g, '_').slice(-60)}-${shortHash(id)}`;
}
