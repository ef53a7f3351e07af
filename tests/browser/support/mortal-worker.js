// @ts-check
// The engine's worker, but it dies with an uncaught error when it is told to, as a worker does that runs out of memory.
import '/dist/worker/entry.js';

new BroadcastChannel('edge-net-test').onmessage = () => {
  setTimeout(() => { throw new Error('the test asked for this'); });
};
