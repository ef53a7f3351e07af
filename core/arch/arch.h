/* arch.h - an architecture as data. Adding one: a file arch/<name>.c that defines `const en_arch en_arch_<name>` (reads its metadata,
 * names its tensors, lists its steps) and one line in arch.def; a fixture under tests/parity proves it. */
#ifndef EN_ARCH_H
#define EN_ARCH_H
#include "../format/gguf.h"
#include "../layers/layers.h"

enum {
  EN_T_OPTIONAL = 1, /* may be missing from the file */
  EN_T_VECTOR = 2,   /* 1-D, f32: norm weights, biases, factors. Else a matrix of any type, packed */
  EN_T_HEAD = 4,     /* the output matrix: if missing, the token embedding takes its place */
  EN_T_ROPE = 8,     /* factors that divide the angles of rotary table 0; EN_T_ROPE << 1: of table 1 */
  EN_T_ABOVE = 32,   /* the first layer has no use for it, whatever its file holds there */
  EN_T_PLAIN = 64,   /* a small matrix that DOTS reads: never packed */
  EN_T_EXPERTS = 128, /* n_experts matrices one after another */
  EN_T_BIAS = EN_T_VECTOR | EN_T_OPTIONAL
};
/* In per-layer names '*' stands for the layer number. A matrix W[rows, cols] has ne = {cols, rows} in the file.
 * `fused` (or NULL): where the file has this tensor as a part of a taller one - that has `whole` rows, or elements if a vector - the part
 * begins at row `first`. Parts are views: nothing is copied. */
typedef struct en_tensor_spec {
  const char *name;
  uint8_t rows, cols /* en_dim; vectors: cols only */, flags;
  const char *fused;
  uint8_t first, whole; /* en_dim */
} en_tensor_spec;

typedef struct en_arch {
  const char *name; /* general.architecture */
  int32_t experts;  /* 1: for files with expert_count above 0, 0: for those without */
  int32_t (*configure)(en_config *c, const en_gguf *g, en_why *why);
  const en_tensor_spec *globals, *layer; /* tensors of the whole model, of one layer */
  int32_t n_globals, n_layer;
  int32_t embed;      /* index of the token embedding in globals */
  const en_step *begin, *each, *end; /* before the layers (weights: globals), in every layer, after them (globals; only rows that want logits) */
  int32_t n_begin, n_each, n_end;
  const char *const *lora; /* [7] what the targets of adapters (EN_LORA_*, in the order of the bits) are called here; NULL: attn_q, attn_k, ... ffn_down */
  const en_step *rank; /* from the first token's row of a text to its SCORES (weights: globals); NULL: none */
  int32_t n_rank;
  en_layer_kind (*kind)(const en_config *c, int32_t layer, int32_t n_ctx); /* NULL: table 0 and no window everywhere. n_ctx: positions that the context in use holds */
} en_arch;
static inline en_layer_kind en_arch_kind(const en_arch *a, const en_config *c, int32_t layer, int32_t n_ctx) {
  return a->kind ? a->kind(c, layer, n_ctx) : (en_layer_kind){0, 0};
}
/* The step of the end program that makes logits; what it reads are a model's hidden rows, also for embeddings. */
int32_t en_arch_head(const en_arch *a);
/* 1 if some step of the architecture reads or writes the slot. */
int32_t en_arch_uses(const en_arch *a, int32_t slot);

#define EN_ARCH(name) extern const en_arch en_arch_##name;
#include "arch.def"
#undef EN_ARCH
/* The architecture that general.architecture names; NULL and a sentence when it is not built in. */
const en_arch *en_arch_find(const en_gguf *g, en_why *why);

/* Reads what all decoders share (numerics: llama.cpp's key names): sizes, head counts, rope, rms or layer norm epsilon. Checks them.
 * `eps_key`: "attention.layer_norm_rms_epsilon" or the like, after the architecture's prefix. */
int32_t en_config_common(en_config *c, const en_gguf *g, const char *arch, const char *eps_key, en_why *why);
/* The same for models without attention. */
int32_t en_config_recurrent(en_config *c, const en_gguf *g, const char *arch, const char *eps_key, en_why *why);
/* One more value under "<arch>.<key>", within [lo, hi]; a negative dflt: the key is required. */
int32_t en_config_int(int32_t *out, const en_gguf *g, const char *arch, const char *key, int64_t dflt, int64_t lo, int64_t hi, en_why *why);
int32_t en_config_bool(int32_t *out, const en_gguf *g, const char *arch, const char *key, int32_t dflt, en_why *why);
int32_t en_config_float(float *out, const en_gguf *g, const char *arch, const char *key, float dflt, float lo, float hi, en_why *why);
/* "<arch>.<key>" in a buffer of EN_KEY_BYTES. */
enum { EN_KEY_BYTES = 96 };
const char *en_arch_key(char *buffer, const char *arch, const char *key);
#endif
