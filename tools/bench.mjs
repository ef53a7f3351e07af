#!/usr/bin/env node
// @ts-check
/**
 * `npm run bench`: the kernel benchmark of the release build, then `edge-net bench` over the given models; one JSON object a line.
 *
 *   node tools/bench.mjs [MODEL.gguf...]
 */
import path from 'node:path';
import { cmake, exec, files, setup } from './lib.mjs';

async function main() {
  await setup('build');
  const built = await cmake('native-gcc');
  let failed = 0;
  for (const file of files('bench', '.c')) {
    const { code } = await exec(path.join(built, `bench-${path.basename(file, '.c')}`), []);
    failed += Number(code !== 0);
  }
  for (const model of process.argv.slice(2)) {
    const { code } = await exec(path.join(built, 'edge-net'), ['bench', path.resolve(model), '--json']);
    failed += Number(code !== 0);
  }
  process.exitCode = failed ? 1 : 0;
}

main().catch((error) => {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
});
