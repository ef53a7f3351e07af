/* mixture.h - which weight type a tensor gets when a model is quantized: llama.cpp's mixtures and fallback rules, as tables. */
#ifndef EN_CLI_MIXTURE_H
#define EN_CLI_MIXTURE_H
#include "../core/format/gguf.h"

/* name as the user gives it, "Q4_K_M"; type: of most tensors; file_type: value of general.file_type. */
typedef struct { const char *name; int32_t type, file_type; } mixture;
const mixture *mixture_find(const char *name); /* any case; NULL: unknown */
const mixture *mixture_at(int32_t i);          /* in list order; NULL past the end */

/* What the rules ask about a model: filled once. `g` is indexed. */
typedef struct { const en_gguf *g; int32_t n_layer, gqa, n_expert, n_values /* tensors like attn_v */, tied, has_imatrix; } mixture_model;
int32_t mixture_model_of(mixture_model *m, const en_gguf *g, int32_t has_imatrix, en_why *why);
/* 0: norms, biases, tables of positions, small recurrent matrices stay as they are. */
int mixture_may_quantize(const en_gguf_tensor *t);
/* ggml type for a tensor that may be quantized; pure: the mixture's own type for all. A type whose blocks do not fit the rows gives way
 * (mixture_fit). */
int32_t mixture_type(const mixture_model *m, const mixture *x, const en_gguf_tensor *t, int pure);
int32_t mixture_fit(int32_t type, uint64_t cols);
#endif
