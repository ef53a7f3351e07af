// @ts-check
// The kill schedule, long: 2,000 rounds. EDGE_NET_SEED and EDGE_NET_ROUNDS ask for others.
import test from 'node:test';
import assert from 'node:assert/strict';
import { runSchedule } from '../faults/kill-schedule.mjs';
import { seedOf } from '../faults/random.mjs';

test('2,000 random interleavings of kill, abort and fault end with identical bytes', async () => {
  const seed = seedOf(1), rounds = Number(process.env.EDGE_NET_ROUNDS ?? 2000);
  const totals = await runSchedule({ rounds, seed, atOnce: 12 });
  console.log(`kill schedule, seed ${seed}: ${JSON.stringify(totals)}`);
  assert.equal(totals.rounds, rounds);
});
