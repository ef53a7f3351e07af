// @ts-check
// A Hugging Face folder with the smallest BERT there is, all zeros: what carries a vocabulary through `convert` in tests.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const CONFIG = { model_type: 'bert', hidden_size: 4, num_hidden_layers: 1, num_attention_heads: 1, intermediate_size: 4, max_position_embeddings: 16, hidden_act: 'gelu', layer_norm_eps: 1e-12, type_vocab_size: 2 };

/** @param {string} dir @param {{vocab: number, texts: Record<string, string>}} options texts: by file name @returns {string} dir */
export function encoderFolder(dir, { vocab, texts }) {
  const shapes = { word_embeddings: [vocab, 4], position_embeddings: [16, 4], token_type_embeddings: [2, 4] };
  let at = 0;
  const head = Buffer.from(JSON.stringify(Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [`embeddings.${name}.weight`, { dtype: 'F32', shape, data_offsets: [at, at += 4 * shape[0] * shape[1]] }]))));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(head.length));
  mkdirSync(dir, { recursive: true });
  writeFileSync(path.join(dir, 'model.safetensors'), Buffer.concat([length, head, Buffer.alloc(at)]));
  writeFileSync(path.join(dir, 'config.json'), JSON.stringify({ ...CONFIG, vocab_size: vocab }));
  for (const [name, text] of Object.entries(texts)) writeFileSync(path.join(dir, name), text);
  return dir;
}
