/* adapter.h - the inside of an adapter: one table entry per layer and tensor, all numbers in one flat array. */
#ifndef EN_ADAPTER_H
#define EN_ADAPTER_H
#include "model.h"

enum { EN_LORA_TARGETS = 7 };

/* What DoRA needs beside its numbers; nothing of it without. */
typedef struct en_dora {
  float *rows;         /* [2, rows of all updated matrices] inverse, then square of every matrix (en_lora) */
  float *cross, *row;  /* [rank, rows], [cols] of one matrix */
  void *plain, *scratch;
} en_dora;
/* n_rows: of all updated matrices, 0: not DoRA; rank: the highest. */
typedef struct { uint64_t n_params, n_rows; int32_t rank; } en_adapter_size;

struct en_adapter {
  const en_model *m;
  float alpha;         /* as a llama.cpp file states it: scale = alpha / rank */
  en_lora *table;      /* [L, arch->n_layer], rank 0 where there is no update */
  float *params;       /* [n_params]: for every updated tensor A, then B, then m of DoRA */
  uint64_t n_params;
  int32_t first_layer; /* lowest layer with an update; L if none */
  int32_t is_dora;
  en_dora dora;
};
/* Where the ranks of a new adapter come from: a spec or a file. 0: that target of that layer has no update. */
typedef struct { int32_t (*of)(const void *ctx, int32_t layer, int32_t target); const void *ctx; int32_t dora; } en_ranks;
size_t en_adapter_block_bytes(const en_model *m, const en_adapter_size *size); /* 0 on overflow */
/* An adapter with its table laid over params, which hold nothing yet. */
int32_t en_adapter_make(en_adapter **out, void *mem, size_t mem_bytes, const en_model *m, const en_ranks *ranks, float alpha, en_why *why);
/* Index into the per-layer tensors of target bit 1 << i, EN_NONE if the architecture lacks it. */
int32_t en_lora_tensor(const en_arch *arch, int32_t i);
static inline const en_lora *en_adapter_layer(const en_adapter *a, int32_t layer) { return a->table + (size_t)layer * (size_t)a->m->arch->n_layer; }
/* Build the same table over another flat array (gradients). */
void en_adapter_table(en_lora *table, const en_adapter *like, float *params);
size_t en_dora_carve(en_dora *at, const en_model *m, const en_adapter_size *size, void *mem);
void en_dora_count(en_adapter *a); /* square of every row; whatever is read into m and the factors, en_adapter_changed() follows */
void en_dora_begin(en_adapter *a); /* m = |W| */
/* 1: what PEFT knows as one module is a target as a whole, or not at all. */
int32_t en_peft_whole(const en_model *m, uint32_t targets);
#endif
