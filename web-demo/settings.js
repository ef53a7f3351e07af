// @ts-check
/** The settings form: one table of fields drives markup, checks, memory and reset. */
import { el } from './dom.js';
import { recall, remember } from './remember.js';

/**
 * @typedef {object} Field
 * @property {string} key name in the SDK's options
 * @property {string} label
 * @property {string} hint one short sentence; stands under the field and describes it to a screen reader
 * @property {'number' | 'range' | 'integer-or-empty' | 'lines' | 'text' | 'choice'} kind
 * @property {number} [min] @property {number} [max] @property {number} [step]
 * @property {string | number} initial '' means: let the engine choose
 * @property {string} [placeholder]
 * @property {boolean} [reload] true: takes effect when the model is loaded again
 *
 * @typedef {object} GenerationSettings options of one generation, by the SDK's names
 * @property {number} maxTokens @property {number} temperature @property {number} topK @property {number} topP
 * @property {number} minP @property {number} repetitionPenalty @property {number} [seed] @property {string[]} stopSequences
 *
 * @typedef {object} LoadSettings
 * @property {number} [contextLength] @property {number} [threads] @property {import('../js-glue/variants.js').Variant} [variant]
 */

/** @type {{ title: string, fields: Field[] }[]} */
const GROUPS = [
  {
    title: 'Answer',
    fields: [
      { key: 'maxTokens', label: 'Longest answer', hint: 'In tokens; a token is about three quarters of a word.', kind: 'range', min: 1, max: 2048, step: 1, initial: 128 },
      { key: 'stopSequences', label: 'Stop at', hint: 'The answer ends before any of these; one a line, \\n stands for a line break.', kind: 'lines', initial: '' },
      { key: 'systemMessage', label: 'Instructions for chat', hint: 'Told to the model before the conversation.', kind: 'text', initial: '' },
    ],
  },
  {
    title: 'Choice of words',
    fields: [
      { key: 'temperature', label: 'Temperature', hint: '0 always takes the likeliest token; higher is more varied.', kind: 'range', min: 0, max: 2, step: 0.05, initial: 0.8 },
      { key: 'topK', label: 'Top K', hint: 'Choose among this many of the likeliest tokens; 0 allows all.', kind: 'range', min: 0, max: 200, step: 1, initial: 40 },
      { key: 'topP', label: 'Top P', hint: 'Choose among the likeliest tokens that add up to this share; 1 allows all.', kind: 'range', min: 0, max: 1, step: 0.01, initial: 0.95 },
      { key: 'minP', label: 'Min P', hint: 'Leave out tokens below this share of the likeliest one; 0 leaves out none.', kind: 'range', min: 0, max: 1, step: 0.01, initial: 0.05 },
      { key: 'repetitionPenalty', label: 'Repetition penalty', hint: '1 is off; 1.1 discourages repeating.', kind: 'range', min: 1, max: 2, step: 0.01, initial: 1 },
      { key: 'seed', label: 'Seed', hint: 'The same seed gives the same answer. Empty: a new one each time.', kind: 'integer-or-empty', min: 0, max: Number.MAX_SAFE_INTEGER, initial: '', placeholder: 'random' },
    ],
  },
  {
    title: 'Engine',
    fields: [
      { key: 'contextLength', label: 'Context length', hint: 'Tokens the model sees at once; more takes more memory.', kind: 'integer-or-empty', min: 16, max: 131072, initial: '', placeholder: 'auto', reload: true },
      { key: 'threads', label: 'Threads', hint: 'Processor cores to use.', kind: 'choice', initial: '', reload: true },
      { key: 'variant', label: 'Engine build', hint: 'Automatic takes the fastest that this browser runs correctly.', kind: 'choice', initial: '', reload: true },
    ],
  },
];

const FIELDS = GROUPS.flatMap((group) => group.fields);

/** Settings in a form; emits 'change' with detail {reload: boolean}. */
export class Settings extends EventTarget {
  /** @type {HTMLFormElement} */ #form;
  /** @type {Map<string, HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement>} */ #inputs = new Map();
  /** @type {HTMLButtonElement} */ #apply;

  /** @param {HTMLFormElement} form empty; is filled here */
  constructor(form) {
    super();
    this.#form = form;
    for (const group of GROUPS) {
      form.append(el('fieldset', {}, el('legend', {}, group.title), ...group.fields.map((field) => this.#row(field))));
    }
    this.#apply = el('button', { type: 'button', class: 'button', id: 'apply-engine', hidden: true }, 'Load the model again to apply');
    const reset = el('button', { type: 'button', class: 'button quiet', id: 'reset-settings' }, 'Reset all settings');
    form.append(el('div', { class: 'settings-foot' }, this.#apply, reset));
    form.addEventListener('submit', (event) => event.preventDefault());
    form.addEventListener('change', (event) => this.#changed(/** @type {HTMLElement} */ (event.target)));
    this.#apply.addEventListener('click', () => this.dispatchEvent(new Event('apply')));
    reset.addEventListener('click', () => this.reset());
    this.#fill(recall('settings', {}));
  }

  /** @returns {GenerationSettings} checked: every value is inside its range */
  get generation() {
    const seed = this.#number('seed');
    return {
      maxTokens: this.#number('maxTokens') ?? 128,
      temperature: this.#number('temperature') ?? 0.8,
      topK: this.#number('topK') ?? 40,
      topP: this.#number('topP') ?? 0.95,
      minP: this.#number('minP') ?? 0.05,
      repetitionPenalty: this.#number('repetitionPenalty') ?? 1,
      seed: seed ?? Math.floor(Math.random() * 0x1_0000_0000),
      stopSequences: this.#text('stopSequences').split('\n').filter((line) => line !== '').map(unescape),
    };
  }

  /** @returns {LoadSettings} absent means automatic */
  get load() {
    const contextLength = this.#number('contextLength');
    const threads = this.#number('threads');
    const variant = /** @type {import('../js-glue/variants.js').Variant | ''} */ (this.#text('variant')); // offer() put the names there
    return {
      ...(contextLength !== undefined && { contextLength }),
      ...(threads !== undefined && { threads }),
      ...(variant !== '' && { variant }),
    };
  }

  get systemMessage() {
    return this.#text('systemMessage').trim();
  }

  /** What this browser offers. A remembered choice that it does not offer falls back to automatic.
   * @param {{ threads: { value: string, label: string }[], variants: { value: string, label: string }[], threadsHint?: string }} offer */
  offer({ threads, variants, threadsHint }) {
    const kept = recall('settings', /** @type {Record<string, unknown>} */ ({}));
    for (const [key, options] of /** @type {const} */ ([['threads', threads], ['variant', variants]])) {
      const select = /** @type {HTMLSelectElement} */ (this.#inputs.get(key));
      select.replaceChildren(el('option', { value: '' }, 'Automatic'), ...options.map((o) => el('option', { value: o.value }, o.label)));
      const wanted = String(kept[key] ?? '');
      select.value = options.some((o) => o.value === wanted) ? wanted : '';
      select.disabled = options.length === 0;
    }
    if (threadsHint) this.#form.querySelector('#hint-threads')?.replaceChildren(threadsHint);
  }

  /** @param {boolean} pending whether a change waits for the model to be loaded again */
  set pendingReload(pending) {
    this.#apply.hidden = !pending;
  }

  reset() {
    this.#fill({});
    remember('settings', undefined);
    this.dispatchEvent(new CustomEvent('change', { detail: { reload: true } }));
  }

  /** @param {Field} field */
  #row(field) {
    const id = `set-${field.key}`;
    const describedby = `hint-${field.key}`;
    const common = { id, 'aria-describedby': describedby, placeholder: field.placeholder };
    const limits = { min: field.min, max: field.max, step: field.step ?? 1 };
    const label = el('label', { for: id }, field.label);
    const hint = el('p', { class: 'hint', id: describedby }, field.hint);
    if (field.kind === 'choice') {
      const select = el('select', common, el('option', { value: '' }, 'Automatic'));
      this.#inputs.set(field.key, select);
      return el('div', { class: 'field field-line' }, label, select, hint);
    }
    if (field.kind === 'lines' || field.kind === 'text') {
      const area = el('textarea', { ...common, rows: 2, spellcheck: field.kind === 'text' ? 'true' : 'false' });
      this.#inputs.set(field.key, area);
      return el('div', { class: 'field' }, label, area, hint);
    }
    const number = el('input', { ...common, ...limits, type: 'number', inputmode: field.step === undefined || field.step >= 1 ? 'numeric' : 'decimal' });
    this.#inputs.set(field.key, number);
    if (field.kind !== 'range') return el('div', { class: 'field field-line' }, label, number, hint);
    // the slider is a second handle on the same value: assistive technology and the tab order get the number field alone
    const slider = el('input', { ...limits, type: 'range', 'aria-hidden': 'true', tabindex: -1 });
    slider.addEventListener('input', () => {
      number.value = slider.value;
      number.dispatchEvent(new Event('change', { bubbles: true }));
    });
    number.addEventListener('input', () => { slider.value = number.value; });
    return el('div', { class: 'field field-range' }, label, number, slider, hint);
  }

  /** @param {HTMLElement} target */
  #changed(target) {
    const field = FIELDS.find((f) => this.#inputs.get(f.key) === target);
    if (!field) return;
    const input = /** @type {HTMLInputElement} */ (target);
    if (field.kind === 'range' || field.kind === 'integer-or-empty' || field.kind === 'number') this.#show(field, input.value);
    /** @type {Record<string, string | number>} */
    const values = {};
    for (const { key, initial } of FIELDS) {
      const text = this.#text(key);
      if (text !== String(initial)) values[key] = text;
    }
    remember('settings', values);
    this.dispatchEvent(new CustomEvent('change', { detail: { reload: field.reload === true } }));
  }

  /** @param {Record<string, unknown>} values */
  #fill(values) {
    for (const field of FIELDS) this.#show(field, values[field.key] ?? field.initial);
  }

  /** @param {Field} field @param {unknown} value anything that storage or a person may hold; is brought into range */
  #show(field, value) {
    const input = this.#inputs.get(field.key);
    if (!input) return;
    let text = typeof value === 'string' || typeof value === 'number' ? String(value) : String(field.initial);
    if (field.min !== undefined && field.max !== undefined) {
      const number = text.trim() === '' ? NaN : Number(text);
      if (Number.isFinite(number)) {
        const inside = Math.min(field.max, Math.max(field.min, number));
        text = String((field.step ?? 1) >= 1 ? Math.round(inside) : inside);
      } else {
        text = String(field.initial);
      }
    }
    input.value = text;
    const slider = input.parentElement?.querySelector('input[type=range]');
    if (slider instanceof HTMLInputElement) slider.value = text;
  }

  /** @param {string} key */
  #text(key) {
    return this.#inputs.get(key)?.value ?? '';
  }

  /** @param {string} key @returns {number | undefined} */
  #number(key) {
    const text = this.#text(key).trim();
    return text === '' || !Number.isFinite(Number(text)) ? undefined : Number(text);
  }
}

/** @param {string} text */
function unescape(text) {
  return text.replace(/\\([nrt\\])/g, (_, c) => ({ n: '\n', r: '\r', t: '\t', '\\': '\\' })[/** @type {'n'} */ (c)]);
}
