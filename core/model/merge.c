/* merge.c - an adapter's update into the model's own weights: every matrix is decoded a group of rows at a time, W + scale B A (DoRA: W + scale (g (W + B A) - W))
 * is encoded again in the matrix's own type, and packed where it lay. */
#include "adapter.h"
#include <math.h>

typedef struct { uint8_t *plain, *pack; float *row; } memory_t;

/* No weight type takes more than 4 bytes an element. */
static size_t carve(memory_t *f, const en_adapter *a, void *mem) {
  uint64_t widest = 1;
  for (int32_t t = 0; t < a->m->arch->n_layer; t++) widest = EN_MAX(widest, (uint64_t)EN_MAX(a->m->layers[t].cols, 1));
  const en_piece pieces[] = {{(void **)&f->plain, widest * EN_R, 4}, {(void **)&f->pack, widest * EN_R, 4}, {(void **)&f->row, widest, sizeof(float)}};
  return en_carve(pieces, EN_COUNT(pieces), mem);
}

size_t en_adapter_merge_bytes(const en_adapter *a) {
  memory_t f;
  return carve(&f, a, NULL);
}

/* blocks: row r of w, plain. */
static void merge_row(const en_kernels *k, const en_weight *w, const en_lora *e, float scale, int32_t r, uint8_t *blocks, float *row) {
  const float gain = e->m ? e->m[r] * e->inverse[r] : 1, by = gain * scale * e->scale;
  w->type->decode(row, blocks, w->cols);
  if (e->m) k->scale(row, row, 1 + scale * (gain - 1), w->cols);
  for (int32_t i = 0; i < e->rank; i++) k->axpy(row, e->a + (size_t)i * (size_t)w->cols, by * e->b[(size_t)i * (size_t)w->rows + (size_t)r], w->cols);
  w->type->encode(blocks, row, w->cols, NULL);
}

static void merge_matrix(const en_kernels *k, const en_weight *w, const en_lora *e, float scale, const memory_t *f) {
  uint8_t *data = (uint8_t *)(uintptr_t)w->data; /* the model lends its image to be written */
  const size_t row_bytes = en_row_bytes(w);
  const int32_t n_blocks = w->cols / w->type->block;
  for (int32_t r0 = 0; r0 < w->n_packed; r0 += EN_R) {
    uint8_t *group = data + (size_t)r0 * row_bytes;
    for (int32_t r = 0; r < EN_R; r++) {
      uint8_t *plain = f->plain + (size_t)r * row_bytes;
      en_unpack_row(w->type, plain, group, r, 0, n_blocks);
      merge_row(k, w, e, scale, r0 + r, plain, f->row);
    }
    memcpy(group, f->plain, EN_R * row_bytes);
    en_pack_group(w->type, group, n_blocks, f->pack);
  }
  for (int32_t r = w->n_packed; r < w->rows; r++) merge_row(k, w, e, scale, r, data + (size_t)r * row_bytes, f->row);
}

int32_t en_adapter_merge(en_model *m, const en_adapter *a, float scale, void *scratch, size_t scratch_bytes, en_why *why) {
  memory_t f;
  const size_t need = carve(&f, a, NULL);
  if (a->m != m) return en_fail(why, EN_E_ARG, "the adapter was made for another model");
  if (!isfinite(scale)) return en_fail(why, EN_E_ARG, "the scale of the adapter is not a number");
  for (uint64_t i = 0; i < a->n_params; i++)
    if (!isfinite(a->params[i])) return en_fail(why, EN_E_NUMERIC, "the adapter has a number that is not finite");
  if (!need || !scratch || scratch_bytes < need) return en_fail(why, EN_E_NOMEM, "merging needs %z bytes, %z were given", (uint64_t)need, (uint64_t)scratch_bytes);
  if ((uintptr_t)scratch % EN_ALIGN) return en_fail(why, EN_E_ARG, "memory for merging must be aligned to %d bytes", EN_ALIGN);
  carve(&f, a, scratch);
  for (int32_t l = 0; l < m->c.L; l++)
    for (int32_t t = 0; t < m->arch->n_layer; t++) {
      const en_lora *e = en_adapter_layer(a, l) + t;
      if (e->rank) merge_matrix(&m->k, en_model_layer(m, l) + t, e, scale, &f);
    }
  m->info.fingerprint = en_model_fingerprint(m);
  return EN_OK;
}
