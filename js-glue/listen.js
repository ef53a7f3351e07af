// @ts-check
// A call that follows its caller's signal and tells its caller's listener. A listener's mistake ends this call and no other.

/**
 * @template E
 * @param {AbortSignal | undefined} signal @param {(event: E) => unknown} [listener]
 * @returns {{signal: AbortSignal, abort: () => void, tell: (event: E) => void, run: <T>(work: Promise<T>) => Promise<T>, release: () => void}}
 *   run: the work's result, or what the listener threw; it releases the caller's signal
 */
export function linked(signal, listener) {
  const own = new AbortController();
  const pass = () => own.abort(signal?.reason);
  /** @type {{error: unknown} | null} */ let thrown = null;
  if (signal?.aborted) pass();
  signal?.addEventListener('abort', pass, { once: true });
  const release = () => signal?.removeEventListener('abort', pass);
  return {
    signal: own.signal, abort: () => own.abort(), release,
    tell(event) {
      if (thrown) return;
      try { listener?.(event); } catch (error) { thrown = { error }; own.abort(); }
    },
    async run(work) {
      const settled = await work.then((result) => ({ result }), (error) => ({ error })).finally(release);
      const failed = thrown ?? ('error' in settled ? settled : null);
      if (failed) throw failed.error;
      return /** @type {{result: any}} */ (settled).result;
    },
  };
}
