/* grammar.c - see grammar.h. */
#include "grammar.h"
#include <stdlib.h>

int32_t cli_grammar_open(cli_grammar *out, const cli_model *m, const char *grammar, const char *schema, int any_json, en_why *why) {
  *out = (cli_grammar){0};
  if (!grammar && !schema && !any_json) return EN_OK;
  if ((grammar != NULL) + (schema != NULL) + any_json > 1) return en_fail(why, EN_E_ARG, "of --grammar, --json-schema and --json-only one can be given");
  size_t n_text = 2;
  en_why inner = {""};
  const char *option = grammar ? "grammar" : schema ? "json-schema" : "json-only", *path = grammar ? grammar : schema;
  char *file = path ? cli_read_file_why(path, &n_text, &inner) : NULL;
  if (path && !file) return en_fail(why, EN_E_ARG, "--%s: %s: %s", option, path, inner.text);
  en_lexicon *lexicon;
  const size_t n_lexicon = en_lexicon_bytes(m->tokenizer);
  int32_t status = (out->lexicon_mem = cli_alloc(n_lexicon)) ? en_lexicon_init(&lexicon, out->lexicon_mem, n_lexicon, m->tokenizer) : EN_E_NOMEM;
  if (status == EN_OK) {
    const size_t n_grammar = en_grammar_bytes(lexicon);
    out->grammar_mem = cli_alloc(n_grammar);
    status = en_grammar_init(&out->grammar, out->grammar_mem, out->grammar_mem ? n_grammar : 0, lexicon, grammar ? EN_GRAMMAR_GBNF : EN_GRAMMAR_SCHEMA, file ? file : "{}", n_text, &inner);
    if (status != EN_OK) en_fail(why, status, "--%s: %s%s%s", option, path ? path : "", path ? ": " : "", inner.text[0] ? inner.text : en_status_name(status));
  } else {
    en_fail(why, status, "no memory for the ordered vocabulary");
  }
  free(file);
  return status;
}

void cli_grammar_close(cli_grammar *g) {
  free(g->grammar_mem);
  free(g->lexicon_mem);
}
