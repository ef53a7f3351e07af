/* adapter.h - the inside of an adapter: one table entry per layer and tensor, all numbers in one flat array. */
#ifndef EN_ADAPTER_H
#define EN_ADAPTER_H
#include "model.h"

enum { EN_LORA_TARGETS = 7 };

struct en_adapter {
  const en_model *m;
  float alpha;         /* as a llama.cpp file states it: scale = alpha / rank */
  en_lora *table;      /* [L, arch->n_layer], rank 0 where there is no update */
  float *params;       /* [n_params]: for every updated tensor A, then B */
  uint64_t n_params;
  int32_t first_layer; /* lowest layer with an update; L if none */
};
/* Index into the per-layer tensors of target bit 1 << i, EN_NONE if the architecture lacks it. */
int32_t en_lora_tensor(const en_arch *arch, int32_t i);
static inline const en_lora *en_adapter_layer(const en_adapter *a, int32_t layer) { return a->table + (size_t)layer * (size_t)a->m->arch->n_layer; }
/* Build the same table over another flat array (gradients). */
void en_adapter_table(en_lora *table, const en_adapter *like, float *params);
#endif
