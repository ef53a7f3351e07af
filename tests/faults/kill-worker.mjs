// @ts-check
// The process that is killed: downloads what it is told to, and tells of every chunk that it has written.
import { download } from '../../js-glue/fetch/download.js';
import { openSource } from '../../js-glue/sources.js';
import { openStore } from '../../js-glue/stores/store.js';

/** @typedef {{artifact: import('../../js-glue/fetch/types.js').Artifact, urls: string[], root: string, patience: import('../../js-glue/fetch/types.js').Patience}} Task */

const send = (/** @type {unknown} */ message) => { process.send?.(message); };
/** @type {AbortController | null} */ let control = null;

/** @param {Task} task */
async function run({ artifact, urls, root, patience }) {
  control = new AbortController();
  const store = await openStore({ kind: 'filesystem', root });
  const begin = store.begin.bind(store);
  store.begin = async (...given) => {
    const part = await begin(...given);
    const write = part.write.bind(part);
    part.write = async (index, bytes, hash) => { await write(index, bytes, hash); send({ wrote: index }); };
    send({ begun: true });
    return part;
  };
  try {
    const sources = urls.map((url) => openSource({ kind: 'url', url }, patience, { kept: true }));
    const entry = await download(artifact, { store, sources, patience, signal: control.signal });
    send({ done: entry.size });
  } catch (e) {
    const { code, message } = /** @type {import('../../js-glue/errors.js').EdgeNetError} */ (e);
    send({ failed: code ?? 'none', message });
  } finally { store.close(); }
}

process.on('message', (/** @type {Task | 'abort'} */ message) => {
  if (message === 'abort') control?.abort();
  else void run(message);
});
process.on('disconnect', () => process.exit());
