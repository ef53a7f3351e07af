/* selftest.c - does this engine compute the relaxed SIMD operations right? Called by JavaScript right after the module is there,
 * so that the engine's first (baseline) compiler is the one that is tested: V8 11.3 (Node 20 with the feature's flag) doubles
 * i32x4.relaxed_dot_i8x16_i7x16_add there, and only there. Operands come from volatile memory, or they would be folded here. */
#include "../core/include/en.h"
int32_t w_selftest(void);

#if defined(__wasm_relaxed_simd__)
#include <wasm_simd128.h>

enum { N = 16 };
static int8_t weight(int32_t i) { return (int8_t)(i * 17 - 128); }       /* the whole range of i8 */
static int8_t level(int32_t i) { return (int8_t)((i * 29 + 3) & 127); }  /* 0..127: what every engine agrees on */

int32_t w_selftest(void) {
  volatile int8_t a[N], b[N];
  volatile float f[4] = {1.5f, -2.25f, 3.0f, 0.125f};
  for (int32_t i = 0; i < N; i++) { a[i] = weight(i); b[i] = level(i); }
  int8_t a1[N], b1[N];
  for (int32_t i = 0; i < N; i++) { a1[i] = a[i]; b1[i] = b[i]; }
  const v128_t va = wasm_v128_load(a1), vb = wasm_v128_load(b1);

  int16_t dot16[8];
  int32_t dot32[4];
  wasm_v128_store(dot16, wasm_i16x8_relaxed_dot_i8x16_i7x16(va, vb));
  wasm_v128_store(dot32, wasm_i32x4_relaxed_dot_i8x16_i7x16_add(va, vb, wasm_i32x4_splat(1000)));
  for (int32_t i = 0; i < 8; i++)
    if (dot16[i] != weight(2 * i) * level(2 * i) + weight(2 * i + 1) * level(2 * i + 1)) return EN_E_NUMERIC;
  for (int32_t i = 0; i < 4; i++)
    if (dot32[i] != 1000 + dot16[2 * i] + dot16[2 * i + 1]) return EN_E_NUMERIC;

  float f1[4], sum[4];
  for (int32_t i = 0; i < 4; i++) f1[i] = f[i];
  const v128_t vf = wasm_v128_load(f1);
  wasm_v128_store(sum, wasm_f32x4_relaxed_madd(vf, vf, vf)); /* exact in both roundings for these values */
  for (int32_t i = 0; i < 4; i++)
    if (sum[i] != f1[i] * f1[i] + f1[i]) return EN_E_NUMERIC;
  return EN_OK;
}
#else
int32_t w_selftest(void) { return EN_OK; }
#endif
