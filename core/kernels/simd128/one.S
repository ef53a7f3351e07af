# one.S - one token by 16 rows: what both WebAssembly tables have. First Q8_0: bytes as the upper halves of i16 lanes (../simd/blocks.h, s16).
#include "one.inc"
.macro bytes part, at, first
	get W
	load \at
	set WORD
	get WORD
	i32.const 8
	i16x8.shl
	get LOW
	i32x4.dot_i16x8_s
	.if \first == 0
	get \part
	i32x4.add
	.endif
	get WORD
	get UPPER
	v128.and
	get HIGH
	i32x4.dot_i16x8_s
	i32x4.add
	set \part
.endm
	open_one en_one_q8_0
	splat_const UPPER, 0xff00ff00
	loop
	.irp g, 0, 1, 2, 3, 4, 5, 6, 7
	splat X, %(16 + 8 * \g)
	set LOW
	splat X, %(20 + 8 * \g)
	set HIGH
	.irp v, 0, 1, 2, 3
	bytes %(PART + \v), %(32 + 64 * \g + 16 * \v), %(\g == 0)
	.endr
	.endr
	splat X, 0
	set DX
	.irp v, 0, 1, 2, 3
	get %(PART + \v)
	scale_one \v
	.endr
	close_one 544

# void en_scales_pairs(vf mins[4], const uint8_t *words, const en_act_sums *z, vi (*scale)[4]): of Q4_K and Q5_K (quant/k_pairs.h). Two words of four scales a row,
# and mins = D float(sum of min z), which is what the minima of a block take off, but for their own scale.
#define MINS 0
#define WORDS 1
#define Z 2
#define TO 3
#define LEFT 4
#define SIX 5
#define FOUR 6
#define TWO 7
#define EVEN 8
#define SUM_D 9
#define Z0 10
#define Z1 11
#define Z2 12
#define Z3 13
#define WORD_A 14
#define WORD_B 15
#define WORD_C 16
.macro masked word, right, mask
	get \word
	.if \right
	i32.const \right
	i32x4.shr_u
	.endif
	get \mask
	v128.and
.endm
# even and odd bytes of WORD_A, minima, times those of two z
.macro times_z even, odd
	get WORD_A
	get EVEN
	v128.and
	get \even
	i32x4.dot_i16x8_s
	get WORD_A
	shift_right 8
	get \odd
	i32x4.dot_i16x8_s
	i32x4.add
.endm
	open en_scales_pairs
	.functype en_scales_pairs (i32, i32, i32, i32) -> ()
	.local i32, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128
	splat_const SIX, 0x3f3f3f3f
	splat_const FOUR, 0x0f0f0f0f
	splat_const TWO, 0x30303030
	splat_const EVEN, 0x00ff00ff
	splat Z, 0
	set SUM_D
	splat Z, 4
	set Z0
	splat Z, 8
	set Z1
	splat Z, 12
	set Z2
	splat Z, 16
	set Z3
	i32.const 4
	set LEFT
	loop
	get WORDS
	load 0
	set WORD_A
	get WORDS
	load 64
	set WORD_B
	get WORDS
	load 128
	set WORD_C
	get TO
	masked WORD_A, 0, SIX
	store 0
	get TO
	masked WORD_C, 0, FOUR
	masked WORD_A, 2, TWO
	v128.or
	store 64
	get MINS
	get SUM_D
	masked WORD_B, 0, SIX
	set WORD_A
	times_z Z0, Z1
	masked WORD_C, 4, FOUR
	masked WORD_B, 2, TWO
	v128.or
	set WORD_A
	times_z Z2, Z3
	i32x4.add
	f32x4.convert_i32x4_s
	f32x4.mul
	store 0
	step WORDS, 16
	step MINS, 16
	step TO, 16
	again LEFT
	end_function
