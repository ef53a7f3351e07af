// @ts-check
// A file by its CID from trustless gateways (specs.ipfs.tech/http-gateways/trustless-gateway): raw blocks, each checked against its CID, so
// no gateway is trusted. One that gives a wrong block, or none, is asked again only after the others.
import { EdgeNetError, abortError, asError, throwIfAborted } from '../errors.js';
import { RAW, cidMatches, formatCid, parseCid } from '../manifest/cid.js';
import { MAX_BLOCK, decodeFile, decodeNode } from '../manifest/unixfs.js';

/** @typedef {import('../fetch/types.js').Reader} Reader @typedef {import('../manifest/cid.js').Cid} Cid */

/** Public gateways are best effort; whoever depends on them names own ones. */
export const GATEWAYS = Object.freeze(['https://trustless-gateway.link', 'https://ipfs.io', 'https://dweb.link']);
const MAX_DEPTH = 8;

/** @param {string} cid @param {{gateways?: readonly string[], timeout: number}} options @returns {import('../fetch/types.js').Source} */
export function ipfsSource(cid, { gateways = GATEWAYS, timeout }) {
  if (!gateways.length) throw new EdgeNetError('ARG', 'gateways: name at least one', { detail: { option: 'gateways' } });
  return {
    id: `ipfs://${cid}`, kind: 'ipfs', parallel: 8,
    async open(_artifact, signal) {
      const dag = new Dag(gateways, timeout);
      const root = parseCid(cid);
      const size = await dag.size(root, signal);
      return { size, version: cid, ranges: true, read: (offset, length, s) => dag.read(root, offset, Math.min(size, offset + length), 0, s), close() {} };
    },
  };
}

class Dag {
  #timeout;
  /** @type {{url: string, faults: number}[]} */ #gateways;
  /** @type {Map<string, Promise<{links: import('../manifest/unixfs.js').Node['links'], data: Uint8Array, blocks: number[], size: number}>>} inner nodes, small and few: one for 1024 leaves */ #nodes = new Map();

  /** @param {readonly string[]} gateways @param {number} timeout */
  constructor(gateways, timeout) {
    this.#gateways = gateways.map((url) => ({ url: url.replace(/\/+$/, ''), faults: 0 }));
    this.#timeout = timeout;
  }

  /** @param {Cid} cid @param {AbortSignal} [signal] */
  async size(cid, signal) { return cid.codec === RAW ? (await this.#block(cid, signal)).length : (await this.#node(cid, signal)).size; }

  /** The bytes [from, to) of the file under a node, block by block. @param {Cid} cid @param {number} from @param {number} to @param {number} depth @param {AbortSignal} [signal] @returns {AsyncGenerator<Uint8Array>} */
  async *read(cid, from, to, depth, signal) {
    if (from >= to) return;
    if (depth > MAX_DEPTH) throw new EdgeNetError('FORMAT', `the file under ${nameOf(cid)} is nested more than ${MAX_DEPTH} deep`);
    if (cid.codec === RAW) {
      const block = await this.#block(cid, signal);
      if (block.length < to) throw new EdgeNetError('FORMAT', `the block ${nameOf(cid)} has ${block.length} bytes, fewer than its parent says`);
      yield block.subarray(from, to);
      return;
    }
    const { links, data, blocks } = await this.#node(cid, signal);
    let at = data.length;
    if (from < at) yield data.subarray(from, to);
    for (let i = 0; i < links.length && at < to; at += blocks[i++]) {
      if (at + blocks[i] > from) yield* this.read(links[i].cid, Math.max(0, from - at), Math.min(blocks[i], to - at), depth + 1, signal);
    }
  }
  /** @param {Cid} cid @param {AbortSignal} [signal] */
  async #node(cid, signal) {
    const name = nameOf(cid);
    let node = this.#nodes.get(name);
    if (!node) {
      node = this.#block(cid, signal).then((block) => { const { links, data } = decodeNode(block); return { links, ...decodeFile({ links, data }) }; });
      this.#nodes.set(name, node);
      node.catch(() => this.#nodes.delete(name));
    }
    return node;
  }

  /** @param {Cid} cid @param {AbortSignal} [signal] @returns {Promise<Uint8Array>} */
  async #block(cid, signal) {
    /** @type {unknown} */ let last;
    for (const gateway of [...this.#gateways].sort((a, b) => a.faults - b.faults)) {
      throwIfAborted(signal);
      try {
        const block = await this.#get(gateway.url, cid, signal);
        if (!await cidMatches(cid, block)) throw new EdgeNetError('INTEGRITY', `${gateway.url}: the block does not have the hash of ${nameOf(cid)}`);
        return block;
      } catch (e) {
        if (signal?.aborted) throw abortError(signal);
        gateway.faults += asError(e).code === 'INTEGRITY' ? 10 : 1;
        last = e;
      }
    }
    const error = asError(last, 'NETWORK');
    throw new EdgeNetError(error.code === 'INTEGRITY' ? 'INTEGRITY' : 'NETWORK', `ipfs: no gateway has the block ${nameOf(cid)}; the last one: ${error.message}`, { cause: error });
  }
  /** @param {string} gateway @param {Cid} cid @param {AbortSignal} [signal] */
  async #get(gateway, cid, signal) {
    const control = new AbortController();
    const stop = () => control.abort();
    signal?.addEventListener('abort', stop, { once: true });
    let timer = setTimeout(stop, this.#timeout);
    try {
      const response = await fetch(`${gateway}/ipfs/${nameOf(cid)}?format=raw`, { signal: control.signal, headers: { Accept: 'application/vnd.ipld.raw' } });
      if (!response.ok || !response.body) throw new EdgeNetError('NETWORK', `${gateway}: HTTP ${response.status}`);
      const block = new Uint8Array(MAX_BLOCK);
      let n = 0;
      for (const reader = response.body.getReader(); ;) {
        const { done, value } = await reader.read();
        if (done) return block.slice(0, n);
        clearTimeout(timer);
        timer = setTimeout(stop, this.#timeout);
        if (n + value.length > MAX_BLOCK) throw new EdgeNetError('INTEGRITY', `${gateway}: a block of more than ${MAX_BLOCK} bytes`);
        block.set(value, n);
        n += value.length;
      }
    } catch (e) { throw control.signal.aborted && !signal?.aborted ? new EdgeNetError('NETWORK', `${gateway}: no byte for ${this.#timeout} ms`) : asError(e, 'NETWORK', `${gateway}: `); } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      control.abort(); // a body that is of no use stops
    }
  }
}

/** @param {Cid} cid @returns {string} version 1 also for version 0: the same block */
function nameOf(cid) { return formatCid(cid.codec, cid.hash); }
