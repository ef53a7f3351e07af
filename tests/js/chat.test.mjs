// @ts-check
// Chat templates as models bring them: no message is lost in silence, a system message finds a place, calls of tools are passed through.
import test from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fixture, needs } from './support/env.mjs';
import { checkMessages, renderChat } from '../../js-glue/chat.js';

const folder = fixture('data/chat-templates');
/** @type {[string, string][]} name, Jinja text */
const templates = folder ? [
  ...readFileSync(path.join(folder, 'ollama/templates.jsonl'), 'utf8').trim().split('\n').flatMap((line, i) => Object.entries(JSON.parse(line)).map(([name, text]) => /** @type {[string, string]} */ ([`${i} ${name}`, text]))),
  ...readdirSync(path.join(folder, 'mistral')).map((name) => /** @type {[string, string]} */ ([name, readFileSync(path.join(/** @type {string} */ (folder), 'mistral', name), 'utf8')])),
] : [];
/** @param {unknown} messages @param {string} template @param {readonly object[]} [tools] */
const render = (messages, template, tools) => renderChat(checkMessages(messages), { template, bos: '<s>', eos: '</s>', tools });
const squeezed = (/** @type {string} */ s) => s.replace(/\s+/g, '');

const USER = { role: 'user', content: "I'd like to show off how chat templating works!" };
const TURNS = [{ role: 'user', content: 'Hello, how are you?' }, { role: 'assistant', content: "I'm doing great. How can I help you today?" }, USER];
const SYSTEM = { role: 'system', content: 'You are a helpful assistant.' };
const CALL = [{ role: 'user', content: 'How warm is it in Rome?' }, { role: 'assistant', content: null, tool_calls: [{ id: 'abc123xyz', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } }] }, { role: 'tool', tool_call_id: 'abc123xyz', name: 'weather', content: '{"celsius": 31}' }];

test('every published template: all that user, system and assistant said is in the prompt, in order', needs(folder), async () => {
  assert.ok(templates.length >= 60);
  for (const [name, template] of templates) {
    for (const messages of [[USER], TURNS, [SYSTEM, ...TURNS]]) {
      const prompt = await render(messages, template);
      let at = 0;
      for (const { role, content } of messages) { // some put what the system says before the last question
        at = prompt.indexOf(content, role === 'system' ? 0 : at);
        if (role === 'system') at = Math.min(at, 0);
        assert.ok(at >= 0, `${name}: "${content}" is missing or out of order in ${prompt}`);
      }
    }
  }
});

test('where a published rendering uses the same marks, ours is the same but for blanks', needs(folder), async () => {
  let same = 0;
  for (const [name, template] of templates) {
    const golden = path.join(String(folder), 'ollama', `${name.split(' ')[1]}.gotmpl`);
    if (!existsSync(golden)) continue;
    const wanted = squeezed(readFileSync(path.join(golden, 'system-user-assistant-user'), 'utf8'));
    same += Number(squeezed(await render([SYSTEM, ...TURNS], template)) === wanted);
  }
  console.log(`  ${same} renderings are equal`);
  assert.ok(same >= 13, String(same));
});

test("every published template: a tool's answer is in the prompt with its call, or it is an error that says so", needs(folder), async () => {
  let passed = 0;
  for (const [name, template] of templates) {
    const prompt = await render(CALL, template).catch((e) => { assert.match(e.message, /chat template (leaves out messages\[\d\]|refuses)/, name); });
    if (!prompt) continue;
    passed++;
    assert.ok(squeezed(prompt).includes('31') && prompt.includes('weather') && prompt.includes('Rome'), `${name}: ${prompt}`);
  }
  assert.ok(passed >= 20, String(passed));
});

test('tools are told to the template; arguments reach it as an object', async () => {
  const template = "{% for t in tools %}{{ t.function.name }};{% endfor %}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.name }}({{ c.function.arguments.city }}){% endfor %}{% endfor %}";
  assert.equal(await render(CALL, template, [{ type: 'function', function: { name: 'weather' } }]), 'weather;[user]How warm is it in Rome?[assistant]weather(Rome)[tool]{"celsius": 31}');
});

test('a system message without a place is folded into the question, also where a template drops it in silence', async () => {
  assert.equal(await render([SYSTEM, USER], "{% for m in messages %}{% if m.role == 'user' %}[{{ m.content }}]{% endif %}{% endfor %}"), `[${SYSTEM.content}\n\n${USER.content}]`);
  await assert.rejects(render([USER], 'Nothing.'), { code: 'ARG', message: /leaves out messages\[0\], of the role "user"/ });
});

test('messages that are none are refused by name', async () => {
  for (const [messages, message] of /** @type {const} */ ([[7, /messages must be an array/], [[{ role: 'user' }], /messages\[0\]/], [[{ role: 'user', content: 5 }], /messages\[0\]/], [[{ role: 'assistant', tool_calls: 'x' }], /messages\[0\]\.tool_calls must/],
    [[{ role: 'assistant', tool_calls: [{}] }], /tool_calls\[0\]/], [[{ role: 'assistant', tool_calls: [{ function: { name: 'f', arguments: '{' } }] }], /arguments must be an object/]])) assert.throws(() => checkMessages(messages), { code: 'ARG', message });
});
