// @ts-check
/** Prompt in, text out: both modes, streaming, stopping, and what it cost. */
import { announce, byId } from './dom.js';
import { write } from './engine.js';
import { formatMs, formatRate, plural } from './format.js';
import { Transcript } from './transcript.js';

/**
 * @typedef {import('./engine.js').Session} Session
 * @typedef {import('./engine.js').Message} Message
 * @typedef {import('./engine.js').Written} Written
 * @typedef {import('./settings.js').Settings} Settings
 */

const ENDINGS = /** @type {Record<string, string>} */ ({
  stop: '', length: 'stopped at the longest answer', abort: 'stopped', context: 'the context is full',
});

const KEYS = { complete: 'Ctrl + Enter generates', chat: 'Enter sends, Shift + Enter breaks the line' };

export class Writer {
  /** @type {{ settings: Settings, problem(error: unknown): void, changed(): void }} */ #page;
  /** @type {Session | null} */ #session = null;
  /** @type {AbortController | null} */ #running = null;
  /** Settles when nothing is being written. @type {Promise<void>} */ #done = Promise.resolve();
  /** @type {Message[]} */ #messages = [];
  #loading = false;
  #transcript = new Transcript(byId('transcript'), byId('empty'));
  #prompt = byId('prompt', HTMLTextAreaElement);
  #stats = byId('stats');

  /** @param {{ settings: Settings, problem(error: unknown): void, changed(): void }} page */
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
    this.#show();
  }

  get writing() {
    return this.#running !== null;
  }

  /** @returns {'complete' | 'chat'} */
  get mode() {
    return this.#radio('chat').checked ? 'chat' : 'complete';
  }

  /** @param {boolean} loading */
  set busyLoading(loading) {
    this.#loading = loading;
    this.#show();
  }

  /** @param {Session | null} session */
  use(session) {
    this.#session = session;
    this.#messages = [];
    this.#stats.textContent = '';
    const chats = session?.info.hasChatTemplate === true;
    this.#radio('chat').disabled = !chats;
    if (!chats) this.#radio('complete').checked = true;
    byId('mode-note').textContent = session && !chats ? 'This model only continues text: its file has no chat template.' : '';
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
    const prompt = mode === 'chat' ? this.#prompt.value.trim() : this.#prompt.value;
    if (mode === 'chat' && prompt === '') return;
    const control = new AbortController();
    this.#running = control;
    const turn = this.#transcript.begin(mode, prompt);
    const hadFocus = document.activeElement === byId('go');
    if (mode === 'chat') this.#prompt.value = '';
    this.#page.changed();
    this.#show();
    if (hadFocus) byId('stop').focus(); // the button under the finger has just been replaced
    const meter = new LiveMeter(this.#stats);
    try {
      const { generation, systemMessage } = this.#page.settings;
      const messages = [...this.#instructions(systemMessage), ...this.#messages, { role: /** @type {const} */ ('user'), content: prompt }];
      const result = await write(session, mode === 'chat' ? messages : prompt, {
        ...generation,
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
      if (mode === 'chat' && this.#prompt.value === '') this.#prompt.value = prompt; // not lost: it can be sent again
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

  /** @param {string} text @returns {Message[]} */
  #instructions(text) {
    return text === '' ? [] : [{ role: 'system', content: text }];
  }

  #show() {
    const writing = this.#running !== null;
    const chat = this.mode === 'chat';
    byId('stop').hidden = !writing;
    const go = byId('go', HTMLButtonElement);
    go.hidden = writing;
    go.disabled = !this.#session || this.#loading;
    go.textContent = chat ? 'Send' : 'Generate';
    byId('prompt-label').textContent = chat ? 'Your message' : 'Text to continue';
    this.#prompt.placeholder = chat ? 'Ask something' : 'Once upon a time';
    byId('keys').textContent = writing ? '' : KEYS[this.mode];
    byId('clear', HTMLButtonElement).disabled = !byId('transcript').querySelector('.turn');
    for (const radio of ['complete', 'chat']) {
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
