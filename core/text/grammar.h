/* grammar.h - what a text must look like, byte by byte: the parts of constrained generation.
 *
 *   program.c   the program that a grammar becomes
 *   gbnf.c      grammars as text -> program
 *   schema.c    JSON schemas -> program
 *   lexicon.c   the vocabulary in an order in which tokens that begin alike stand together
 *   grammar.c   runs a program beside a text, and says which tokens may come next
 *
 * A program is a recursive transition network (Woods 1970) over bytes: ranges to match, splits, jumps, calls of rules. Jumps are relative and calls go by
 * number, so a piece of code may be moved and copied. */
#ifndef EN_GRAMMAR_H
#define EN_GRAMMAR_H
#include "../format/json.h"
#include "text.h"

enum { EN_MAX_CODE = 1 << 15, EN_MAX_RULES = 1024 };
typedef enum { EN_OP_RANGE, EN_OP_SPLIT, EN_OP_JUMP, EN_OP_CALL, EN_OP_RETURN } en_code_op;
typedef struct {
  int32_t to;         /* split: go on here as well; jump: instead of to the next; both from here on. call: the rule */
  uint8_t op, lo, hi; /* range: a byte lo..hi, then the next instruction */
} en_instruction;
typedef struct { const char *name; size_t n; int32_t start; /* -1: not defined yet */ } en_rule;
typedef struct {
  en_instruction *code; /* [EN_MAX_CODE] */
  en_rule *rules;       /* [EN_MAX_RULES] names point into the sources */
  uint32_t n_code, n_rules;
  int32_t status;       /* of the first failure; after it nothing is added any more */
  en_why *why;
} en_program;

/* ---- program.c ---- */
uint32_t en_program_add(en_program *p, en_code_op op, int32_t to); /* its place */
void en_program_range(en_program *p, uint32_t lo, uint32_t hi);
void en_program_bytes(en_program *p, const char *s, size_t n);
void en_program_target(en_program *p, uint32_t at, uint32_t to);    /* of a jump or split, afterwards */
void en_program_repeat(en_program *p, uint32_t from, uint32_t min, uint32_t max); /* all code from there on; EN_NO_LIMIT: as often as one likes */
#define EN_NO_LIMIT UINT32_MAX
/* Alternatives: begin, then add code and call next before every further one, then end. */
typedef struct { uint32_t start, jumps; } en_choice;
en_choice en_choice_begin(const en_program *p);
void en_choice_next(en_program *p, en_choice *c);
void en_choice_end(en_program *p, const en_choice *c);
int32_t en_program_rule(en_program *p, const char *name, size_t n); /* its number; made, undefined, when it is new */
void en_program_call(en_program *p, const char *name, size_t n);
int32_t en_program_check(en_program *p); /* the status; every rule must be defined */

/* ---- gbnf.c, schema.c: status and why are the program's ---- */
void en_gbnf_compile(en_program *p, const char *text, size_t n);
void en_schema_compile(en_program *p, const char *text, size_t n); /* rule "root" is the schema */

/* ---- lexicon.c ---- */
struct en_lexicon {
  const en_tokenizer *t;
  int32_t *ids;                /* [n] tokens that stand for text, ends left out, ordered by text */
  struct { uint16_t shared, n; } *length; /* [n] bytes, and how many of them are those of the token before */
  uint8_t *rest;               /* of all tokens one after another: the bytes that are not shared */
  uint32_t n;
};
#endif
