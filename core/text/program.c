/* program.c - see grammar.h. Code is added at the end; what has to stand before code that is there already (a split before the thing
 * that turns out to be repeated or to have an alternative) moves it up by one. */
#include "grammar.h"

static int has_room(en_program *p, uint64_t n) {
  if (p->status == EN_OK && p->n_code + n > EN_MAX_CODE) p->status = en_fail(p->why, EN_E_FULL, "the grammar is too large: its program has more than %d steps", EN_MAX_CODE);
  return p->status == EN_OK;
}

uint32_t en_program_add(en_program *p, en_code_op op, int32_t to) {
  if (!has_room(p, 1)) return 0;
  p->code[p->n_code] = (en_instruction){.to = to, .op = (uint8_t)op};
  return p->n_code++;
}

void en_program_range(en_program *p, uint32_t lo, uint32_t hi) {
  const uint32_t at = en_program_add(p, EN_OP_RANGE, 0);
  if (p->status != EN_OK) return;
  p->code[at].lo = (uint8_t)lo;
  p->code[at].hi = (uint8_t)hi;
}

void en_program_bytes(en_program *p, const char *s, size_t n) {
  for (size_t i = 0; i < n; i++) en_program_range(p, (uint8_t)s[i], (uint8_t)s[i]);
}

void en_program_target(en_program *p, uint32_t at, uint32_t to) {
  if (p->status == EN_OK) p->code[at].to = (int32_t)to - (int32_t)at;
}

static void add_before(en_program *p, uint32_t from, en_code_op op, int32_t to) {
  if (!has_room(p, 1)) return;
  memmove(p->code + from + 1, p->code + from, (p->n_code - from) * sizeof *p->code);
  p->code[from] = (en_instruction){.to = to, .op = (uint8_t)op};
  p->n_code++;
}

static void copy(en_program *p, uint32_t from, uint32_t n) {
  if (!has_room(p, n)) return;
  memcpy(p->code + p->n_code, p->code + from, n * sizeof *p->code);
  p->n_code += n;
}

void en_program_repeat(en_program *p, uint32_t from, uint32_t min, uint32_t max) {
  const uint32_t n = p->n_code - from;
  const uint64_t times = max == EN_NO_LIMIT ? min : max;
  if (!has_room(p, times * ((uint64_t)n + 1))) return;
  if (!max) { p->n_code = from; return; }
  if (!min) add_before(p, from, EN_OP_SPLIT, (int32_t)(max == EN_NO_LIMIT ? n + 2 : times * (n + 1)));
  if (max == EN_NO_LIMIT) {
    for (uint32_t i = 1; i < min; i++) copy(p, from, n);
    if (min) en_program_add(p, EN_OP_SPLIT, 2);
    en_program_add(p, EN_OP_JUMP, -(int32_t)n - 1);
    return;
  }
  for (uint32_t i = 1; i < max; i++) { /* those that may be missing each have a way to the end of all */
    if (i >= min) en_program_add(p, EN_OP_SPLIT, (int32_t)((max - i) * (n + 1)));
    copy(p, from + !min, n);
  }
}

en_choice en_choice_begin(const en_program *p) { return (en_choice){p->n_code, 0}; }

/* The jumps to the end are linked by their targets until the end is known: `jumps` is the last one's place + 1. */
void en_choice_next(en_program *p, en_choice *c) {
  add_before(p, c->start, EN_OP_SPLIT, (int32_t)(p->n_code - c->start) + 2);
  const uint32_t jump = en_program_add(p, EN_OP_JUMP, (int32_t)c->jumps);
  *c = (en_choice){p->n_code, jump + 1};
}

void en_choice_end(en_program *p, const en_choice *c) {
  for (uint32_t jump = c->jumps; jump && p->status == EN_OK;) {
    const uint32_t at = jump - 1;
    jump = (uint32_t)p->code[at].to;
    en_program_target(p, at, p->n_code);
  }
}

int32_t en_program_rule(en_program *p, const char *name, size_t n) {
  for (uint32_t i = 0; i < p->n_rules; i++)
    if (p->rules[i].n == n && !memcmp(p->rules[i].name, name, n)) return (int32_t)i;
  if (p->n_rules == EN_MAX_RULES) {
    if (p->status == EN_OK) p->status = en_fail(p->why, EN_E_FULL, "the grammar has more than %d rules", EN_MAX_RULES);
    return 0;
  }
  p->rules[p->n_rules] = (en_rule){.name = name, .n = n, .start = -1};
  return (int32_t)p->n_rules++;
}

void en_program_call(en_program *p, const char *name, size_t n) { en_program_add(p, EN_OP_CALL, en_program_rule(p, name, n)); }

int32_t en_program_check(en_program *p) {
  for (uint32_t i = 0; p->status == EN_OK && i < p->n_rules; i++)
    if (p->rules[i].start < 0) return en_fail(p->why, EN_E_FORMAT, "the grammar's rule %S is used and not defined", p->rules[i].n, p->rules[i].name);
  return p->status;
}
