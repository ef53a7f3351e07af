// @ts-check
/** The three ways to bring a model: a file chosen, a file dropped anywhere on the page, an address. */
import { byId } from './dom.js';

/**
 * @param {(source: File | URL) => void} open
 */
export function wireOpening(open) {
  const file = byId('file', HTMLInputElement);
  byId('open-file').addEventListener('click', () => file.click());
  file.addEventListener('change', () => {
    const chosen = file.files?.[0];
    file.value = ''; // choosing the same file again must count as a change
    if (chosen) open(chosen);
  });
  wireUrl(open);
  wireDrop(open);
}

/** @param {(source: URL) => void} open */
function wireUrl(open) {
  const dialog = byId('url-dialog', HTMLDialogElement);
  const input = byId('url', HTMLInputElement);
  const error = byId('url-error');
  byId('open-url').addEventListener('click', () => {
    error.textContent = '';
    input.removeAttribute('aria-invalid');
    dialog.showModal();
    input.select();
  });
  byId('url-cancel').addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
  byId('url-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const url = parseModelUrl(input.value);
    if (!url) {
      error.textContent = 'This is not an address that starts with https:// (or one on this site).';
      input.setAttribute('aria-invalid', 'true');
      input.focus();
      return;
    }
    dialog.close();
    open(url);
  });
}

/**
 * Accepts https anywhere and this site's own addresses, as the page's security policy does. A link to a Hugging Face
 * page of a file is turned into the link to the file itself, because that is what people copy.
 * @param {string} text
 * @returns {URL | null}
 */
export function parseModelUrl(text) {
  let url;
  try {
    url = new URL(text.trim(), location.href);
  } catch {
    return null;
  }
  if (text.trim() === '' || (url.protocol !== 'https:' && url.origin !== location.origin)) return null;
  if (url.hostname === 'huggingface.co') url.pathname = url.pathname.replace('/blob/', '/resolve/');
  return url;
}

/** @param {(source: File) => void} open */
function wireDrop(open) {
  const veil = byId('drop');
  let depth = 0; // dragenter and dragleave also fire for every child: count them
  const show = (/** @type {number} */ change) => {
    depth = Math.max(0, depth + change);
    veil.hidden = depth === 0;
  };
  const hasFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes('Files') === true;
  addEventListener('dragenter', (event) => { if (hasFiles(event)) show(+1); });
  addEventListener('dragleave', (event) => { if (hasFiles(event)) show(-1); });
  addEventListener('dragover', (event) => { if (hasFiles(event)) event.preventDefault(); });
  addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault(); // else the browser would leave the page and show the file
    depth = 0;
    veil.hidden = true;
    const dropped = event.dataTransfer?.files[0];
    if (dropped) open(dropped);
  });
}
