/* relaxed.c - the tables for WebAssembly relaxed SIMD. Relaxed dot products are used only where all engines agree: second operand
 * 0..127. "relaxed" sums Q4_0 in i16 (best where the engine has no single instruction for four byte products), "relaxed-d32" in i32:
 * which is faster depends on the machine, so the SDK times both when it loads. Fused multiply-adds may round differently by engine. */
#include "../simd128/vec.h"
#define EN_DENSE_V 2
#define EN_DENSE_T 4
#define EN_ATTEND_WIDE 2
#define EN_HAS_MADDUBS
#define EN_HAS_MADD16
#define EN_HAS_DOT4
#include "../simd/blocks.h"
#include "../simd/attend.h"

EN_BLOCKS(q4_0, q4_u16, 18, en_q8_act)
EN_BLOCKS(q4_0_d32, q4_dot4, 18, en_q8_act)
EN_BLOCKS(q8_0, q8_s16, 34, en_q16_act)

static const en_form forms[] = {{NULL, NULL}, {q8_bytes, q8_fill}, {q16_bytes, q16_fill_q8}};
#define EN_OTHER_PRODUCTS \
  {EN_Q8_0, 2, mul_q8_0, mul_t_q8_0}, \
  {EN_F16, 0, mul_f16, mul_t_f16}, \
  {EN_BF16, 0, mul_bf16, mul_t_bf16}, \
  {EN_F32, 0, mul_f32, mul_t_f32},
static const en_product products[] = {{EN_Q4_0, 1, mul_q4_0, mul_t_q4_0}, EN_OTHER_PRODUCTS};
static const en_product products_d32[] = {{EN_Q4_0, 1, mul_q4_0_d32, mul_t_q4_0}, EN_OTHER_PRODUCTS};

#define EN_KERNEL(fn, ret, args) .fn = fn,
const en_kernels en_kernels_relaxed = {
  .name = "relaxed",
  .rival = "relaxed-d32",
  .products = products, .n_products = EN_COUNT(products),
  .forms = forms, .n_forms = EN_COUNT(forms),
#include "../kernels.def"
};
const en_kernels en_kernels_relaxed_d32 = {
  .name = "relaxed-d32",
  .products = products_d32, .n_products = EN_COUNT(products_d32),
  .forms = forms, .n_forms = EN_COUNT(forms),
#include "../kernels.def"
};
#undef EN_KERNEL
