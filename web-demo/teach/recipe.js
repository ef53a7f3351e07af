// @ts-check
/**
 * One button, one recipe: from a few examples of a new command to an adapter that has learned it, without forgetting the old ones.
 *
 * The lesson is paraphrases of the examples (augment.js, pieces.js) mixed with more old commands (old-commands.js). A small adapter over the top layers learns it in
 * rounds; after each the model answers paraphrases and old commands that were kept apart, and the lesson ends when all of the former and no fewer of the
 * latter are right, or when another round brought nothing. Old commands are answered without the adapter where they say no word of the new one, or where the adapter
 * does not take them for its own (home/prompt.js): what the replay has to teach it is what is not its own.
 */
import { answersTo } from '../home/prompt.js';
import { describeAnswers, says } from '../home/taught.js';
import { paraphrases, reframed } from './augment.js';
import { OLD_COMMANDS } from './old-commands.js';
import { commonWords, tellingTerms, tellingWords, wordShares } from './pieces.js';
import { random } from './random.js';
import { answersOf } from './slots.js';

/**
 * @typedef {import('../engine.js').Session} Session
 * @typedef {import('../home/frame.js').Frame} Frame
 * @typedef {import('./slots.js').Example} Example
 * @typedef {import('../home/taught.js').Taught} Taught @typedef {import('../home/prompt.js').Ways} Ways
 * @typedef {{ ok: boolean, say: string, want: string, got: string }} Checked
 * @typedef {object} Check how well the model answers now
 * @property {Checked[]} fresh paraphrases of the examples that were not learned
 * @property {Checked[]} old commands that were not replayed
 *
 * @typedef {object} Lesson
 * @property {import('../../js-glue/adapter.js').Adapter} adapter
 * @property {Check} before @property {Check} after
 * @property {number} steps @property {number} rounds
 * @property {number} seconds in all, checks included @property {number} bytes memory that the training took beside the model
 *
 * @typedef {object} Listener
 * @property {(event: { step: number, steps: number, loss: number }) => void} [onStep]
 * @property {(text: string) => void} [onPhase] what is being done now, in words
 * @property {(plan: { bytes: number }) => void} [onPlan] memory that the training takes beside the model
 */

export const RECIPE = Object.freeze({
  /** What learns: the feed-forward part of the top layers. With attention adapted as well it forgot more old commands in trials: it copies words by attention. */
  adapter: Object.freeze({ rank: 6, alpha: 6, layers: 3, targetModules: /** @type {const} */ (['up_proj', 'down_proj']) }),
  /** Many small steps: with batches of 16 instead, at the same cost, a hard command stayed at 26 % where it now reaches 78. */
  training: Object.freeze({ learningRate: 1.8e-2, batchSize: 4, scheduler: /** @type {const} */ ('cosine'), gradientCheckpointing: false, cachePrefix: false }), // a sample is seen once
  /** New and old samples of one round, and how many of the old ones say a word of the new command, if there are so many: where such a word leads is all that the adapter can spoil. */
  fresh: 360, old: 80, near: 40,
  /** New and old samples of a check, kept apart. */
  freshChecks: 20, oldChecks: 40,
  /** At least, for one round that looks good on its own paraphrases is often not good on a person's; at most. */
  leastRounds: 2, rounds: 3,
  maxLength: 96,
});

/** Old commands that are only ever checked. */
const CHECKED = OLD_COMMANDS.slice(-RECIPE.oldChecks), REPLAYED = OLD_COMMANDS.slice(0, -RECIPE.oldChecks);
const OLD_WORDS = wordShares(OLD_COMMANDS.map(([say]) => say));
/** The adapter's name while it is checked. */
const DRAFT = 'draft of this lesson';

/**
 * @param {Session} session @param {readonly Example[]} examples
 * @param {{ frame: Frame, taught?: readonly Taught[] | null, seed?: number, signal?: AbortSignal, recipe?: typeof RECIPE } & Listener} options taught: answers of other
 *   taught commands that are at work, null: not known
 * @returns {Promise<Lesson>} the adapter is neither saved nor loaded; its description tells its answers
 */
export async function teach(session, examples, { frame, taught = [], seed = 1, signal, recipe = RECIPE, onStep, onPhase, onPlan }) {
  const begun = performance.now(), answers = answersOf(examples, tellingTerms(examples, tellingWords(examples, OLD_WORDS))), ways = { taught: taught && [...taught, ...answers], known: new Map(), signal };
  const tests = testsFor(examples, frame, seed, recipe);
  const sample = (/** @type {Example} */ { say, do: output }) => ({ input: frame.ask(say), output: frame.write(output) });
  const trainer = session.createTrainer({ ...recipe.adapter, ...recipe.training, maxLength: recipe.maxLength, seed });
  try {
    onPhase?.('Looking what it knows already');
    const before = await check(session, frame, tests, ways);
    /** @type {{ check: Check, adapter: Lesson['adapter'] } | null} */ let best = null;
    let steps = 0, bytes = 0, rounds = 0;
    while (rounds < recipe.leastRounds || (rounds < recipe.rounds && !(best && good(best.check, before)))) {
      onPhase?.(rounds === 0 ? 'Learning' : 'Learning what is not right yet');
      const lesson = lessonFor(examples, frame, seed + rounds++, recipe).map(sample);
      if (!bytes) {
        ({ bytes } = await trainer.plan(lesson, { epochs: 1 }));
        onPlan?.({ bytes });
      }
      const done = steps;
      const report = await trainer.train(lesson, { epochs: 1, signal, onStep: ({ step, steps: all, loss }) => onStep?.({ step: done + step, steps: done + all, loss }) });
      steps += report.steps;
      onPhase?.('Checking with words it has not seen');
      const adapter = await trainer.getAdapter({ name: DRAFT, description: describeAnswers(answers) });
      const now = await withAdapter(session, adapter, () => check(session, frame, tests, ways));
      if (best && rounds > recipe.leastRounds && score(now) <= score(best.check)) break;
      if (!best || score(now) >= score(best.check)) best = { check: now, adapter };
    }
    if (!best) throw new Error('the recipe has no rounds');
    return { adapter: best.adapter, before, after: best.check, steps, rounds, seconds: (performance.now() - begun) / 1000, bytes };
  } finally { await trainer.dispose(); }
}

/** What is learned in a round: examples and paraphrases of them, and old commands, others in every round, in any order. @param {readonly Example[]} examples @param {Frame} frame @param {number} seed @param {typeof RECIPE} recipe @returns {Example[]} */
export function lessonFor(examples, frame, seed, recipe = RECIPE) {
  const r = random(seed), words = tellingWords(examples, OLD_WORDS);
  const fresh = [...examples, ...examples, ...paraphrases(examples, { n: recipe.fresh - 2 * examples.length, seed, part: 'learn', telling: commonWords(words) })];
  const terms = tellingTerms(examples, words), known = frame.home ? r.shuffled(REPLAYED) : [], near = new Set(known.filter(([say]) => says(say, terms)).slice(0, recipe.near));
  const old = [...near, ...known.filter((one) => !near.has(one))].slice(0, recipe.old).map(([say, output]) => (r.chance(0.5) ? reframed({ say, do: output }, r, 'learn') : { say, do: output }));
  return r.shuffled([...fresh, ...old]);
}

/** @param {readonly Example[]} examples @param {Frame} frame @param {number} seed @param {typeof RECIPE} recipe @returns {{ fresh: Example[], old: Example[] }} */
export function testsFor(examples, frame, seed, recipe = RECIPE) {
  return {
    fresh: paraphrases(examples, { n: recipe.freshChecks, seed, part: 'check' }),
    old: frame.home ? CHECKED.map(([say, output]) => ({ say, do: output })) : [],
  };
}

/** @param {Session} session @param {Frame} frame @param {{ fresh: Example[], old: Example[] }} tests @param {Ways} ways @returns {Promise<Check>} */
async function check(session, frame, tests, ways) {
  return { fresh: await answered(session, frame, tests.fresh, ways), old: await answered(session, frame, tests.old, ways) };
}

/** Each example, with the model's answer to it. @param {Session} session @param {Frame} frame @param {readonly Example[]} examples @param {Ways} [ways] @returns {Promise<Checked[]>} */
export async function answered(session, frame, examples, ways) {
  const wanted = examples.map(({ do: want }) => frame.write(want));
  const requests = await Promise.all(examples.map(async ({ say }, i) => (
    frame.home ? { text: say } : { text: say, maxTokens: (await session.tokenize(wanted[i], { addBos: false })).length + 4 }))); // nothing but its length ends the answer of another model; a longer one is wrong in any case
  const answers = await answersTo(session, frame, requests, ways);
  return examples.map(({ say, do: want }, i) => ({ ok: answers[i].text === frame.read(wanted[i]), say, want, got: answers[i].text }));
}

/** @template T @param {Session} session @param {Lesson['adapter']} adapter @param {() => Promise<T>} work @returns {Promise<T>} */
async function withAdapter(session, adapter, work) {
  await session.loadAdapter(adapter, { name: DRAFT });
  try { return await work(); } finally { await session.unloadAdapter(DRAFT); }
}

/** @param {readonly Checked[]} list */
export const rightOnes = (list) => list.filter(({ ok }) => ok).length;
/** @param {Check} c */
const score = (c) => rightOnes(c.fresh) + rightOnes(c.old);
/** All but one of the new ones right, and of the old ones: more rounds would not be worth their time. @param {Check} now @param {Check} before */
const good = (now, before) => rightOnes(now.fresh) >= now.fresh.length - 1 && rightOnes(now.old) >= rightOnes(before.old) - 1;
