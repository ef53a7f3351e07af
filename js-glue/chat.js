// @ts-check
// Messages -> prompt, with the template that the model's file brings. The Jinja interpreter is loaded on the first chat only.
import { EdgeNetError, asError } from './errors.js';

/** @typedef {{role: 'system' | 'user' | 'assistant' | 'tool' | (string & {}), content: string}} Message */

/** @param {unknown} input @returns {Message[]} */
export function checkMessages(input) {
  if (!Array.isArray(input) || !input.length) throw new EdgeNetError('ARG', 'messages must be an array of { role, content } with at least one message', { detail: { option: 'messages' } });
  return input.map((m, i) => {
    if (typeof m?.role !== 'string' || typeof m?.content !== 'string') throw new EdgeNetError('ARG', `messages[${i}] must have a role and a content, both strings`, { detail: { option: `messages[${i}]` } });
    return { role: m.role, content: m.content };
  });
}

/** System messages merged into the next user message, for templates that know no system role. @param {Message[]} messages */
function foldSystem(messages) {
  /** @type {Message[]} */ const out = [];
  let held = '';
  for (const m of messages) {
    if (m.role === 'system') held += `${m.content}\n\n`;
    else if (m.role === 'user' && held) { out.push({ role: 'user', content: held + m.content }); held = ''; } else out.push(m);
  }
  if (held) out.push({ role: 'user', content: held.trimEnd() });
  return out;
}

/**
 * @param {Message[]} messages @param {{template: string | undefined, bos: string, eos: string}} model texts of the first and the end token
 * @returns {Promise<string>} ends where the assistant's answer begins
 */
export async function renderChat(messages, { template, bos, eos }) {
  if (!template) throw new EdgeNetError('UNSUPPORTED', "the model's file has no chat template: use generate() with a prompt, or give { chatTemplate }");
  const { Template } = await import('./vendor/jinja.js').catch((e) => { throw asError(e, 'INTERNAL', 'the chat template interpreter did not load: '); });
  /** @type {(m: Message[]) => string} */
  const render = (m) => new Template(template).render({ messages: m, bos_token: bos, eos_token: eos, add_generation_prompt: true });
  try { return render(messages); } catch (e) {
    const folded = foldSystem(messages);
    if (folded.length !== messages.length) {
      try { return render(folded); } catch { /* the first reason is the one to tell */ }
    }
    throw asError(e, 'ARG', "the model's chat template refuses these messages: ");
  }
}
