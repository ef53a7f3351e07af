// @ts-check
// Which of two kernel tables of a binary is faster depends on the machine, and nothing but time tells. Both give the same bits, so the choice changes
// no result. { kernels } of the session's options decides instead.
import { makeYield } from './platform.js';

/** An engine compiles what runs often once more, better, and only that should be timed: it has time for it while the model is read. */
const WARM_UP_MS = 2;
const ROUNDS = 3;
const ROUND_MS = 1;
/** The rival has to be clearly faster: the default is the better guess where time says little, as on a busy machine. */
const CLEARLY = 1.25;

/** @typedef {Pick<import('./wasm-instance.js').WasmInstance, 'rival' | 'speed'>} Timed */

/** Long before choose(); in pieces, for the store is being opened in the same thread. @param {Timed} w */
export async function warmUp(w) {
  const rival = w.rival();
  if (!rival) return;
  const rest = makeYield();
  for (const name of ['auto', rival]) {
    await rest();
    w.speed(name, WARM_UP_MS);
  }
}

/** @param {Timed} w @param {number} model @returns {{name: string, why: string[]}} name: what to use */
export function choose(w, model) {
  const rival = w.rival(model);
  if (!rival) return { name: 'auto', why: [] };
  let usual = 0, other = 0;
  for (let i = 0; i < ROUNDS; i++) { // by turns: a disturbance then meets both
    usual = Math.max(usual, w.speed('auto', ROUND_MS));
    other = Math.max(other, w.speed(rival, ROUND_MS));
    if (other < usual) break; // as almost everywhere: time enough was spent
  }
  const better = other > CLEARLY * usual;
  return { name: better ? rival : 'auto', why: [`Kernels ${rival} were timed at ${other.toFixed(1)} GMAC/s, the usual ones at ${usual.toFixed(1)}: ${better ? rival : 'the usual ones'} run.`] };
}
