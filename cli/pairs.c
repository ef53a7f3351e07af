/* pairs.c - see pairs.h. */
#include "pairs.h"
#include "../core/base/base.h"
#include "json.h"
#include <stdlib.h>
#include <string.h>

static int reserve(cli_pairs *p, size_t n_ids) {
  if (p->cap_samples < (size_t)p->n + 2) {
    p->cap_samples = ((size_t)p->n + 2) * 2;
    size_t *more = realloc(p->start, p->cap_samples * sizeof *more);
    if (!more) return 0;
    p->start = more;
    float *scores = realloc(p->score, p->cap_samples * sizeof *scores);
    if (!scores) return 0;
    p->score = scores;
  }
  const size_t used = p->n ? p->start[p->n] : 0;
  if (p->cap_ids >= used + n_ids) return 1;
  p->cap_ids = (used + n_ids) * 2;
  int32_t *ids = realloc(p->ids, p->cap_ids * sizeof *ids);
  if (ids) p->ids = ids;
  float *weight = ids ? realloc(p->weight, p->cap_ids * sizeof *weight) : NULL;
  if (weight) p->weight = weight;
  return weight != NULL;
}

/* 1: the tokenizer puts a space before every text. Seen from outside: decoded in the middle of a text, a lone letter has one. */
static int adds_space(const cli_model *m) {
  char text[32];
  size_t n = 0, n_bytes = 0;
  int32_t *ids = cli_encode(m, "a", 1, 0, &n);
  const int found = ids && en_decode(m->tokenizer, ids, n, 0, 0, text, sizeof text, &n_bytes) == EN_OK && n_bytes && text[0] == ' ';
  free(ids);
  return found;
}

/* Tokens of a member's text; NULL: why not. skip_space: leave out one space that it begins with. */
static int32_t *tokens_of(const cli_model *m, const json *j, uint32_t node, int32_t flags, int skip_space, size_t *n, en_why *why) {
  const size_t cap = (size_t)j->nodes[node].n_bytes + 1;
  char *text = malloc(cap);
  int32_t *ids = NULL;
  if (!text) en_fail(why, EN_E_NOMEM, "no memory for its text");
  else if (!json_string(j, node, text, cap)) en_fail(why, EN_E_ARG, "a text holds a NUL character");
  else {
    const size_t from = skip_space && *text == ' ';
    ids = cli_encode(m, text + from, strlen(text + from), flags, n);
    if (!ids) en_fail(why, EN_E_ARG, "its text cannot be tokenized");
  }
  free(text);
  return ids;
}

/* Prompt (may be NULL) and answer as one sample. */
static int add_sample(cli_pairs *p, const cli_model *m, const int32_t *prompt, size_t n_prompt, const int32_t *answer, size_t n_answer, const cli_pairs_spec *spec, en_why *why) {
  const int32_t eos = spec->no_end || !m->info.has_logits ? -1 : en_tokenizer_special(m->tokenizer)->eos;
  const size_t n_all = n_prompt + n_answer + (eos >= 0), n = EN_MIN(n_all, (size_t)spec->max_length);
  if (!reserve(p, n)) return en_fail(why, EN_E_NOMEM, "no memory for the training data"), 0;
  if (!p->n) p->start[0] = 0;
  int32_t *ids = p->ids + p->start[p->n];
  float *weight = p->weight + p->start[p->n];
  size_t targets = 0;
  for (size_t i = 0; i < n; i++) {
    ids[i] = i < n_prompt ? prompt[i] : i < n_prompt + n_answer ? answer[i - n_prompt] : eos;
    weight[i] = i >= n_prompt ? 1 : 0;
    targets += i >= n_prompt && i > 0; /* the first token has nothing before it to be predicted from */
  }
  p->n_cut += n < n_all;
  if (!targets) { p->n_dropped++; return 1; }
  p->n_targets += targets;
  p->longest = EN_MAX(p->longest, (uint32_t)n);
  p->start[p->n + 1] = p->start[p->n] + n;
  p->score[p->n++] = 0;
  return 1;
}

/* What is longer is cut, but its last token, which closes a text, stays. */
static size_t cut(cli_pairs *p, int32_t *ids, size_t n, uint32_t most) {
  if (n <= most) return n;
  ids[most - 1] = ids[n - 1];
  p->n_cut++;
  return most;
}

static int add_pair(cli_pairs *p, const cli_model *m, const json *j, uint32_t input, uint32_t output, const cli_pairs_spec *spec, en_why *why) {
  const int32_t ends = EN_TOK_BOS | EN_TOK_EOS;
  const uint32_t before = p->n;
  size_t n_first = 0, n_second = 0;
  double score = 0;
  if (spec->scored && (!json_number(j, json_get(j, 0, "score"), &score) || !(score >= -1 && score <= 1))) return en_fail(why, EN_E_ARG, "\"score\" must be a number from -1 to 1"), 0;
  int32_t *first = tokens_of(m, j, input, ends, 0, &n_first, why), *second = first ? tokens_of(m, j, output, ends, 0, &n_second, why) : NULL;
  if (second) {
    n_first = cut(p, first, n_first, spec->max_length);
    n_second = cut(p, second, n_second, spec->max_length);
  }
  const int empty = second && (!n_first || !n_second);
  if (empty) en_fail(why, EN_E_ARG, "a text of the pair has no tokens");
  const int ok = second && !empty && add_sample(p, m, first, n_first, second, n_second, &(cli_pairs_spec){.max_length = UINT32_MAX, .no_end = 1}, why);
  if (ok && p->n > before) p->score[before] = (float)score;
  free(first);
  free(second);
  return ok;
}

static int add_line(cli_pairs *p, const cli_model *m, const json *j, const cli_pairs_spec *spec, int skip_space, en_why *why) {
  const uint32_t text = json_get(j, 0, "text"), input = json_get(j, 0, "input"), output = json_get(j, 0, "output");
  const int whole = json_kind_of(j, text) == JSON_STRING && input == JSON_NONE && output == JSON_NONE;
  size_t n_prompt = 0, n_answer = 0;
  if (!whole && (json_kind_of(j, input) != JSON_STRING || json_kind_of(j, output) != JSON_STRING)) return en_fail(why, EN_E_ARG, "neither \"input\" and \"output\" nor \"text\" are there as strings"), 0;
  if (spec->apart) return whole ? en_fail(why, EN_E_ARG, "this loss learns from pairs: \"input\" and \"output\""), 0 : add_pair(p, m, j, input, output, spec, why);
  int32_t *prompt = whole ? NULL : tokens_of(m, j, input, EN_TOK_BOS | EN_TOK_SPECIAL, 0, &n_prompt, why);
  int32_t *answer = whole || prompt ? tokens_of(m, j, whole ? text : output, whole ? EN_TOK_BOS | EN_TOK_SPECIAL | (m->info.has_logits ? 0 : EN_TOK_EOS) : EN_TOK_SPECIAL, !whole && skip_space, &n_answer, why) : NULL;
  const int ok = answer && add_sample(p, m, prompt, n_prompt, answer, n_answer, spec, why);
  free(prompt);
  free(answer);
  return ok;
}

int cli_pairs_read(cli_pairs *out, const cli_model *m, const char *path, const cli_pairs_spec *spec) {
  size_t n_bytes, line = 0;
  int ok = 1;
  en_why why = {""};
  *out = (cli_pairs){0};
  char *text = cli_read_file(path, &n_bytes);
  if (!text) return 0;
  const int skip_space = adds_space(m);
  for (const char *p = text, *end = text + n_bytes; ok && p < end;) {
    const char *newline = memchr(p, '\n', (size_t)(end - p)), *stop = newline ? newline : end, *error;
    size_t at;
    json j;
    line++;
    if (strspn(p, " \t\r") < (size_t)(stop - p)) { /* not an empty line */
      if (!json_read(&j, p, (size_t)(stop - p), &error, &at)) ok = (en_fail(&why, EN_E_FORMAT, "%s, at byte %z of it", error, (uint64_t)at), 0);
      else {
        ok = add_line(out, m, &j, spec, skip_space, &why);
        json_free(&j);
      }
    }
    p = newline ? newline + 1 : end;
  }
  free(text);
  if (!ok) cli_fail(path, "line %zu: %s", line, why.text);
  else if (!out->n) ok = (cli_fail(path, out->n_dropped ? "no line has a token to learn within --max-length" : "it has no lines"), 0);
  if (!ok) { cli_pairs_free(out); return 0; }
  out->hash = en_hash64(EN_HASH64, out->ids, out->start[out->n] * sizeof *out->ids);
  out->hash = en_hash64(out->hash, out->weight, out->start[out->n] * sizeof *out->weight);
  for (uint32_t i = 0; i < out->n; i++) out->hash = en_hash64(out->hash, &(uint64_t){out->start[i]}, sizeof(uint64_t));
  out->hash = en_hash64(out->hash, out->score, out->n * sizeof *out->score);
  return 1;
}

void cli_pairs_free(cli_pairs *p) {
  free(p->ids);
  free(p->weight);
  free(p->start);
  free(p->score);
  *p = (cli_pairs){0};
}
