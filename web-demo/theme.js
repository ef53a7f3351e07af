// @ts-check
/** Colours: the system's, or the ones chosen here. The first paint is coloured by early.js. */
import { byId } from './dom.js';
import { recall, remember } from './remember.js';

export function wireTheme() {
  const box = byId('theme');
  const theme = recall('theme', 'auto');
  const current = box.querySelector(`input[value=${['light', 'dark'].includes(theme) ? theme : 'auto'}]`);
  if (current instanceof HTMLInputElement) current.checked = true;
  box.addEventListener('change', (event) => {
    const value = /** @type {HTMLInputElement} */ (event.target).value;
    if (value === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = value;
    remember('theme', value === 'auto' ? undefined : value);
  });
}
