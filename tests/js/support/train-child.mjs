// @ts-check
// A training that train.test.mjs kills: node train-child.mjs WASM MODEL STORE LOG PAIRS. Every step is a line of LOG before the next one begins.
import { appendFileSync } from 'node:fs';
import { InferenceSession } from '../../../js-glue/index.js';

const [wasm, model, storageRoot, log, pairs] = process.argv.slice(2);
const session = await InferenceSession.create(model, { wasm, threads: 1, storage: 'filesystem', storageRoot });
const trainer = session.createTrainer({ rank: 4, learningRate: 1e-2, seed: 5, dropout: 0.1, batchSize: 3 });
process.stdout.write('begin\n');
const report = await trainer.train(JSON.parse(pairs), {
  epochs: 5, evalShare: 0.2, evalEvery: 20, patience: 1000, checkpoint: { name: 'killed', every: 3 },
  onStep: ({ step, loss, lr, gradNorm, evalLoss }) => appendFileSync(log, `${step}\t${loss} ${lr} ${gradNorm} ${evalLoss}\n`),
});
appendFileSync(log, `1000000\t${report.loss} ${report.evalBefore} ${report.evalLoss} ${report.tokens}\n`);
process.exit(0);
