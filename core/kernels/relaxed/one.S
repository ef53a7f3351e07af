# one.S - one token by 16 rows for the relaxed tables: Q4_0, and the groups of the K types. Sums stay in i16 as long as they fit (../simd/blocks.h, u16).
# Low and high halves of a word meet two words of activations.
#include "../simd128/one.S"
#define NIBBLE UPPER

# The codes of the word on the stack: its low or its high halves.
.macro low
	get NIBBLE
	v128.and
.endm
.macro high
	shift_right 4
	get NIBBLE
	v128.and
.endm

# ---- 4 bits: the sums of 8 words stay in i16. `first`: bytes before the codes ----
.macro sum_nibbles first
	.irp g, 0, 1, 2, 3
	splat X, %(16 + 4 * \g)
	set LOW
	splat X, %(32 + 4 * \g)
	set HIGH
	.irp v, 0, 1, 2, 3
	get W
	load %(\first + 64 * \g + 16 * \v)
	set WORD
	get LOW
	get WORD
	low
	i16x8.relaxed_dot_i8x16_i7x16_s
	.if \g
	get %(PART + \v)
	i16x8.add
	.endif
	get HIGH
	get WORD
	high
	i16x8.relaxed_dot_i8x16_i7x16_s
	i16x8.add
	set %(PART + \v)
	.endr
	.endr
	splat X, 0
	set DX
.endm
	open_one en_one_q4_0
	splat_const NIBBLE, 0x0f0f0f0f
	splat_const ONES, 0x00010001
	loop
	sum_nibbles 32
	splat X, 8
	set OFFSET
	.irp v, 0, 1, 2, 3
	get %(PART + \v)
	get ONES
	i32x4.dot_i16x8_s
	get OFFSET
	i32x4.add
	scale_one \v
	.endr
	close_one 288

# ---- K types: picked scales are pairs of equal i16 ----
	open_groups en_groups_4
	splat_const NIBBLE, 0x0f0f0f0f
	splat_const ONES, 0x01010101
	loop_groups 2, 4
	pick PICK, 0x80008000, 0x80048004, 0x80088008, 0x800c800c
	loop
	sum_nibbles 0
	.irp v, 0, 1, 2, 3
	get %(PART + \v)
	pick_scale \v
	i32x4.dot_i16x8_s
	scale_group \v
	.endr
	next_pick
	close_groups 256

# ---- 5 and 6 bits, one or two of them from planes: four words of activations stay in registers and meet a vector of rows after another ----
#define SCALED WORD
#define PLANE HIGH
#define PLANES HALF_SCALE
#define PICK_BOTH OFFSET
#define ACT 24 /* 4 */
# Four words of activations: from byte `from` of them on, the others b, c and d behind it.
.macro splat_words from, b, c, d
	splat X, %(16 + \from)
	set ACT
	splat X, %(16 + \from + \b)
	set %(ACT + 1)
	splat X, %(16 + \from + \c)
	set %(ACT + 2)
	splat X, %(16 + \from + \d)
	set %(ACT + 3)
.endm
.macro load_as local, at
	get W
	load \at
	set \local
.endm
# Word i of ACT times the codes of half a word, whose upper bits lie `left` places below theirs.
.macro product i, half, at, left
	get %(ACT + \i)
	get W
	load \at
	\half
	get PLANE
	.if \left > 0
	i32.const \left
	i16x8.shl
	.elseif \left < 0
	shift_right %(0 - (\left))
	.endif
	get PLANES
	v128.and
	v128.or
	i16x8.relaxed_dot_i8x16_i7x16_s
.endm
.macro widen
	get SCALED
	i32x4.dot_i16x8_s
.endm

# 5 bits: two words stay in i16.
	open_groups en_groups_5
	splat_const NIBBLE, 0x0f0f0f0f
	splat_const PLANES, 0x10101010
	splat_const ONES, 0x01010101
	loop_groups 2, 4
	pick PICK, 0x80008000, 0x80048004, 0x80088008, 0x800c800c
	loop
	.irp g, 0, 2
	splat_words %(4 * \g), 4, 16, 20
	.if \g
	splat X, 0
	set DX
	.endif
	.irp v, 0, 1, 2, 3
	load_as PLANE, %(16 * \v)
	product 0, low, %(64 + 64 * \g + 16 * \v), %(4 - \g)
	product 2, high, %(64 + 64 * \g + 16 * \v), %(0 - \g)
	i16x8.add
	product 1, low, %(128 + 64 * \g + 16 * \v), %(3 - \g)
	i16x8.add
	product 3, high, %(128 + 64 * \g + 16 * \v), %(0 - 1 - \g)
	i16x8.add
	.if \g
	pick_scale \v
	set SCALED
	widen
	get %(PART + \v)
	widen
	i32x4.add
	scale_group \v
	.else
	set %(PART + \v)
	.endif
	.endr
	.endr
	next_pick
	close_groups 320

# 6 bits: two words of one half of the group do. A scale for each half; the codes' offset adds -32 times it.
.macro pick_signed v, pick, right
	pick_scale \v, \pick
	i32.const \right
	i16x8.shr_s
.endm
.macro half_group half, h
	splat_words %(16 * \h), 4, 8, 12
	.if \h
	splat X, 0
	set DX
	.endif
	.irp v, 0, 1, 2, 3
	load_as PLANE, %(64 * \h + 16 * \v)
	pick_signed \v, PICK, 8
	set SCALED
	product 0, \half, %(128 + 16 * \v), 4
	product 1, \half, %(192 + 16 * \v), 2
	i16x8.add
	widen
	product 2, \half, %(256 + 16 * \v), 0
	product 3, \half, %(320 + 16 * \v), %(0 - 2)
	i16x8.add
	widen
	i32x4.add
	.if \h
	get %(PART + \v)
	i32x4.add
	splat X, 12
	pick_signed \v, PICK_BOTH, 7
	i32x4.dot_i16x8_s
	i32x4.add
	scale_group \v
	.else
	set %(PART + \v)
	.endif
	.endr
	next_pick
.endm
	open_groups en_groups_6
	splat_const NIBBLE, 0x0f0f0f0f
	splat_const PLANES, 0x30303030
	splat_const ONES, 0x01010101
	loop_groups 4, 2
	pick PICK, 0x00800080, 0x04800480, 0x08800880, 0x0c800c80
	pick PICK_BOTH, 0x01800080, 0x05800480, 0x09800880, 0x0d800c80
	loop
	half_group low, 0
	half_group high, 1
	next_pick PICK_BOTH
	next_pick PICK_BOTH
	close_groups 384
