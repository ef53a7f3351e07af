// @ts-check
/** The Teach tab: examples in, a lesson with its curve, and what came of it. */
import { announce, byId, el } from '../dom.js';
import { formatBytes, plural } from '../format.js';
import { Curve } from './curve.js';
import { SAMPLES } from './samples.js';

/**
 * @typedef {import('../engine.js').Session} Session
 * @typedef {import('../home/frame.js').Frame} Frame
 * @typedef {import('./slots.js').Example} Example
 * @typedef {import('./recipe.js').Lesson} Lesson
 * @typedef {{ examples: Example[], name: string } | { error: string, field: HTMLElement }} Entered
 */

const FEWEST = 3, MOST = 10;
const ARROW = /\s+=>\s+/;

export class TeachTab {
  /** @type {{ keep(name: string, lesson: Lesson): Promise<void>, taught(): readonly import('../home/taught.js').Taught[] | null, tryIt(text: string): void, changed(): void, problem(error: unknown): void }} */ #page;
  /** @type {{ session: Session, frame: Frame } | null} */ #open = null;
  /** @type {AbortController | null} */ #running = null;
  /** Settles when no lesson runs. @type {Promise<void>} */ #done = Promise.resolve();
  /** @type {ReturnType<typeof setInterval> | undefined} */ #clock;
  #curve = new Curve(byId('curve'));
  #says = byId('teach-says');
  #do = byId('teach-do', HTMLTextAreaElement);
  #name = byId('teach-name', HTMLInputElement);

  /** @param {{ keep(name: string, lesson: Lesson): Promise<void>, taught(): readonly import('../home/taught.js').Taught[] | null, tryIt(text: string): void, changed(): void, problem(error: unknown): void }} page keep: save the lesson's adapter and put it to work; taught: answers of what is at work */
  constructor(page) {
    this.#page = page;
    for (let i = 0; i < FEWEST; i++) this.#addRow('');
    byId('teach-more').addEventListener('click', () => this.#addRow('').focus());
    byId('teach-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#start();
    });
    byId('teach-stop').addEventListener('click', () => this.stop());
    for (const sample of SAMPLES) {
      const button = el('button', { type: 'button', class: 'button small' }, sample.name);
      button.addEventListener('click', () => this.#fill(sample));
      byId('teach-samples').append(button);
    }
  }

  get teaching() {
    return this.#running !== null;
  }

  /** @param {{ session: Session, frame: Frame } | null} open */
  use(open) {
    this.#open = open?.session.info.hasLogits ? open : null;
    this.#show();
  }

  /** Resolves when the engine has really stopped. */
  async stop() {
    this.#running?.abort();
    await this.#done;
  }

  /** @param {import('./samples.js').Sample} sample */
  #fill(sample) {
    this.#says.replaceChildren();
    for (const say of sample.say) this.#addRow(say);
    this.#do.value = sample.do;
    this.#name.value = sample.name;
    byId('teach-error').textContent = '';
    byId('teach-go').focus();
  }

  /** @param {string} text @returns {HTMLInputElement} */
  #addRow(text) {
    const n = this.#says.children.length + 1;
    const input = el('input', { type: 'text', 'aria-label': `Example ${n}`, autocomplete: 'off', spellcheck: 'false', placeholder: n === 1 ? 'movie time' : n === 2 ? "let's watch a movie" : n === 3 ? 'we want to see a film' : '' });
    input.value = text;
    input.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.isComposing) return;
      event.preventDefault();
      const next = input.closest('li')?.nextElementSibling?.querySelector('input');
      if (next instanceof HTMLInputElement) next.focus();
      else if (input.value.trim() !== '' && this.#says.children.length < MOST) this.#addRow('').focus();
      else this.#do.focus();
    });
    this.#says.append(el('li', {}, input));
    byId('teach-more', HTMLButtonElement).disabled = this.#says.children.length >= MOST;
    return input;
  }

  /** What the form says, or what is missing in it. @returns {Entered} */
  #entered() {
    const inputs = [...this.#says.querySelectorAll('input')], common = this.#do.value.trim();
    /** @type {Example[]} */ const examples = [];
    for (const input of inputs) {
      const [say, own] = input.value.trim().split(ARROW, 2);
      if (!say) continue;
      if (!own && common === '') return { error: 'What shall it answer?', field: this.#do };
      examples.push({ say, do: own ?? common });
    }
    if (examples.length < FEWEST) return { error: `Give at least ${FEWEST} different ways to say it: this one is missing.`, field: inputs.find((i) => i.value.trim() === '') ?? inputs[0] };
    const broken = examples.find(({ do: answer }) => answer.startsWith('{') && !isJson(answer));
    if (broken) return { error: `This begins like JSON but is none: ${broken.do}`, field: this.#do };
    const name = (this.#name.value.trim() || examples[0].say).replace(/[^\w .-]+/g, ' ').trim().slice(0, 60);
    return /^\w/.test(name) ? { examples, name } : { error: 'Give it a name of letters.', field: this.#name };
  }

  #start() {
    if (!this.#open || this.#running) return;
    const entered = this.#entered();
    byId('teach-error').textContent = 'error' in entered ? entered.error : '';
    if ('error' in entered) return entered.field.focus();
    this.#done = this.#teach(this.#open, entered.examples, entered.name);
  }

  /** @param {{ session: Session, frame: Frame }} open @param {Example[]} examples @param {string} name */
  async #teach({ session, frame }, examples, name) {
    const control = this.#running = new AbortController(), begun = performance.now();
    const seconds = () => `${((performance.now() - begun) / 1000).toFixed(1)} s`;
    byId('lesson').hidden = false;
    byId('verdict').hidden = true;
    byId('lesson').scrollIntoView({ block: 'nearest' });
    for (const id of ['step', 'loss', 'memory']) byId(`lesson-${id}`).textContent = '–';
    this.#curve.begin();
    this.#clock = setInterval(() => { byId('lesson-time').textContent = seconds(); }, 100);
    this.#show();
    try {
      const { teach } = await import('./recipe.js'); // with the old commands it is half of the page's code
      const lesson = await teach(session, examples, {
        frame, taught: this.#page.taught(), signal: control.signal,
        onPhase: (text) => { byId('teach-phase').textContent = `${text} …`; },
        onPlan: ({ bytes }) => { byId('lesson-memory').textContent = formatBytes(bytes); },
        onStep: ({ step, steps, loss }) => {
          byId('lesson-step').textContent = `${step} of ${steps}`;
          byId('lesson-loss').textContent = loss.toFixed(3);
          this.#curve.add(step, loss);
        },
      });
      await this.#page.keep(name, lesson);
      byId('lesson-time').textContent = seconds();
      byId('teach-phase').textContent = '';
      this.#showVerdict(name, lesson, examples);
    } catch (error) {
      byId('teach-phase').textContent = control.signal.aborted ? 'Stopped: nothing was changed.' : '';
      if (!control.signal.aborted) this.#page.problem(error);
    } finally {
      clearInterval(this.#clock);
      this.#running = null;
      this.#show();
    }
  }

  /** @param {string} name @param {Lesson} lesson @param {Example[]} examples */
  #showVerdict(name, { before, after, seconds }, examples) {
    const rightOnes = (/** @type {readonly { ok: boolean }[]} */ list) => list.filter(({ ok }) => ok).length;
    const fresh = rightOnes(after.fresh), old = rightOnes(after.old), share = fresh / Math.max(1, after.fresh.length);
    const button = el('button', { type: 'button', class: 'button primary', id: 'try-it' }, 'Try it');
    button.addEventListener('click', () => this.#page.tryIt((after.fresh.find(({ ok }) => ok) ?? examples[0]).say));
    const rows = after.fresh.map(({ ok, say, got }) => el('li', { class: ok ? 'yes' : 'no' }, el('span', { class: 'mark', 'aria-hidden': 'true' }),
      el('span', {}, el('span', { class: 'visually-hidden' }, ok ? 'Right: ' : 'Wrong: '), say, ...(ok ? [] : [el('code', {}, ` ${got || '(nothing)'}`)]))));
    const said = share >= 0.95 ? `It has learned “${name}”.` : share >= 0.7 ? `It mostly knows “${name}” now.` : `It has not really learned “${name}”: more and more different examples help.`;
    byId('verdict').replaceChildren(
      el('p', { class: 'verdict-line' }, el('strong', {}, said), ` ${Math.round(seconds)} seconds, saved and switched on.`),
      el('ul', { class: 'verdict-counts' },
        el('li', {}, el('strong', {}, `${fresh} of ${after.fresh.length}`), ` wordings that it had never seen are right`),
        ...(after.old.length ? [el('li', {}, el('strong', {}, `${old} of ${after.old.length}`), ` old commands are right (before: ${rightOnes(before.old)})`)] : [])),
      el('details', {}, el('summary', {}, plural(after.fresh.length, 'wording that was checked', 'wordings that were checked')), el('ul', { class: 'marks' }, ...rows)),
      el('div', { class: 'verdict-actions' }, button));
    byId('verdict').hidden = false;
    byId('verdict').scrollIntoView({ block: 'nearest' });
    announce(`${said} ${fresh} of ${after.fresh.length} unseen wordings are right.`);
  }

  #show() {
    const teaching = this.teaching;
    byId('teach-go').hidden = teaching;
    byId('teach-go', HTMLButtonElement).disabled = !this.#open;
    byId('teach-stop').hidden = !teaching;
    for (const field of byId('teach-form').querySelectorAll('fieldset, textarea, input')) field.toggleAttribute('disabled', teaching);
    this.#page.changed();
  }
}

/** @param {string} text */
function isJson(text) {
  try { JSON.parse(text); return true; } catch { return false; }
}
