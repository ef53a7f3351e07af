// @ts-check
// A file of 1 GB passes through a download, its checks and its store with a bounded amount of memory, read in order meanwhile.
import test from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { root, temporaryFolder } from '../js/support/env.mjs';

const SIZE = 2 ** 30 + 12345;
const LIMIT = 64 << 20;
/** Byte i of the file is the low byte of i / 4096 + i, so that any part can be made when it is asked for. @param {number} start @param {number} end */
function part(start, end) {
  const bytes = Buffer.allocUnsafe(end - start);
  for (let i = start; i < end; i++) bytes[i - start] = Math.floor(i / 4096) + i;
  return bytes;
}
/** @param {number} start @param {number} end */
function* pieces(start, end) { for (let at = start; at < end; at += 1 << 20) yield part(at, Math.min(end, at + (1 << 20))); }

const CHILD = (/** @type {string} */ url, /** @type {string} */ directory) => `
  import { withReader } from ${JSON.stringify(path.join(root, 'js-glue/cache.js'))};
  import { openSource } from ${JSON.stringify(path.join(root, 'js-glue/sources.js'))};
  import { openStore } from ${JSON.stringify(path.join(root, 'js-glue/stores/store.js'))};
  const store = await openStore({ kind: 'filesystem', root: ${JSON.stringify(directory)} });
  const used = () => { const m = process.memoryUsage(); return m.heapUsed + m.arrayBuffers; };
  const options = { store, sources: [openSource({ kind: 'url', url: ${JSON.stringify(url)} })] };
  const at = (i) => (Math.floor(i / 4096) + i) & 255;
  const run = () => withReader({ id: 'large', name: 'large' }, options, async ({ reader }) => {
    let n = 0;
    for await (const piece of reader.read(0, Infinity)) {
      for (let i = 0; i < piece.length; i += 509) if (piece[i] !== at(n + i)) throw new Error('byte ' + (n + i) + ' is wrong');
      n += piece.length;
    }
    return n;
  });
  globalThis.gc();
  const before = used();
  let peak = 0, held = 0;
  const watch = setInterval(() => { peak = Math.max(peak, used()); globalThis.gc(); held = Math.max(held, used()); }, 100);
  const first = await run(), second = await run();
  clearInterval(watch);
  console.log(JSON.stringify({ bytes: [first.result, second.result], states: [first.cache.state, second.cache.state], held: held - before, peak: peak - before }));`;

test('1 GB: downloaded, checked, stored, handed on in order, and read again', async () => {
  const server = createServer(async (req, res) => {
    const [, from = '0', to] = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? '') ?? [];
    const start = Number(from), end = to ? Math.min(SIZE, Number(to) + 1) : SIZE;
    res.writeHead(206, { etag: '"1"', 'content-length': end - start, 'content-range': `bytes ${start}-${end - 1}/${SIZE}` });
    await pipeline(Readable.from(pieces(start, end)), res).catch(() => {}); // the asker may go away
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', () => resolve(undefined)); });
  try {
    const url = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}/large`;
    const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', CHILD(url, temporaryFolder())], { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (d) => { out += d; });
    assert.equal(await new Promise((resolve) => { child.once('exit', resolve); }), 0);
    const { bytes, states, held, peak } = JSON.parse(out);
    assert.deepEqual([bytes, states], [[SIZE, SIZE], ['stored', 'hit']]);
    console.log(`the heap and its buffers: ${(held / 2 ** 20).toFixed(1)} MiB in use at most, ${(peak / 2 ** 20).toFixed(1)} MiB with what the collector had not yet taken`);
    assert.ok(held < LIMIT, `${held} bytes`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
