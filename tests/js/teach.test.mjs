// @ts-check
// The page's teaching: paraphrases, slots, the lesson and its check, on a model that knows nothing; and the data of its measurement.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InferenceSession } from '../../js-glue/index.js';
import { samples } from '../../models/home/generate.mjs';
import { INTENTS, TALK } from '../../models/home/grammar.mjs';
import { readAdversarial, readTeach } from '../../tools/eval-home/data.mjs';
import { reportPage } from '../../tools/eval-home/report.mjs';
import { HOME_FRAME, PLAIN_FRAME } from '../../web-demo/home/frame.js';
import { answersTo, formFor, frameOf } from '../../web-demo/home/prompt.js';
import { answersIn, describeAnswers, isTaughtAnswer, says } from '../../web-demo/home/taught.js';
import { closest } from '../../web-demo/search/vectors.js';
import { added, dropped, mistyped, paraphrases, plain, polite, reordered, styled, synonym } from '../../web-demo/teach/augment.js';
import { OLD_COMMANDS } from '../../web-demo/teach/old-commands.js';
import { commonWords, crossed, piece, tellingTerms, tellingWords, wordShares } from '../../web-demo/teach/pieces.js';
import { random } from '../../web-demo/teach/random.js';
import { RECIPE, lessonFor, teach, testsFor } from '../../web-demo/teach/recipe.js';
import { answersOf, leaves, slotPaths, swapped } from '../../web-demo/teach/slots.js';
import { homeModel, wasm } from './support/env.mjs';

const EXAMPLES = ['movie time', "let's watch a movie", 'start the movie night', 'turn on the light for the film'].map((say) => ({ say, do: '{"intent":"scene","name":"movie time"}' }));
const PETS = [['feed bella', 'bella'], ['max is hungry', 'max'], ['food for luna please', 'luna']].map(([say, pet]) => ({ say, do: `{"intent":"feed","pet":"${pet}"}` }));

test('every single change does what its name says', () => {
  const many = (/** @type {import('../../web-demo/teach/augment.js').Change} */ change, /** @type {string} */ text) => new Set(Array.from({ length: 60 }, (_, seed) => change(text, random(seed), 'learn')));
  assert.ok(many(polite, 'start the movie').has('could you start the movie'));
  assert.ok(![...many(polite, 'i am leaving')].some((t) => /^(could|can|would) you/.test(t)), 'no "could you" before a sentence');
  assert.ok(many(synonym, 'start the movie').has('start the film') && many(synonym, 'start the movie').has('begin the movie'));
  assert.deepEqual([...many(dropped, 'start the movie')], ['start movie']);
  assert.deepEqual([...many(dropped, 'movie')], ['movie']);
  assert.ok([...many(added, 'start the movie')].every((t) => t.split(' ').length >= 3));
  assert.equal(reordered('start the movie now', random(1), 'learn'), 'now, start the movie');
  for (const slip of many(mistyped, 'movie')) assert.ok(slip[0] === 'm' && Math.abs(slip.length - 5) <= 1 && slip !== '', slip);
  assert.deepEqual([...many(mistyped, 'a b')], ['a b']);
  assert.ok(many(styled, 'is it on').has('is it on?') && [...many(styled, 'go on')].some((t) => t.startsWith('Go')));
});

test('paraphrases: the same for the same seed, none twice, none an example, other ones for the check', () => {
  const make = (/** @type {'learn' | 'check'} */ part, seed = 1, n = 100) => paraphrases(EXAMPLES, { n, seed, part });
  const learn = make('learn');
  assert.deepEqual(make('learn'), learn);
  assert.notDeepEqual(make('learn', 2), learn);
  assert.equal(learn.length, 100);
  const texts = learn.map(({ say }) => plain(say));
  assert.equal(new Set(texts).size, 100);
  assert.ok(EXAMPLES.every(({ say }) => !texts.includes(plain(say))));
  const check = make('check', 1, 40).map(({ say }) => plain(say));
  assert.ok(check.filter((text) => texts.includes(text)).length < 20);
  assert.deepEqual(paraphrases([], { n: 5, seed: 1, part: 'learn' }), []);
  assert.ok(paraphrases([{ say: 'x', do: 'y' }], { n: 1000, seed: 1, part: 'learn' }).length < 1000, 'ends where there is nothing more to say');
});

test('the home model writes a blank before the words that it copies; people and programs see none of it', () => {
  const { write, read, ask } = HOME_FRAME;
  assert.equal(ask(' turn it on '), '<|user|> turn it on<|home|>');
  const plainly = '{"intent":"add","items":["milk","2 eggs","été"],"note":"say \\"hi\\": now","n":1.50,"big":12345678901234567890,"to":{"name":" ann"},"none":""}';
  const written = '{"intent":"add","items":[" milk","2 eggs"," été"],"note":" say \\"hi\\": now","n":1.50,"big":12345678901234567890,"to":{"name":"  ann"},"none":""}';
  assert.equal(write(plainly), written);
  assert.equal(read(written), plainly);
  assert.equal(write('{ "intent" : "add",\n  "n": 1 }'), '{"intent":"add","n":1}', 'in the one form that the model knows');
  for (const { output } of samples({ n: 500, seed: 3, part: 'train' })) assert.equal(read(write(output)), output);
  assert.equal(write('He said "yes": now.'), 'He said "yes": now.', 'a sentence is no JSON');
  assert.equal(read('{"intent":"light_on","room":" back po'), '{"intent":"light_on","room":"back po', 'broken off in the middle');
});

test('slots are found where answers copy, and only there; what is copied stays whole in every paraphrase', () => {
  assert.deepEqual([...slotPaths(PETS)], ['.pet']);
  assert.deepEqual([...slotPaths(EXAMPLES)], [], 'always the same value: not a slot, also where the words contain it');
  assert.deepEqual(leaves('{"a":{"b":["x"]}}'), [{ path: '.a.b.0', value: 'x' }]);
  assert.deepEqual(leaves('no JSON'), []);
  const other = swapped(PETS[0], slotPaths(PETS), random(3)), pet = JSON.parse(other.do).pet;
  assert.equal(other.say, `feed ${pet}`);
  assert.notEqual(pet, 'bella');
  const made = paraphrases(PETS, { n: 200, seed: 5, part: 'learn' });
  for (const { say, do: answer } of made) assert.ok(say.toLowerCase().includes(JSON.parse(answer).pet), `${say} => ${answer}`);
  assert.ok(new Set(made.map(({ do: answer }) => answer)).size > 30);
});

test('an adapter tells what it answers, with marks where words are copied', () => {
  assert.deepEqual(answersOf(PETS), [{ answer: '{"intent":"feed","pet":"…"}', own: ['feed', 'is', 'hungry', 'food', 'for', 'please'], telling: [] }]);
  assert.deepEqual(answersOf(EXAMPLES, ['movie']), [{ answer: EXAMPLES[0].do, own: [], telling: ['movie'] }]);
  assert.deepEqual(answersIn(describeAnswers(answersOf(PETS, ['feed']))), answersOf(PETS, ['feed']));
  for (const other of ['', 'An adapter of somebody', 'Answers: [1]', 'Answers: [{"answer":"x"}]', 'Answers: {']) assert.equal(answersIn(other), null);
  assert.equal(describeAnswers([{ answer: 'x'.repeat(20_000), own: [] }]), '');
  const { grammar } = formFor(HOME_FRAME, 'Feed Bella!', answersOf(PETS));
  assert.match(grammar ?? '', /\| taught0\n/);
  assert.match(grammar ?? '', /"Bella"/);
  assert.deepEqual([formFor(HOME_FRAME, 'x', null), formFor(PLAIN_FRAME, 'x', [])], [{}, {}]);
});

test('the words that tell a command: often in its examples, seldom in old commands, and none that an answer copies', () => {
  const shares = wordShares(['turn on the light', 'is it late', 'the light is on', 'good night']);
  assert.equal(shares.get('light'), 0.5);
  assert.equal(shares.get('movie'), undefined);
  const telling = tellingWords(EXAMPLES, shares);
  assert.deepEqual([telling.get('movie'), telling.get('film'), telling.has('light'), telling.has('the')], [3, 1, false, false]);
  assert.deepEqual([...commonWords(telling)], ['movie']);
  assert.deepEqual([...commonWords(new Map([['film', 1]]))], ['film'], 'there is no other');
  assert.deepEqual([...tellingWords(PETS, shares).keys()].sort(), ['feed', 'food', 'for', 'hungry', 'please'], 'no name of a pet');
  assert.ok(says('Start the Movei!', ['movie']) && !says('i need it', ['feed']) && !says('movie', []));
  assert.deepEqual(tellingTerms(EXAMPLES.slice(0, 1).concat({ say: 'turn it off', do: '' }, { say: 'late', do: '' }), new Map([['movie', 1]])), ['movie', 'turn it', 'it off', 'late'], 'every example itself is told');
  assert.ok(says('now turn, it on', ['turn it']) && !says('return it', ['turn it']) && !says('trun it', ['turn it']));
  assert.ok(OLD_COMMANDS.filter(([text]) => says(text, ['feed', 'hungry'])).length < 0.01 * OLD_COMMANDS.length);
});

test('pieces: a telling word with its neighbours, two examples crossed; what an answer copies stays in', () => {
  const telling = new Set(['movie']);
  const pieces = new Set(Array.from({ length: 60 }, (_, seed) => piece('please start the movie night for us', random(seed), telling)));
  assert.ok(pieces.has('movie') && pieces.has('start the movie night for') && [...pieces].every((text) => text.includes('movie') && !text.includes('please')));
  assert.equal(piece('good night', random(1), telling), 'good night');
  const made = new Set(Array.from({ length: 60 }, (_, seed) => crossed('start the movie', 'we watch it', random(seed), telling)));
  assert.ok(made.has('we the movie') && [...made].every((text) => text.includes('movie')));
  assert.equal(crossed('movie', 'we watch it', random(1), telling), 'movie');
  for (const { say, do: answer } of paraphrases(PETS, { n: 200, seed: 5, part: 'learn', telling: new Set(['feed', 'hungry', 'food']) })) {
    const { pet } = JSON.parse(answer), others = PETS.map(({ do: other }) => JSON.parse(other).pet).filter((name) => name !== pet);
    assert.ok(say.toLowerCase().includes(pet) && !others.some((name) => say.includes(name)), `${say} => ${answer}`);
  }
});

test('taught commands answer what they were taught to requests with a word of theirs, the model without them all else', async () => {
  const taught = [...answersOf(PETS, ['feed', 'hungry']), ...answersOf(EXAMPLES, ['movie', 'we are off'])];
  assert.ok(isTaughtAnswer('{"intent":"feed","pet":"old \\"max\\""}', taught) && isTaughtAnswer(EXAMPLES[0].do, taught));
  for (const other of ['{"intent":"feed"}', '{"intent":"feed","pet":"max","n":1}', '{"intent":"scene","name":"movie"}', '']) assert.ok(!isTaughtAnswer(other, taught), other);
  /** @type {Map<string, number>} */ const scales = new Map([['pets', 0.5], ['movie', 1], ['off', 0]]);
  /** @type {string[]} */ const asked = [];
  /** A model that takes all with a pet for the command of pets, and says "broken" to what it knows, while an adapter is at work. */
  const session = /** @type {any} */ ({
    complete: async (/** @type {string} */ prompt, /** @type {{ grammar?: string }} */ { grammar = '' }) => {
      const adapted = [...scales.values()].some((scale) => scale !== 0);
      asked.push(`${adapted ? 'with' : 'without'} ${grammar.match(/taught\d+ ::=/g)?.length ?? 0}`);
      return { text: !adapted ? 'as before' : prompt.includes('max') ? '{"intent":"feed","pet":" max"}' : 'broken' };
    },
    listAdapters: () => [...scales].map(([name, scale]) => ({ name, scale })),
    setAdapterScales: async (/** @type {Record<string, number>} */ next) => { for (const [name, scale] of Object.entries(next)) scales.set(name, scale); },
  });
  const ask = async (/** @type {readonly import('../../web-demo/home/taught.js').Taught[] | null} */ known) => (await answersTo(session, HOME_FRAME, [{ text: 'light' }, { text: 'feed max' }, { text: 'call max' }, { text: 'hungry?' }, { text: 'the movei' }], { taught: known })).map(({ text }) => text);
  assert.deepEqual(await ask(taught), ['as before', '{"intent":"feed","pet":"max"}', 'as before', 'as before', 'as before']);
  assert.deepEqual(asked.splice(0), ['with 1', 'with 1', 'with 1', 'without 0', 'without 0', 'without 0', 'without 0']);
  assert.deepEqual([...scales], [['pets', 0.5], ['movie', 1], ['off', 0]], 'at work again');
  assert.deepEqual(await ask(null), ['broken', '{"intent":"feed","pet":"max"}', '{"intent":"feed","pet":"max"}', 'broken', 'broken'], 'an adapter that does not tell its answers');
});

test('a lesson has new and old samples; what checks it is not in it', () => {
  const lesson = lessonFor(EXAMPLES, HOME_FRAME, 1), tests = testsFor(EXAMPLES, HOME_FRAME, 1);
  const old = new Set(OLD_COMMANDS.map(([say]) => say));
  assert.equal(lesson.length, RECIPE.fresh + RECIPE.old);
  assert.ok(EXAMPLES.every(({ say }) => lesson.some((l) => l.say === say)));
  const terms = tellingTerms(EXAMPLES, tellingWords(EXAMPLES, wordShares(OLD_COMMANDS.map(([say]) => say)))), replayed = OLD_COMMANDS.slice(0, -RECIPE.oldChecks).filter(([say]) => says(say, terms)).length;
  const near = (/** @type {readonly { say: string, do: string }[]} */ list) => list.filter((l) => l.do !== EXAMPLES[0].do && says(l.say, terms)).length;
  assert.ok(replayed > 0 && near(lesson) >= Math.min(replayed, RECIPE.near), 'old commands with its words, all that there are or as many as wanted');
  assert.ok(near(lesson) > near(lessonFor(EXAMPLES, HOME_FRAME, 1, { ...RECIPE, near: 0 })));
  assert.equal(tests.old.length, RECIPE.oldChecks);
  assert.ok(tests.old.every(({ say }) => !lesson.some((l) => l.say === say)));
  assert.ok(lessonFor(EXAMPLES, PLAIN_FRAME, 1).every(({ say }) => !old.has(say)), 'another model knows nothing of a home');
});

test('old commands are what the home model is trained on', () => {
  const intents = new Set([...INTENTS.map((i) => i.intent), 'none', 'multi']), talk = new Set(TALK.map((t) => t.answer));
  assert.ok(OLD_COMMANDS.length >= 1000);
  const seen = new Set(OLD_COMMANDS.map(([, answer]) => (talk.has(answer) ? 'talk' : JSON.parse(answer).intent)));
  for (const [, answer] of OLD_COMMANDS) assert.ok(talk.has(answer) || intents.has(JSON.parse(answer).intent), answer);
  assert.ok(seen.size >= INTENTS.length, `only ${seen.size} kinds`);
});

test('twenty new commands, each with eight examples and forty unseen wordings', () => {
  const commands = readTeach();
  assert.equal(commands.length, 20);
  for (const { name, examples, unseen } of commands) {
    assert.deepEqual([examples.length, unseen.length], [8, 40], name);
    assert.equal(new Set([...examples, ...unseen].map(({ say }) => plain(say))).size, 48, `${name}: a wording occurs twice`);
    for (const { do: answer } of [...examples, ...unseen]) if (answer.startsWith('{')) assert.equal(JSON.stringify(JSON.parse(answer)), answer, name);
  }
  assert.ok(readAdversarial().length >= 200);
});

test('the whole recipe on a model with random weights: it learns, says what it costs, leaves the session as it was', async () => {
  const session = await InferenceSession.create(homeModel, { wasm, threads: 1, contextLength: 128, parallel: 2 });
  const frame = await frameOf(session);
  assert.equal(frame.home, false);
  const recipe = { ...RECIPE, fresh: 24, freshChecks: 3, rounds: 2 };
  /** @type {number[]} */ const losses = [], /** @type {string[]} */ phases = [], /** @type {number[]} */ memory = [];
  const lesson = await teach(session, EXAMPLES, { frame, recipe, onStep: ({ loss }) => losses.push(loss), onPhase: (text) => phases.push(text), onPlan: ({ bytes }) => memory.push(bytes) });
  assert.ok(losses.length >= 2 && losses[losses.length - 1] < losses[0], `${losses}`);
  assert.equal(lesson.steps, losses.length);
  assert.ok(phases.length >= 3 && memory.length === 1 && memory[0] === lesson.bytes && memory[0] > 1e5);
  assert.deepEqual([lesson.before.fresh.length, lesson.after.fresh.length, lesson.after.old.length], [3, 3, 0]);
  const told = answersIn(lesson.adapter.meta.description);
  assert.deepEqual(told?.map(({ answer, own }) => ({ answer, own })), [{ answer: EXAMPLES[0].do, own: [] }]);
  assert.ok(told?.[0].telling.includes('movie') && !told[0].telling.includes('the'));
  assert.deepEqual(session.listAdapters(), []);
  const control = new AbortController();
  await assert.rejects(teach(session, EXAMPLES, { frame, recipe, signal: control.signal, onStep: () => control.abort() }), { name: 'AbortError' });
  assert.deepEqual([session.listAdapters(), session.getMemoryInfo().trainingBytes], [[], 0]);
  await session.dispose();
});

test('the closest vectors first, whatever all have in common', () => {
  const v = (/** @type {number[]} */ ...x) => Float32Array.from(x.map((y) => y + 100));
  const found = closest(v(1, 0.1, 0), [v(0, 1, 0), v(1, 0, 0), v(-1, 0, 0), v(0, -1, 0)]);
  assert.deepEqual(found.map(({ index }) => index), [1, 0, 3, 2]);
  assert.ok(found[0].score > 0.9 && found[3].score < -0.9);
});

test('the report names what went wrong, and markup in answers stays text', () => {
  const taught = { name: 'tea', fresh: 39, freshOf: 40, old: 99, oldOf: 100, seconds: 9, cpuSeconds: 9, steps: 30, rounds: 1, adapterBytes: 1e5, loadMs: 2, trainingBytes: 1e6, wrong: [{ say: 'more tea', got: '<script>' }] };
  const page = reportPage({ model: 'm.gguf', parameters: 3e6, bytes: 3e6, machine: 'test', threads: 1, engine: 'simd128', answers: null, taught: [taught], summary: { freshMean: 0.975, freshWorst: 0.975, oldMean: 0.99, oldWorst: 0.99, secondsMean: 9, secondsWorst: 9, adapterBytes: 1e5, loadMsWorst: 2 }, oneThread: { engine: 'simd128', lessons: 3, secondsMean: 21, secondsWorst: 33.3 } }, RECIPE);
  assert.ok(page.includes('97.5 %') && page.includes('33.3') && page.includes('&lt;script>') && !page.includes('<script'));
});
