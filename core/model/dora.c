/* dora.c - the norms of DoRA (Liu et al. 2024): |W + scale B A| of every row o, without W + scale B A:
 * |W_o|^2 + 2 scale B_o . (W A^T)_o + scale^2 B_o (A A^T) B_o^T. The first part is counted once; W A^T is the model's own product, with the rows of A as tokens,
 * so that all of it costs as much as `rank` tokens of a forward pass. */
#include "adapter.h"
#include <math.h>

size_t en_dora_carve(en_dora *at, const en_model *m, const en_adapter_size *size, void *mem) {
  int32_t cols = 1, rows = 1;
  for (int32_t i = 0; i < EN_LORA_TARGETS; i++) {
    const int32_t t = en_lora_tensor(m->arch, i);
    if (t < 0) continue;
    cols = EN_MAX(cols, m->layers[t].cols);
    rows = EN_MAX(rows, m->layers[t].rows);
  }
  const int32_t rank = EN_MIN(size->rank, EN_LORA_MAX_RANK);
  const size_t product = en_matmul_scratch(&m->k, cols, EN_MAX(rank, 1), 1);
  const en_piece pieces[] = {
    {(void **)&at->rows, 2 * size->n_rows, sizeof(float)},
    {(void **)&at->cross, (uint64_t)rank * (uint64_t)rows, sizeof(float)},
    {(void **)&at->row, (uint64_t)cols, sizeof(float)},
    {&at->plain, (uint64_t)cols, 4}, /* no weight type takes more than 4 bytes an element */
    {&at->scratch, product ? product : UINT64_MAX, 1},
  };
  return en_carve(pieces, EN_COUNT(pieces), mem);
}

static void measure(const en_kernels *k, const en_lora *e, const en_weight *w, const en_dora *d) {
  const int32_t rows = w->rows, cols = w->cols;
  en_matmul(k, NULL, e->a, (size_t)cols, e->rank, &(en_out){w, d->cross, (size_t)rows, NULL, 0}, 1, d->scratch);
  memcpy(e->inverse, e->square, (size_t)rows * sizeof *e->inverse);
  for (int32_t i = 0; i < e->rank; i++) {
    float *cross = d->cross + (size_t)i * (size_t)rows;
    k->scale(cross, cross, 2, rows);
    for (int32_t j = 0; j < e->rank; j++)
      k->axpy(cross, e->b + (size_t)j * (size_t)rows, e->scale * k->dot(e->a + (size_t)i * (size_t)cols, e->a + (size_t)j * (size_t)cols, cols), rows);
    k->times(cross, cross, e->b + (size_t)i * (size_t)rows, rows);
    k->axpy(e->inverse, cross, e->scale, rows);
  }
  for (int32_t o = 0; o < rows; o++) e->inverse[o] = e->inverse[o] > 0 ? 1 / sqrtf(e->inverse[o]) : 0;
}

typedef void (*each_matrix)(const en_adapter *a, const en_lora *e, const en_weight *w);
static void for_all(const en_adapter *a, each_matrix what) {
  for (int32_t l = 0; l < a->m->c.L; l++)
    for (int32_t t = 0; t < a->m->arch->n_layer; t++) {
      const en_lora *e = en_adapter_layer(a, l) + t;
      if (e->rank && e->m) what(a, e, en_model_layer(a->m, l) + t);
    }
}

static void count(const en_adapter *a, const en_lora *e, const en_weight *w) {
  for (int32_t o = 0; o < w->rows; o++) {
    en_weight_row(a->dora.row, w, o, a->dora.plain);
    e->square[o] = a->m->k.dot(a->dora.row, a->dora.row, w->cols);
  }
}
static void begin(const en_adapter *a, const en_lora *e, const en_weight *w) {
  (void)a;
  for (int32_t o = 0; o < w->rows; o++) e->m[o] = sqrtf(e->square[o]);
}
static void change(const en_adapter *a, const en_lora *e, const en_weight *w) { measure(&a->m->k, e, w, &a->dora); }

void en_dora_count(en_adapter *a) { for_all(a, count); }
void en_dora_begin(en_adapter *a) { for_all(a, begin); }
void en_adapter_changed(en_adapter *a) { for_all(a, change); }
void en_adapter_rebased(en_adapter *a) {
  en_dora_count(a);
  en_adapter_changed(a);
}
