// @ts-check
/** The three DOM helpers that the page needs instead of a framework. */

/**
 * The element with this id; a missing one is a mistake in the page, so it throws at start and not later.
 * @template {Element} [T=HTMLElement]
 * @param {string} id
 * @param {new (...args: never[]) => T} [type] also checks what the element is
 * @returns {T}
 */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (!element || (type && !(element instanceof type))) throw new Error(`index.html has no fitting #${id}`);
  return /** @type {T} */ (/** @type {unknown} */ (element));
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Partial<Record<string, string | number | boolean | undefined>>} [attributes] true: present; false, undefined: absent
 * @param {...(Node | string)} children strings become text, never markup
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === undefined) continue;
    element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children);
  return element;
}

const live = () => byId('announcer');
let last = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/**
 * Says something to a screen reader, politely: at most once in two seconds, the latest sentence wins.
 * @param {string} sentence
 */
export function announce(sentence) {
  clearTimeout(timer);
  const wait = Math.max(0, last + 2000 - Date.now());
  timer = setTimeout(() => {
    last = Date.now();
    live().textContent = sentence;
  }, wait);
}
