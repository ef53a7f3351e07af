// @ts-check
// Who had the cores while something was measured? A second busy program hides the gain of a second thread and says nothing of itself, so that
// every figure is kept beside the processor time that others took meanwhile. Linux only (/proc); elsewhere the figures are NaN.
import { readFileSync, readdirSync } from 'node:fs';

const HZ = 100; // USER_HZ, fixed for /proc
/** More than this many cores' worth of foreign work: the figure is thrown away. */
export const MAX_FOREIGN = 0.15;

/** Fields of /proc/<pid>/stat behind the name: parent, then processor time of the process and of its children that have ended. @param {string} pid */
function statOf(pid) {
  try {
    const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return { parent: f[1], seconds: (Number(f[11]) + Number(f[12]) + Number(f[13]) + Number(f[14])) / HZ };
  } catch { return null; }
}

/** Processor seconds of this process and all that it started. @param {ReadonlySet<number>} except processes that count as foreign */
function own(except) {
  const all = new Map(readdirSync('/proc').filter((d) => /^\d+$/.test(d)).map((pid) => [pid, statOf(pid)]));
  let sum = 0;
  for (const [pid, stat] of all) {
    for (let at = /** @type {string | undefined} */ (pid); at && at !== '0' && !except.has(Number(at)); at = all.get(at)?.parent) {
      if (at === String(process.pid)) { sum += stat?.seconds ?? 0; break; }
    }
  }
  return sum;
}

/** Processor seconds that the machine's cores were busy. */
function machine() {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) / HZ;
}

/**
 * Begin to watch. @param {ReadonlySet<number>} [except]
 * @returns {() => {seconds: number, cpu: number, foreign: number}} ends it: elapsed seconds, cores that we had and that others had, on average
 */
export function watchCpu(except = new Set()) {
  if (process.platform !== 'linux') return () => ({ seconds: NaN, cpu: NaN, foreign: NaN });
  const t0 = performance.now(), own0 = own(except), all0 = machine();
  return () => {
    const seconds = (performance.now() - t0) / 1000, mine = own(except) - own0;
    return { seconds, cpu: mine / seconds, foreign: Math.max(0, machine() - all0 - mine) / seconds };
  };
}
