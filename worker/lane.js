// @ts-check
// A compute lane: one more thread over the memory of an engine. It blocks inside wasm until the owner stops the pool.
import { ownPort } from '../js-glue/ports.js';
import { runLane } from '../js-glue/wasm-module.js';

const own = ownPort();
const port = own instanceof Promise ? await own : own;
port.listen((init) => {
  runLane(init, () => port.postMessage('ready'));
  port.close();
}, () => {});
