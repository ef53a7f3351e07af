// @ts-check
// ModelWorkerPool: many requests at once over one model. There is one copy of the weights: the requests are sequences of one engine
// and every step computes a token for all of them, which costs little more than a token for one.
import { ModelWorker } from './model-worker.js';
import { numberIn, knownOnly } from '../js-glue/options.js';

/** @typedef {import('../js-glue/session.js').Prompt} Prompt @typedef {import('../js-glue/options.js').GenerateOptions} GenerateOptions */

/**
 * @example
 * const pool = new ModelWorkerPool({ workers: 4, model: 'https://models.example/tiny.gguf' });
 * const texts = await Promise.all([pool.generate('Task 1'), pool.generate('Task 2')]);
 * pool.terminate();
 */
export class ModelWorkerPool {
  #worker = new ModelWorker();
  /** Settles when the model is loaded. @readonly @type {Promise<void>} */ ready;

  /**
   * @param {{workers: number, model: import('../js-glue/sources.js').ModelSource, options?: import('../js-glue/session.js').SessionOptions}} pool
   *   workers: requests that are worked on at once; more wait their turn. Each has its own KV cache: { options: { contextLength } } sets its size.
   */
  constructor(pool) {
    knownOnly(pool, ['workers', 'model', 'options'], 'pool');
    const parallel = numberIn('workers', pool.workers, 1, 256, true);
    this.ready = this.#worker.load(pool.model, { ...pool.options, parallel }).then(() => {});
    this.ready.catch(() => {}); // told to whoever calls generate()
  }

  /** @param {Prompt} prompt @param {GenerateOptions} [options] @returns {Promise<string>} */
  async generate(prompt, options) {
    await this.ready;
    return this.#worker.generate(prompt, options);
  }
  /** @param {readonly import('../js-glue/chat.js').Message[]} messages @param {GenerateOptions} [options] @returns {Promise<string>} */
  async chat(messages, options) {
    await this.ready;
    return this.#worker.chat(messages, options);
  }
  /** @param {Prompt} prompt @param {GenerateOptions} [options] @returns {AsyncGenerator<string>} */
  async *generateStream(prompt, options) {
    await this.ready;
    yield* this.#worker.session.generateStream(prompt, options);
  }
  /** @param {readonly {id: string, prompt: Prompt}[]} items @param {GenerateOptions} [options] @returns {Promise<{id: string, text: string}[]>} in the order of items */
  async batch(items, options) {
    await this.ready;
    return this.#worker.batch(items, options);
  }
  /** @param {string | ArrayLike<number>} input @param {import('../js-glue/options.js').EmbedOptions} [options] @returns {Promise<Float32Array>} */
  async embed(input, options) {
    await this.ready;
    return this.#worker.embed(input, options);
  }
  /** @param {readonly (string | ArrayLike<number>)[]} inputs @param {import('../js-glue/options.js').EmbedOptions} [options] @returns {Promise<Float32Array[]>} */
  async embedBatch(inputs, options) {
    await this.ready;
    return this.#worker.embedBatch(inputs, options);
  }
  /** @param {string | ArrayLike<number>} a @param {string | ArrayLike<number>} b @param {import('../js-glue/options.js').EmbedOptions} [options] @returns {Promise<number>} */
  async similarity(a, b, options) {
    await this.ready;
    return this.#worker.similarity(a, b, options);
  }
  /** Over the pool's one copy of the weights; wait for `ready` first. @param {import('../js-glue/train-options.js').MicroLoRAConfig} [config] @returns {import('../js-glue/trainer.js').Trainer} */
  createTrainer(config) { return this.#worker.createTrainer(config); }
  /** For all requests from now on. @param {import('../js-glue/adapter.js').AdapterSource} source @param {Parameters<ModelWorker['loadAdapter']>[1]} [options] @returns {Promise<import('../js-glue/adapters.js').AdapterInfo>} */
  async loadAdapter(source, options) {
    await this.ready;
    return this.#worker.loadAdapter(source, options);
  }
  /** @param {string} name @returns {Promise<void>} */
  async unloadAdapter(name) { return this.#worker.unloadAdapter(name); }
  /** @param {string} name @param {number} scale @returns {Promise<import('../js-glue/adapters.js').AdapterInfo>} */
  async setAdapterScale(name, scale) { return this.#worker.setAdapterScale(name, scale); }
  /** @returns {import('../js-glue/adapters.js').AdapterInfo[]} */
  listAdapters() { return this.#worker.listAdapters(); }
  /** Stop everything; what is pending rejects. @returns {Promise<void>} */
  async terminate() { await this.#worker.terminate(); }
}
