// @ts-check
// The part of handlers.js that answers for adapters, training and records.

/** @typedef {import('./engine.js').Engine} Engine @typedef {import('./records.js').Records} Records */
/** @typedef {'loadAdapter' | 'scaleAdapters' | 'unloadAdapter' | 'convertAdapter' | 'mergeAdapters' | 'readModel' | 'topLogits' | 'samplesOf' | 'examine' | 'openTrainer' | 'planTraining' | 'train' | 'evaluate' | 'pauseTrainer' | 'trainedAdapter' | 'closeTrainer'
 *   | 'getRecord' | 'putRecord' | 'removeRecord' | 'listRecords'} TrainOp */

/** @param {() => Engine} ready @param {() => Records} records @returns {Pick<import('./protocol.js').Handlers, TrainOp>} */
export function trainHandlers(ready, records) {
  const state = () => ({ adapters: ready().adapters, memory: ready().memory });
  return {
    async loadAdapter({ name, data, scale }) { await ready().loadAdapter(name, data, scale); return state(); },
    async scaleAdapters({ scales }) { await ready().scaleAdapters(scales); return state(); },
    async unloadAdapter({ name }) { await ready().unloadAdapter(name); return state(); },
    async convertAdapter({ data, form, baseModel, anew }) { return ready().convertAdapter(data, form, { baseModel }, anew === true); },
    async mergeAdapters({ scales }) { await ready().merge(scales); return state(); },
    async readModel({ from, n, state: before }) { return ready().readModel(from, n, before); },
    async topLogits({ samples, topK, vocabulary }, { signal }) { return ready().topLogits(samples, topK, vocabulary, signal); },
    async samplesOf({ trainer, pairs }) { return ready().training(trainer).samplesOf(pairs); },
    async examine({ pairs, spec, scales }, { signal, emit }) {
      const report = await ready().examine(pairs, spec, scales, signal, (done, total) => emit({ done, total }));
      return { report, memory: ready().memory };
    },
    async openTrainer({ config }) { return ready().openTraining(config); },
    async planTraining({ trainer, data, run }) { return ready().training(trainer).plan(data, run); },
    async train({ trainer, data, run }, { signal, emit }) {
      const report = await ready().training(trainer).train(data, run, records(), signal, emit);
      return { report, memory: ready().memory };
    },
    async evaluate({ trainer, pairs }, { signal }) { return ready().training(trainer).evaluate(pairs, signal); },
    async pauseTrainer({ trainer, on }) { ready().training(trainer).pause(on); return null; },
    async trainedAdapter({ trainer, form }) { return ready().training(trainer).file(form); },
    async closeTrainer({ trainer }) { ready().closeTraining(trainer); return ready().memory; },
    async getRecord({ name }) { return records().get(name); },
    async putRecord({ name, bytes }) { await records().put(name, bytes); return null; },
    async removeRecord({ name }) { return records().remove(name); },
    async listRecords({ prefix }) { return records().list(prefix); },
  };
}
