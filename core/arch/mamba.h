/* mamba.h - what Mamba 1 and 2 share. Tensors of the whole model and the norm come from decoder.h. */
#ifndef EN_MAMBA_H
#define EN_MAMBA_H
#include "decoder.h"

/* Reads the keys under <arch>.ssm. */
int32_t en_mamba_config(en_config *c, const en_gguf *g, const char *arch, en_why *why);
/* Sets n_state from the sizes. */
int32_t en_mamba_state(en_config *c, en_why *why);
#define EN_MAMBA_OUTER EN_DECODER_OUTER(en_decoder_globals, en_decoder_begin, en_decoder_end)
#endif
