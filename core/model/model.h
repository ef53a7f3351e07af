/* model.h - a model as the sessions see it: tables over the caller's file image. Read-only once sealed. */
#ifndef EN_MODEL_H
#define EN_MODEL_H
#include "../arch/arch.h"

enum { EN_TENSOR_UNKNOWN, EN_TENSOR_KEPT, EN_TENSOR_PACKED };

struct en_model {
  en_info info;
  en_gguf g;
  en_config c;
  const en_arch *arch;
  en_kernels k;
  en_weight *globals;  /* [arch->n_globals] */
  en_weight *layers;   /* [L, arch->n_layer] */
  double *freq;        /* [n_rope, rot/2] angle per position of every rotary pair (scaling and factors included); filled by seal */
  uint8_t *pack;       /* [n_tensors] EN_TENSOR_*: of the file's tensors, which ones are packed */
  en_host host;        /* lends the lanes that pack */
  uint8_t *scratch;    /* [lanes, scratch_bytes] one group of the widest matrix each, for packing */
  size_t scratch_bytes;
  uint8_t *image;
  uint64_t fed;        /* bytes of the image that are known to be there */
  uint64_t next_tensor, next_group; /* where packing goes on */
  int32_t sealed;
};
uint64_t en_model_fingerprint(const en_model *m); /* of the weights as they are now, never 0 */
/* Replace '*' of a per-layer tensor name by the layer number. */
void en_tensor_name(char *out, size_t cap, const char *pattern, int32_t layer);
static inline const double *en_model_freq(const en_model *m, int32_t table) { return m->freq + (size_t)table * (size_t)(m->c.rot / 2); }
static inline const en_weight *en_model_layer(const en_model *m, int32_t layer) { return m->layers + (size_t)layer * (size_t)m->arch->n_layer; }
#endif
