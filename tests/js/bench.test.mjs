// @ts-check
// The benchmark's scenarios run and give numbers; what the numbers are is for quiet machines.
import test from 'node:test';
import assert from 'node:assert/strict';
import * as sdk from '../../dist/index.js';
import { watchCpu } from '../../bench/cpu.mjs';
import { SCENARIOS } from '../../bench/scenarios.mjs';
import { homeModel } from './support/env.mjs';

for (const [name, run] of Object.entries(SCENARIOS)) {
  test(`${name} gives finite positive samples`, async () => {
    const samples = await run({ sdk: /** @type {any} */ (sdk), source: homeModel, options: { storage: 'none', threads: 1 }, reps: 2, pp: 24, tg: 8 });
    assert.ok(Object.keys(samples).length >= 2);
    for (const [metric, values] of Object.entries(samples)) assert.ok(values.length && values.every((v) => Number.isFinite(v) && v >= 0), `${metric}: ${values}`);
  });
}

test('processor time is ours and others\'', { skip: process.platform !== 'linux' && 'only Linux tells it' }, () => {
  const stop = watchCpu();
  for (let i = 0, end = process.cpuUsage().user + 150_000; process.cpuUsage().user < end; i++);
  const { seconds, cpu, foreign } = stop();
  assert.ok(cpu * seconds >= 0.1, `${cpu * seconds} s are ours`);
  assert.ok(foreign >= 0);
});
