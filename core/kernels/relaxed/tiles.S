# tiles.S - inner loops of the relaxed tables (what the pairs are: ../simd128/tiles.S). Words of a panel are four codes of a byte.
#include "../simd128/tiles.S"

# Four byte products in pairs, u7 by i8, summed to i16.
.macro maddubs sum, x, first
	get \x
	get C
	i16x8.relaxed_dot_i8x16_i7x16_s
	.if \first == 0
	get \sum
	i16x8.add
	.endif
	set \sum
.endm
.macro widen_token t, x, halves
	token_head \x
	.irp v, 0, 1, 2, 3
	get %(V + 4 * \t + \v)
	get ONE
	i32x4.dot_i16x8_s
	get OFFSET
	i32x4.add
	.if \halves
	get %(V + 8 + 4 * \t + \v)
	i32x4.add
	.endif
	scale_sum \t, \v
	.endr
.endm

# Codes of 4 bits: the sums of a whole block stay in i16.
	open_pair en_pair_nibbles
	.irp i, 0, 1, 2, 3, 4, 5, 6, 7
	pair_word maddubs, \i, %(\i == 0)
	.endr
	widen_token 0, X0, 0
	widen_token 1, X1, 0
	next_block 512

# Codes of 5 bits: those of half a block do.
	open_pair en_pair_planes
	.irp i, 0, 1, 2, 3
	pair_word maddubs, \i, %(\i == 0)
	.endr
	.irp s, 0, 1, 2, 3, 4, 5, 6, 7
	get %(V + \s)
	get ONE
	i32x4.dot_i16x8_s
	set %(V + 8 + \s)
	.endr
	.irp i, 4, 5, 6, 7
	pair_word maddubs, \i, %(\i == 4)
	.endr
	widen_token 0, X0, 1
	widen_token 1, X1, 1
	next_block 512

# Four byte products added to i32.
.macro dot4 sum, x, first
	get \x
	get C
	get \sum
	i32x4.relaxed_dot_i8x16_i7x16_add_s
	set \sum
.endm
.macro begin_sums t, x
	token_head \x
	.irp v, 0, 1, 2, 3
	get OFFSET
	set %(V + 4 * \t + \v)
	.endr
.endm
	open_pair en_pair_dot4
	begin_sums 0, X0
	begin_sums 1, X1
	.irp i, 0, 1, 2, 3, 4, 5, 6, 7
	pair_word dot4, \i, 0
	.endr
	scale_token 0, X0
	scale_token 1, X1
	next_block 512

# Four tokens by 8 rows of Q4_0: void en_four_q4_0(vf acc[4][4], const uint8_t *w, const uint8_t *halves, const uint8_t *x, size_t stride, int32_t n_blocks).
# halves: the scales of the rows; acc: those of the rows, which are halves of what is reserved. Sums are added to in memory.
#define FOUR_HALVES 2
#define FOUR_X 3
#define FOUR_STRIDE 4
#define FOUR_BLOCKS 5
#define FOUR_PART 6 /* 8: two vectors of rows for each token */
#define FOUR_CODES 14 /* 4: low nibbles of two vectors, high ones */
#define FOUR_A 18
#define FOUR_NIBBLE 19
#define FOUR_HALF_BITS 20
#define FOUR_HALF_SCALE 21
#define FOUR_ONES 22
#define FOUR_D 23 /* 2 */
#define FOUR_DX 25
#define FOUR_OFFSET 26
.macro multiply part, codes, first
	get FOUR_A
	get \codes
	i16x8.relaxed_dot_i8x16_i7x16_s
	.if \first == 0
	get \part
	i16x8.add
	.endif
	set \part
.endm
	open en_four_q4_0
	.functype en_four_q4_0 (i32, i32, i32, i32, i32, i32) -> ()
	.local v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128
	splat_const FOUR_NIBBLE, 0x0f0f0f0f
	half_constants FOUR_HALF_BITS, FOUR_HALF_SCALE
	splat_const FOUR_ONES, 0x00010001
	loop
	.irp g, 0, 1, 2, 3
	.irp v, 0, 1
	get W
	load %(64 * \g + 16 * \v)
	set FOUR_A
	get FOUR_A
	get FOUR_NIBBLE
	v128.and
	set %(FOUR_CODES + \v)
	get FOUR_A
	i32.const 4
	i16x8.shr_u
	get FOUR_NIBBLE
	v128.and
	set %(FOUR_CODES + 2 + \v)
	.endr
	.irp t, 0, 1, 2, 3
	splat FOUR_X, %(48 * \t + 16 + 4 * \g)
	set FOUR_A
	multiply %(FOUR_PART + 2 * \t), FOUR_CODES, %(\g == 0)
	multiply %(FOUR_PART + 2 * \t + 1), %(FOUR_CODES + 1), %(\g == 0)
	splat FOUR_X, %(48 * \t + 32 + 4 * \g)
	set FOUR_A
	multiply %(FOUR_PART + 2 * \t), %(FOUR_CODES + 2), 0
	multiply %(FOUR_PART + 2 * \t + 1), %(FOUR_CODES + 3), 0
	.endr
	.endr
	.irp v, 0, 1
	halves FOUR_HALVES, %(8 * \v), FOUR_HALF_BITS, FOUR_HALF_SCALE
	set %(FOUR_D + \v)
	.endr
	.irp t, 0, 1, 2, 3
	splat FOUR_X, %(48 * \t)
	set FOUR_DX
	splat FOUR_X, %(48 * \t + 8)
	set FOUR_OFFSET
	.irp v, 0, 1
	get ACC
	get %(FOUR_PART + 2 * \t + \v)
	get FOUR_ONES
	i32x4.dot_i16x8_s
	get FOUR_OFFSET
	i32x4.add
	f32x4.convert_i32x4_s
	get %(FOUR_D + \v)
	get FOUR_DX
	f32x4.mul
	f32x4.mul
	get ACC
	load %(64 * \t + 16 * \v)
	f32x4.add
	store %(64 * \t + 16 * \v)
	.endr
	.endr
	step W, 288
	step FOUR_HALVES, 288
	step_by FOUR_X, FOUR_STRIDE
	again FOUR_BLOCKS
	end_function
