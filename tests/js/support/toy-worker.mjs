// @ts-check
// A worker for the tests of rpc.js: the calls of the protocol with toy meanings.
import { ownPort } from '../../../js-glue/ports.js';
import { serve } from '../../../js-glue/rpc.js';
import { EdgeNetError } from '../../../js-glue/errors.js';

const tick = () => new Promise((resolve) => { setImmediate(resolve); });
let stopped = 0;

serve(await ownPort(), /** @type {any} */ ({
  /** Counts until it is told to stop, one event per number. */
  async generate(/** @type {any} */ { input }, /** @type {any} */ { signal, emit }) {
    for (let i = 0; i < Number(input); i++) {
      emit({ kind: 'tokens', pieces: [String(i)] });
      await tick();
      if (signal.aborted) { await tick(); stopped++; throw new EdgeNetError('ABORTED', 'stopped'); }
    }
    return { stopped };
  },
  async tokenize(/** @type {any} */ { text }) {
    if (text === 'die') process.exit(7);
    if (text === 'throw later') { setImmediate(() => { throw new Error('out of the blue'); }); return new Promise(() => {}); }
    if (text === 'full') throw new EdgeNetError('FULL', 'no room', { detail: { tokens: 9 } });
    if (text === 'bug') throw new TypeError('x is not a function');
    return [stopped];
  },
}));
