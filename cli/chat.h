/* chat.h - one user turn as the prompt that a chat model was trained on. */
#ifndef EN_CLI_CHAT_H
#define EN_CLI_CHAT_H
#include "cli.h"

/* The template in the file is a Jinja program; this command line has no Jinja and knows the common ones by a word that only they
 * contain. The prompt, free() it; NULL after a message: no template, or none of those. */
char *cli_chat_prompt(const cli_model *m, const char *user);
#endif
