// @ts-check
// A JSON reader for texts that others wrote and signed. JSON.parse lets two readers see two things in one text: of equal keys the last one
// wins there and the first one elsewhere, 1e400 becomes infinity, large integers change. Here each of these is an error, as are texts that
// are not UTF-8, and depth and size are bounded. Grammar: RFC 8259; the stricter rules: RFC 7493 (I-JSON).
import { EdgeNetError } from '../errors.js';

const MAX_DEPTH = 32;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const SPACE = /[ \t\n\r]*/y;
/** @type {Readonly<Record<string, string>>} */
const ESCAPES = Object.freeze({ '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' });
const WORDS = Object.freeze([/** @type {const} */ (['true', true]), /** @type {const} */ (['false', false]), /** @type {const} */ (['null', null])]);

/**
 * @param {Uint8Array} bytes @param {{name?: string, maxBytes?: number}} [options] name: of the text, for error sentences; maxBytes: a longer text is refused (4 MiB)
 * @returns {unknown} plain data; objects have no prototype, so no key is special
 */
export function readJson(bytes, { name = 'the JSON text', maxBytes = 4 << 20 } = {}) {
  if (bytes.length > maxBytes) throw new EdgeNetError('FORMAT', `${name} has ${bytes.length} bytes, more than ${maxBytes}`);
  let text;
  try { text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes); } catch { throw new EdgeNetError('NOT_CANONICAL', `${name} is not valid UTF-8`); }
  return new Reader(text, name).whole();
}

class Reader {
  #text;
  #name;
  #at = 0;

  /** @param {string} text @param {string} name */
  constructor(text, name) { this.#text = text; this.#name = name; }

  whole() {
    if (this.#text.startsWith('\ufeff')) throw this.#bad('NOT_CANONICAL', 'begins with a byte order mark');
    const value = this.#value(0);
    this.#match(SPACE);
    if (this.#at < this.#text.length) throw this.#bad('FORMAT', 'goes on after its end');
    return value;
  }

  /** @param {number} depth @returns {unknown} */
  #value(depth) {
    if (depth > MAX_DEPTH) throw this.#bad('FORMAT', `is nested more than ${MAX_DEPTH} deep`);
    const c = this.#next();
    if (c === '{') return this.#object(depth);
    if (c === '[') return this.#array(depth);
    if (c === '"') return this.#string();
    if (c === '-' || c >= '0' && c <= '9') return this.#number();
    for (const [word, value] of WORDS) {
      const found = this.#text.slice(this.#at, this.#at + word.length);
      if (found === word) { this.#at += word.length; return value; }
      if (word.startsWith(found) && this.#at + found.length === this.#text.length) throw this.#ended();
    }
    throw this.#bad('FORMAT', `has an unexpected ${JSON.stringify(c)}`);
  }

  /** @param {number} depth */
  #object(depth) {
    /** @type {Record<string, unknown>} */ const out = Object.create(null);
    this.#at++;
    for (let c = this.#next(); c !== '}';) {
      if (c !== '"') throw this.#bad('FORMAT', 'has an object key that is no string');
      const key = this.#string();
      if (key in out) throw this.#bad('NOT_CANONICAL', `has the key ${JSON.stringify(key)} twice in one object`);
      if (this.#next() !== ':') throw this.#bad('FORMAT', 'has a key without a colon');
      this.#at++;
      out[key] = this.#value(depth + 1);
      c = this.#more('}');
    }
    this.#at++;
    return out;
  }
  /** @param {number} depth */
  #array(depth) {
    /** @type {unknown[]} */ const out = [];
    this.#at++;
    for (let c = this.#next(); c !== ']'; c = this.#more(']')) out.push(this.#value(depth + 1));
    this.#at++;
    return out;
  }
  /** After an element: the end, or a comma and what follows it. @param {string} end */
  #more(end) {
    const c = this.#next();
    if (c === end) return c;
    if (c !== ',') throw this.#bad('FORMAT', `has ${JSON.stringify(c)} where a comma or ${end} must be`);
    this.#at++;
    if (this.#next() === end) throw this.#bad('FORMAT', `has a comma before ${end}`);
    return this.#next();
  }

  #string() {
    this.#at++;
    for (let out = ''; ;) {
      out += this.#match(PLAIN);
      const c = this.#text[this.#at];
      if (c === undefined) throw this.#ended();
      if (c !== '"' && c !== '\\') throw this.#bad('FORMAT', 'has a control character in a string');
      this.#at++;
      if (c === '"') {
        if (/[\ud800-\udfff]/u.test(out)) throw this.#bad('NOT_CANONICAL', 'has half of a surrogate pair in a string');
        return out;
      }
      out += this.#escape();
    }
  }
  #escape() {
    const c = this.#text[this.#at];
    if (c === undefined) throw this.#ended();
    this.#at++;
    if (c !== 'u') {
      const plain = ESCAPES[c];
      if (plain === undefined) throw this.#bad('FORMAT', `has the unknown escape \\${c}`);
      return plain;
    }
    const digits = this.#text.slice(this.#at, this.#at + 4);
    if (/^[0-9a-fA-F]{0,3}$/.test(digits) && this.#at + digits.length === this.#text.length) throw this.#ended();
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.#bad('FORMAT', 'has a \\u escape without four hexadecimal digits');
    this.#at += 4;
    return String.fromCharCode(parseInt(digits, 16));
  }

  #number() {
    const digits = this.#match(NUMBER);
    if (!digits) throw this.#at + 1 >= this.#text.length ? this.#ended() : this.#bad('FORMAT', 'has a minus sign without a number');
    const rest = this.#text.slice(this.#at, this.#at + 3);
    if (/^(?:\.|[eE][+-]?)$/.test(rest)) throw this.#ended();
    if (/^[\w.+-]/.test(rest)) throw this.#bad('FORMAT', 'has a number that is not JSON');
    const value = Number(digits);
    if (!Number.isFinite(value) || /^-?\d+$/.test(digits) && !Number.isSafeInteger(value)) throw this.#bad('NOT_CANONICAL', `has the number ${digits.slice(0, 40)}, which readers round differently`);
    return value;
  }

  /** The next character that is no white space; it stays unread. */
  #next() {
    this.#match(SPACE);
    const c = this.#text[this.#at];
    if (c === undefined) throw this.#ended();
    return c;
  }
  /** @param {RegExp} sticky */
  #match(sticky) {
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }
  #ended() { return new EdgeNetError('TRUNCATED', `${this.#name} ends after ${this.#text.length} characters, before it is complete`); }
  /** @param {import('../errors.js').ErrorCode} code @param {string} what */
  #bad(code, what) { return new EdgeNetError(code, `${this.#name} ${what} (at character ${this.#at})`, { detail: { at: this.#at } }); }
}
