// @ts-check
// The benchmark's scenarios run and give numbers; what the numbers are is for quiet machines.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'node:test';
import assert from 'node:assert/strict';
import * as sdk from '../../dist/index.js';
import { watchCpu } from '../../bench/cpu.mjs';
import { SCENARIOS } from '../../bench/scenarios.mjs';
import { homeModel } from './support/env.mjs';

for (const [name, run] of Object.entries(SCENARIOS)) {
  test(`${name} gives finite positive samples`, async () => {
    const samples = await run({ sdk: /** @type {any} */ (sdk), source: homeModel, against: homeModel, options: { storage: 'none', threads: 1 }, reps: 2, pp: 24, tg: 8 });
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

test('the time of a process that ended is ours, also when nobody collected it', { skip: process.platform !== 'linux' && 'only Linux tells it' }, async () => {
  const stop = watchCpu();
  const parent = spawn(process.execPath, ['-e', `
    const { spawn } = require('node:child_process');
    const burner = spawn(process.execPath, ['-e', 'const end = process.cpuUsage().user + 600_000; while (process.cpuUsage().user < end); console.log(1); setInterval(() => {}, 1000);'], { stdio: ['ignore', 'pipe', 'inherit'] });
    burner.stdout.once('data', () => console.log(burner.pid)); // it sleeps now, and is looked at
  `], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(parent.stdout, 'data');
  await new Promise((resolve) => { setTimeout(resolve, 400); });
  parent.kill('SIGKILL'); // before its child, whose time it can no longer collect
  await once(parent, 'exit');
  process.kill(Number(line), 'SIGKILL');
  const { seconds, cpu } = stop();
  assert.ok(cpu * seconds >= 0.6, `${cpu * seconds} s are ours`);
});
