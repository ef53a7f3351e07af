// @ts-check
// What people see (tables, a progress bar) and what programs see (--json): the same facts.
import { asError } from '../../js-glue/errors.js';

/** @param {number | null | undefined} bytes */
export function showSize(bytes) {
  if (bytes == null) return '?';
  const unit = Math.min(4, bytes > 0 ? Math.floor(Math.log2(bytes) / 10) : 0);
  return unit === 0 ? `${bytes} B` : `${(bytes / 1024 ** unit).toFixed(bytes / 1024 ** unit < 10 ? 1 : 0)} ${['', 'KB', 'MB', 'GB', 'TB'][unit]}`;
}

/** @param {string[]} head @param {(string | number)[][]} rows */
export function table(head, rows) {
  const all = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, i) => Math.max(...all.map((row) => (row[i] ?? '').length)));
  return all.map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  ').trimEnd()).join('\n');
}

/** Text from a file or server that goes to a terminal: no control characters but new lines. @param {string} text */
export function plain(text) { return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '?'); }

/** @typedef {import('./program.js').Stream} Stream */
/** @param {boolean} json @param {Stream} answers @param {Stream} notes */
export function makeOutput(json, answers, notes) {
  const bar = !json && notes.isTTY;
  return {
    /** The answer of a command. @param {unknown} value for programs @param {string} text for people */
    answer(value, text) { answers.write(json ? `${JSON.stringify(value)}\n` : text && `${plain(text)}\n`); },
    /** A word beside the answer. @param {string} text */
    note(text) { if (!json) notes.write(`${plain(text)}\n`); },
    /** @param {string} label @returns {(p: import('../../js-glue/fetch/progress.js').Progress) => void} */
    progress(label) {
      if (!bar) return () => {};
      return ({ phase, loaded, total, rate, eta, source }) => {
        const part = total ? Math.min(1, loaded / total) : 0;
        const filled = Math.round(24 * part);
        const line = `${label} [${'#'.repeat(filled)}${'.'.repeat(24 - filled)}] ${total ? `${Math.floor(100 * part)} %` : ''} ${showSize(loaded)}${rate ? ` ${showSize(Math.round(rate))}/s` : ''}${eta ? ` ${Math.ceil(eta)} s left` : ''}${source ? ` from ${source}` : ''}`;
        notes.write(`\r${plain(line).slice(0, (notes.columns ?? 80) - 1)}\u001b[K${phase === 'ready' ? '\n' : ''}`);
      };
    },
    /** @param {unknown} e @returns {number} the exit code */
    failure(e) {
      const error = asError(e);
      if (json) answers.write(`${JSON.stringify({ error: { code: error.code, message: error.message } })}\n`);
      else notes.write(`${bar ? '\r\u001b[K' : ''}edge-net-models: ${plain(error.message)} [${error.code}]\n`);
      return error.code === 'ARG' ? 2 : 1;
    },
  };
}
/** @typedef {ReturnType<typeof makeOutput>} Output */
