/* table.h - the body of both NEON tables; EN_NEON_DOT picks the dot product instruction. */
#include "vec.h"
#define EN_DENSE_V 4
#define EN_DENSE_T 6
#define EN_ATTEND_WIDE 4
#define EN_HAS_DOT4
#define EN_DOT4_SIGNED 1
#define EN_NIBBLES EN_DOT4
#define EN_NIBBLES_FORM 1
#define EN_PLANES EN_DOT4
#define EN_PLANES_FORM 1
#define EN_BYTES EN_DOT4
#define EN_BYTES_FORM 1
#include "../simd/blocks.h"
#include "../simd/attend.h"

EN_FORM(q8, EN_DOT4, 0)
static const en_form forms[] = {{NULL, NULL}, {bytes_q8, fill_q8}};
