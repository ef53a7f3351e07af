// @ts-check
/**
 * OpenSSF model signatures beside the reference tool (PyPI: model-signing): each checks what the other signed, and refuses what was changed. Optional
 * (`npm run test:peers`): the tool is installed under build/peers.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { ROOT, signingPython } from '../../bench/peers/install.mjs';

test('model-signing and edge-net-models check each other\'s signatures of a folder', () => {
  const place = mkdtempSync(path.join(os.tmpdir(), 'edge-net-signing-')), at = (/** @type {string} */ name) => path.join(place, name);
  const run = (/** @type {string} */ command, /** @type {string[]} */ args) => {
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', cwd: ROOT, env: { ...process.env, HOME: place } });
    return { ok: status === 0 && !/fail/i.test(stdout + stderr), said: stdout + stderr };
  };
  const ours = (/** @type {string[]} */ ...args) => run(process.execPath, ['cli/models/main.js', ...args]);
  const theirs = (/** @type {string[]} */ ...args) => run(signingPython(), ['-m', 'model_signing', ...args]);
  try {
    mkdirSync(at('model/sub'), { recursive: true });
    writeFileSync(at('model/a.bin'), Buffer.alloc(3_000_000, 7));
    writeFileSync(at('model/sub/config.json'), '{}');
    for (const key of ['k', 'other']) assert.ok(ours('keygen', '--type', 'p256', '--out', at(`${key}.pem`)).ok);
    /** @param {string} key */
    const check = (key) => [theirs('verify', 'key', at('model'), '--signature', at('model/model.sig'), '--public_key', at(`${key}.pub.pem`)), ours('verify', at('model'), '--bundle', at('theirs.sig'), '--key', at(`${key}.pub.pem`))];
    const signed = ours('sign', at('model'), '--key', at('k.pem'));
    assert.ok(signed.ok, signed.said);
    const also = theirs('sign', 'key', at('model'), '--private_key', at('k.pem'), '--signature', at('theirs.sig'), '--ignore-paths', at('model/model.sig'));
    assert.ok(also.ok, also.said);
    for (const { ok, said } of check('k')) assert.ok(ok, said);
    for (const { ok, said } of check('other')) assert.ok(!ok, `another key: ${said}`);
    appendFileSync(at('model/a.bin'), 'x');
    for (const { ok, said } of check('k')) assert.ok(!ok, `a changed file: ${said}`);
  } finally { rmSync(place, { recursive: true, force: true }); }
});
