// @ts-check
// The file that touches the wasm memory: growth, exhaustion, traps, the stop word.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { built, homeModel, wasmBytes } from './support/env.mjs';
import { Meter } from '../../js-glue/fetch/progress.js';
import { streamIn } from '../../js-glue/load.js';
import { bytesReader } from '../../js-glue/sources/local.js';
import { WasmInstance } from '../../js-glue/wasm-instance.js';
import { isThreaded } from '../../js-glue/wasm-module.js';
import { features } from '../../js-glue/variants.js';

for (const variant of built.filter((v) => features().relaxedSimd || !v.startsWith('relaxed'))) {
  const create = () => WasmInstance.create(new WebAssembly.Module(wasmBytes(variant)));

  test(`${variant}: memory is aligned, survives growth, comes back`, async () => {
    const w = await create();
    const at = w.alloc(1000);
    assert.equal(at % 64, 0);
    w.write(at, Uint8Array.of(1, 2, 3));
    const before = w.memoryBytes;
    const big = w.alloc(64 << 20);
    assert.ok(w.memoryBytes > before);
    w.move(big, at, 3);
    assert.deepEqual(w.lend(big, 3, (view) => [...view]), [1, 2, 3]);
    w.free(big);
    for (let i = 0; i < 20; i++) w.free(w.alloc(60 << 20));
    assert.ok(w.memoryBytes < before + (80 << 20), 'freed memory is used again');
  });

  test(`${variant}: more than there can be is NOMEM, and the instance lives on`, async () => {
    const w = await create();
    for (const bytes of [2 ** 32, 2 ** 40, 2 ** 32 - 1]) assert.throws(() => w.alloc(bytes), { code: 'NOMEM' });
    assert.ok(w.alloc(1000));
  });

  test(`${variant}: a trap is CRASHED, and so is every call after it`, async () => {
    const w = await create();
    assert.throws(() => w.probe(0xffffff00, 1 << 20), { code: 'CRASHED', message: /w_probe/ });
    assert.throws(() => w.alloc(1), { code: 'CRASHED', message: /w_probe/ });
  });

  test(`${variant}: a bad head is refused with the core's sentence`, async () => {
    const w = await create();
    const at = w.alloc(4096);
    w.write(at, new TextEncoder().encode('GGUF'));
    assert.equal(w.probe(at, 4), null, 'more is needed');
    w.write(at, new TextEncoder().encode('<htm'));
    assert.throws(() => w.probe(at, 4096), (/** @type {any} */ e) => e.code === 'FORMAT' && e.message.length > 10);
  });

  test(`${variant}: a model works above 2 GiB, where pointers are negative to a careless eye`, async () => {
    const w = await create();
    w.alloc(2200 * 2 ** 20); // never touched
    while (w.alloc(65536) < 2 ** 31); // use up what is free below
    const { handle, image, head, info } = await streamIn(w, bytesReader(new Uint8Array(readFileSync(homeModel))), { phase: 'read', meter: new Meter(undefined), prepare() {} });
    assert.ok(image > 2 ** 31);
    w.seal(handle);
    assert.equal(w.metadata(handle)['general.architecture'], 'llama');
    const tokenizer = w.openTokenizer(image, head);
    const ids = w.encode(tokenizer.handle, 'hello', 0);
    assert.equal(w.decode(tokenizer.handle, ids, 0, true), 'hello');
    const huge = { nCtx: 1 << 24, nBatch: 8, nSeq: 1, nLogits: 1, kvType: 1, profile: false };
    assert.throws(() => w.openSession(handle, huge), { code: 'NOMEM', message: 'the session (context and scratch) needs more memory than this engine can have' });
    const session = w.openSession(handle, { nCtx: 64, nBatch: 8, nSeq: 1, nLogits: 1, kvType: 1, profile: false });
    const batch = w.openBatch(8);
    w.fillBatch(batch, ids, [...ids].fill(0), [...ids].map((_, i) => Number(i === ids.length - 1)));
    w.evalBegin(session.handle, batch);
    assert.equal(w.evalRun(session.handle, 1e6), 'done');
    assert.ok(w.logits(session.handle, 0, info.vocab).every(Number.isFinite));
    const sampler = w.openSampler(info.vocab, [[0, 0]], []);
    const stream = w.openStream(tokenizer.handle, ['\u2603'], false);
    assert.ok(w.pick(session.handle, 0, sampler.handle, tokenizer.handle, stream.handle, true).id >= 0);
    assert.ok(w.saveSeq(session.handle, 0, 0).length > 100);
  });

  test(`${variant}: the stop word exists where the memory is shared`, async () => {
    const module = new WebAssembly.Module(wasmBytes(variant));
    const w = await WasmInstance.create(module);
    assert.equal(isThreaded(module), variant.endsWith('-mt'));
    assert.equal(w.stop !== undefined, variant.endsWith('-mt'));
    if (w.stop) assert.ok(w.stop.buffer instanceof SharedArrayBuffer && w.stop.at % 4 === 0);
    assert.equal(w.kernelNames().includes('ref'), variant === 'scalar'); // the others have kernels of their own
  });
}

test('V8 before 12 with its relaxed SIMD flag computes wrongly at first, and the self-test sees it', Number(process.versions.v8.split('.')[0]) >= 12 ? { skip: 'skipped: this V8 computes relaxed SIMD right' } : {}, () => {
  const code = `import { WasmInstance } from ${JSON.stringify(new URL('../../js-glue/wasm-instance.js', import.meta.url).href)};
    import { readFileSync } from 'node:fs';
    await WasmInstance.create(new WebAssembly.Module(readFileSync(0))).then(() => console.log('right'), (e) => console.log(e.code, e.message));`;
  /** @param {...string} flags */
  const run = (...flags) => spawnSync(process.execPath, ['--experimental-wasm-relaxed-simd', ...flags, '--input-type=module', '-e', code], { input: wasmBytes('relaxed'), encoding: 'utf8' }).stdout.trim();
  assert.match(run(), /^UNSUPPORTED .*relaxed SIMD/);
  assert.equal(run('--no-liftoff'), 'right');
});
