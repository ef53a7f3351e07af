// @ts-check
/** What the model was taught: saved adapters, each with a switch, files to take away, and a way to delete it. */
import { announce, byId, el } from '../dom.js';
import { formatBytes } from '../format.js';
import { answersIn } from '../home/taught.js';
import { recall, remember } from '../remember.js';

/**
 * @typedef {import('../engine.js').Session} Session
 * @typedef {import('../../js-glue/adapter.js').Adapter} Adapter
 */

/** Names that are switched off; all others are at work. */
const OFF = 'adapters-off';
/** @type {readonly { label: string, format: 'gguf' | 'peft' | 'json', title: string }[]} */
const FORMATS = [
  { label: 'GGUF', format: 'gguf', title: 'one file, for llama.cpp and this page' },
  { label: 'PEFT', format: 'peft', title: 'two files, for PEFT and this page' },
  { label: 'JSON', format: 'json', title: 'one file with all that is known about it' },
];

export class Shelf {
  /** @type {{ changed(): void, problem(error: unknown): void }} */ #page;
  /** @type {Session | null} */ #session = null;
  /** What they answer (taught.js), by their names. @type {Map<string, import('../home/taught.js').Taught[] | null>} */ #answers = new Map();
  #box = byId('adapters');

  /** @param {{ changed(): void, problem(error: unknown): void }} page */
  constructor(page) {
    this.#page = page;
    const file = byId('adapter-file', HTMLInputElement);
    byId('adapter-import').addEventListener('click', () => file.click());
    file.addEventListener('change', () => {
      const chosen = [...file.files ?? []];
      file.value = ''; // choosing the same file again must count as a change
      if (chosen.length) void this.import(chosen);
    });
  }

  /** Another model is open: what was taught to it comes back to work. @param {Session | null} session */
  async use(session) {
    this.#session = session;
    if (session?.info.hasLogits) {
      const off = new Set(recall(OFF, /** @type {string[]} */ ([])));
      for (const name of await session.savedAdapters().catch(() => [])) {
        try { await this.#load(session, await session.openAdapter(name), name, off.has(name) ? 0 : 1); } catch (error) { console.info(`${name} does not fit this model`, error); }
      }
    }
    await this.refresh();
  }

  /** Save what was learned and put it to work, instead of what had its name. @param {string} name @param {Adapter} adapter */
  async keep(name, adapter) {
    const session = this.#session;
    if (!session) return;
    if (session.listAdapters().some((a) => a.name === name)) await session.unloadAdapter(name);
    await this.#load(session, adapter, name, 1);
    await adapter.save(name).catch((error) => this.#page.problem(error)); // works on without storage, until the page is left
    this.#switched(name, true);
    await this.refresh();
  }

  /** What the commands that are at work answer, null if one of them does not say. @returns {import('../home/taught.js').Taught[] | null} */
  get taught() {
    const atWork = this.#session?.info.hasLogits ? this.#session.listAdapters().filter(({ scale }) => scale !== 0).map(({ name }) => this.#answers.get(name) ?? null) : [];
    return atWork.every((answers) => answers !== null) ? atWork.flat() : null;
  }

  /** @param {Session} session @param {Adapter} adapter @param {string} name @param {number} scale */
  async #load(session, adapter, name, scale) {
    await session.loadAdapter(adapter, { name, scale });
    this.#answers.set(name, answersIn(adapter.meta.description));
  }

  /** @param {File[]} files one GGUF or JSON file, or PEFT's two */
  async import(files) {
    const session = this.#session;
    if (!session) return;
    try {
      const tensors = files.find((f) => f.name.endsWith('.safetensors')), config = files.find((f) => f.name.endsWith('.json'));
      if (tensors && !config) throw Object.assign(new Error('adapter_config.json belongs to the .safetensors file: choose both'), { code: 'FORMAT' });
      const adapter = await session.openAdapter(tensors && config ? { tensors, config } : files[0]);
      const name = adapter.name.replace(/\.(gguf|json)$/i, '').replace(/[^\w .-]+/g, ' ').trim() || 'imported';
      await this.keep(name, adapter);
      announce(`${name} is imported and switched on.`);
    } catch (error) {
      this.#page.problem(error);
    }
  }

  async refresh() {
    const session = this.#session;
    const list = session?.info.hasLogits ? session.listAdapters() : [];
    if (list.length === 0) this.#box.replaceChildren(el('p', { class: 'detail' }, 'Nothing yet. What you teach is kept in this browser, and can be switched off.'));
    else this.#box.replaceChildren(el('ul', { class: 'shelf' }, ...list.map((info) => this.#row(info))));
    this.#page.changed();
  }

  /** @param {import('../../js-glue/adapters.js').AdapterInfo} info */
  #row({ name, scale, bytes, fileBytes }) {
    const id = `adapter-${name.replace(/\W+/g, '-')}`;
    const on = el('input', { type: 'checkbox', role: 'switch', id, checked: scale !== 0 });
    on.addEventListener('change', () => this.#do(async (session) => {
      await session.setAdapterScale(name, on.checked ? 1 : 0);
      this.#switched(name, on.checked);
      announce(`${name} is switched ${on.checked ? 'on' : 'off'}.`);
    }));
    const files = FORMATS.map(({ label, format, title }) => {
      const button = el('button', { type: 'button', class: 'button quiet small', title, 'aria-label': `Save ${name} as ${label}: ${title}` }, label);
      button.addEventListener('click', () => this.#do((session) => exported(session, name, format)));
      return button;
    });
    const remove = el('button', { type: 'button', class: 'button quiet small', 'aria-label': `Delete ${name}` }, 'Delete');
    remove.addEventListener('click', () => this.#do(async (session) => {
      await session.unloadAdapter(name);
      await session.deleteAdapter(name);
      this.#switched(name, true);
      await this.refresh();
      byId('adapter-import').focus(); // the pressed button is gone: do not lose the keyboard's place
      announce(`${name} is deleted.`);
    }));
    return el('li', {}, el('div', { class: 'shelf-line' }, el('label', { for: id, class: 'switch' }, on, el('span', { class: 'shelf-name' }, name)), el('span', { class: 'detail' }, `${formatBytes(fileBytes)} file, ${formatBytes(bytes)} in memory`)),
      el('div', { class: 'shelf-buttons' }, ...files, remove));
  }

  /** @param {(session: Session) => Promise<unknown>} work */
  #do(work) {
    if (this.#session) work(this.#session).catch((error) => this.#page.problem(error));
  }

  /** @param {string} name @param {boolean} on */
  #switched(name, on) {
    const off = new Set(recall(OFF, /** @type {string[]} */ ([])));
    if (on) off.delete(name);
    else off.add(name);
    remember(OFF, off.size ? [...off] : undefined);
  }
}

/** Hands the adapter's files to the browser's downloads. @param {Session} session @param {string} name @param {'gguf' | 'peft' | 'json'} format */
async function exported(session, name, format) {
  const adapter = await session.openAdapter(name), file = name.replace(/\s+/g, '-');
  if (format === 'gguf') download(`${file}.gguf`, await adapter.export('gguf'));
  else if (format === 'json') download(`${file}.json`, await adapter.export('json'));
  else for (const [part, bytes] of Object.entries(await adapter.export('peft'))) download(part, bytes);
}

/** @param {string} name @param {Uint8Array | string} content */
function download(name, content) {
  const url = URL.createObjectURL(new Blob([/** @type {BlobPart} */ (content)]));
  el('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000); // the download has begun by then
}
