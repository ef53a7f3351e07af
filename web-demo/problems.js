// @ts-check
/** Errors as one human sentence with something to do about it. */

/** @typedef {{ title: string, hint: string, detail: string }} Problem */

/** @type {Record<string, { title: string, hint: string }>} */
const BY_CODE = {
  NOMEM: { title: 'There is not enough memory for this model.', hint: 'Close other tabs, choose a shorter context length under Settings, or open a smaller model.' },
  FORMAT: { title: 'This file is not a model that can be read.', hint: 'It must be a complete GGUF file; a download that broke off is the usual cause.' },
  UNSUPPORTED: { title: 'This model needs something that the engine does not know yet.', hint: 'Details name it; another model, or another quantization of this one, may work.' },
  FULL: { title: 'The text no longer fits into the context.', hint: 'Shorten the text, clear the conversation, or set a larger context length under Settings.' },
  STATE: { title: 'The model is not ready for that.', hint: 'Load it again.' },
  ARG: { title: 'A setting has a value that the engine does not accept.', hint: 'Details name it; Reset all settings brings the usual values back.' },
  NUMERIC: { title: 'The model computed something that is not a number.', hint: 'The file may be damaged: open it again, or choose another engine build under Settings.' },
  NETWORK: { title: 'The model could not be downloaded.', hint: 'Check the address and the connection. The other site must allow downloads by web pages (CORS).' },
  STORAGE: { title: 'The browser would not keep the model.', hint: 'Free some space under Kept on this device, or leave private browsing.' },
  CRASHED: { title: 'The engine stopped unexpectedly.', hint: 'Most often memory ran out. Load the model again, or open a smaller one.' },
};

/**
 * @param {unknown} error
 * @returns {Problem | null} null where the person asked for it (a cancel is no error)
 */
export function describeProblem(error) {
  const e = /** @type {{ name?: string, code?: string, message?: string }} */ (error ?? {});
  if (e.name === 'AbortError' || e.code === 'ABORTED') return null;
  const known = BY_CODE[e.code ?? ''] ?? { title: 'Something went wrong.', hint: 'Load the page again; if it happens again, Details help whoever looks into it.' };
  return { ...known, detail: [e.code, e.message ?? String(error)].filter(Boolean).join(': ') };
}
