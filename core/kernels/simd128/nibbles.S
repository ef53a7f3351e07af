# nibbles.S - one token by 16 rows of Q4_0, and of the groups of Q4_K, for the simd128 table: nibbles are multiplied where they lie, the other factor is in
# the i16 activations (../simd/blocks.h, s16).
#include "one.inc"
#define ACT 24 /* 4 */
#define MASK 28 /* 3 */
.macro masks
	splat_const MASK, 0x000f000f
	splat_const %(MASK + 1), 0x00f000f0
	splat_const %(MASK + 2), 0x0f000f00
.endm
# `first`: bytes before the codes.
.macro sum_nibbles first
	.irp g, 0, 1, 2, 3
	.irp i, 0, 1, 2, 3
	splat X, %(16 + 16 * \g + 4 * \i)
	set %(ACT + \i)
	.endr
	.irp v, 0, 1, 2, 3
	get W
	load %(\first + 64 * \g + 16 * \v)
	set WORD
	.irp i, 0, 1, 2
	get WORD
	get %(MASK + \i)
	v128.and
	get %(ACT + \i)
	i32x4.dot_i16x8_s
	.if \i
	i32x4.add
	.elseif \g
	get %(PART + \v)
	i32x4.add
	.endif
	.endr
	get WORD
	i32.const 12
	i16x8.shr_u
	get %(ACT + 3)
	i32x4.dot_i16x8_s
	i32x4.add
	set %(PART + \v)
	.endr
	.endr
	splat X, 0
	set DX
.endm
	open_one en_one_q4_0
	masks
	loop
	sum_nibbles 32
	splat X, 8
	set OFFSET
	.irp v, 0, 1, 2, 3
	get %(PART + \v)
	get OFFSET
	i32x4.add
	scale_one \v
	.endr
	close_one 288

	open_groups en_groups_4
	masks
	splat_const ONES, 0x01010101
	loop_groups 2, 4
	pick PICK, 0x80808000, 0x80808004, 0x80808008, 0x8080800c
	loop
	sum_nibbles 0
	.irp v, 0, 1, 2, 3
	get %(PART + \v)
	f32x4.convert_i32x4_s
	pick_scale \v
	f32x4.convert_i32x4_s
	f32x4.mul
	scale_float \v
	.endr
	next_pick
	close_groups 256
