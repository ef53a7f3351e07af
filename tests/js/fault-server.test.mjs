// @ts-check
// The fault server itself: a fault that does not happen would make every test that counts on it worthless.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { FAULT_NAMES, openFaultServer, randomPlan } from '../faults/fault-server.mjs';
import { random } from '../faults/random.mjs';

const file = random(7).bytes(100_000);
const START = 20_000, END = 60_000;
const wanted = Buffer.from(file.subarray(START, END));

/** A request without any help: what fetch would hide is seen. @param {string} url @returns {Promise<{status: number, headers: import('node:http').IncomingHttpHeaders, body: Buffer, complete: boolean}>} */
function ask(url) {
  return new Promise((resolve, reject) => {
    const asking = request(url, { headers: { range: `bytes=${START}-${END - 1}` }, timeout: 300 }, (answer) => {
      /** @type {Buffer[]} */ const parts = [];
      const done = () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts), complete: answer.complete });
      answer.on('data', (part) => parts.push(part)).on('error', done).on('end', done);
    });
    asking.on('timeout', () => asking.destroy()).on('error', reject).end();
  });
}

/** @type {Record<import('../faults/fault-server.mjs').FaultName, (a: Awaited<ReturnType<typeof ask>>) => boolean>} */
const SIGNS = {
  flip: (a) => a.complete && a.body.length === wanted.length && a.body.reduce((n, b, i) => n + (b ^ wanted[i] ? 1 : 0), 0) === 1,
  short: (a) => !a.complete && a.body.length < wanted.length && a.headers['content-length'] === String(wanted.length),
  wrongLength: (a) => a.complete && a.body.length < wanted.length && a.headers['content-range'] === `bytes ${START}-${END - 1}/${file.length}`,
  stall: (a) => !a.complete && a.body.length < wanted.length,
  reset: (a) => !a.complete && a.body.length < wanted.length,
  wrongRange: (a) => a.complete && a.status === 206 && a.headers['content-range'] !== `bytes ${START}-${END - 1}/${file.length}`,
  lyingRange: (a) => a.complete && a.headers['content-range'] === `bytes ${START}-${END - 1}/${file.length}` && !a.body.equals(wanted),
  whole: (a) => a.status === 200 && a.body.equals(Buffer.from(file)),
  gzip: (a) => a.headers['content-encoding'] === 'gzip' && gunzipSync(a.body).equals(wanted),
  tooMany: (a) => a.status === 429 && a.headers['retry-after'] !== undefined,
  unavailable: (a) => a.status === 503,
  redirectLoop: (a) => a.status === 302 && String(a.headers.location).startsWith('/m.gguf'),
  portal: (a) => a.status === 200 && a.headers['content-type'] === 'text/html',
  drip: (a) => a.complete && a.body.equals(wanted),
  crawl: (a) => a.complete && a.body.equals(wanted),
  changed: (a) => a.complete && a.body.length === wanted.length && a.body.every((b, i) => b !== wanted[i]),
};

test('every fault is what its name says, and is recorded', async () => {
  const server = await openFaultServer({ files: { '/m.gguf': file } });
  try {
    const well = await ask(server.at('/m.gguf'));
    assert.deepEqual([well.status, well.headers['content-range'], well.body.equals(wanted)], [206, `bytes ${START}-${END - 1}/${file.length}`, true]);
    for (const fault of FAULT_NAMES) {
      server.setPlan(() => fault);
      const answer = await ask(server.at('/m.gguf'));
      assert.ok(SIGNS[fault](answer), `${fault}: ${answer.status} ${answer.body.length} bytes, complete ${answer.complete}`);
      assert.equal(server.log.at(-1)?.fault, fault);
    }
    assert.equal(server.log.length, FAULT_NAMES.length + 1);
    assert.deepEqual(server.log[0].range, { start: START, end: END });
    assert.equal((await fetch(server.at('/none'))).status, 404);
    assert.equal((await fetch(server.at('/m.gguf'), { headers: { range: 'bytes=100000-' } })).status, 416);
  } finally { await server.close(); }
});

test('the same seed makes the same plan', () => {
  const draw = (/** @type {number} */ seed) => { const plan = randomPlan(random(seed), 0.5); return Array.from({ length: 50 }, () => plan(/** @type {any} */ ({}))); };
  assert.deepEqual(draw(3), draw(3));
  assert.notDeepEqual(draw(3), draw(4));
  const seen = new Set(draw(3));
  assert.ok(seen.has(null) && seen.size > 8);
});
