// @ts-check
// What a model says after every token of given texts, for another one to learn from; by the rules of `edge-net train --teacher` (cli/train_goal.c).
import { EdgeNetError, abortError } from './errors.js';
import { Evaluation } from './evaluation.js';
import { concat, toHex, utf8 } from './manifest/encoding.js';
import { sha256 } from './manifest/hash.js';
import { makeYield } from './platform.js';

/** Tokens whose logits live together. */
const AT_ONCE = 16;
/** Tokens between two rests. */
const NAMES_AT_ONCE = 2000;
const SPECIAL = 2, KV_F32 = 0;

/** @typedef {import('./wasm-instance.js').WasmInstance} WasmInstance @typedef {import('./train-room.js').TeacherRows} TeacherRows */

/** A digest of the texts of all tokens. @param {WasmInstance} w @param {number} tokenizer @param {number} n */
export async function vocabularyOf(w, tokenizer, n) {
  const rest = makeYield();
  /** @type {Uint8Array[]} */ const names = [];
  for (let id = 0; id < n; id++) {
    names.push(utf8(`${w.decode(tokenizer, [id], SPECIAL, false)}\0`));
    if (id % NAMES_AT_ONCE === 0) await rest();
  }
  return toHex(await sha256(concat(...names)));
}

/**
 * @param {{w: WasmInstance, model: number, vocab: number}} place @param {readonly Int32Array[]} samples @param {number} topK so many of the largest logits, the largest first; 0: all, in order
 * @param {(session: number) => void} attach adapters @param {AbortSignal} signal @param {() => boolean} closed is the memory gone? @returns {Promise<TeacherRows[]>}
 */
export async function topLogits({ w, model, vocab }, samples, topK, attach, signal, closed) {
  const longest = Math.max(1, ...samples.map((ids) => ids.length)), width = topK || vocab;
  if (topK > vocab) throw new EdgeNetError('ARG', `topK ${topK}: the vocabulary has ${vocab} tokens`, { detail: { option: 'topK' } });
  const { handle: session, block } = w.openSession(model, { nCtx: longest, nBatch: AT_ONCE, nSeq: 1, nLogits: AT_ONCE, kvType: KV_F32, profile: false });
  const evaluation = new Evaluation(w, session, AT_ONCE, closed), row = new Float32Array(vocab);
  try {
    attach(session);
    evaluation.wake();
    const out = [];
    for (const all of samples) {
      /** @type {{ids: Int32Array | null, logits: Float32Array}} */ const rows = { ids: topK ? new Int32Array(all.length * topK) : null, logits: new Float32Array(all.length * width) };
      w.keep(session, 0, 0);
      for (let at = 0; at < all.length; at += AT_ONCE) {
        const ids = [...all.subarray(at, at + AT_ONCE)], zeros = ids.map(() => 0);
        while (!await evaluation.run(ids, zeros, ids.map(() => 1), () => signal.aborted || closed())) {
          if (closed()) throw new EdgeNetError('STATE', 'the session was disposed');
          if (signal.aborted) throw abortError(signal);
        }
        for (let i = 0; i < ids.length; i++) {
          const part = rows.logits.subarray((at + i) * width, (at + i + 1) * width);
          if (rows.ids) best(w.logits(session, i, vocab, row), part, rows.ids.subarray((at + i) * topK, (at + i + 1) * topK));
          else w.logits(session, i, vocab, part);
        }
        await evaluation.restIfDue();
      }
      out.push(rows);
    }
    return out;
  } finally {
    if (!closed()) {
      evaluation.close();
      w.free(block);
    }
  }
}

/** The largest of z, in falling order; of equals the one with the lower id. @param {Float32Array} z @param {Float32Array} values as many as are wanted @param {Int32Array} ids */
function best(z, values, ids) {
  const k = values.length;
  for (let i = 0, found = 0; i < z.length; i++) {
    if (found === k && !(z[i] > values[k - 1])) continue;
    let at = found < k ? found++ : k - 1;
    for (; at && z[i] > values[at - 1]; at--) { values[at] = values[at - 1]; ids[at] = ids[at - 1]; }
    values[at] = z[i];
    ids[at] = i;
  }
}
