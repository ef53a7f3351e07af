// @ts-check
// Who had the cores while something was measured? A second busy program hides the gain of a second thread and says nothing of itself, so that
// every figure is kept beside the processor time that others took meanwhile. Linux only (/proc); elsewhere the figures are NaN.
import { readFileSync, readdirSync } from 'node:fs';

const HZ = 100; // USER_HZ, fixed for /proc
/** More than this many cores' worth of foreign work: the figure is thrown away. */
export const MAX_FOREIGN = 0.15;

/** @typedef {{ parent: string, self: number, reaped: number }} Stat processor seconds of a process, and of its children whose end it has seen */

/** From /proc/<pid>/stat, behind the name: parent, then the times. @param {string} pid @returns {Stat | null} */
function statOf(pid) {
  try {
    const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return { parent: f[1], self: (Number(f[11]) + Number(f[12])) / HZ, reaped: (Number(f[13]) + Number(f[14])) / HZ };
  } catch { return null; }
}

/** This process and all that it started and that still runs. @param {ReadonlySet<number>} except processes that count as foreign */
function family(except) {
  const all = new Map(readdirSync('/proc').filter((d) => /^\d+$/.test(d)).map((pid) => [pid, statOf(pid)]));
  const ours = (/** @type {string | undefined} */ pid) => {
    for (let at = pid; at && at !== '0' && !except.has(Number(at)); at = all.get(at)?.parent) if (at === String(process.pid)) return true;
    return false;
  };
  return new Map([...all].filter(([pid, stat]) => stat && ours(pid)).map(([pid, stat]) => [pid, /** @type {Stat} */ (stat)]));
}

/**
 * Processor seconds of a family whose members come and go. A browser's processes end without any ancestor collecting their times, so that every member's last
 * known time is kept; what a living member collected from children that were never looked at is added.
 * @param {ReadonlyMap<string, Stat>} seen last known, also of those that have ended @param {ReadonlySet<string>} alive
 */
function familySeconds(seen, alive) {
  let sum = 0;
  const known = new Map();
  for (const [pid, s] of seen) {
    sum += s.self;
    if (!alive.has(pid)) known.set(s.parent, (known.get(s.parent) ?? 0) + s.self + s.reaped);
  }
  for (const [pid, s] of seen) sum += Math.max(0, s.reaped - (known.get(pid) ?? 0));
  return sum;
}

/** Processor seconds that the machine's cores were busy. */
function machine() {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) / HZ;
}

/**
 * Begin to watch. @param {ReadonlySet<number>} [except] processes that count as foreign
 * @returns {() => {seconds: number, cpu: number, foreign: number}} ends it: elapsed seconds, cores that we had and that others had, on average
 */
export function watchCpu(except = new Set()) {
  if (process.platform !== 'linux') return () => ({ seconds: NaN, cpu: NaN, foreign: NaN });
  /** @type {Map<string, Stat>} */ const seen = new Map();
  let alive = new Set();
  const look = () => { const now = family(except); alive = new Set(now.keys()); for (const [pid, stat] of now) seen.set(pid, stat); };
  look();
  const t0 = performance.now(), own0 = familySeconds(seen, alive), all0 = machine();
  const timer = setInterval(look, 100);
  timer.unref();
  return () => {
    clearInterval(timer);
    look();
    const seconds = (performance.now() - t0) / 1000, mine = familySeconds(seen, alive) - own0;
    return { seconds, cpu: mine / seconds, foreign: Math.max(0, machine() - all0 - mine) / seconds };
  };
}
