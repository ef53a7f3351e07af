// @ts-check
// ModelWorker: a model in a worker of its own, loaded later than the object is made.
import { EdgeNetError } from '../js-glue/errors.js';
import { InferenceSession } from '../js-glue/session.js';

/** @typedef {import('../js-glue/session.js').SessionOptions} SessionOptions @typedef {import('../js-glue/session.js').Prompt} Prompt @typedef {import('../js-glue/options.js').GenerateOptions} GenerateOptions */

/**
 * @example
 * const worker = new ModelWorker();
 * await worker.load('https://models.example/tiny.gguf');
 * const result = await worker.generate('Hello!', { maxTokens: 50 });
 * worker.terminate();
 */
export class ModelWorker {
  #defaults;
  /** @type {InferenceSession | null} */ #session = null;
  #loading = new AbortController();
  #ended = false;
  /** @type {Set<(piece: string) => void>} */ #listeners = new Set();

  /** @param {SessionOptions} [options] defaults for load() */
  constructor(options = {}) { this.#defaults = options; }

  /** Load a model; one that was there is disposed first. @param {import('../js-glue/sources.js').ModelSource} source @param {SessionOptions} [options] @returns {Promise<import('../js-glue/engine.js').ModelInfo>} */
  async load(source, options = {}) {
    this.#alive();
    await this.#session?.dispose();
    this.#session = null;
    const merged = { worker: true, ...this.#defaults, ...options };
    const pass = () => this.#loading.abort(merged.signal?.reason);
    this.#loading = new AbortController();
    if (merged.signal?.aborted) pass();
    merged.signal?.addEventListener('abort', pass, { once: true });
    try {
      const session = await InferenceSession.create(source, { ...merged, signal: this.#loading.signal });
      if (this.#ended) { await session.dispose(); this.#alive(); }
      this.#session = session;
      return session.info;
    } finally { merged.signal?.removeEventListener('abort', pass); }
  }
  /** The session behind it, for everything that is not repeated here. @returns {InferenceSession} */
  get session() {
    this.#alive();
    if (!this.#session) throw new EdgeNetError('STATE', 'no model is loaded: await load() first');
    return this.#session;
  }

  /** @param {Prompt} prompt @param {GenerateOptions} [options] @returns {Promise<string>} */
  async generate(prompt, options) { return this.session.generate(prompt, options); }
  /** @param {readonly import('../js-glue/chat.js').Message[]} messages @param {GenerateOptions} [options] @returns {Promise<string>} */
  async chat(messages, options) { return this.session.chat(messages, options); }
  /** @param {string | ArrayLike<number>} input @param {import('../js-glue/options.js').EmbedOptions} [options] @returns {Promise<Float32Array>} */
  async embed(input, options) { return this.session.embed(input, options); }
  /** @param {readonly (string | ArrayLike<number>)[]} inputs @param {import('../js-glue/options.js').EmbedOptions} [options] @returns {Promise<Float32Array[]>} */
  async embedBatch(inputs, options) { return this.session.embedBatch(inputs, options); }
  /** @param {string | ArrayLike<number>} a @param {string | ArrayLike<number>} b @param {import('../js-glue/options.js').EmbedOptions} [options] @returns {Promise<number>} */
  async similarity(a, b, options) { return this.session.similarity(a, b, options); }

  /** Be told every piece of text of generateStream(). @param {(piece: string) => void} listener @returns {() => void} stops it */
  onToken(listener) {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }
  /** The pieces go to the onToken() listeners as they come. @param {Prompt} prompt @param {GenerateOptions} [options] @returns {Promise<string>} the whole text */
  async generateStream(prompt, options) {
    let text = '';
    for await (const piece of this.session.generateStream(prompt, options)) {
      text += piece;
      for (const listener of this.#listeners) listener(piece);
    }
    return text;
  }

  /** Several prompts; worked on together as far as { parallel } of load() allows. @param {readonly {id: string, prompt: Prompt}[]} items @param {GenerateOptions} [options] @returns {Promise<{id: string, text: string}[]>} in the order of items */
  async batch(items, options) {
    const { session } = this;
    return Promise.all(items.map(async ({ id, prompt }) => ({ id, text: await session.generate(prompt, options) })));
  }

  /** As the session's. @param {import('../js-glue/train-options.js').MicroLoRAConfig} [config] @returns {import('../js-glue/trainer.js').Trainer} */
  createTrainer(config) { return this.session.createTrainer(config); }
  /** As the session's. @param {import('../js-glue/adapter.js').AdapterSource} source @param {Parameters<InferenceSession['loadAdapter']>[1]} [options] @returns {Promise<import('../js-glue/adapters.js').AdapterInfo>} */
  async loadAdapter(source, options) { return this.session.loadAdapter(source, options); }
  /** @param {string} name @returns {Promise<void>} */
  async unloadAdapter(name) { return this.session.unloadAdapter(name); }
  /** @param {string} name @param {number} scale @returns {Promise<import('../js-glue/adapters.js').AdapterInfo>} */
  async setAdapterScale(name, scale) { return this.session.setAdapterScale(name, scale); }
  /** @returns {import('../js-glue/adapters.js').AdapterInfo[]} */
  listAdapters() { return this.session.listAdapters(); }

  /** Stop everything now; what is pending rejects. @returns {Promise<void>} settles when the memory is given back */
  async terminate() {
    this.#ended = true;
    this.#loading.abort();
    await this.#session?.dispose();
  }
  #alive() { if (this.#ended) throw new EdgeNetError('STATE', 'the worker was terminated'); }
}
