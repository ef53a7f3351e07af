// @ts-check
// What a program may import from '@ruvector/edge-net-models/worker'.
export { ModelWorker } from './model-worker.js';
export { ModelWorkerPool } from './pool.js';
