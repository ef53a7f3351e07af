/* hf_qwen.c - Qwen 2, 2.5 and 3. */
#include "hf.h"

static const en_hf_line lines[] = {{NULL, NULL, 0}};
const en_hf_model en_hf_models_qwen[] = {{"qwen2", "qwen2", "silu\0", lines, NULL, NULL, NULL}, {"qwen3", "qwen3", "silu\0", lines, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL, NULL, NULL}};
