// @ts-check
// Seeds of the split target: heads of models in one, two and three files, each with its length.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { GgufWriter } from '../../tools/gguf-writer.mjs';

const out = path.join(path.dirname(fileURLToPath(import.meta.url)), 'corpus/split');
mkdirSync(out, { recursive: true });
for (const count of [1, 2, 3]) {
  const heads = Array.from({ length: count }, (_, i) => {
    const g = new GgufWriter();
    if (!i) g.set('general.architecture', 'string', 'llama');
    g.set('split.no', 'u16', i).set('split.count', 'u16', count).set('split.tensors.count', 'i32', count);
    g.tensor(`blk.${i}.attn_norm.weight`, [8], 'F32', new Float32Array(8));
    const bytes = Buffer.from(g.toBytes()).subarray(0, -32), n = Buffer.alloc(4);
    n.writeUInt32LE(bytes.length);
    return Buffer.concat([n, bytes]);
  });
  writeFileSync(path.join(out, `files-${count}`), Buffer.concat(heads));
}
