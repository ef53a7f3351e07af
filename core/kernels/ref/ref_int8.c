/* ref_int8.c - Q4_0 and Q8_0 with int8 activations in plain C, and the row kernels over plain-C vectors: what the fast tables compute,
 * to the last bit (their f32 products excepted). How far that is from exact arithmetic, ref.c tells. */
#include "vec.h"
#include "../int8.h"
#include "ref.h"
#define EN_ATTEND_WIDE 4
#include "../simd/attend.h"

static size_t act_bytes(int32_t cols, int32_t T) {
  return (size_t)(cols / EN_Q8_BLOCK) * (size_t)T * sizeof(en_q8_act);
}

static void act_fill(void *dst, const float *x, size_t ldx, int32_t cols, int32_t T, int32_t t0, int32_t t1) {
  const int32_t n_blocks = cols / EN_Q8_BLOCK;
  for (int32_t t = t0; t < t1; t++)
    for (int32_t b = 0; b < n_blocks; b++) {
      en_q8_act *a = (en_q8_act *)dst + en_act_at(n_blocks, T, b, t);
      a->d = en_q8_round(a->q, x + (size_t)t * ldx + (size_t)b * EN_Q8_BLOCK);
      a->m8 = 0;
      for (int32_t i = 0; i < EN_Q8_BLOCK; i++) a->m8 -= 8 * a->q[i];
    }
}

/* Integer sum of one block of row r (0..15) of a packed group; w points behind the EN_R scales. */
static int32_t sum_q4(const uint8_t *w, int32_t r, const en_q8_act *a) {
  int32_t s = a->m8;
  for (int32_t k = 0; k < 16; k++) {
    const uint8_t v = w[(k / 4 * EN_R + r) * 4 + k % 4];
    s += (v & 15) * a->q[k] + (v >> 4) * a->q[k + 16];
  }
  return s;
}

static int32_t sum_q8(const uint8_t *w, int32_t r, const en_q8_act *a) {
  int32_t s = 0;
  for (int32_t k = 0; k < 32; k++) s += (int8_t)w[(k / 4 * EN_R + r) * 4 + k % 4] * a->q[k];
  return s;
}

static void mul(const en_mm *a, int32_t r0, int32_t r1, int32_t block_bytes, int32_t (*block_sum)(const uint8_t *, int32_t, const en_q8_act *)) {
  const int32_t n_blocks = a->cols / EN_Q8_BLOCK;
  for (int32_t r = r0; r < r1; r++)
    for (int32_t t = 0; t < a->T; t++) {
      const uint8_t *w = a->w + (size_t)(r / EN_R * EN_R) * (size_t)n_blocks * (size_t)block_bytes;
      float *y = a->y + (size_t)t * a->ldy + r, s = 0;
      for (int32_t b = 0; b < n_blocks; b++, w += EN_R * block_bytes) {
        const en_q8_act *x = (const en_q8_act *)a->x + en_act_at(n_blocks, a->T, b, t);
        s += (float)block_sum(w + EN_R * 2, r % EN_R, x) * (en_f16_to_f32(en_rd16(w + r % EN_R * 2)) * x->d);
      }
      *y = s + (a->bias ? a->bias[r] : 0) + (a->add ? *y : 0);
    }
}

static void mul_q4_0(const en_mm *a, int32_t r0, int32_t r1) { mul(a, r0, r1, 18, sum_q4); }
static void mul_q8_0(const en_mm *a, int32_t r0, int32_t r1) { mul(a, r0, r1, 34, sum_q8); }

static void outer(const en_outer *a, int32_t r0, int32_t r1) { en_ref_outer(a, r0, r1); }

static const en_form forms[] = {{NULL, NULL}, {act_bytes, act_fill}};
static const en_product products[] = {
  {EN_Q4_0, 1, mul_q4_0, NULL},
  {EN_Q8_0, 1, mul_q8_0, NULL},
  {EN_F32, 0, en_ref_mul_f32, en_ref_mul_t_f32},
};

const en_kernels en_kernels_ref_int8 = {
  .name = "ref-int8",
  .products = products, .n_products = EN_COUNT(products),
  .forms = forms, .n_forms = EN_COUNT(forms),
#define EN_KERNEL(fn, ret, args) .fn = fn,
#include "../kernels.def"
#undef EN_KERNEL
};
