// @ts-check
// Messages -> prompt, with the template that the model's file brings. The Jinja interpreter is loaded on the first chat only. Templates leave out silently what
// they do not know; a message that would be lost is folded into another one, or it is an error.
import { EdgeNetError, asError } from './errors.js';

/**
 * @typedef {{id?: string, type?: 'function', function: {name: string, arguments: object | string}}} ToolCall arguments: an object, or its JSON text
 * @typedef {object} Message
 * @property {'system' | 'user' | 'assistant' | 'tool' | (string & {})} role
 * @property {string | null} content null or '' beside tool_calls
 * @property {readonly ToolCall[]} [tool_calls] of an assistant
 * @property {string} [tool_call_id] of a tool's answer
 * @property {string} [name] of the tool
 * @typedef {Omit<Message, 'content'> & {content: string}} Checked
 */

/** @param {string} what @param {string} rule @returns {never} */
function wrong(what, rule) { throw new EdgeNetError('ARG', `${what} must ${rule}`, { detail: { option: what } }); }

/** @param {unknown} input @returns {Checked[]} */
export function checkMessages(input) {
  if (!Array.isArray(input) || !input.length) wrong('messages', 'be an array of { role, content } with at least one message');
  return /** @type {any[]} */ (input).map((m, i) => {
    const { role, content, tool_calls: calls, tool_call_id, name } = m ?? {};
    if (typeof role !== 'string' || typeof (content ?? (calls ? '' : null)) !== 'string') wrong(`messages[${i}]`, 'have a role and a content, both strings');
    if (calls !== undefined && !Array.isArray(calls)) wrong(`messages[${i}].tool_calls`, 'be an array');
    return { role, content: content ?? '', ...(calls && { tool_calls: calls.map((/** @type {any} */ call, /** @type {number} */ k) => checkCall(call, `messages[${i}].tool_calls[${k}]`)) }), ...(tool_call_id === undefined ? {} : { tool_call_id }), ...(name === undefined ? {} : { name }) };
  });
}
/** Templates want the arguments as an object. @param {any} call @param {string} what @returns {ToolCall} */
function checkCall(call, what) {
  if (typeof call?.function?.name !== 'string') wrong(what, 'have a function with a name');
  let { arguments: args = {} } = call.function;
  try { if (typeof args === 'string') args = JSON.parse(args); } catch { wrong(`${what}.function.arguments`, 'be an object or its JSON text'); }
  return { ...call, type: 'function', function: { ...call.function, arguments: args } };
}

/** System messages merged into the next user message, for templates that know no system role. @param {readonly Checked[]} messages */
function foldSystem(messages) {
  /** @type {Checked[]} */ const out = [];
  let held = '';
  for (const m of messages) {
    if (m.role === 'system') held += `${m.content}\n\n`;
    else if (m.role === 'user' && held) { out.push({ role: 'user', content: held + m.content }); held = ''; } else out.push(m);
  }
  if (held) out.push({ role: 'user', content: held.trimEnd() });
  return out;
}

/**
 * The first message that is not in the prompt, -1: none. What an assistant said may be shortened (templates cut its reasoning), and what tools did before the
 * last question too. @param {string} prompt @param {readonly Checked[]} messages
 */
function lost(prompt, messages) {
  const squeezed = (/** @type {string} */ s) => s.replace(/\s+/g, '');
  const all = squeezed(prompt), now = messages.map((m) => m.role).lastIndexOf('user');
  const there = (/** @type {string} */ s) => all.includes(squeezed(s)) || all.includes(squeezed(JSON.stringify(s.trim()).slice(1, -1)));
  return messages.findIndex(({ role, content, tool_calls: calls = [] }, i) => {
    if (role === 'assistant') return i > now && !calls.every((call) => there(call.function.name));
    return (role === 'system' || role === 'user' || i > now) && !there(content);
  });
}

/**
 * @param {readonly Checked[]} messages @param {{template: string | undefined, bos: string, eos: string, tools?: readonly object[]}} model texts of the first and the end token; tools: what it may call, as JSON schemas
 * @returns {Promise<string>} ends where the assistant's answer begins
 */
export async function renderChat(messages, { template, bos, eos, tools }) {
  if (!template) throw new EdgeNetError('UNSUPPORTED', "the model's file has no chat template: use generate() with a prompt, or give { chatTemplate }");
  const { Template } = await import('./vendor/jinja.js').catch((e) => { throw asError(e, 'INTERNAL', 'the chat template interpreter did not load: '); });
  /** @type {Error | null} */ let first = null; // the reason to tell
  const folded = foldSystem(messages);
  for (const form of folded.length === messages.length ? [messages] : [messages, folded]) {
    try {
      const prompt = new Template(template).render({ messages: form, bos_token: bos, eos_token: eos, add_generation_prompt: true, ...(tools && { tools }) });
      const i = lost(prompt, messages);
      if (i < 0) return prompt;
      throw new EdgeNetError('ARG', `the model's chat template leaves out messages[${i}], of the role "${messages[i].role}"`, { detail: { option: `messages[${i}]` } });
    } catch (e) { first ??= asError(e, 'ARG', "the model's chat template refuses these messages: "); }
  }
  throw first;
}
