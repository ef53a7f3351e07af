// @ts-check
/** Ed25519 of the browser itself, and SHA-256 where it is not: the same vectors as in Node. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from './support/site.mjs';

const vectors = path.resolve(process.env.EDGE_NET_SHARED ?? '../shared', 'data/formats/crypto/wycheproof/ed25519_test.json');

test('Ed25519 passes the Wycheproof cases', async ({ page, site }) => {
  test.skip(!existsSync(vectors), 'skipped: no shared data (set EDGE_NET_SHARED)');
  await page.goto(new URL('/support/blank.html', site.url).href);
  const groups = JSON.parse(readFileSync(vectors, 'utf8')).testGroups;
  const { wrong, count } = await page.evaluate(async (all) => {
    const { readPublicKey, verifyEd25519 } = await import(/** @type {any} */ ('/source/trust/ed25519.js'));
    const { fromHex } = await import(/** @type {any} */ ('/source/manifest/encoding.js'));
    const bad = [];
    let n = 0;
    for (const group of all) {
      for (const { tcId, msg, sig, result } of group.tests) {
        n++;
        if (await verifyEd25519(readPublicKey(fromHex(group.publicKey.pk)), fromHex(msg), fromHex(sig)) !== (result === 'valid')) bad.push(tcId);
      }
    }
    return { wrong: bad, count: n };
  }, groups);
  expect(wrong).toEqual([]);
  expect(count).toBeGreaterThan(140);
});

test('a stream has the SHA-256 of its pieces together', async ({ page, site }) => {
  await page.goto(new URL('/support/blank.html', site.url).href);
  const [stream, whole] = await page.evaluate(async () => {
    const { openSha256, sha256 } = await import(/** @type {any} */ ('/source/manifest/hash.js'));
    const { toHex } = await import(/** @type {any} */ ('/source/manifest/encoding.js'));
    const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31 + (i >> 8)) & 255);
    const hash = await openSha256();
    for (let at = 0; at < bytes.length; at += 7777) hash.update(bytes.subarray(at, at + 7777));
    return [toHex(hash.digest()), toHex(await sha256(bytes))];
  });
  expect(stream).toBe(whole);
});
