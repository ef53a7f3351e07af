// @ts-check
/** The tabs, as the ARIA practices describe them: arrow keys move, Home and End go to the ends, the address keeps the choice (#teach). */
import { byId } from './dom.js';

/** @typedef {'talk' | 'teach' | 'search' | 'performance'} TabName */

export class Tabs {
  /** @type {HTMLButtonElement[]} */ #tabs;
  /** @type {(name: TabName) => void} */ #changed;

  /** @param {(name: TabName) => void} changed */
  constructor(changed) {
    this.#changed = changed;
    const list = byId('tabs');
    this.#tabs = [...list.querySelectorAll('button')];
    list.addEventListener('click', (event) => {
      const tab = this.#tabs.find((t) => t.contains(/** @type {Node} */ (event.target)));
      if (tab) this.show(nameOf(tab));
    });
    list.addEventListener('keydown', (event) => this.#key(event));
    addEventListener('hashchange', () => this.#fromAddress());
    this.#fromAddress();
  }

  /** @returns {TabName} */
  get current() {
    return nameOf(/** @type {HTMLButtonElement} */ (this.#tabs.find((tab) => tab.ariaSelected === 'true') ?? this.#tabs[0]));
  }

  /** @param {TabName} name */
  show(name) {
    for (const tab of this.#tabs) {
      const chosen = nameOf(tab) === name;
      tab.setAttribute('aria-selected', String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      byId(`panel-${nameOf(tab)}`).hidden = !chosen;
    }
    if (location.hash.slice(1) !== name) history.replaceState(null, '', name === 'talk' ? location.pathname + location.search : `#${name}`);
    this.#changed(name);
  }

  #fromAddress() {
    const tab = this.#tabs.find((t) => nameOf(t) === location.hash.slice(1));
    if (tab) this.show(nameOf(tab));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const at = this.#tabs.findIndex((tab) => tab === document.activeElement), n = this.#tabs.length;
    const to = { ArrowRight: (at + 1) % n, ArrowLeft: (at + n - 1) % n, Home: 0, End: n - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    this.show(nameOf(this.#tabs[to]));
    this.#tabs[to].focus();
  }
}

/** @param {HTMLElement} tab @returns {TabName} */
function nameOf(tab) {
  return /** @type {TabName} */ (tab.id.slice('tab-'.length));
}
