/* inline.h - how the shared bodies ask compilers to inline, and to unroll loops of constant length into registers (or not to). */
#ifndef EN_INLINE_H
#define EN_INLINE_H
#include "../kernels.h"
#define EN_INLINE static inline __attribute__((always_inline))
#define EN_OUTLINE static __attribute__((noinline, unused)) /* rare paths, kept out of the loops */
#ifdef __clang__
#define EN_UNROLL _Pragma("clang loop unroll(full)")
#define EN_ROLL _Pragma("clang loop unroll(disable)")
#else
#define EN_UNROLL _Pragma("GCC unroll 32")
#define EN_ROLL
#endif
#endif
