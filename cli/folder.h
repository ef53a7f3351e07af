/* folder.h - a Hugging Face folder as the bytes of one GGUF file (core/format/hf.h). */
#ifndef EN_CLI_FOLDER_H
#define EN_CLI_FOLDER_H
#include "../core/format/hf.h"
#include "cli.h"

typedef struct cli_folder cli_folder;
int cli_is_folder(const char *path);
/* *head: the GGUF head (the folder's until it is closed). NULL, with the reason in why. */
cli_folder *cli_folder_open(const char *path, const unsigned char **head, size_t *n_head, en_why *why);
int32_t cli_folder_read(cli_folder *d, uint64_t at /* from the start of the tensor data */, void *dst, size_t n, en_why *why);
void cli_folder_close(cli_folder *d);
#endif
