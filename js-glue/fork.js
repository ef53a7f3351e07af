// @ts-check
// A text that grows in steps and branches. It is token ids only, so it costs nothing and needs no dispose(): a sequence of the engine that still holds its
// beginning goes on from there, or is copied (scheduler.js), and what none holds any more is read again. The texts are the same in each case.

/**
 * @typedef {import('./options.js').GenerateOptions} GenerateOptions @typedef {import('./scheduler.js').Completion} Completion
 * @typedef {Pick<import('./session.js').InferenceSession, 'complete' | 'generateStream' | 'tokenize'>} Writer
 */

export class Fork {
  #session;
  #ids;

  /** Use session.fork(). @param {Writer} session @param {readonly number[]} ids */
  constructor(session, ids) {
    this.#session = session;
    this.#ids = ids;
  }
  /** The text so far. @returns {number[]} */
  get ids() { return [...this.#ids]; }
  /** Another text that begins as this one is now. @returns {Fork} */
  fork() { return new Fork(this.#session, this.#ids); }

  /** Add a text, and what the model says then. One call after the other; other forks may go on at the same time. @param {string} [more] @param {GenerateOptions & {onToken?: (piece: string) => void}} [options] @returns {Promise<Completion>} */
  async complete(more = '', options = {}) {
    const ids = await this.#with(more);
    return this.#grown(ids, await this.#session.complete(ids, options));
  }
  /** The same, piece by piece. @param {string} [more] @param {GenerateOptions} [options] @returns {AsyncGenerator<string, Completion, void>} */
  async *generateStream(more = '', options = {}) {
    const ids = await this.#with(more);
    return this.#grown(ids, yield* this.#session.generateStream(ids, options));
  }
  /** @param {string} more */
  async #with(more) { return [...this.#ids, ...more ? await this.#session.tokenize(more, { addBos: !this.#ids.length }) : []]; }
  /** @param {readonly number[]} ids @param {Completion} completion */
  #grown(ids, completion) {
    this.#ids = [...ids, ...completion.tokens];
    return completion;
  }
}
