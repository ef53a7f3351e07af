/* ref.h - the plain-C f32 products, for tables that have no faster ones. */
#ifndef EN_REF_H
#define EN_REF_H
#include "../kernels.h"
void en_ref_mul_f32(const en_mm *a, int32_t r0, int32_t r1);
void en_ref_mul_t_f32(const en_mm_t *a, int32_t c0, int32_t c1);
void en_ref_outer(const en_outer *a, int32_t r0, int32_t r1);
#endif
