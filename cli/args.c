/* args.c - reads a command line against its table of options, and prints the help from the same table. */
#include "args.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *dashes(const arg_option *o) { return o->name[1] ? "--" : "-"; }

static double option_min(const arg_option *o) { return o->flags & ARG_PARAM ? en_param(o->param)->min : o->min; }
static double option_max(const arg_option *o) { return o->flags & ARG_PARAM ? en_param(o->param)->max : o->max; }
static double option_fallback(const arg_option *o) { return o->flags & ARG_PARAM ? en_param(o->param)->dflt : o->fallback; }
static const char *option_help(const arg_option *o) { return o->flags & ARG_PARAM ? en_param(o->param)->text : o->help; }

static int complain(const char *format, ...) {
  va_list list;
  va_start(list, format);
  fputs("edge-net: ", stderr);
  vfprintf(stderr, format, list);
  fputs("\n", stderr);
  va_end(list);
  return 0;
}

static int bad_value(const arg_option *o, const char *text, size_t n_bytes) {
  const char *what = o->kind == ARG_NUMBER ? "a number" : "a whole number";
  const int digits = o->kind == ARG_NUMBER ? 15 : 17; /* whole numbers to the last one, of others not what a double makes of them */
  return complain("%s%s '%.*s': must be %s from %.*g to %.*g", dashes(o), o->name, (int)n_bytes, text, what, digits, option_min(o), digits, option_max(o));
}

/* One number of n_bytes; nothing may follow it. */
static int read_number(const arg_option *o, const char *text, size_t n_bytes, double *out) {
  char copy[64], *end = copy;
  if (n_bytes == 0 || n_bytes >= sizeof copy) return bad_value(o, text, n_bytes);
  memcpy(copy, text, n_bytes);
  copy[n_bytes] = 0;
  errno = 0;
  const double v = strtod(copy, &end);
  const int whole = o->kind == ARG_NUMBER || v == floor(v);
  if (*end || end == copy || errno == ERANGE || !(v >= option_min(o) && v <= option_max(o)) || !whole) return bad_value(o, text, n_bytes);
  *out = v;
  return 1;
}

static int read_ints(const arg_option *o, const char *text, arg_value *v) {
  size_t n = 1;
  for (const char *p = text; *p; p++) n += *p == ',';
  free(v->ints);
  v->n_ints = 0;
  v->ints = malloc(n * sizeof *v->ints);
  if (!v->ints) return complain("%s%s: no memory for %zu numbers", dashes(o), o->name, n);
  for (const char *p = text;; p++) {
    const size_t len = strcspn(p, ",");
    double number;
    if (!read_number(o, p, len, &number)) return 0;
    v->ints[v->n_ints++] = (int32_t)number;
    p += len;
    if (!*p) return 1;
  }
}

/* The option that an argument names; *value: the text after '=', or NULL. */
static int find_option(const cli_command *c, const char *arg, const char **value) {
  const char *name = arg + (arg[1] == '-' ? 2 : 1);
  const size_t n = strcspn(name, "=");
  *value = name[n] ? name + n + 1 : NULL;
  for (int i = 0; i < c->n_options; i++)
    if (strlen(c->options[i].name) == n && !memcmp(c->options[i].name, name, n) && (n > 1) == (arg[1] == '-')) return i;
  return -1;
}

static int take(cli_args *a, int i, const char *text) {
  const arg_option *o = a->command->options + i;
  arg_value *v = a->values + i;
  v->given++;
  if (o->kind == ARG_FLAG) { v->number = 1; return 1; }
  v->text = text;
  if (o->kind == ARG_TEXTS) {
    const char **more = realloc(v->texts, (size_t)v->given * sizeof *more);
    if (!more) return complain("no memory for the arguments");
    v->texts = more;
    more[v->given - 1] = text;
    return 1;
  }
  if (o->kind == ARG_INTS) return read_ints(o, text, v);
  return o->kind == ARG_TEXT || read_number(o, text, strlen(text), &v->number);
}

static int read_all(cli_args *a, int argc, char **argv) {
  const cli_command *c = a->command;
  int only_operands = 0;
  for (int i = 0; i < argc; i++) {
    const char *value;
    if (only_operands || argv[i][0] != '-' || !argv[i][1]) { a->argv[a->n_operands++] = argv[i]; continue; }
    if (!strcmp(argv[i], "--")) { only_operands = 1; continue; }
    const int at = find_option(c, argv[i], &value);
    if (at < 0) return complain("%s: %s has no such option; see edge-net %s --help", argv[i], c->name, c->name);
    const arg_option *o = c->options + at;
    if (o->kind == ARG_FLAG && value) return complain("%s%s takes no value", dashes(o), o->name);
    if (o->kind != ARG_FLAG && !value) {
      if (++i == argc) return complain("%s%s: a value must follow (%s)", dashes(o), o->name, o->value);
      value = argv[i];
    }
    if (!take(a, at, value)) return 0;
  }
  for (int i = 0; i < c->n_options; i++)
    if (c->options[i].flags & ARG_REQUIRED && !a->values[i].given) return complain("%s needs %s%s %s; see edge-net %s --help", c->name, dashes(c->options + i), c->options[i].name, c->options[i].value, c->name);
  if (a->n_operands < c->min_operands) return complain("%s needs %s; see edge-net %s --help", c->name, c->operands, c->name);
  if (c->max_operands >= 0 && a->n_operands > c->max_operands) return complain("%s: one argument too many; see edge-net %s --help", a->argv[c->max_operands], c->name);
  return 1;
}

int args_read(cli_args *a, const cli_command *command, int argc, char **argv) {
  *a = (cli_args){.command = command, .argv = argv};
  a->values = calloc((size_t)command->n_options + 1, sizeof *a->values);
  if (!a->values) return complain("no memory for the arguments");
  for (int i = 0; i < command->n_options; i++) a->values[i].number = option_fallback(command->options + i);
  if (read_all(a, argc, argv)) return 1;
  args_free(a);
  return 0;
}

void args_free(cli_args *a) {
  for (int i = 0; a->values && i < a->command->n_options; i++) {
    free(a->values[i].ints);
    free(a->values[i].texts);
  }
  free(a->values);
  a->values = NULL;
}

void args_help(const cli_command *c) {
  printf("usage: edge-net %s %s%s\n\n%s\n", c->name, c->operands, c->n_options ? " [options]" : "", c->summary);
  for (int i = 0; i < c->n_options; i++) {
    const arg_option *o = c->options + i;
    char left[64];
    snprintf(left, sizeof left, "%s%s%s%s", dashes(o), o->name, o->value ? " " : "", o->value ? o->value : "");
    printf("%s  %-22s %s", i ? "" : "\n", left, option_help(o));
    if (o->flags & ARG_REQUIRED) printf(" (required)");
    else if (o->flags & ARG_PARAM || ((o->kind == ARG_INT || o->kind == ARG_NUMBER) && o->fallback != 0)) printf(" (default %.15g)", option_fallback(o));
    printf("\n");
  }
  if (c->notes) printf("\n%s\n", c->notes);
}
