/* adapters.h - adapter files for the commands: llama.cpp's (one GGUF file) and PEFT's (a folder with adapter_model.safetensors and adapter_config.json). */
#ifndef EN_CLI_ADAPTERS_H
#define EN_CLI_ADAPTERS_H
#include "cli.h"

/* Option --adapter FILE[:scale], for commands that open a model; give its values to cli_open_spec. */
#define CLI_ADAPTER_OPTION {.name = "adapter", .value = "FILE[:scale]", .help = "an adapter (GGUF file or PEFT folder) on the model; may be given several times", .kind = ARG_TEXTS}

/* path: a GGUF file, a folder of PEFT's, or the .safetensors file in one. 1, with *mem to free() after the last use of *out; 0 after a message. */
int cli_adapter_load(const cli_model *m, const char *path, en_adapter **out, void **mem);
/* As a file "gguf", or as a folder "peft" that is made if it is not there; format NULL: gguf if path ends so. Files appear whole or not at all. */
int cli_adapter_write(const en_adapter *a, const char *path, const char *format, const en_peft_config *config);
int cli_is_adapter_format(const char *text); /* NULL, "gguf" or "peft"; else 0 after a message */
int cli_writes_gguf(const char *path, const char *format);
void cli_no_dora(const char *what); /* the message for DoRA and GGUF */
/* The values of --adapter into m->adapters. 1, or 0 after a message. */
int cli_adapters_open(cli_model *m, const arg_value *given);
void cli_adapters_close(cli_model *m);

/* Writes to a file beside it and renames: a crash leaves the old file or the new one. 1, or 0 after a message. */
int cli_write_file(const char *path, const void *data, size_t n_bytes);
int cli_model_write(const cli_model *m, const char *path); /* the model's file with the weights as they are now */
#endif
