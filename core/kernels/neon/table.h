/* table.h - the body of both NEON tables; EN_NEON_DOT picks the dot product instruction. */
#include "vec.h"
#define EN_DENSE_V 4
#define EN_DENSE_T 6
#define EN_ATTEND_WIDE 4
#define EN_HAS_DOT4
#define EN_HAS_DOT4_S8
#define EN_DOT4_SIGNED 1
#include "../simd/blocks.h"
#include "../simd/attend.h"

EN_BLOCKS(q4_0, q4_dot4, 18, en_q8_act)
EN_BLOCKS(q8_0, q8_dot4, 34, en_q8_act)

static const en_form forms[] = {{NULL, NULL}, {q8_bytes, q8_fill}};
static const en_product products[] = {
  {EN_Q4_0, 1, mul_q4_0, mul_t_q4_0},
  {EN_Q8_0, 1, mul_q8_0, mul_t_q8_0},
  {EN_F16, 0, mul_f16, mul_t_f16},
  {EN_BF16, 0, mul_bf16, mul_t_bf16},
  {EN_F32, 0, mul_f32, mul_t_f32},
};
