// @ts-check
/** What was asked and what was written, turn by turn. Text goes in as text: a model cannot write markup into the page. */
import { el, announce } from './dom.js';
import { answerCard, commandIn } from './home/answer-card.js';

/** @typedef {'command' | 'complete' | 'chat'} Mode command: one request to the home model */

/** One prompt with its answer, growing while the model writes. */
export class Turn {
  /** @type {HTMLElement} */ element;
  /** @type {Text} */ #text = document.createTextNode('');
  /** @type {HTMLElement} */ #note = el('span', { class: 'turn-note' });
  /** @type {HTMLButtonElement} */ #copy = el('button', { type: 'button', class: 'button quiet small' }, 'Copy');
  #waiting = '';
  #frame = 0;
  /** @type {Mode} */ #mode;
  /** @type {() => void} */ #grown;

  /**
   * @param {Mode} mode
   * @param {string} prompt
   * @param {() => void} grown called after new text is on the page
   */
  constructor(mode, prompt, grown) {
    this.#grown = grown;
    this.#mode = mode;
    const answer = el('span', { class: 'answer' });
    answer.append(this.#text, el('span', { class: 'caret', 'aria-hidden': 'true' }));
    const body = mode !== 'complete'
      ? [el('p', { class: 'said you' }, el('span', { class: 'who' }, 'You'), el('span', { class: 'words' }, prompt)),
        el('p', { class: 'said reply' }, el('span', { class: 'who' }, 'Model'), answer)]
      : [el('p', { class: 'completion' }, el('span', { class: 'prompt-text' }, prompt), answer)];
    const foot = el('div', { class: 'turn-foot' }, this.#note, this.#copy);
    this.#copy.hidden = true;
    this.#copy.addEventListener('click', () => this.#copyText(mode === 'complete' ? prompt + this.text : this.text));
    this.element = el('article', { class: `turn ${mode} writing`, 'aria-label': mode === 'complete' ? 'Completion' : 'Exchange' }, ...body, foot);
  }

  get text() {
    return this.#text.data + this.#waiting;
  }

  /** @param {string} piece arrives far more often than a screen refreshes, hence one change a frame */
  append(piece) {
    this.#waiting += piece;
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#flush());
  }

  /** @param {string} note how it ended, in words @param {string} [text] the whole text, which replaces what was streamed */
  finish(note, text) {
    cancelAnimationFrame(this.#frame);
    this.#flush();
    if (text !== undefined && text !== this.#text.data) this.#text.data = text;
    this.element.classList.remove('writing');
    this.#note.textContent = note;
    const command = this.#mode === 'command' ? commandIn(this.#text.data) : null;
    if (command) this.element.querySelector('.reply')?.replaceWith(el('div', { class: 'said reply' }, el('span', { class: 'who' }, 'Model'), answerCard(command, this.#text.data)));
    this.#copy.hidden = this.#text.data === '';
    this.#grown();
  }

  #flush() {
    this.#frame = 0;
    if (this.#waiting === '') return;
    this.#text.appendData(this.#waiting);
    this.#waiting = '';
    this.#grown();
  }

  /** @param {string} text */
  async #copyText(text) {
    try {
      await navigator.clipboard.writeText(text);
      this.#copy.textContent = 'Copied';
      announce('Copied.');
    } catch {
      getSelection()?.selectAllChildren(this.element.querySelector('.answer') ?? this.element);
      this.#copy.textContent = 'Selected: copy with your keyboard';
    }
    setTimeout(() => { this.#copy.textContent = 'Copy'; }, 2000);
  }
}

export class Transcript {
  /** @type {HTMLElement} */ #box;
  /** @type {HTMLElement} */ #empty;

  /** @param {HTMLElement} box scrolls @param {HTMLElement} empty shown while there is nothing else */
  constructor(box, empty) {
    this.#box = box;
    this.#empty = empty;
  }

  /** @param {Mode} mode @param {string} prompt @returns {Turn} */
  begin(mode, prompt) {
    this.#empty.hidden = true;
    const turn = new Turn(mode, prompt, () => this.#follow());
    this.#box.append(turn.element);
    this.#box.scrollTop = this.#box.scrollHeight;
    return turn;
  }

  clear() {
    for (const turn of this.#box.querySelectorAll('.turn')) turn.remove();
    this.#empty.hidden = false;
  }

  /** Keeps the newest line in view, unless the reader has scrolled up to read. */
  #follow() {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    if (scrollHeight - scrollTop - clientHeight < 96) this.#box.scrollTop = scrollHeight;
  }
}
