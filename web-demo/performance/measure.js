// @ts-check
/** A short benchmark of an open model. */

/** @typedef {import('../engine.js').Session} Session */
/** @typedef {{ read: number, write: number, firstMs: number }} Measured tokens a second; milliseconds to the first token of a short request */

const RUNS = 3, PROMPT = 192, WRITTEN = 64;

/** Products of one token's forward pass: one for each weight, the table of embeddings once. @param {Session['info']} info */
export function macsPerToken(info) {
  return info.parameters;
}

/** The best of some runs, each with a prompt that was not read before. @param {Session} session @returns {Promise<Measured>} */
export async function measure(session) {
  const room = session.info.contextLength, prompt = Math.max(1, Math.min(PROMPT, room - WRITTEN - 1)), most = Math.max(1, Math.min(WRITTEN, room - prompt - 1));
  const best = { read: 0, write: 0, firstMs: Infinity };
  for (let run = 0; run < RUNS; run++) {
    const ids = (/** @type {number} */ n) => Array.from({ length: n }, (_, i) => (run * 97 + i * 31 + 5) % session.info.vocabulary);
    const long = (await session.complete(ids(prompt), { maxTokens: most, temperature: 1, seed: run })).timings;
    const short = (await session.complete(ids(12).reverse(), { maxTokens: 2, temperature: 0 })).timings;
    best.read = Math.max(best.read, (long.promptTokens * 1000) / long.promptMs);
    if (long.tokens > 1) best.write = Math.max(best.write, ((long.tokens - 1) * 1000) / long.tokenMs);
    best.firstMs = Math.min(best.firstMs, short.ttftMs);
  }
  return best;
}
