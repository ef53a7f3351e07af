/* grammar.h - a grammar for a command's text, from a file, a JSON schema or neither. */
#ifndef CLI_GRAMMAR_H
#define CLI_GRAMMAR_H
#include "cli.h"

typedef struct { en_grammar *grammar; void *lexicon_mem, *grammar_mem; } cli_grammar;
/* Of the three at most one is given: the path of a grammar, that of a schema, "any JSON". With none, out->grammar is NULL. cli_grammar_close in any case. */
int32_t cli_grammar_open(cli_grammar *out, const cli_model *m, const char *grammar, const char *schema, int any_json, en_why *why);
void cli_grammar_close(cli_grammar *g);
#endif
