// @ts-check
/** The results of eval-home as one page: tables and plots in SVG, no script. */

/** @typedef {import('../eval-home.mjs').Results} Results */

/** @param {string} text */
const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
/** @param {number} share */
const percent = (share) => `${(100 * share).toFixed(1)} %`;

/**
 * Horizontal bars. @param {{ label: string, value: number, text: string }[]} bars value: 0 to 1 @param {string} title @param {number} [mark] a line at this value
 */
function bars(bars, title, mark) {
  const row = 22, left = 150, width = 420, height = bars.length * row + 8;
  const rows = bars.map(({ label, value, text }, i) => `<text x="${left - 8}" y="${i * row + 18}" text-anchor="end">${escape(label)}</text>`
    + `<rect x="${left}" y="${i * row + 6}" width="${(width * Math.max(0, Math.min(1, value))).toFixed(1)}" height="${row - 8}" rx="3"/><text x="${left + width + 8}" y="${i * row + 18}">${escape(text)}</text>`).join('');
  const line = mark === undefined ? '' : `<line x1="${left + width * mark}" x2="${left + width * mark}" y1="0" y2="${height}"/>`;
  return `<figure><figcaption>${escape(title)}</figcaption><svg viewBox="0 0 ${left + width + 90} ${height}" role="img" aria-label="${escape(title)}">${rows}${line}</svg></figure>`;
}

/** @param {import('../eval-home.mjs').Answers} a @param {string} name */
function answersPart(a, name) {
  const groups = Object.entries(a.groups).sort((x, y) => x[1].exact - y[1].exact);
  return `<h2>${escape(name)}: ${percent(a.exact)} of ${a.n} exactly right, ${percent(a.jsonValid)} valid</h2>${bars(groups.map(([label, g]) => ({ label, value: g.exact, text: `${percent(g.exact)} of ${g.n}` })), 'Exact match by intent')}`;
}

/** @param {import('../eval-home.mjs').Answers} a */
const free = (a) => `<p>Without the form that the page holds answers to: ${percent(a.exact)} exactly right, ${percent(a.jsonValid)} valid.</p>`;

/** @param {Results} r @param {object} recipe @returns {string} */
export function reportPage(r, recipe) {
  const s = r.summary, slowest = Math.max(1, ...r.taught.map((t) => t.seconds));
  const taught = !s ? '' : `<h2>Teaching: ${r.taught.length} new commands, 8 examples each</h2>
<table><tr><th></th><th>mean</th><th>worst</th><th>goal</th></tr>
<tr><td>unseen wordings right</td><td>${percent(s.freshMean)}</td><td>${percent(s.freshWorst)}</td><td>95 %</td></tr>
<tr><td>old commands still right</td><td>${percent(s.oldMean)}</td><td>${percent(s.oldWorst)}</td><td>99 %</td></tr>
<tr><td>seconds</td><td>${s.secondsMean.toFixed(1)}</td><td>${s.secondsWorst.toFixed(1)}</td><td>20 in Chromium on 2 cores</td></tr>
${r.oneThread ? `<tr><td>seconds with one thread (${escape(r.oneThread.engine)}, ${r.oneThread.lessons} of them)</td><td>${r.oneThread.secondsMean.toFixed(1)}</td><td>${r.oneThread.secondsWorst.toFixed(1)}</td><td>40</td></tr>` : ''}
<tr><td>adapter</td><td></td><td>${Math.round(s.adapterBytes / 1000)} KB, loads in ${s.loadMsWorst.toFixed(1)} ms</td><td>200 KB, 20 ms</td></tr></table>
${bars(r.taught.map((t) => ({ label: t.name, value: t.fresh / t.freshOf, text: `${t.fresh} of ${t.freshOf}` })), 'Unseen wordings right', 0.95)}
${bars(r.taught.map((t) => ({ label: t.name, value: t.old / t.oldOf, text: `${t.old} of ${t.oldOf}` })), 'Old commands still right', 0.99)}
${bars(r.taught.map((t) => ({ label: t.name, value: t.seconds / slowest, text: `${t.seconds.toFixed(1)} s` })), 'Time of the lesson, checks included')}
<h2>What went wrong</h2><ul>${r.taught.flatMap((t) => t.wrong.map(({ say, got }) => `<li><b>${escape(t.name)}</b>: ${escape(say)} <code>${escape(got)}</code></li>`)).join('')}</ul>`;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>edge-net: the home model</title>
<style>
:root { color-scheme: light dark; --ink: light-dark(#1d1f1e, #e8e8e4); --bar: light-dark(#0f6f61, #66cdb8); --line: light-dark(#9c2b1f, #ff9e8f); }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: light-dark(#fffefc, #1a1d1c); max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
svg { width: 100%; font-size: 12px; fill: var(--ink); } rect { fill: var(--bar); } line { stroke: var(--line); stroke-dasharray: 4 3; }
figure { margin: 1rem 0; } figcaption { font-weight: 600; } td, th { text-align: left; padding: 0.2rem 1rem 0.2rem 0; } code { font-size: 12px; overflow-wrap: anywhere; } pre { overflow-x: auto; font-size: 12px; }
</style>
<h1>The home model</h1>
<p>${escape(r.model)}: ${r.parameters.toLocaleString('en')} parameters, ${(r.bytes / 1e6).toFixed(2)} MB. Run by <code>npm run eval:home</code> on ${escape(r.machine)}; engine ${escape(r.engine)}, ${r.threads} thread${r.threads > 1 ? 's' : ''}.</p>
${r.answers ? answersPart(r.answers.held, 'Held-out requests') + free(r.answers.heldFree) + answersPart(r.answers.adversarial, 'Hand-written adversarial requests') + free(r.answers.adversarialFree) : ''}
${taught}
<h2>The recipe</h2><pre>${escape(JSON.stringify(recipe, null, 1))}</pre>
</html>
`;
}
