// @ts-check
/** How a model is asked: the home model has a frame of its own, any other text model gets the words and a line break. */

/** @typedef {{ home: boolean, ask: (text: string) => string }} Frame ask: what the model reads before it answers */

/** What the home model's training data has around a request (models/home/generate.mjs). */
const USER = '<|user|>', HOME = '<|home|>';

/** @type {Frame} */
export const HOME_FRAME = Object.freeze({ home: true, ask: (text) => `${USER}${text}${HOME}` });
/** @type {Frame} */
export const PLAIN_FRAME = Object.freeze({ home: false, ask: (text) => `${text}\n` });

/** The home model is known by its two marks: each is one token of its vocabulary. @param {Pick<import('../engine.js').Session, 'tokenize'>} session @returns {Promise<Frame>} */
export async function frameOf(session) {
  const ids = await session.tokenize(USER + HOME, { addBos: false }).catch(() => []);
  return ids.length === 2 ? HOME_FRAME : PLAIN_FRAME;
}

/** Room for the longest answer of the home model. */
export const ANSWER_TOKENS = 160;

/**
 * The model's answer to what a person says: the likeliest one. @param {Pick<import('../engine.js').Session, 'complete'>} session @param {Frame} frame @param {string} text
 * @param {{ signal?: AbortSignal, maxTokens?: number }} [options]
 */
export function answer(session, frame, text, { signal, maxTokens = ANSWER_TOKENS } = {}) {
  return session.complete(frame.ask(text), { temperature: 0, maxTokens, signal, ...(frame.home ? {} : { stopSequences: ['\n'] }) });
}
