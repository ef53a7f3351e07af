/* simd128.c - the table for WebAssembly SIMD. Products by i16 pairs: the instruction set has no byte products. */
#include "vec.h"
#define EN_DENSE_V 2
#define EN_DENSE_T 4
#define EN_ATTEND_WIDE 2
#define EN_HAS_MADD16
#define EN_Q4_S16
#include "../simd/blocks.h"
#include "../simd/attend.h"

EN_BLOCKS(q4_0, q4_s16, 18, en_q16_act)
EN_BLOCKS(q8_0, q8_s16, 34, en_q16_act)

static const en_form forms[] = {{NULL, NULL}, {q16_bytes, q16_fill_q4}, {q16_bytes, q16_fill_q8}};
static const en_product products[] = {
  {EN_Q4_0, 1, mul_q4_0, mul_t_q4_0},
  {EN_Q8_0, 2, mul_q8_0, mul_t_q8_0},
  {EN_F16, 0, mul_f16, mul_t_f16},
  {EN_BF16, 0, mul_bf16, mul_t_bf16},
  {EN_F32, 0, mul_f32, mul_t_f32},
};

const en_kernels en_kernels_simd128 = {
  .name = "simd128",
  .products = products, .n_products = EN_COUNT(products),
  .forms = forms, .n_forms = EN_COUNT(forms),
#define EN_KERNEL(fn, ret, args) .fn = fn,
#include "../kernels.def"
#undef EN_KERNEL
};
