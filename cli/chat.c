/* chat.c - the well-known chat templates: how to tell them apart and what they put around a user's turn. The first match counts. */
#include "chat.h"
#include <stdlib.h>
#include <string.h>

typedef struct { const char *name, *has, *has_too, *before, *after; } chat_template;
static const chat_template templates[] = {
    {"chatml", "<|im_start|>", NULL, "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"},
    {"llama3", "<|start_header_id|>", NULL, "<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
    {"gemma", "<start_of_turn>", NULL, "<start_of_turn>user\n", "<end_of_turn>\n<start_of_turn>model\n"},
    {"phi3", "<|assistant|>", "<|end|>", "<|user|>\n", "<|end|>\n<|assistant|>\n"},
    {"zephyr", "<|assistant|>", "<|user|>", "<|user|>\n", "</s>\n<|assistant|>\n"},
    {"llama2", "[INST]", "<<SYS>>", "[INST] ", " [/INST]"},
    {"mistral", "[INST]", NULL, "[INST] ", " [/INST]"},
};

static int contains(const en_value *v, const char *word) {
  const size_t n = strlen(word);
  for (uint64_t i = 0; i + n <= v->n; i++)
    if (!memcmp(v->at + i, word, n)) return 1;
  return 0;
}

char *cli_chat_prompt(const cli_model *m, const char *user) {
  en_value v;
  if (en_meta(m->model, "tokenizer.chat_template", &v) != EN_OK || v.type != EN_GGUF_STR) {
    cli_fail(m->path, "--chat: the file has no chat template");
    return NULL;
  }
  for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
    const chat_template *t = templates + i;
    if (!contains(&v, t->has) || (t->has_too && !contains(&v, t->has_too))) continue;
    const size_t n = strlen(t->before) + strlen(user) + strlen(t->after) + 1;
    char *prompt = malloc(n);
    if (prompt) snprintf(prompt, n, "%s%s%s", t->before, user, t->after);
    else cli_fail(m->path, "no memory for the prompt");
    return prompt;
  }
  cli_fail(m->path, "--chat: its chat template is not one that this command knows; see edge-net run --help");
  return NULL;
}
