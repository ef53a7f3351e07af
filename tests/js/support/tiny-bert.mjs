// @ts-check
// A small random BERT with a WordPiece vocabulary, and if asked for a rank head, as a GGUF file. Its vectors mean nothing, but the same everywhere.
import { GgufWriter } from '../../../tools/gguf-writer.mjs';

const WORDS = ['the', 'cat', 'sat', 'on', 'mat', 'dog', 'ran', 'far', 'query', 'passage', 'a', 'e', ':', '.', ',', '中'];
export const ids = Object.freeze({ pad: 0, unk: 1, cls: 2, sep: 3 });
const D = 64, F = 128, L = 2, CONTEXT = 32;

/** @param {{type?: 'F32' | 'Q8_0', rank?: boolean, mask?: boolean}} [options] mask: with a mask token, the last one @returns {Uint8Array} */
export function tinyBert({ type = 'Q8_0', rank = false, mask = false } = {}) {
  let state = 1;
  const random = () => { // xorshift32
    state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
    return (state >>> 0) / 2 ** 31 - 1;
  };
  const values = (/** @type {number} */ n, mean = 0, spread = 0.2) => Float32Array.from({ length: n }, () => mean + spread * random());
  const tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', ...WORDS.map((w) => `▁${w}`), 's', 'ing', ...'abcdefghijklmnopqrstuvwxyz', ...(mask ? ['[MASK]'] : [])];
  const g = new GgufWriter();
  g.set('general.architecture', 'string', 'bert').set('general.name', 'string', 'tiny-bert');
  const numbers = { block_count: L, embedding_length: D, context_length: CONTEXT, feed_forward_length: F, 'attention.head_count': 4, pooling_type: rank ? 4 : 1 };
  for (const [key, value] of Object.entries(numbers)) g.set(`bert.${key}`, 'u32', value);
  g.set('bert.attention.layer_norm_epsilon', 'f32', 1e-12).set('bert.attention.causal', 'bool', false);
  g.set('tokenizer.ggml.model', 'string', 'bert').set('tokenizer.ggml.token_type_count', 'u32', 2);
  g.setArray('tokenizer.ggml.tokens', 'string', tokens).setArray('tokenizer.ggml.token_type', 'i32', tokens.map((t) => (t.startsWith('[') ? 3 : 1)));
  if (mask) g.set('tokenizer.ggml.mask_token_id', 'u32', tokens.length - 1);
  g.set('tokenizer.ggml.cls_token_id', 'u32', ids.cls).set('tokenizer.ggml.seperator_token_id', 'u32', ids.sep).set('tokenizer.ggml.unknown_token_id', 'u32', ids.unk);
  const matrix = (/** @type {string} */ name, /** @type {number} */ rows, /** @type {number} */ cols, /** @type {'F32' | 'Q8_0'} */ kind = type) => g.tensor(name, [rows, cols], kind, values(rows * cols));
  const vector = (/** @type {string} */ name, /** @type {number} */ n, mean = 0) => g.tensor(name, [n], 'F32', values(n, mean));
  matrix('token_embd.weight', tokens.length, D);
  matrix('token_types.weight', 2, D, 'F32');
  matrix('position_embd.weight', CONTEXT, D, 'F32');
  const norm = (/** @type {string} */ name) => { vector(`${name}.weight`, D, 1); vector(`${name}.bias`, D); };
  norm('token_embd_norm');
  for (let l = 0; l < L; l++) {
    /** @type {[string, number, number][]} */
    const matrices = [['attn_q', D, D], ['attn_k', D, D], ['attn_v', D, D], ['attn_output', D, D], ['ffn_up', F, D], ['ffn_down', D, F]];
    for (const [name, rows, cols] of matrices) { matrix(`blk.${l}.${name}.weight`, rows, cols); vector(`blk.${l}.${name}.bias`, rows); }
    norm(`blk.${l}.attn_output_norm`);
    norm(`blk.${l}.layer_output_norm`);
  }
  if (rank) {
    matrix('cls.weight', D, D);
    vector('cls.bias', D);
    matrix('cls.output.weight', 1, D, 'F32');
    vector('cls.output.bias', 1);
  }
  return g.toBytes();
}
