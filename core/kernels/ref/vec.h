/* vec.h - the vector layer in plain C: 4 lanes in an array, so that ref-int8 means the same as the fast tables, bit for bit. What each name
 * means: ../simd/simd.h. */
#ifndef EN_VEC_H
#define EN_VEC_H
#include "../simd/inline.h"

enum { VL = 4 };
typedef struct { float f[4]; } vf;
typedef struct { uint32_t i[4]; } vi;
typedef struct { int m[4]; } vm;

#define EN_EACH for (int l = 0; l < VL; l++)
EN_INLINE vf v_set(float x) { return (vf){{x, x, x, x}}; }
EN_INLINE vf v_zero(void) { return v_set(0); }
EN_INLINE vf v_splat(const float *p) { return v_set(*p); }
EN_INLINE vf v_load(const float *p) { vf a; memcpy(&a, p, sizeof a); return a; }
EN_INLINE void v_store(float *p, vf a) { memcpy(p, &a, sizeof a); }
EN_INLINE vf v_add(vf a, vf b) { EN_EACH a.f[l] += b.f[l]; return a; }
EN_INLINE vf v_sub(vf a, vf b) { EN_EACH a.f[l] -= b.f[l]; return a; }
EN_INLINE vf v_mul(vf a, vf b) { EN_EACH a.f[l] *= b.f[l]; return a; }
EN_INLINE vf v_div(vf a, vf b) { EN_EACH a.f[l] /= b.f[l]; return a; }
EN_INLINE vf v_max(vf a, vf b) { EN_EACH a.f[l] = a.f[l] > b.f[l] ? a.f[l] : b.f[l]; return a; }
EN_INLINE vf v_min(vf a, vf b) { EN_EACH a.f[l] = a.f[l] < b.f[l] ? a.f[l] : b.f[l]; return a; }
EN_INLINE vf v_abs(vf a) { EN_EACH a.f[l] = a.f[l] < 0 ? -a.f[l] : a.f[l]; return a; }
EN_INLINE vm v_gt(vf a, vf b) { vm m; EN_EACH m.m[l] = a.f[l] > b.f[l]; return m; }
EN_INLINE vm v_eq(vf a, vf b) { vm m; EN_EACH m.m[l] = a.f[l] == b.f[l]; return m; }
EN_INLINE int v_any(vm m) { return m.m[0] || m.m[1] || m.m[2] || m.m[3]; }
EN_INLINE vf v_select(vm m, vf yes, vf no) { EN_EACH no.f[l] = m.m[l] ? yes.f[l] : no.f[l]; return no; }
EN_INLINE float v_sum(vf a) { return (a.f[0] + a.f[2]) + (a.f[1] + a.f[3]); }
EN_INLINE float v_top(vf a) {
  float top = a.f[0];
  EN_EACH top = a.f[l] > top ? a.f[l] : top;
  return top;
}
EN_INLINE vi v_set32(int32_t x) { const uint32_t u = (uint32_t)x; return (vi){{u, u, u, u}}; }
EN_INLINE vi v_add32(vi a, vi b) { EN_EACH a.i[l] += b.i[l]; return a; }
EN_INLINE vi v_shl32(vi a, int n) { EN_EACH a.i[l] <<= n; return a; }
EN_INLINE vf v_as_f(vi a) { vf b; memcpy(&b, &a, sizeof b); return b; }
EN_INLINE vi v_as_i(vf a) { vi b; memcpy(&b, &a, sizeof b); return b; }
EN_INLINE vf v_f16(const uint16_t *p) { vf a; EN_EACH a.f[l] = en_f16_to_f32(p[l]); return a; }
EN_INLINE vf v_i8(const int8_t *p) { vf a; EN_EACH a.f[l] = (float)p[l]; return a; }
EN_INLINE void v_store_f16(uint16_t *p, vf a) { EN_EACH p[l] = en_f32_to_f16(a.f[l]); }
#undef EN_EACH
#endif
