// @ts-check
// How much the browser would still take, and asking it not to clear.

/** @returns {Promise<number | null>} bytes, null: unknown */
export async function freeBytes() {
  const space = await globalThis.navigator?.storage?.estimate?.().catch(() => null);
  return space?.quota === undefined ? null : Math.max(0, space.quota - (space.usage ?? 0));
}

/** Ask that models survive a shortage of space; pages only, and some browsers ask the user. @returns {Promise<boolean>} is it granted? */
export async function persist() {
  const storage = globalThis.navigator?.storage;
  return await storage?.persisted?.().catch(() => false) || await storage?.persist?.().catch(() => false) || false;
}
