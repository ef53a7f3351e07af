// @ts-check
/** An answer of the home model for people: what is to be done as a title and its details, the line of JSON below. */
import { el } from '../dom.js';

/** @param {string} text @returns {Record<string, unknown> | null} the command that the text is, null if it is a sentence */
export function commandIn(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** "light_on" -> "Light on" @param {string} name */
function title(name) {
  const words = name.replaceAll('_', ' ').trim();
  return words === '' ? 'Command' : words[0].toUpperCase() + words.slice(1);
}

/** @param {unknown} value */
function words(value) {
  return Array.isArray(value) ? value.map((v) => (typeof v === 'object' ? JSON.stringify(v) : String(v))).join(', ') : typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** One step: its intent, then what it says about it. @param {Record<string, unknown>} command */
function step({ intent, ...rest }) {
  const details = Object.entries(rest).map(([key, value]) => el('li', {}, el('span', { class: 'slot' }, key.replaceAll('_', ' ')), ` ${words(value)}`));
  const name = intent === 'none' ? 'Nothing to do' : title(String(intent ?? 'command'));
  return el('div', { class: 'step' }, el('strong', {}, name), ...(details.length ? [el('ul', { class: 'slots' }, ...details)] : []));
}

/** @param {Record<string, unknown>} command @param {string} text the line itself */
export function answerCard(command, text) {
  const steps = command.intent === 'multi' && Array.isArray(command.steps) ? command.steps : [command];
  return el('div', { class: 'answer-card' }, ...steps.filter((s) => s !== null && typeof s === 'object').map(step), el('code', { class: 'answer-json' }, text));
}
