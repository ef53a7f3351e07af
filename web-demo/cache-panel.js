// @ts-check
/** The models that the browser keeps, with their sizes; each can be opened or deleted. */
import { announce, el } from './dom.js';
import { formatBytes } from './format.js';

/** @typedef {import('./engine.js').KeptModel} KeptModel */

export class CachePanel {
  /** @type {HTMLElement} */ #box;
  /** @type {{ list(): Promise<KeptModel[]>, open(model: KeptModel): void, remove(model: KeptModel): Promise<unknown>, problem(error: unknown): void }} */ #do;

  /**
   * @param {HTMLElement} box
   * @param {{ list(): Promise<KeptModel[]>, open(model: KeptModel): void, remove(model: KeptModel): Promise<unknown>, problem(error: unknown): void }} actions
   */
  constructor(box, actions) {
    this.#box = box;
    this.#do = actions;
  }

  async refresh() {
    try {
      const models = await this.#do.list();
      if (models.length === 0) {
        this.#box.replaceChildren(el('p', { class: 'detail' }, 'No model is kept. A downloaded model stays here, so that it opens at once the next time.'));
        return;
      }
      const total = models.reduce((sum, model) => sum + model.bytes, 0);
      this.#box.replaceChildren(
        el('ul', { class: 'kept' }, ...models.map((model) => this.#row(model))),
        el('p', { class: 'detail' }, `${formatBytes(total)} in all.`));
    } catch (error) {
      this.#box.replaceChildren(el('p', { class: 'detail' }, 'The browser does not let this page look at its storage.'));
      console.warn(error);
    }
  }

  /** @param {KeptModel} model */
  #row(model) {
    const open = el('button', { type: 'button', class: 'button small', 'aria-label': `Open ${model.name}` }, 'Open');
    const remove = el('button', { type: 'button', class: 'button quiet small', 'aria-label': `Delete ${model.name} from this device` }, 'Delete');
    open.addEventListener('click', () => this.#do.open(model));
    remove.addEventListener('click', async () => {
      remove.disabled = true;
      try {
        await this.#do.remove(model);
        announce(`${model.name} is deleted.`);
      } catch (error) {
        this.#do.problem(error);
      }
      await this.refresh();
      const next = this.#box.querySelector('button') ?? this.#box.closest('details')?.querySelector('summary');
      if (next instanceof HTMLElement) next.focus(); // the pressed button is gone: do not lose the keyboard's place
    });
    return el('li', {}, el('span', { class: 'kept-name', title: model.id }, model.name),
      el('span', { class: 'detail' }, formatBytes(model.bytes)), el('span', { class: 'kept-buttons' }, open, remove));
  }
}
