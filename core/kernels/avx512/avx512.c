/* avx512.c - the table for x86-64 with AVX-512 and VNNI. */
#include "vec.h"
#define EN_DENSE_V 1
#define EN_DENSE_T 8
#define EN_ATTEND_WIDE 4
#define EN_HAS_DOT4
#define EN_HAS_DOT4_S8
#define EN_DOT4_SIGNED 0 /* VNNI: the first operand is unsigned */
#include "../simd/blocks.h"
#include "../simd/attend.h"

EN_BLOCKS(q4_0, q4_dot4, 18, en_q8_act)
EN_BLOCKS(q8_0, q8_dot4, 34, en_q8_act)

static int32_t usable(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

static const en_form forms[] = {{NULL, NULL}, {q8_bytes, q8_fill}};
static const en_product products[] = {
  {EN_Q4_0, 1, mul_q4_0, mul_t_q4_0},
  {EN_Q8_0, 1, mul_q8_0, mul_t_q8_0},
  {EN_F16, 0, mul_f16, mul_t_f16},
  {EN_BF16, 0, mul_bf16, mul_t_bf16},
  {EN_F32, 0, mul_f32, mul_t_f32},
};

const en_kernels en_kernels_avx512 = {
  .name = "avx512",
  .usable = usable,
  .products = products, .n_products = EN_COUNT(products),
  .forms = forms, .n_forms = EN_COUNT(forms),
#define EN_KERNEL(fn, ret, args) .fn = fn,
#include "../kernels.def"
#undef EN_KERNEL
};
