// @ts-check
import test from 'node:test';
import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import { Client } from '../../js-glue/rpc.js';
import { workerPort } from '../../js-glue/ports.js';

/** @returns {any} a client without the table's types: the toy worker has its own meanings */
const open = () => new Client(workerPort(new Worker(new URL('./support/toy-worker.mjs', import.meta.url))));
const closed = new Error('closed by the test');

test('events arrive in order, before the result, and only at their own call', async () => {
  const client = open();
  /** @type {string[][]} */ const seen = [[], []];
  const listen = (/** @type {number} */ i) => ({ onEvent: (/** @type {any} */ e) => seen[i].push(...e.pieces) });
  await Promise.all([client.call('generate', { input: 5 }, listen(0)), client.call('generate', { input: 3 }, listen(1)), client.call('tokenize', { text: '' })]);
  assert.deepEqual(seen, [['0', '1', '2', '3', '4'], ['0', '1', '2']]);
  assert.equal(client.pending, 0);
  client.close(closed);
});

test('a cancelled call settles after the worker has stopped, others go on', async () => {
  const client = open();
  const control = new AbortController();
  let n = 0, hooks = 0;
  const other = client.call('generate', { input: 200 });
  await assert.rejects(client.call('generate', { input: 1e9 }, { signal: control.signal, onEvent: () => { if (++n === 20) control.abort(); }, onAbort: () => { hooks++; } }), { code: 'ABORTED', name: 'AbortError' });
  assert.deepEqual(await client.call('tokenize', { text: '' }), [1], 'the worker had stopped when the promise settled');
  assert.equal(hooks, 1);
  await other;
  client.close(closed);
});

test('a signal that is aborted already starts nothing', async () => {
  const client = open();
  await assert.rejects(client.call('generate', { input: 1 }, { signal: AbortSignal.abort() }), { code: 'ABORTED' });
  assert.equal(client.pending, 0);
  client.close(closed);
});

test('codes, details and foreign errors cross the border', async () => {
  const client = open();
  await assert.rejects(client.call('tokenize', { text: 'full' }), { name: 'EdgeNetError', code: 'FULL', message: 'no room', detail: { tokens: 9 } });
  const bug = await client.call('tokenize', { text: 'bug' }).catch((/** @type {any} */ e) => e);
  assert.equal(bug.code, 'INTERNAL');
  assert.match(bug.remoteStack, /toy-worker/);
  await assert.rejects(client.call('nonsense', {}), { code: 'UNSUPPORTED' });
  await assert.rejects(client.call('constructor', {}), { code: 'UNSUPPORTED' });
  client.close(closed);
});

for (const [how, text, message] of [['exits', 'die', /exit code 7/], ['throws', 'throw later', /out of the blue/]]) {
  test(`a worker that ${how} rejects every pending and later call`, async () => {
    const client = open();
    const pending = [client.call('generate', { input: 1e9 }), client.call('tokenize', { text })];
    for (const p of pending) await assert.rejects(p, { code: 'CRASHED', message });
    await assert.rejects(client.call('tokenize', { text: '' }), { code: 'CRASHED' });
  });
}

test('close() rejects what is pending with its reason', async () => {
  const client = open();
  const pending = client.call('generate', { input: 1e9 });
  setImmediate(() => client.close(closed));
  await assert.rejects(pending, closed);
  await assert.rejects(client.call('tokenize', { text: '' }), closed);
});
