/* avx512.c - the table for x86-64 with AVX-512 and VNNI. */
#include "vec.h"
#define EN_DENSE_V 1
#define EN_DENSE_T 8
#define EN_ATTEND_WIDE 4
#define EN_HAS_DOT4
#define EN_DOT4_SIGNED 0 /* VNNI: the first operand is unsigned */
#define EN_NIBBLES EN_DOT4
#define EN_NIBBLES_FORM 1
#define EN_PLANES EN_DOT4
#define EN_PLANES_FORM 1
#define EN_BYTES EN_DOT4
#define EN_BYTES_FORM 1
#include "../simd/blocks.h"
#include "../simd/attend.h"

static int32_t usable(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

EN_FORM(q8, EN_DOT4, 0)
static const en_form forms[] = {{NULL, NULL}, {bytes_q8, fill_q8}};

const en_kernels en_kernels_avx512 = {
  .name = "avx512",
  .usable = usable,
  .products = products, .n_products = EN_COUNT(products),
  .forms = forms, .n_forms = EN_COUNT(forms),
#define EN_KERNEL(fn, ret, args) .fn = fn,
#include "../kernels.def"
#undef EN_KERNEL
};
