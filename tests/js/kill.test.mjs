// @ts-check
// A slice of the kill schedule (all of it: tests/long/kill.test.mjs). EDGE_NET_SEED repeats another one.
import test from 'node:test';
import assert from 'node:assert/strict';
import { runSchedule } from '../faults/kill-schedule.mjs';
import { seedOf } from '../faults/random.mjs';

test('100 random interleavings of kill, abort and fault end with identical bytes', async () => {
  const seed = seedOf(20261121);
  const totals = await runSchedule({ rounds: 100, seed });
  console.log(`kill schedule, seed ${seed}: ${JSON.stringify(totals)}`);
  assert.equal(totals.rounds, 100);
  assert.ok(totals.kills >= 30 && totals.aborts >= 8 && totals.faults >= 40 && totals.scars >= 3, 'the schedule does too little');
});
