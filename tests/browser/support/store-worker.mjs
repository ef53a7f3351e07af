// @ts-check
// Runs in a worker of the page: one store of the browser, from an interrupted download to a mended one. Posts what it saw.
const { download } = await import(/** @type {string} */ ('/source/fetch/download.js'));
const { withReader } = await import(/** @type {string} */ ('/source/cache.js'));
const { openSource } = await import(/** @type {string} */ ('/source/sources.js'));
const { makeRoom, openStore } = await import(/** @type {string} */ ('/source/stores/store.js'));

/** @param {AsyncIterable<Uint8Array>} pieces */
async function sum(pieces) {
  const parts = [];
  for await (const piece of pieces) parts.push(new Uint8Array(piece));
  return [...new Uint8Array(await crypto.subtle.digest('SHA-256', await new Blob(parts).arrayBuffer()))].map((b) => b.toString(16).padStart(2, '0')).join('');
}

onmessage = async ({ data: { kind, url, chunks, size, chunkSize } }) => {
  try {
    const store = await openStore({ kind, root: `test-${kind}` });
    await store.clear();
    const artifact = { id: `${kind}:${url}`, name: 'm.gguf', size, chunkSize, chunks };
    const options = () => ({ store, sources: [openSource({ kind: 'url', url }, {}, { kept: true })], patience: { retries: 3, timeout: 20_000, parallel: 2, ramp: 0 } });
    const control = new AbortController();
    setTimeout(() => control.abort(), 800);
    const broken = await download(artifact, { ...options(), signal: control.signal }).then(() => 'whole', (/** @type {any} */ e) => e.code);
    const partial = (await store.usage()).partial;
    const first = await store.find(artifact.id);
    await download(artifact, options());
    const reader = await store.open(artifact.id);
    const stored = await sum(reader.read(0, Infinity));
    const direct = reader.readInto ? reader.readInto(chunkSize + 3, new Uint8Array(100)) : 100;
    await reader.close();
    const { bad, chunks: count } = await store.verify(artifact.id);
    const hit = await withReader(artifact, options(), async (/** @type {any} */ from) => ({ phase: from.phase, hash: await sum(from.reader.read(0, Infinity)) }));
    await store.mark(artifact.id, { pinned: true });
    const full = await makeRoom(store, 1, { maxBytes: 1 }).then(() => 'made', (/** @type {any} */ e) => e.code);
    const usage = await store.usage();
    await store.clear();
    const after = await store.list();
    store.close();
    postMessage({ broken, kept: partial > 0, first, stored, direct, bad, count, hit: [hit.cache.state, hit.result.phase, hit.result.hash === stored], full, bytes: usage.bytes, free: usage.free > 0, after: after.length });
  } catch (e) { postMessage({ error: String(/** @type {any} */ (e)?.stack ?? e) }); }
};
postMessage({ ready: true });
