/* inspect.c - edge-net inspect: what is in a GGUF file. Reads the head only, of any architecture. */
#include "source.h"
#include <math.h>

static const arg_option options[] = {{.name = "json", .help = "print one JSON object", .kind = ARG_FLAG}};
enum { SHOWN_ELEMENTS = 8, SHOWN_TEXT = 100 };

static const char *value_type_name(uint32_t type) {
  static const char *const names[] = {"u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};
  return type < EN_COUNT(names) ? names[type] : "?";
}

static void print_number(const en_value *v, uint64_t i, int json) {
  const double x = en_value_num(v, i);
  if (v->elem_type == EN_GGUF_BOOL) printf(x != 0 ? "true" : "false");
  else if (v->elem_type == EN_GGUF_U64) printf("%llu", (unsigned long long)en_rd64(v->at + 8 * i));
  else if (v->elem_type == EN_GGUF_I64) printf("%lld", (long long)en_rd64(v->at + 8 * i));
  else if (json && !isfinite(x)) printf("null");
  else printf(v->elem_type == EN_GGUF_F32 ? "%.9g" : "%.17g", x);
}

/* A string for people: cut, control bytes as '?'. */
static void print_text(const uint8_t *at, uint64_t n) {
  const uint64_t shown = EN_MIN(n, (uint64_t)SHOWN_TEXT);
  putchar('"');
  for (uint64_t i = 0; i < shown; i++) putchar(at[i] < 0x20 || at[i] == 0x7F ? '?' : at[i]);
  printf(n > shown ? "\" ... (%llu bytes)" : "\"", (unsigned long long)n);
}

static void print_string(const uint8_t *at, uint64_t n, int json) {
  if (json) cli_json_text(stdout, (const char *)at, (size_t)n);
  else print_text(at, n);
}

/* Arrays are told by their type, length and first elements: a vocabulary would bury the rest. */
static void print_value(const en_value *v, int json) {
  if (v->type == EN_GGUF_STR) { print_string(v->at, v->n, json); return; }
  if (v->type != EN_GGUF_ARR) { print_number(v, 0, json); return; }
  const uint64_t shown = EN_MIN(v->n, (uint64_t)SHOWN_ELEMENTS);
  printf(json ? "{\"array\":\"%s\",\"n\":%llu,\"first\":[" : "%s[%llu]", value_type_name(v->elem_type), (unsigned long long)v->n);
  const uint8_t *cursor = v->at;
  for (uint64_t i = 0; i < shown; i++) {
    printf(i ? json ? "," : ", " : json ? "" : " = ");
    uint64_t n;
    const char *text = v->elem_type == EN_GGUF_STR ? en_value_next_str(&cursor, &n) : NULL;
    if (text) print_string((const uint8_t *)text, n, json);
    else print_number(v, i, json);
  }
  printf(json ? "]}" : v->n > shown ? ", ..." : "");
}

static const char *type_name(int32_t type) {
  const char *name = en_gguf_type_name(type);
  return name ? name : "?";
}

static void print_tensor(const en_gguf_tensor *t, int json) {
  if (json) {
    printf("{\"name\":");
    cli_json_text(stdout, (const char *)t->name, t->name_bytes);
    printf(",\"type\":\"%s\",\"ne\":[", type_name(t->type));
    for (uint32_t d = 0; d < t->n_dims; d++) printf("%s%llu", d ? "," : "", (unsigned long long)t->ne[d]);
    printf("],\"offset\":%llu,\"bytes\":%llu}", (unsigned long long)t->offset, (unsigned long long)t->n_bytes);
    return;
  }
  printf("  %-40.*s %-6s", (int)t->name_bytes, (const char *)t->name, type_name(t->type));
  for (uint32_t d = 0; d < t->n_dims; d++) printf("%s%llu", d ? " x " : " ", (unsigned long long)t->ne[d]);
  printf("\n");
}

static void print_all(const en_gguf *g, int json) {
  printf(json ? "{\"version\":%u,\"alignment\":%u,\"file_bytes\":%llu,\"data_offset\":%llu,\"parameters\":%llu,\"main_type\":\"%s\",\"metadata\":{"
              : "GGUF version %u, alignment %u, %llu bytes, tensor data from %llu, %llu parameters, mostly %s\nmetadata:\n",
         g->version, g->alignment, (unsigned long long)g->file_bytes, (unsigned long long)g->data_offset, (unsigned long long)g->n_params, g->main_type < 0 ? "none" : type_name(g->main_type));
  for (uint64_t i = 0; i < g->n_kv; i++) {
    const en_gguf_kv *kv = g->kv + i;
    printf(json ? i ? "," : "" : "  ");
    if (json) cli_json_text(stdout, (const char *)kv->key, (size_t)kv->key_bytes);
    else printf("%.*s", (int)kv->key_bytes, (const char *)kv->key);
    printf(json ? ":" : ": ");
    print_value(&kv->value, json);
    if (!json) printf("\n");
  }
  printf(json ? "},\"tensors\":[" : "tensors (contiguous dimension first):\n");
  for (uint64_t i = 0; i < g->n_tensors; i++) {
    if (json && i) printf(",");
    print_tensor(g->tensors + i, json);
  }
  if (json) printf("]}\n");
}

static int run(const cli_args *a) {
  cli_source source;
  en_why why = {""};
  if (cli_source_open(&source, a->argv[0], 1, &why) != EN_OK) return cli_fail(a->argv[0], "%s", why.text);
  print_all(&source.g, args_given(a, 0));
  cli_source_close(&source);
  return 0;
}

const cli_command cli_command_inspect = {
    .name = "inspect", .operands = "FILE", .summary = "show metadata and tensors of a GGUF file",
    .options = options, .n_options = 1, .min_operands = 1, .max_operands = 1, .run = run};
