// @ts-check
/** Asking a model: which frame it has, what form its answer keeps to, the answer. */
import { formOf } from './form.js';
import { HOME, HOME_FRAME, PLAIN_FRAME, USER } from './frame.js';
import { isTaughtAnswer } from './taught.js';

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
 * @property {AbortSignal} [signal]
 * @typedef {Awaited<ReturnType<import('../engine.js').Session['complete']>>} Answer
 */

/**
 * The model's answers to what a person says: each the likeliest one of the right form. With taught commands at work, an answer that is none of theirs comes from
 * the model without them: so they are asked for nothing but what they were taught, and the old commands stay as they were, word for word.
 * @param {Pick<import('../engine.js').Session, 'complete' | 'listAdapters' | 'setAdapterScales'>} session @param {Frame} frame @param {readonly { text: string, maxTokens?: number }[]} requests
 * @param {Ways} [ways] @returns {Promise<Answer[]>}
 */
export async function answersTo(session, frame, requests, { taught = [], signal } = {}) {
  const one = async (/** @type {{ text: string, maxTokens?: number }} */ { text, maxTokens = ANSWER_TOKENS }, /** @type {readonly Taught[] | null} */ also) => {
    const written = await session.complete(frame.ask(text), { temperature: 0, maxTokens, signal, ...formFor(frame, text, also), ...(frame.home ? {} : { stopSequences: ['\n'] }) });
    return { ...written, text: frame.read(written.text) };
  };
  const answers = await Promise.all(requests.map((request) => one(request, taught)));
  const atWork = frame.home && taught ? session.listAdapters().filter(({ scale }) => scale !== 0) : [];
  const others = answers.flatMap(({ text }, i) => (isTaughtAnswer(text, taught ?? []) ? [] : [i]));
  if (!atWork.length || !others.length) return answers;
  await session.setAdapterScales(Object.fromEntries(atWork.map(({ name }) => [name, 0])));
  try {
    await Promise.all(others.map(async (i) => { answers[i] = await one(requests[i], []); }));
  } finally { await session.setAdapterScales(Object.fromEntries(atWork.map(({ name, scale }) => [name, scale]))); }
  return answers;
}
