// @ts-check
/** Asking a model: which frame it has, what form its answer keeps to, the answer. */
import { formOf } from './form.js';
import { HOME, HOME_FRAME, PLAIN_FRAME, USER } from './frame.js';
import { isTaughtAnswer, says } from './taught.js';

/** @typedef {import('./frame.js').Frame} Frame @typedef {import('./taught.js').Taught} Taught */

/** The home model is known by its two marks: each is one token of its vocabulary. @param {Pick<import('../engine.js').Session, 'tokenize'>} session @returns {Promise<Frame>} */
export async function frameOf(session) {
  const ids = await session.tokenize(USER + HOME, { addBos: false }).catch(() => []);
  return ids.length === 2 ? HOME_FRAME : PLAIN_FRAME;
}

/**
 * What an answer must keep to. @param {Frame} frame @param {string} text what was said
 * @param {readonly Taught[] | null} taught answers of taught commands, null: not known, and then anything may be answered @returns {{ grammar?: string }} for session.complete()
 */
export function formFor(frame, text, taught) {
  return frame.home && taught ? { grammar: formOf(text, taught.map(({ answer, own }) => ({ answer: frame.write(answer), own }))) } : {};
}

/** Room for the longest answer of the home model. */
export const ANSWER_TOKENS = 160;

/**
 * @typedef {object} Ways
 * @property {readonly Taught[] | null} [taught] answers of taught commands that are at work, null: not known
 * @property {Map<string, Answer>} [known] answers of the model without what it was taught, by what was said: those in it are not asked again, new ones are added
 * @property {AbortSignal} [signal]
 * @typedef {Awaited<ReturnType<import('../engine.js').Session['complete']>>} Answer
 */

/**
 * The model's answers to what a person says: each the likeliest one of the right form. Taught commands are asked for nothing but what they were taught: a request
 * without a word of theirs goes to the model without them, and so does one to which they answer anything else. The old commands stay as they were, word for word.
 * @param {Pick<import('../engine.js').Session, 'complete' | 'listAdapters' | 'setAdapterScales'>} session @param {Frame} frame @param {readonly { text: string, maxTokens?: number }[]} requests
 * @param {Ways} [ways] @returns {Promise<Answer[]>}
 */
export async function answersTo(session, frame, requests, { taught = [], known = new Map(), signal } = {}) {
  /** @type {Answer[]} */ const answers = [];
  const ask = (/** @type {readonly number[]} */ some, /** @type {(text: string) => readonly Taught[] | null} */ taughtFor) => Promise.all(some.map(async (i) => {
    const { text, maxTokens = ANSWER_TOKENS } = requests[i];
    const written = await session.complete(frame.ask(text), { temperature: 0, maxTokens, signal, ...formFor(frame, text, taughtFor(text)), ...(frame.home ? {} : { stopSequences: ['\n'] }) });
    answers[i] = { ...written, text: frame.read(written.text) };
  }));
  const all = requests.map((_, i) => i), held = frame.home && taught ? taught : null, atWork = held ? session.listAdapters().filter(({ scale }) => scale !== 0) : [];
  if (!held) {
    await ask(all, () => taught && []);
    return answers;
  }
  const meant = (/** @type {string} */ text) => held.filter(({ telling }) => says(text, telling));
  if (atWork.length) await ask(all.filter((i) => meant(requests[i].text).length), meant);
  const others = all.filter((i) => !answers[i] || !isTaughtAnswer(answers[i].text, meant(requests[i].text)));
  const asked = others.filter((i) => !known.has(requests[i].text)), rest = asked.length ? atWork : [];
  if (rest.length) await session.setAdapterScales(Object.fromEntries(rest.map(({ name }) => [name, 0])));
  try { await ask(asked, () => []); } finally { if (rest.length) await session.setAdapterScales(Object.fromEntries(rest.map(({ name, scale }) => [name, scale]))); }
  for (const i of asked) known.set(requests[i].text, answers[i]);
  for (const i of others) answers[i] = known.get(requests[i].text) ?? answers[i];
  return answers;
}
