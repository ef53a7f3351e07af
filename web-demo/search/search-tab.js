// @ts-check
/** Search by meaning over the person's own lines: their vectors are kept as long as the line and the model stay the same. */
import { byId, el } from '../dom.js';
import { formatMs, plural } from '../format.js';
import { recall, remember } from '../remember.js';
import { closest } from './vectors.js';

/** @typedef {import('../engine.js').Session} Session */

const SHOWN = 5;
const MOST_LINES = 2000;
const FIRST_TEXT = `Turn the lights down when it gets late.
The heating in the nursery stays at twenty one degrees.
Milk, eggs and bread are on the shopping list.
The alarm rings at seven on weekdays.
Close the blinds before the sun sets.
The dentist appointment is on Friday at ten.
Grandma calls every Sunday evening.
Jazz in the kitchen, rock in the garage.
The washing machine is done after two hours.
Lock the front door when everyone has left.
It may rain tomorrow, take an umbrella.
The guest room is dark and cold in winter.`;

export class SearchTab {
  /** @type {Session | null} */ #session = null;
  /** @type {Map<string, Float32Array>} of lines, by the model that is open */ #vectors = new Map();
  #text = byId('search-text', HTMLTextAreaElement);
  #query = byId('search-query', HTMLInputElement);
  /** @type {(error: unknown) => void} */ #problem;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  #turn = 0;

  /** @param {{ problem(error: unknown): void }} page */
  constructor({ problem }) {
    this.#problem = problem;
    const kept = recall('search-text', FIRST_TEXT);
    this.#text.value = typeof kept === 'string' ? kept : FIRST_TEXT;
    this.#query.addEventListener('input', () => this.#soon());
    this.#text.addEventListener('input', () => {
      remember('search-text', this.#text.value === FIRST_TEXT ? undefined : this.#text.value);
      this.#soon();
    });
  }

  /** @param {Session | null} session */
  use(session) {
    this.#session = session;
    this.#vectors.clear();
    byId('search-model').textContent = !session ? '' : session.info.hasLogits
      ? `Vectors of ${session.info.embedding} numbers, the mean over the words as ${session.info.name || 'the open model'} reads them. An embedding model (BERT, opened above) finds better.`
      : `Vectors of ${session.info.embedding} numbers by ${session.info.name || 'the open model'}.`;
    this.#soon();
  }

  /** The tab is being looked at. */
  show() {
    this.#soon();
  }

  #soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#search(), 120);
  }

  async #search() {
    const session = this.#session, query = this.#query.value.trim(), turn = ++this.#turn;
    if (!session || byId('panel-search').hidden || query === '') {
      byId('search-results').replaceChildren();
      byId('search-note').textContent = '';
      return;
    }
    const lines = [...new Set(this.#text.value.split('\n').map((line) => line.trim()).filter(Boolean))].slice(0, MOST_LINES);
    const begun = performance.now();
    try {
      const missing = lines.filter((line) => !this.#vectors.has(line));
      const options = { truncate: true, ...(session.info.hasLogits ? { pooling: /** @type {const} */ ('mean') } : {}) };
      const [first, ...rest] = await session.embedBatch([query, ...missing], options);
      if (turn !== this.#turn || session !== this.#session) return;
      missing.forEach((line, i) => this.#vectors.set(line, rest[i]));
      const found = closest(first, lines.map((line) => /** @type {Float32Array} */ (this.#vectors.get(line)))).slice(0, SHOWN);
      byId('search-results').replaceChildren(...found.map(({ index, score }) => result(lines[index], score)));
      byId('search-note').textContent = `${plural(lines.length, 'passage')} in ${formatMs(performance.now() - begun)}${missing.length ? `, ${missing.length} of them new` : ''}`;
    } catch (error) {
      if (session === this.#session) this.#problem(error);
    }
  }
}

/** @param {string} line @param {number} score -1 to 1 */
function result(line, score) {
  return el('li', {}, el('span', { class: 'found' }, line), el('meter', { min: 0, max: 1, value: Math.max(0, score).toFixed(3), 'aria-label': 'Closeness' }), el('span', { class: 'score' }, score.toFixed(2)));
}
