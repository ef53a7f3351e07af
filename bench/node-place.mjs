// @ts-check
// Runs one scenario in this Node and prints its samples: node bench/node-place.mjs '{"scenario":"speed","source":"model.gguf","options":{},"reps":5,"pp":128,"tg":64}'
import * as sdk from '../dist/index.js';
import { SCENARIOS } from './scenarios.mjs';

const { scenario, ...task } = JSON.parse(process.argv[2]);
console.log(JSON.stringify(await SCENARIOS[scenario]({ sdk: /** @type {any} */ (sdk), ...task })));
