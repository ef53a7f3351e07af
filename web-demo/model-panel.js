// @ts-check
/** What the open model is: a line of tags above, the facts below. */
import { byId, el } from './dom.js';
import { describeModel } from './engine.js';

/** @param {import('./engine.js').Session | null} session @param {string} label what the page calls it */
export function showModel(session, label) {
  byId('model-name').textContent = label;
  const { tags, facts } = session ? describeModel(session) : { tags: [], facts: [] };
  byId('model-tags').replaceChildren(...tags.map((tag) => el('li', {}, tag)));
  byId('model-tags').hidden = tags.length === 0;
  byId('model-facts').replaceChildren(...facts.flatMap(([term, text]) => [el('dt', {}, term), el('dd', {}, text)]));
}
