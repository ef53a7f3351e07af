#!/usr/bin/env node
// @ts-check
/**
 * `npm run eval:home`: how good the home model is, and how well it learns.
 *
 *   node tools/eval-home.mjs [--model models/home-N.gguf] [--out bench/results] [--samples 2000] [--commands 20] [--threads 2] [--one-thread 6] [--skip-answers]
 *
 * 1. Held-out requests (templates and values that training never saw) and the hand-written adversarial ones: as the page answers, held to the form of answers
 *    (web-demo/home/form.js), and free, by `edge-net eval`.
 * 2. The twenty new commands of models/home/teach.txt, each taught by the page's own recipe through the SDK in Node: exact match on its 40 unseen
 *    wordings, and on held-out old commands that the model answered rightly before; time, steps, size of the adapter, time to load it.
 * 3. The last of these commands (--one-thread of them; 0: none) once more with one thread, as in a page without special headers: the time alone.
 * Writes home.json and home.html (plots, no script). Needs `npm run build`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { samples } from '../models/home/generate.mjs';
import { HOME_FRAME } from '../web-demo/home/frame.js';
import { frameOf } from '../web-demo/home/prompt.js';
import { answersIn } from '../web-demo/home/taught.js';
import { RECIPE, answered, rightOnes, teach } from '../web-demo/teach/recipe.js';
import { readAdversarial, readTeach } from './eval-home/data.mjs';
import { reportPage } from './eval-home/report.mjs';
import { files, root } from './lib.mjs';

/** Old commands that are asked again after every lesson. */
const OLD = 200;

/**
 * @typedef {{ n: number, exact: number, jsonValid: number, groups: Record<string, { n: number, exact: number }> }} Answers
 * @typedef {{ name: string, fresh: number, freshOf: number, old: number, oldOf: number, seconds: number, cpuSeconds: number, steps: number, rounds: number, adapterBytes: number, loadMs: number, trainingBytes: number, wrong: { say: string, got: string }[] }} Taught
 * @typedef {{ model: string, parameters: number, bytes: number, machine: string, threads: number, engine: string, answers: { held: Answers, adversarial: Answers, heldFree: Answers, adversarialFree: Answers } | null, taught: Taught[], summary: Record<string, number> | null, oneThread: OneThread | null }} Results
 * @typedef {{ engine: string, lessons: number, secondsMean: number, secondsWorst: number }} OneThread
 */

/** @param {string} model @param {{ say: string, do: string }[]} list @returns {Answers} by the native command, nothing forced */
function freeAnswers(model, list) {
  const folder = mkdtempSync(path.join(tmpdir(), 'edge-net-eval-'));
  try {
    const data = path.join(folder, 'data.jsonl');
    writeFileSync(data, list.map(({ say, do: output }) => JSON.stringify({ input: HOME_FRAME.ask(say), output: HOME_FRAME.write(output) })).join('\n'));
    const run = spawnSync(path.join(root, 'build/native/edge-net'), ['eval', model, '--data', data, '--json', '--quiet'], { encoding: 'utf8', maxBuffer: 1 << 26 });
    if (run.status !== 0) throw new Error(`edge-net eval: ${run.stderr || run.error}`);
    const { samples: n, exact, json_valid: jsonValid, groups } = JSON.parse(run.stdout);
    return { n, exact, jsonValid, groups };
  } finally { rmSync(folder, { recursive: true, force: true }); }
}

/** @param {import('../web-demo/teach/recipe.js').Checked[]} list as the page answers @returns {Answers} */
function pageAnswers(list) {
  /** @type {Answers} */ const out = { n: list.length, exact: rightOnes(list), jsonValid: list.filter(({ want, got }) => !want.startsWith('{') || isJson(got)).length / list.length, groups: {} };
  out.exact /= out.n;
  for (const { ok, want } of list) {
    const group = out.groups[want.startsWith('{') ? JSON.parse(want).intent : 'talk'] ??= { n: 0, exact: 0 };
    group.exact = (group.exact * group.n + Number(ok)) / (group.n + 1);
    group.n++;
  }
  return out;
}
/** @param {string} text */
function isJson(text) { try { JSON.parse(text); return true; } catch { return false; } }

/** @param {number} n @param {number} seed */
const heldOut = (n, seed) => [...samples({ n, seed, part: 'held' })].map(({ input, output }) => ({ say: input, do: output }));

/** @param {import('../js-glue/session.js').InferenceSession} session @param {import('./eval-home/data.mjs').NewCommand} command @param {{ say: string, do: string }[]} former @param {import('../web-demo/home/frame.js').Frame} frame @returns {Promise<Taught>} */
async function taught(session, command, former, frame) {
  const cpu = process.cpuUsage();
  const lesson = await teach(session, command.examples, { frame });
  const used = process.cpuUsage(cpu);
  const bytes = (await lesson.adapter.export('gguf')).length;
  const begun = performance.now();
  await session.loadAdapter(lesson.adapter, { name: 'taught' });
  const loadMs = performance.now() - begun;
  const ways = { taught: answersIn(lesson.adapter.meta.description) }, fresh = await answered(session, frame, command.unseen, ways), old = await answered(session, frame, former, ways);
  await session.unloadAdapter('taught');
  return {
    name: command.name, fresh: rightOnes(fresh), freshOf: fresh.length, old: rightOnes(old), oldOf: old.length, seconds: lesson.seconds, cpuSeconds: (used.user + used.system) / 1e6,
    steps: lesson.steps, rounds: lesson.rounds, adapterBytes: bytes, loadMs, trainingBytes: lesson.bytes, wrong: fresh.filter(({ ok }) => !ok).map(({ say, got }) => ({ say, got })),
  };
}

/** @param {Taught[]} list @returns {Record<string, number> | null} shares of 1 */
function summary(list) {
  if (!list.length) return null;
  const mean = (/** @type {(t: Taught) => number} */ f) => list.reduce((sum, t) => sum + f(t), 0) / list.length;
  const least = (/** @type {(t: Taught) => number} */ f) => Math.min(...list.map(f)), most = (/** @type {(t: Taught) => number} */ f) => Math.max(...list.map(f));
  const fresh = (/** @type {Taught} */ t) => t.fresh / t.freshOf, old = (/** @type {Taught} */ t) => t.old / t.oldOf;
  return {
    freshMean: mean(fresh), freshWorst: least(fresh), oldMean: mean(old), oldWorst: least(old), secondsMean: mean((t) => t.seconds), secondsWorst: most((t) => t.seconds),
    adapterBytes: most((t) => t.adapterBytes), loadMsWorst: most((t) => t.loadMs),
  };
}

/** @param {typeof import('../js-glue/session.js').InferenceSession} Session @param {string} model @param {import('./eval-home/data.mjs').NewCommand[]} commands @returns {Promise<OneThread>} */
async function onOneThread(Session, model, commands) {
  const session = await Session.create(model, { threads: 1, contextLength: 512, parallel: 4 });
  const frame = await frameOf(session);
  /** @type {number[]} */ const seconds = [];
  for (const { examples } of commands) seconds.push((await teach(session, examples, { frame })).seconds);
  const { variant } = session.info.engine;
  await session.dispose();
  return { engine: variant, lessons: seconds.length, secondsMean: seconds.reduce((a, b) => a + b, 0) / seconds.length, secondsWorst: Math.max(...seconds) };
}

/** @returns {string} the newest trained model of this repository */
function newestModel() {
  const found = files('models', '.gguf').filter((file) => path.dirname(file) === 'models' && path.basename(file).startsWith('home-')).at(-1);
  if (!found) throw new Error('there is no models/home-*.gguf: give --model');
  return found;
}

async function main() {
  const { values: o } = parseArgs({ options: { model: { type: 'string' }, out: { type: 'string', default: 'bench/results' }, samples: { type: 'string', default: '2000' }, commands: { type: 'string', default: '20' }, threads: { type: 'string', default: '2' }, 'one-thread': { type: 'string', default: '6' }, 'skip-answers': { type: 'boolean' } } });
  const model = path.resolve(o.model ?? path.join(root, newestModel()));
  if (!existsSync(path.join(root, 'dist/index.js'))) throw new Error('dist/ is missing: npm run build');
  const { InferenceSession } = await import(/** @type {string} */ ('../dist/index.js'));
  const session = await InferenceSession.create(model, { threads: Number(o.threads), contextLength: 512, parallel: 4 });
  const frame = await frameOf(session);
  if (!frame.home) throw new Error(`${model} is no home model: its vocabulary lacks <|user|> and <|home|>`);
  const sets = { held: heldOut(Number(o.samples), 99), adversarial: readAdversarial() };
  const answers = o['skip-answers'] ? null : {
    held: pageAnswers(await answered(session, frame, sets.held)), adversarial: pageAnswers(await answered(session, frame, sets.adversarial)),
    heldFree: freeAnswers(model, sets.held), adversarialFree: freeAnswers(model, sets.adversarial),
  };
  if (answers) for (const [set, { exact, n, jsonValid }] of Object.entries(answers)) console.log(`${set.padEnd(16)} ${percent(exact)} of ${n} exact, valid JSON ${percent(jsonValid)}`);
  const former = (await answered(session, frame, heldOut(OLD, 77))).filter(({ ok }) => ok).map(({ say, want }) => ({ say, do: want }));
  /** @type {Taught[]} */ const list = [];
  const commands = readTeach().slice(0, Number(o.commands));
  for (const command of commands) {
    const t = await taught(session, command, former, frame);
    list.push(t);
    console.log(`${t.name.padEnd(18)} new ${t.fresh}/${t.freshOf}  old ${t.old}/${t.oldOf}  ${t.seconds.toFixed(1)} s (${t.cpuSeconds.toFixed(1)} s of processor)  ${t.steps} steps  ${Math.round(t.adapterBytes / 1000)} KB  load ${t.loadMs.toFixed(1)} ms`);
  }
  const { info } = session;
  await session.dispose();
  const oneThread = Number(o['one-thread']) > 0 && list.length ? await onOneThread(InferenceSession, model, commands.slice(-Number(o['one-thread']))) : null;
  if (oneThread) console.log(`one thread (${oneThread.engine}): ${oneThread.secondsMean.toFixed(1)} s, at most ${oneThread.secondsWorst.toFixed(1)} s, over ${oneThread.lessons} lessons`);
  /** @type {Results} */ const results = {
    model: path.basename(model), parameters: info.parameters, bytes: readFileSync(model).length, machine: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}`,
    threads: info.engine.threads, engine: info.engine.variant, answers, taught: list, summary: summary(list), oneThread,
  };
  mkdirSync(o.out, { recursive: true });
  writeFileSync(path.join(o.out, 'home.json'), `${JSON.stringify(results, null, 1)}\n`);
  writeFileSync(path.join(o.out, 'home.html'), reportPage(results, RECIPE));
  const s = results.summary;
  if (s) console.log(`new: mean ${percent(s.freshMean)}, worst ${percent(s.freshWorst)}; old kept: mean ${percent(s.oldMean)}, worst ${percent(s.oldWorst)}; ${s.secondsMean.toFixed(1)} s, at most ${s.secondsWorst.toFixed(1)} s`);
}
/** @param {number} share */
function percent(share) { return `${(100 * share).toFixed(1)} %`; }

main().catch((error) => {
  console.error(`eval-home: ${error.message}`);
  process.exitCode = 1;
});
