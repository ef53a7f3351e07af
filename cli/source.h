/* source.h - a model as the bytes of one GGUF file, wherever they come from. */
#ifndef EN_CLI_SOURCE_H
#define EN_CLI_SOURCE_H
#include "parts.h"

/* head: all bytes up to the tensor data and perhaps more, n_head of them. */
typedef struct { en_gguf g; unsigned char *head; size_t n_head; FILE *f; cli_parts *parts; } cli_source;
/* path: a GGUF file, one of the files of a split model, or a Hugging Face folder (config.json, safetensors). */
/* EN_OK, or a status with the reason in why; then nothing is open. index: make the tables of g, too. */
int32_t cli_source_open(cli_source *s, const char *path, int index, en_why *why);
/* Bytes [at, at + n) of the file, any of them. */
int32_t cli_source_read(cli_source *s, uint64_t at, void *dst, size_t n, en_why *why);
void cli_source_close(cli_source *s);
#endif
