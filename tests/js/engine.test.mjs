// @ts-check
// The engine through the public session, in Node's own thread: reference texts, the KV cache, batching, stopping.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { built, fixture, homeModel, needs, stories, storiesReference, wasm } from './support/env.mjs';
import { InferenceSession } from '../../js-glue/session.js';
import { features } from '../../js-glue/variants.js';

const GREEDY = { temperature: 0, ignoreEos: true };
const runnable = built.filter((v) => features().relaxedSimd || !v.startsWith('relaxed'));
/** @param {string} model @param {any} [options] */
const open = (model, options) => InferenceSession.create(model, { wasm, threads: 1, ...options });
/** @template T @param {string} model @param {any} options @param {(s: InferenceSession) => Promise<T>} use */
async function using(model, options, use) {
  const session = await open(model, options);
  try { return await use(session); } finally { await session.dispose(); }
}
/** @param {readonly number[]} a @param {readonly number[]} b */
const same = (a, b) => { let i = 0; while (i < a.length && a[i] === b[i]) i++; return i; };

for (const variant of runnable) {
  for (const [type, least] of /** @type {const} */ ([['f32', 120], ['f16', 120], ['q8_0', 110]])) {
    const file = stories(type);
    test(`${variant}: stories260K ${type} follows at least ${least} of the 120 reference tokens`, needs(file), () => using(String(file), { variant, threads: variant.endsWith('-mt') ? 2 : 1 }, async (s) => {
      assert.equal(s.info.engine.variant, variant);
      const { tokens } = await s.complete([1], { ...GREEDY, maxTokens: 120 });
      const n = same(tokens, storiesReference().greedy_ids_from_BOS.slice(1));
      assert.ok(n >= least, `${n} tokens are the reference's`);
    }));
  }
}

const f32 = stories('f32');
test('logits of every position are the reference\'s', needs(f32), () => using(String(f32), { kvType: 'f32' }, async (s) => {
  const ids = storiesReference().greedy_ids_from_BOS.slice(0, 64);
  const bytes = readFileSync(/** @type {string} */ (fixture('data/models/stories260K/derived-logits-64x512.f32')));
  const expected = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const logits = await s.logits(ids, { all: true });
  assert.equal(logits.length, expected.length);
  let error = 0, square = 0;
  logits.forEach((v, i) => { error += (v - expected[i]) ** 2; square += expected[i] ** 2; });
  assert.ok(Math.sqrt(error / square) < 1e-4, `relative RMS ${Math.sqrt(error / square)}`);
  const last = await s.logits(ids);
  assert.equal(last.length, 512);
  last.forEach((v, i) => assert.ok(Math.abs(v - logits[63 * 512 + i]) < 1e-4, 'batches of another size round a little differently, no more'));
}));

test('text and ids: the reference text comes back', needs(f32), () => using(String(f32), {}, async (s) => {
  const { greedy_text: text, greedy_ids_from_BOS: ids } = storiesReference();
  assert.equal(await s.generate('', { ...GREEDY, maxTokens: 100 }), await s.detokenize(ids.slice(1, 101)));
  assert.ok(text.startsWith(await s.generate('', { ...GREEDY, maxTokens: 100 })));
  assert.deepEqual(await s.tokenize('Once upon a time'), ids.slice(0, 5));
}));

test('a prompt that begins like the last one is not computed again, and the text is the same', () => using(homeModel, { kvType: 'f32' }, async (s) => {
  const prompt = 'the house and the garden by the river';
  const first = await s.complete(prompt, { ...GREEDY, maxTokens: 30 });
  assert.equal(first.timings.cachedTokens, 0);
  const longer = prompt + first.text + ' and then';
  const reused = await s.complete(longer, { ...GREEDY, maxTokens: 30 });
  assert.ok(reused.timings.cachedTokens >= first.timings.promptTokens, `${reused.timings.cachedTokens} tokens reused`);
  const again = await s.complete(longer, { ...GREEDY, maxTokens: 30 });
  assert.equal(again.timings.cachedTokens, again.timings.promptTokens - 1, 'the last prompt token is computed, for its logits');
  await s.clearKVCache();
  assert.equal(s.getMemoryInfo().cachedTokens, 0);
  const fresh = await s.complete(longer, { ...GREEDY, maxTokens: 30 });
  assert.equal(fresh.timings.cachedTokens, 0);
  assert.deepEqual([reused.tokens, again.tokens], [fresh.tokens, fresh.tokens]);
}));

test('texts made together are the texts made one after another', () => using(homeModel, { parallel: 3, kvType: 'f32' }, async (s) => {
  const prompts = ['one', 'two words here', 'a much longer prompt about the sea and the mountain and the sky', '', 'five'];
  const options = { ...GREEDY, maxTokens: 40 };
  const alone = [];
  for (const p of prompts) alone.push(await s.generate(p, options));
  await s.clearKVCache();
  assert.deepEqual(await Promise.all(prompts.map((p) => s.generate(p, options))), alone);
}));

test('long prompts and running texts share batches', () => using(homeModel, { parallel: 2, kvType: 'f32' }, async (s) => {
  const long = 'the sea and the mountain '.repeat(40);
  const options = { ...GREEDY, maxTokens: 25 };
  const alone = [await s.generate('one', options), await s.generate(long, options)];
  await s.clearKVCache();
  assert.deepEqual(await Promise.all([s.generate('one', options), s.generate(long, options)]), alone);
}));

test('a stop sequence ends the text, also across tokens', () => using(homeModel, {}, async (s) => {
  const { text, tokens } = await s.complete('stop here', { ...GREEDY, maxTokens: 60 });
  for (const [from, length] of [[3, 5], [20, 9], [30, 1]]) {
    const stop = text.slice(from, from + length);
    const cut = await s.complete('stop here', { ...GREEDY, maxTokens: 60, stopSequences: ['\u2603', stop] });
    assert.equal(cut.text, text.slice(0, text.indexOf(stop)), `stop ${JSON.stringify(stop)}`);
    assert.equal(cut.finishReason, 'stop');
    assert.ok(cut.tokens.length < tokens.length);
  }
  const pieces = [];
  for await (const piece of s.generateStream('stop here', { ...GREEDY, maxTokens: 60, stopSequences: [text.slice(20, 29)] })) pieces.push(piece);
  assert.equal(pieces.join(''), text.slice(0, 20), 'a stream never shows a part of a stop sequence');
}));

test('UTF-8: whole characters only, whatever the tokens are', () => using(homeModel, {}, async (s) => {
  const words = 'zażółć gęślą jaźń 🦊 漢字 e\u0301';
  assert.equal(await s.detokenize(await s.tokenize(words, { addBos: false })), words);
  // Byte tokens in any order: force them, so that the model writes broken UTF-8.
  const bytes = await Promise.all(['🦊', '漢', 'é'].map((c) => s.tokenize(c, { addBos: false })));
  const bias = Object.fromEntries(bytes.flat().map((id) => [id, 100]));
  let text = '';
  for await (const piece of s.generateStream('x', { maxTokens: 200, temperature: 2, seed: 5, logitBias: bias })) {
    assert.ok(piece.isWellFormed?.() ?? true);
    text += piece;
  }
  assert.equal(text, (await s.complete('x', { maxTokens: 200, temperature: 2, seed: 5, logitBias: bias })).text);
}));

test('the seed decides, and is reported', () => using(homeModel, {}, async (s) => {
  const once = await s.complete('dice', { temperature: 1.5, maxTokens: 30 });
  assert.deepEqual((await s.complete('dice', { temperature: 1.5, maxTokens: 30, seed: once.seed })).tokens, once.tokens);
  assert.notDeepEqual((await s.complete('dice', { temperature: 1.5, maxTokens: 30, seed: once.seed + 1 })).tokens, once.tokens);
}));

test('logitBias forbids and forces', () => using(homeModel, {}, async (s) => {
  const { tokens } = await s.complete('bias', { ...GREEDY, maxTokens: 5 });
  const forbidden = await s.complete('bias', { ...GREEDY, maxTokens: 5, logitBias: { [tokens[0]]: -Infinity } });
  assert.ok(!forbidden.tokens.includes(tokens[0]));
  const forced = await s.complete('bias', { ...GREEDY, maxTokens: 5, logitBias: new Map([[300, 1000]]) });
  assert.deepEqual(forced.tokens, [300, 300, 300, 300, 300]);
  await assert.rejects(s.generate('bias', { logitBias: { 100000: 1 } }), { code: 'ARG' });
}));

test('the end: end token, maxTokens, full context, a prompt that is too long', () => using(homeModel, { contextLength: 32 }, async (s) => {
  const eos = /** @type {any} */ (s.info.specialTokens).eos;
  const ended = await s.complete('end', { temperature: 0, logitBias: { [eos]: 1000 } });
  assert.deepEqual([ended.text, ended.tokens, ended.finishReason], ['', [], 'stop']);
  const ignored = await s.complete('end', { ...GREEDY, logitBias: { [eos]: 1000 }, maxTokens: 3 });
  assert.deepEqual([ignored.text, ignored.tokens, ignored.finishReason], ['', [eos, eos, eos], 'length']);
  assert.deepEqual([(await s.complete('end', { maxTokens: 0 })).text, (await s.complete('end', { maxTokens: 0 })).finishReason], ['', 'length']);
  const full = await s.complete('end', { ...GREEDY, maxTokens: 1000 });
  assert.equal(full.finishReason, 'length');
  assert.equal(full.timings.promptTokens + full.tokens.length, 33, 'the last token needs no place in the context');
  await assert.rejects(s.generate('too many words '.repeat(30)), { code: 'FULL', message: /context holds 32.*contextLength/ });
  await assert.rejects(s.generate([5, 1e6]), { code: 'ARG', message: /ids\[1\]/ });
  assert.equal((await s.generate('after the errors', { maxTokens: 2 })).length > 0, true);
}));

test('an abort stops within a slice: the text so far, or an AbortError', () => using(homeModel, {}, async (s) => {
  const control = new AbortController();
  let pieces = 0;
  const result = await s.complete('go', { ...GREEDY, maxTokens: 1e6, signal: control.signal, onToken: () => { if (++pieces === 10) control.abort(); } });
  assert.equal(result.finishReason, 'abort');
  assert.ok(result.tokens.length >= 10 && result.text.length > 0);
  const other = new AbortController();
  setTimeout(() => other.abort(), 5);
  await assert.rejects(s.generate('go', { ...GREEDY, maxTokens: 1e6, signal: other.signal }), { name: 'AbortError', code: 'ABORTED' });
  await assert.rejects(s.generate('go', { signal: AbortSignal.abort() }), { code: 'ABORTED' });
  const waiting = new AbortController();
  const [first, second] = [s.complete('a', { ...GREEDY, maxTokens: 50 }), s.complete('b', { ...GREEDY, maxTokens: 50, signal: waiting.signal })];
  waiting.abort();
  assert.deepEqual([(await first).finishReason, (await second).finishReason, (await second).tokens.length], ['length', 'abort', 0]);
}));

test('leaving a stream stops the model', () => using(homeModel, {}, async (s) => {
  for await (const piece of s.generateStream('go', { ...GREEDY, maxTokens: 1e6 })) { assert.ok(piece); break; }
  assert.equal((await s.complete('next', { ...GREEDY, maxTokens: 3 })).tokens.length, 3);
}));

test('chat: the template of the file, folded system role, own template', () => using(homeModel, {}, async (s) => {
  const template = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]";
  const messages = [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'Hello' }];
  const chat = await s.complete(messages, { ...GREEDY, maxTokens: 5, chatTemplate: template });
  const flat = await s.complete('[user]Be brief.\n\nHello[assistant]', { ...GREEDY, maxTokens: 5 });
  assert.deepEqual(chat.tokens, flat.tokens);
  assert.equal(s.info.hasChatTemplate, true);
  assert.equal(typeof await s.chat([{ role: 'user', content: 'Hello' }], { maxTokens: 4 }), 'string');
  await assert.rejects(s.chat([]), { code: 'ARG' });
  await assert.rejects(s.chat(/** @type {any} */ ([{ role: 'user' }])), { code: 'ARG', message: /messages\[0\]/ });
  await assert.rejects(s.chat(messages, { chatTemplate: '{{' }), { code: 'ARG', message: /template/ });
}));
test('chat without a template says what to do', needs(f32), () => using(String(f32), {}, async (s) => {
  await assert.rejects(s.chat([{ role: 'user', content: 'Hi' }]), { code: 'UNSUPPORTED', message: /chatTemplate/ });
}));

test('broken, cut and foreign files are refused with a sentence', async () => {
  const bytes = new Uint8Array(readFileSync(homeModel));
  const load = (/** @type {Uint8Array} */ b) => open(/** @type {any} */ (b));
  await assert.rejects(load(bytes.slice(0, bytes.length - 1)), { code: 'FORMAT', message: /incomplete/ });
  await assert.rejects(load(bytes.slice(0, 5000)), { code: 'FORMAT' });
  await assert.rejects(load(new Uint8Array(0)), { code: 'FORMAT' });
  await assert.rejects(load(new TextEncoder().encode('<html>sign in</html>'.repeat(10000))), { code: 'FORMAT' });
  await using(/** @type {any} */ (new Uint8Array([...bytes, 1, 2, 3])), {}, async (s) => assert.equal(s.info.vocabulary, 799));
});

test('every source gives the same model', async () => {
  const bytes = new Uint8Array(readFileSync(homeModel));
  const texts = [];
  for (const source of [homeModel, bytes, bytes.buffer.slice(0), new Blob([bytes]), new URL(`file://${homeModel}`)]) texts.push(await using(/** @type {any} */ (source), {}, (s) => s.generate('same', { ...GREEDY, maxTokens: 8 })));
  assert.equal(new Set(texts).size, 1);
});

test('50 times load, use, dispose: the memory stays flat', async () => {
  const { gc } = globalThis;
  const collect = async () => { for (let i = 0; i < 3; i++) { gc?.(); await new Promise((r) => { setTimeout(r, 20); }); } };
  /** @type {number[]} */ const used = [];
  for (let i = 0; i < 50; i++) {
    await using(homeModel, { contextLength: 2048, kvType: 'f32' }, (s) => s.generate('again', { maxTokens: 2 }));
    if (i % 10 === 9) { await collect(); used.push(process.memoryUsage().rss); }
  }
  assert.ok(used[4] - used[0] < 40e6, `resident bytes after each ten: ${used.join(' ')}`);
});

test('a listener that throws ends its own call and nothing else', () => using(homeModel, {}, async (s) => {
  const mistake = new Error('the page is gone');
  const other = s.complete('other', { ...GREEDY, maxTokens: 30 });
  await assert.rejects(s.complete('go', { ...GREEDY, maxTokens: 1e6, onToken: () => { throw mistake; } }), mistake);
  assert.equal((await other).tokens.length, 30);
}));

test('a saved state continues in another session; foreign and broken states are refused', () => using(homeModel, { kvType: 'f32' }, async (s) => {
  const prompt = 'the long history of the village by the sea';
  const { text } = await s.complete(prompt, { ...GREEDY, maxTokens: 20 });
  const state = await s.saveState();
  const expected = await s.complete(`${prompt}${text} and`, { ...GREEDY, maxTokens: 20 });
  await using(homeModel, { kvType: 'f32', contextLength: 500 }, async (other) => {
    await other.loadState(state);
    assert.ok(other.getMemoryInfo().cachedTokens > 20);
    const continued = await other.complete(`${prompt}${text} and`, { ...GREEDY, maxTokens: 20 });
    assert.deepEqual(continued.tokens, expected.tokens);
    assert.ok(expected.timings.cachedTokens > 5);
    assert.equal(continued.timings.cachedTokens, expected.timings.cachedTokens);
    for (const broken of [new Uint8Array(0), state.subarray(0, 30), state.subarray(0, state.length - 1), state.subarray(4)]) await assert.rejects(other.loadState(broken), { code: 'FORMAT' });
    assert.deepEqual((await other.complete(`${prompt}${text} and`, { ...GREEDY, maxTokens: 20 })).tokens, expected.tokens);
  });
  await using(homeModel, { kvType: 'f16' }, (other) => assert.rejects(other.loadState(state), { code: 'ARG' }));
  await using(homeModel, { contextLength: 16, kvType: 'f32' }, (other) => assert.rejects(other.loadState(state), { code: 'FULL' }));
}));
