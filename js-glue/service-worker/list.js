// @ts-check
// The list of files that a service worker keeps: JSON, { "files": { "<path>": "<SHA-256>" or null }, "lists": ["<path of another list>"] }, paths
// relative to the list. A hash is checked when the file is fetched: a deployment that is half done is not taken.

const MAX_FILES = 10_000;
const MAX_LISTS = 16;

/** @param {string} url @param {Map<string, string | null>} [into] @param {Set<string>} [seen] @returns {Promise<Map<string, string | null>>} absolute URL -> SHA-256, of the list and those that it names */
export async function readList(url, into = new Map(), seen = new Set()) {
  if (seen.has(url)) return into;
  if (seen.add(url).size > MAX_LISTS) throw new Error(`${url}: more than ${MAX_LISTS} lists`);
  const response = await fetch(url, { cache: 'no-cache' });
  if (response.status !== 200) throw new Error(`${url}: HTTP ${response.status}`);
  const { files = {}, lists = [] } = await response.json();
  for (const [path, hash] of Object.entries(files)) {
    const file = new URL(path, url);
    if (file.origin !== new URL(url).origin) throw new Error(`${url}: ${path} is on another host`);
    if (hash !== null && !/^[0-9a-f]{64}$/.test(String(hash))) throw new Error(`${url}: ${path} needs a SHA-256 in hexadecimal, or null`);
    into.set(file.href, /** @type {string | null} */ (hash));
  }
  if (into.size > MAX_FILES) throw new Error(`${url}: more than ${MAX_FILES} files`);
  for (const path of lists) await readList(new URL(path, url).href, into, seen);
  return into;
}
