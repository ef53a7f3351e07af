// @ts-check
/** Prompt in, text out: both modes, streaming, stopping, and what it cost. */
import { announce, byId, el } from './dom.js';
import { write } from './engine.js';
import { PLAIN_FRAME } from './home/frame.js';
import { answersTo } from './home/prompt.js';
import { formatMs, formatRate, plural } from './format.js';
import { Transcript } from './transcript.js';

/**
 * @typedef {import('./engine.js').Session} Session
 * @typedef {import('./engine.js').Message} Message
 * @typedef {import('./engine.js').Written} Written
 * @typedef {import('./settings.js').Settings} Settings
 * @typedef {import('./transcript.js').Mode} Mode
 * @typedef {import('./home/frame.js').Frame} Frame
 */

const ENDINGS = /** @type {Record<string, string>} */ ({
  stop: '', length: 'stopped at the longest answer', abort: 'stopped', context: 'the context is full',
});

const KEYS = { command: 'Enter sends', complete: 'Ctrl + Enter generates', chat: 'Enter sends, Shift + Enter breaks the line' };

/** @type {Record<Mode, { label: string, placeholder: string, go: string, empty: string }>} */
const WORDS = {
  command: { label: 'What shall I do?', placeholder: 'turn on the light in the kitchen', go: 'Send', empty: 'Tell your home what to do. The answer is one line that a program can act on.' },
  complete: { label: 'Text to continue', placeholder: 'Once upon a time', go: 'Generate', empty: 'What the model writes appears here.' },
  chat: { label: 'Your message', placeholder: 'Ask something', go: 'Send', empty: 'What the model writes appears here.' },
};

/** Things to say to the home model, for a first visit. */
const IDEAS = ['turn on the light in the kitchen', 'remind me to call mom tomorrow at 7 pm', 'set the bedroom to 19 degrees and close the blinds', 'what can you do', 'how do i teach you'];

export class Writer {
  /** @type {{ settings: Settings, taught(): readonly import('./home/taught.js').Taught[] | null, problem(error: unknown): void, changed(): void }} */ #page;
  /** @type {Session | null} */ #session = null;
  /** @type {AbortController | null} */ #running = null;
  /** Settles when nothing is being written. @type {Promise<void>} */ #done = Promise.resolve();
  /** @type {Message[]} */ #messages = [];
  /** @type {Frame} */ #frame = PLAIN_FRAME;
  #loading = false;
  #transcript = new Transcript(byId('transcript'), byId('empty'));
  #prompt = byId('prompt', HTMLTextAreaElement);
  #stats = byId('stats');

  /** @param {{ settings: Settings, taught(): readonly import('./home/taught.js').Taught[] | null, problem(error: unknown): void, changed(): void }} page */
  constructor(page) {
    this.#page = page;
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#start();
    });
    this.#prompt.addEventListener('keydown', (event) => this.#key(event));
    byId('stop').addEventListener('click', () => this.stop());
    byId('clear').addEventListener('click', () => this.clear());
    byId('mode').addEventListener('change', () => {
      this.#messages = [];
      this.#show();
    });
    byId('ideas').append(...IDEAS.map((text) => {
      const button = el('button', { type: 'button', class: 'button small' }, text);
      button.addEventListener('click', () => this.say(text));
      return el('li', {}, button);
    }));
    this.#show();
  }

  get writing() {
    return this.#running !== null;
  }

  /** @returns {Mode} */
  get mode() {
    return this.#radio('chat').checked ? 'chat' : this.#radio('command').checked ? 'command' : 'complete';
  }

  /** Asks the home model, as if it had been typed. @param {string} text */
  say(text) {
    if (this.#frame.home) this.#radio('command').checked = true;
    this.#prompt.value = text;
    this.#show();
    this.#start();
  }

  /** @param {boolean} loading */
  set busyLoading(loading) {
    this.#loading = loading;
    this.#show();
  }

  /** @param {Session | null} session @param {Frame} [frame] how the model is asked */
  use(session, frame = PLAIN_FRAME) {
    this.#session = session?.info.hasLogits ? session : null;
    this.#frame = frame;
    this.#messages = [];
    this.#stats.textContent = '';
    const chats = session?.info.hasChatTemplate === true;
    this.#radio('chat').disabled = !chats;
    if (frame.home) this.#radio('command').checked = true;
    else if (!chats || this.mode === 'command') this.#radio('complete').checked = true;
    byId('mode-note').textContent = !session || frame.home || chats ? '' : session.info.hasLogits
      ? 'This model only continues text: its file has no chat template.' : 'This model writes no text, it makes vectors: see Search.';
    this.#show();
  }

  /** Resolves when the engine has really stopped. */
  async stop() {
    this.#running?.abort();
    await this.#done;
  }

  async clear() {
    await this.stop();
    this.#messages = [];
    this.#transcript.clear();
    this.#stats.textContent = '';
    this.#show();
    this.#prompt.focus();
    announce('Cleared.');
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== 'Enter' || event.isComposing || event.shiftKey) return;
    if (this.mode === 'complete' && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.#start();
  }

  #start() {
    if (this.#session && !this.#running && !this.#loading) this.#done = this.#write(this.#session);
  }

  /** @param {Session} session */
  async #write(session) {
    const mode = this.mode;
    const prompt = mode === 'complete' ? this.#prompt.value : this.#prompt.value.trim();
    if (mode !== 'complete' && prompt === '') return;
    const control = new AbortController();
    this.#running = control;
    const turn = this.#transcript.begin(mode, prompt);
    const hadFocus = document.activeElement === byId('go');
    if (mode !== 'complete') this.#prompt.value = '';
    this.#page.changed();
    this.#show();
    if (hadFocus) byId('stop').focus(); // the button under the finger has just been replaced
    const meter = new LiveMeter(this.#stats);
    try {
      const result = mode === 'command' ? (await answersTo(session, this.#frame, [{ text: prompt }], { taught: this.#page.taught(), signal: control.signal }))[0]
        : await write(session, this.#input(mode, prompt), {
          ...this.#page.settings.generation,
          signal: control.signal,
          onText: (piece) => {
            turn.append(piece);
            meter.count();
          },
        });
      this.#messages.push({ role: 'user', content: prompt }, { role: 'assistant', content: result.text });
      turn.finish(ENDINGS[result.finishReason] ?? result.finishReason, result.text);
      this.#stats.textContent = statsText(result);
      announce(spoken(result));
    } catch (error) {
      turn.finish(control.signal.aborted ? 'stopped' : 'broken off');
      this.#stats.textContent = '';
      if (mode !== 'complete' && this.#prompt.value === '') this.#prompt.value = prompt; // not lost: it can be sent again
      if (control.signal.aborted) announce('Stopped.');
      else this.#page.problem(error);
    } finally {
      const stopHadFocus = document.activeElement === byId('stop');
      this.#running = null;
      this.#show();
      this.#page.changed();
      if (stopHadFocus) byId('go').focus();
    }
  }

  /** What the model reads. @param {Mode} mode @param {string} prompt @returns {string | Message[]} */
  #input(mode, prompt) {
    if (mode !== 'chat') return prompt;
    const system = this.#page.settings.systemMessage;
    return [...(system === '' ? [] : [{ role: /** @type {const} */ ('system'), content: system }]), ...this.#messages, { role: 'user', content: prompt }];
  }

  #show() {
    const writing = this.#running !== null;
    const words = WORDS[this.mode], home = this.#frame.home;
    byId('stop').hidden = !writing;
    const go = byId('go', HTMLButtonElement);
    go.hidden = writing;
    go.disabled = !this.#session || this.#loading;
    go.textContent = words.go;
    byId('prompt-label').textContent = words.label;
    this.#prompt.placeholder = words.placeholder;
    this.#prompt.rows = this.mode === 'command' ? 1 : 3;
    byId('empty-text').textContent = words.empty;
    byId('ideas').hidden = this.mode !== 'command';
    /** @type {HTMLElement} */ (this.#radio('command').parentElement).hidden = !home;
    /** @type {HTMLElement} */ (this.#radio('chat').parentElement).hidden = home && this.#session?.info.hasChatTemplate !== true;
    byId('keys').textContent = writing ? '' : KEYS[this.mode];
    byId('clear', HTMLButtonElement).disabled = !byId('transcript').querySelector('.turn');
    for (const radio of ['command', 'complete', 'chat']) {
      this.#radio(radio).disabled = writing || (radio === 'chat' && this.#session?.info.hasChatTemplate !== true);
    }
  }

  /** @param {string} value */
  #radio(value) {
    return /** @type {HTMLInputElement} */ (byId('mode').querySelector(`input[value=${value}]`));
  }
}

/** The speed while it is being written; the engine's own figures replace it at the end. */
class LiveMeter {
  #pieces = 0;
  #begun = performance.now();
  #first = 0;
  #shown = 0;
  /** @type {HTMLElement} */ #box;

  /** @param {HTMLElement} box */
  constructor(box) {
    this.#box = box;
    box.textContent = 'Reading the text…';
  }

  count() {
    const now = performance.now();
    this.#pieces++;
    if (this.#first === 0) this.#first = now;
    if (now - this.#shown < 200) return;
    this.#shown = now;
    const rate = formatRate(this.#pieces - 1, now - this.#first);
    this.#box.textContent = [plural(this.#pieces, 'token'), rate, `first after ${formatMs(this.#first - this.#begun)}`].filter(Boolean).join(' · ');
  }
}

/** @param {Written} result */
function statsText({ timings: t }) {
  const speed = formatRate(Math.max(0, t.tokens - 1), t.tokenMs);
  return [plural(t.tokens, 'token'), speed, t.tokens > 0 ? `first after ${formatMs(t.ttftMs)}` : ''].filter(Boolean).join(' · ');
}

/** @param {Written} result what a screen reader says: a short answer itself, of a long one that it is there */
function spoken({ text, timings, finishReason }) {
  if (finishReason === 'abort') return `Stopped after ${plural(timings.tokens, 'token')}.`;
  return text.length <= 280 ? text : `Done: ${plural(timings.tokens, 'token')}. The text is in the region Text so far.`;
}
