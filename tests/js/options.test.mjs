// @ts-check
import test from 'node:test';
import assert from 'node:assert/strict';
import { generateSpec } from '../../js-glue/options.js';
import { PARAMS } from '../../js-glue/params.js';
import { sourceSpec } from '../../js-glue/sources.js';
import { EdgeNetError, ERROR_CODES, asError, errorOfStatus, fromWire, toWire } from '../../js-glue/errors.js';
import { ModelLoader } from '../../js-glue/loader.js';
import { InferenceSession } from '../../js-glue/session.js';

test('defaults are those of params.def', () => {
  const spec = generateSpec({ seed: 1 });
  for (const [name, p] of Object.entries(PARAMS)) assert.deepEqual(spec.settings[p.id], [p.id, name === 'seed' ? 1 : p.default]);
});

test('without a seed every call draws another', () => assert.notEqual(generateSpec().seed, generateSpec().seed));

/** @type {[string, any, RegExp][]} */
const WRONG = [
  ['temperature', { temperature: -1 }, /temperature must be a number from 0 to 100, not -1/],
  ['temperature', { temperature: NaN }, /temperature/], ['temperature', { temperature: '1' }, /temperature/],
  ['topP', { topP: 1.5 }, /topP/], ['topK', { topK: 0.5 }, /topK must be an integer/], ['minP', { minP: -0.1 }, /minP/],
  ['repetitionPenalty', { repetitionPenalty: 0 }, /repetitionPenalty/], ['seed', { seed: 2 ** 60 }, /seed/], ['seed', { seed: 1.5 }, /seed/],
  ['maxTokens', { maxTokens: -1 }, /maxTokens/], ['maxTokens', { maxTokens: 1.5 }, /maxTokens/], ['maxTokens', { maxTokens: Infinity }, /maxTokens/],
  ['stopSequences', { stopSequences: 'x' }, /stopSequences/], ['stopSequences', { stopSequences: [''] }, /stopSequences/], ['stopSequences', { stopSequences: ['a\0b'] }, /stopSequences/],
  ['ignoreEos', { ignoreEos: 1 }, /ignoreEos must be true or false/],
  ['logitBias', { logitBias: 3 }, /logitBias/], ['logitBias', { logitBias: { x: 1 } }, /logitBias/], ['logitBias[3]', { logitBias: { 3: NaN } }, /logitBias\[3\]/], ['logitBias[3]', { logitBias: { 3: Infinity } }, /logitBias\[3\]/],
  ['max_tokens', { max_tokens: 5 }, /there is no option "max_tokens"; known are .*maxTokens/], ['signal', { signal: {} }, /signal/],
];
for (const [option, options, message] of WRONG) {
  test(`${JSON.stringify(options, (_, v) => (typeof v === 'number' && !Number.isFinite(v) ? String(v) : v))} is an error that names ${option}`, () => {
    assert.throws(() => generateSpec(options), (/** @type {EdgeNetError} */ e) => e.code === 'ARG' && message.test(e.message) && /** @type {any} */ (e.detail).option === option);
  });
}

test('options of a session and of a loader are checked before anything starts', async () => {
  const make = (/** @type {any} */ o) => InferenceSession.create('/nowhere.gguf', o);
  await assert.rejects(make({ theads: 2 }), { code: 'ARG', message: /"theads".*threads/ });
  await assert.rejects(make({ threads: 0 }), { code: 'ARG', message: /threads/ });
  await assert.rejects(make({ contextLength: 1.5 }), { code: 'ARG', message: /contextLength/ });
  await assert.rejects(make({ backend: 'webgpu' }), { code: 'UNSUPPORTED', message: /webgpu/ });
  await assert.rejects(make({ backend: 'cuda' }), { code: 'ARG', message: /backend/ });
  await assert.rejects(make({ variant: 'avx2' }), { code: 'ARG', message: /variant/ });
  await assert.rejects(make({ worker: 'yes' }), { code: 'ARG', message: /worker/ });
  const loader = (/** @type {any} */ o) => () => new ModelLoader(o);
  assert.throws(loader({ cach: {} }), { code: 'ARG', message: /"cach"/ });
  assert.throws(loader({ cache: { storage: 'disk' } }), { code: 'ARG', message: /cache.storage/ });
  assert.throws(loader({ cache: { maxSize: -1 } }), { code: 'ARG', message: /cache.maxSize/ });
  assert.throws(loader({ memory: { maxModels: 0 } }), { code: 'ARG', message: /memory.maxModels/ });
  assert.throws(loader({ memory: { evictionPolicy: 'random' } }), { code: 'ARG', message: /evictionPolicy/ });
  assert.throws(loader({ download: { retries: -1 } }), { code: 'ARG', message: /download.retries/ });
});

test('a bare model name says what is possible instead', () => {
  assert.throws(() => sourceSpec('phi-1.5-q4'), { code: 'UNSUPPORTED', message: /"phi-1\.5-q4" is a bare model name.*URL.*path/ });
  assert.throws(() => sourceSpec('minilm'), { code: 'UNSUPPORTED' });
  assert.throws(() => sourceSpec(/** @type {any} */ (5)), { code: 'ARG' });
});
test('sources are recognised', () => {
  assert.deepEqual(sourceSpec('model.gguf'), { kind: 'path', path: 'model.gguf' });
  assert.deepEqual(sourceSpec('./models/x'), { kind: 'path', path: './models/x' });
  assert.deepEqual(sourceSpec(new URL('file:///a%20b.gguf')), { kind: 'path', path: '/a b.gguf' });
  assert.deepEqual(sourceSpec('https://x.test/m.gguf#part'), { kind: 'url', url: 'https://x.test/m.gguf' });
  assert.deepEqual(sourceSpec({ url: 'https://x.test/m.gguf', headers: { authorization: 'Bearer 1' } }), { kind: 'url', url: 'https://x.test/m.gguf', headers: { authorization: 'Bearer 1' } });
  assert.equal(sourceSpec(new Uint8Array(4).buffer).kind, 'bytes');
  assert.equal(sourceSpec(new Blob(['x'])).kind, 'blob');
});

test('a grammar or a response format, one of them, and well formed', () => {
  assert.deepEqual(generateSpec({ grammar: 'root ::= "a"' }).grammar, { kind: 0, text: 'root ::= "a"' });
  assert.deepEqual(generateSpec({ responseFormat: { type: 'json_object' } }).grammar, { kind: 1, text: '{"type":"object"}' });
  assert.deepEqual(generateSpec({ responseFormat: { type: 'json_schema', schema: { type: 'null' } } }).grammar, { kind: 1, text: '{"type":"null"}' });
  assert.equal(generateSpec({ responseFormat: { type: 'text' } }).grammar, undefined);
  /** @type {[object, RegExp][]} */
  const wrong = [[{ grammar: 7 }, /grammar must be a string/], [{ grammar: '', responseFormat: { type: 'text' } }, /left out beside/], [{ responseFormat: 'json' }, /responseFormat must be an object/],
    [{ responseFormat: { type: 'xml' } }, /"json_schema", not "xml"/], [{ responseFormat: { type: 'json_schema' } }, /schema must be an object/], [{ responseFormat: { type: 'json_object', schema: {} } }, /left out unless/],
    [{ responseFormat: { type: 'text', strict: true } }, /no option "strict"/]];
  for (const [options, message] of wrong) assert.throws(() => generateSpec(options), { code: 'ARG', message });
});

test('every status of the core has a code of the closed set', () => {
  for (let status = -1; status >= -9; status--) if (status !== -3) assert.ok(ERROR_CODES.includes(errorOfStatus(status, '').code) && errorOfStatus(status, '').code !== 'INTERNAL');
  assert.equal(errorOfStatus(-77, '').code, 'INTERNAL');
});
test('an error survives the wire, also with details that cannot be cloned', () => {
  for (const code of ERROR_CODES) {
    const back = fromWire(structuredClone(toWire(new EdgeNetError(code, 'why', { detail: { a: 1 } }))));
    assert.deepEqual([back.code, back.message, back.detail], [code, 'why', { a: 1 }]);
  }
  assert.equal(toWire(new EdgeNetError('ARG', 'why', { detail: () => {} })).detail, undefined);
  assert.equal(asError(new DOMException('x', 'AbortError')).code, 'ABORTED');
  assert.equal(asError('text', 'STORAGE', 'disk: ').message, 'disk: text');
});
