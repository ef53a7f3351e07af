/* cli.h - what the commands share: the list of commands, errors, a model with all that it needs to run. */
#ifndef EN_CLI_H
#define EN_CLI_H
#include "../core/format/gguf.h"
#include "../core/include/en.h"
#include "../core/include/en_normal.h"
#include "../host/threads.h"
#include "args.h"
#include <stdio.h>

/* Every command, in the order of the help: CLI_COMMAND(name) is cli_command_<name>, defined in a file of its own. */
#define CLI_COMMANDS \
  CLI_COMMAND(run) CLI_COMMAND(tokens) CLI_COMMAND(detokenize) CLI_COMMAND(tokenizer) CLI_COMMAND(logits) CLI_COMMAND(embed) CLI_COMMAND(perplexity) CLI_COMMAND(eval) \
  CLI_COMMAND(convert) CLI_COMMAND(quantize) CLI_COMMAND(imatrix) CLI_COMMAND(init) CLI_COMMAND(train) CLI_COMMAND(adapter) CLI_COMMAND(bench) CLI_COMMAND(inspect) CLI_COMMAND(capabilities) CLI_COMMAND(parity) CLI_COMMAND(grads)
#define CLI_COMMAND(name) extern const cli_command cli_command_##name;
CLI_COMMANDS
#undef CLI_COMMAND

#if defined(__GNUC__)
#define CLI_PRINTF(at, first) __attribute__((format(printf, at, first)))
#else
#define CLI_PRINTF(at, first)
#endif
/* "edge-net: FILE: sentence" on stderr (file may be NULL); returns the exit code 1. */
int cli_fail(const char *file, const char *format, ...) CLI_PRINTF(2, 3);

/* Memory aligned to EN_ALIGN, free() it; NULL when there is none. */
void *cli_alloc(size_t n_bytes);
/* Whole file, with a NUL behind it that is not counted; NULL after a message. free() it. */
char *cli_read_file(const char *path, size_t *n_bytes);
char *cli_read_file_why(const char *path, size_t *n_bytes, en_why *why); /* the same, silent: the sentence, without the path, is left in why */
double cli_now_ms(void *unused); /* a clock that never goes back */
double cli_cpu_ms(void);         /* processor time of this process, all threads; 0 where it is not known */

enum { CLI_MAX_ADAPTERS = 8 }; /* as many as a session takes */
typedef struct { en_adapter *adapter; void *mem; float scale; } cli_adapter;
/* A model file loaded and sealed, with threads and, if asked for and there, its tokenizer. */
typedef struct {
  const char *path;
  en_info info;
  en_model *model;
  en_tokenizer *tokenizer;
  en_normal normal; /* what text becomes before it is tokenized */
  en_host host;
  en_threads *threads;
  void *image, *model_mem, *tokenizer_mem;
  cli_adapter adapters[CLI_MAX_ADAPTERS]; /* on every session of this model */
  int n_adapters;
} cli_model;
typedef struct {
  const char *kernels;  /* NULL: "auto" */
  int32_t n_threads;    /* 0: one for each core */
  int32_t need_tokenizer;
  int32_t head_only;    /* read no weights: there is no model then, and nothing but the offsets in info */
  int32_t quiet;        /* report nothing on stderr; the sentence is left in why */
  en_why *why;          /* or NULL */
  const arg_value *adapters; /* values of --adapter, or NULL */
} cli_open_spec;
/* EN_OK or a status, after a message on stderr unless quiet. cli_close on success. */
int32_t cli_open(cli_model *m, const char *path, const cli_open_spec *spec);
void cli_close(cli_model *m);

/* A session in memory of its own: free(*mem) at the end. */
int32_t cli_session(const cli_model *m, const en_session_spec *spec, en_session **out, void **mem, en_why *why);
/* Text -> ids; NULL after a message. free() it. */
int32_t *cli_encode(const cli_model *m, const char *text, size_t n_bytes, int32_t flags, size_t *n_ids);

/* A file that appears whole or not at all: written beside its place as PATH.part, renamed at the end. */
typedef struct { const char *path; char *beside; FILE *f; } cli_out;
int cli_out_open(cli_out *o, const char *path); /* 1, or 0 after a message; then only cli_out_close is left to call */
int cli_out_put(cli_out *o, const void *data, size_t n_bytes);
/* ok 0: what was written is removed. 1: the file is on the disk, under its name; 0 after a message. */
int cli_out_close(cli_out *o, int ok);

void cli_json_text(FILE *f, const char *text, size_t n_bytes); /* as a JSON string; bytes that are no UTF-8 become U+FFFD */
#endif
