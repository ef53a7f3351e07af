// @ts-check
/** The static server: what it sends, what it keeps to itself. No browser is involved, so one project runs it. */
import { expect, test } from '@playwright/test';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseRange } from '../../cli/models/static-server.js';
import { CONTENT_SECURITY_POLICY, serve } from '../../tools/serve.mjs';

/** @type {string} */ let root;
/** @type {import('../../cli/models/static-server.js').Served} */ let served;

test.beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'edge-net-serve-'));
  mkdirSync(path.join(root, 'www/sub'), { recursive: true });
  writeFileSync(path.join(root, 'www/index.html'), '<p>home');
  writeFileSync(path.join(root, 'www/a b.txt'), '0123456789');
  writeFileSync(path.join(root, 'www/.hidden'), 'secret');
  writeFileSync(path.join(root, 'www/empty.gguf'), '');
  writeFileSync(path.join(root, 'www/engine.wasm'), 'x');
  writeFileSync(path.join(root, 'secret.txt'), 'secret');
  symlinkSync(path.join(root, 'secret.txt'), path.join(root, 'www/link.txt'));
  served = await serve({ port: 0, mounts: { '/www/': path.join(root, 'www') }, home: '/www/' });
});
test.afterAll(async () => {
  await served.close();
  rmSync(root, { recursive: true });
});

/** A request as bytes, because fetch would tidy the path. @param {string} target @returns {Promise<string>} */
function raw(target) {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(served.port, '127.0.0.1', () => socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`));
    socket.on('data', (data) => { text += data; });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

test('sends the page with isolation and the strict policy', async () => {
  const response = await fetch(served.url);
  expect(response.url).toBe(`${served.url}www/`);
  expect(await response.text()).toBe('<p>home');
  expect(response.headers.get('content-security-policy')).toBe(CONTENT_SECURITY_POLICY);
  expect(CONTENT_SECURITY_POLICY).not.toMatch(/unsafe-inline|'unsafe-eval'|\*/);
  expect(response.headers.get('cross-origin-opener-policy')).toBe('same-origin');
  expect(response.headers.get('cross-origin-embedder-policy')).toBe('require-corp');
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect((await fetch(`${served.url}www/engine.wasm`)).headers.get('content-type')).toBe('application/wasm');
});

test('leaves the isolation out when told so', async () => {
  const plain = await serve({ port: 0, isolate: false, mounts: { '/www/': path.join(root, 'www') }, home: '/www/' });
  const response = await fetch(plain.url);
  expect(response.headers.get('cross-origin-opener-policy')).toBeNull();
  expect(response.headers.get('cross-origin-embedder-policy')).toBeNull();
  expect(response.headers.get('content-security-policy')).toBe(CONTENT_SECURITY_POLICY);
  await plain.close();
});

for (const target of ['/secret.txt', '/www/../secret.txt', '/www/%2e%2e/secret.txt', '/www/..%2fsecret.txt', '/www/%2e%2e%2fsecret.txt', '/www/..\\secret.txt',
  '/www/%5c..%5csecret.txt', '/www/sub/../../secret.txt', '/www//secret.txt', '/www/.hidden', '/www/%2ehidden', '/www/link.txt', '/www/%00', '/www/%', '/www/sub', '/www/sub/', '//etc/passwd', '/package.json']) {
  test(`keeps ${target} to itself`, async () => {
    const answer = await raw(target);
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    expect(answer).not.toContain('secret\n');
    expect(answer.split('\r\n\r\n')[1]).not.toMatch(/^secret/);
  });
}

test('answers ranges, conditions and HEAD as the standard says', async () => {
  const url = `${served.url}www/a%20b.txt`;
  const get = (/** @type {Record<string, string>} */ headers, method = 'GET') => fetch(url, { method, headers });
  const whole = await get({});
  const etag = whole.headers.get('etag') ?? '';
  expect([whole.status, await whole.text(), whole.headers.get('accept-ranges')]).toEqual([200, '0123456789', 'bytes']);
  for (const [range, status, text, content] of /** @type {const} */ ([
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'], ['bytes=7-', 206, '789', 'bytes 7-9/10'], ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=8-99', 206, '89', 'bytes 8-9/10'], ['bytes=10-', 416, '', 'bytes */10'], ['bytes=0-1,4-5', 200, '0123456789', null], ['lines=1-2', 200, '0123456789', null],
  ])) {
    const part = await get({ Range: range });
    expect([range, part.status, await part.text(), part.headers.get('content-range')]).toEqual([range, status, text, content]);
  }
  expect((await get({ Range: 'bytes=2-4', 'If-Range': etag })).status).toBe(206);
  expect((await get({ Range: 'bytes=2-4', 'If-Range': '"stale"' })).status).toBe(200);
  expect((await get({ 'If-None-Match': etag })).status).toBe(304);
  const head = await get({}, 'HEAD');
  expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '10', '']);
  expect((await get({}, 'POST')).status).toBe(405);
  expect([...(await (await fetch(`${served.url}www/empty.gguf`)).text())]).toEqual([]);
  expect(parseRange('bytes=5-2', 10)).toBe('whole');
  expect(parseRange('bytes=-0', 10)).toBe('unsatisfiable');
});

test('survives a reader that leaves in the middle', async () => {
  writeFileSync(path.join(root, 'www/big.bin'), Buffer.alloc(8 << 20));
  const control = new AbortController();
  const response = await fetch(`${served.url}www/big.bin`, { signal: control.signal });
  await response.body?.getReader().read();
  control.abort();
  expect((await fetch(served.url)).status).toBe(200);
});
