/* relaxed.c - the tables for WebAssembly relaxed SIMD. Relaxed dot products are used only where all engines agree: second operand
 * 0..127. "relaxed" sums 4-bit codes in i16 (best where the engine has no single instruction for four byte products), "relaxed-d32" in i32:
 * which is faster depends on the machine, so the SDK times both when it loads. Fused multiply-adds may round differently by engine. */
#include "../simd128/vec.h"
#define EN_DENSE_V 2
#define EN_DENSE_T 4
#define EN_ATTEND_WIDE 2
#define EN_HAS_MADDUBS
#define EN_HAS_PANEL
#define EN_HAS_MADDUBS_TILES
#define EN_HAS_S16
#define EN_HAS_DOT4
#define EN_DOT4_SIGNED 0
#define EN_NIBBLES EN_U16
#define EN_NIBBLES_FORM 1
#define EN_PLANES EN_U16
#define EN_PLANES_FORM 1
#define EN_BYTES EN_S16
#define EN_BYTES_FORM 2
#include "../simd/blocks.h"
#include "../simd/attend.h"

EN_FORM(q8, EN_U16, 0)
EN_FORM(q16, EN_S16, 0)
static const en_form forms[] = {{NULL, NULL}, {bytes_q8, fill_q8}, {bytes_q16, fill_q16}};

/* relaxed-d32: plain nibbles by dot4, the rest as above. */
#define EN_LAYOUT(name, id, spelling, ...) EN_D32_##spelling(name, __VA_ARGS__)
#define EN_D32_NIBBLES(name, ...) EN_MUL_BLOCKS(name##_d32, EN_DOT4, __VA_ARGS__)
#define EN_D32_PLANES(name, ...)
#define EN_D32_BYTES(name, ...)
#include "../layouts.def"
#undef EN_LAYOUT
static const en_product products_d32[] = {
#define EN_LAYOUT(name, id, spelling, ...) {id, EN_##spelling##_FORM, EN_D32_##spelling##_MUL(name), mul_t_##name},
#define EN_D32_NIBBLES_MUL(name) mul_##name##_d32
#define EN_D32_PLANES_MUL(name) mul_##name
#define EN_D32_BYTES_MUL(name) mul_##name
#include "../layouts.def"
#undef EN_LAYOUT
  {EN_F16, 0, mul_f16, mul_t_f16},
  {EN_BF16, 0, mul_bf16, mul_t_bf16},
  {EN_F32, 0, mul_f32, mul_t_f32},
};

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
