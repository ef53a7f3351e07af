/* avx2.c - the table for x86-64 with AVX2, FMA and F16C. */
#include "vec.h"
#define EN_DENSE_V 2
#define EN_DENSE_T 6
#define EN_ATTEND_WIDE 2
#define EN_HAS_MADDUBS
#define EN_HAS_S16
#define EN_NIBBLES EN_U16
#define EN_NIBBLES_FORM 1
#define EN_PLANES EN_U16
#define EN_PLANES_FORM 1
#define EN_BYTES EN_S16
#define EN_BYTES_FORM 2
#include "../simd/blocks.h"
#include "../simd/attend.h"

static int32_t usable(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

EN_FORM(q8, EN_U16, 0)
EN_FORM(q16, EN_S16, 0)
static const en_form forms[] = {{NULL, NULL}, {bytes_q8, fill_q8}, {bytes_q16, fill_q16}};

const en_kernels en_kernels_avx2 = {
  .name = "avx2",
  .usable = usable,
  .products = products, .n_products = EN_COUNT(products),
  .forms = forms, .n_forms = EN_COUNT(forms),
#define EN_KERNEL(fn, ret, args) .fn = fn,
#include "../kernels.def"
#undef EN_KERNEL
};
