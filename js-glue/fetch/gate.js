// @ts-check
// Pausing downloads. A gate stands in the thread that downloads; another one, which programs hold, is watched and moves it by a message.
import { abortError, throwIfAborted } from '../errors.js';

export class Gate {
  #paused = false;
  /** @type {Set<(paused: boolean) => void>} */ #watchers = new Set();

  get paused() { return this.#paused; }
  /** @param {boolean} paused */
  set(paused) {
    if (paused === this.#paused) return;
    this.#paused = paused;
    for (const watcher of [...this.#watchers]) watcher(paused);
  }
  /** @param {(paused: boolean) => void} watcher told of every change, and at once when it is paused now @returns {() => void} ends it */
  watch(watcher) {
    this.#watchers.add(watcher);
    if (this.#paused) watcher(true);
    return () => { this.#watchers.delete(watcher); };
  }
  /** Settles when it is open. @param {AbortSignal} [signal] @returns {Promise<void>} */
  async wait(signal) {
    throwIfAborted(signal);
    if (!this.#paused) return;
    let end = () => {};
    try {
      await new Promise((/** @type {(v: void) => void} */ resolve, reject) => {
        const unwatch = this.watch((paused) => { if (!paused) resolve(); });
        const stop = () => reject(abortError(signal));
        signal?.addEventListener('abort', stop, { once: true });
        end = () => { unwatch(); signal?.removeEventListener('abort', stop); };
      });
    } finally { end(); }
  }
}
