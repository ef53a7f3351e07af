# tiles.S - the loops of ../simd/panel.h: two tokens by 16 rows, n_blocks blocks of a panel. (Why in assembly: wasm.inc.)
#   void en_pair_*(vf acc[2][4], const vi *w, const vf *d, const vf *m, const uint8_t *x0, const uint8_t *x1, size_t stride, int32_t n_blocks, int32_t factor)
# m: NULL, or minima. factor: m8 times it is what the codes' offset adds to a sum. Sums and their order are those of blocks.h.
#include "wasm.inc"
#define D 2
#define M 3
#define X0 4
#define X1 5
#define STRIDE 6
#define BLOCKS 7
#define FACTOR 8
#define V 9 /* 16 vectors from here on: sums of token 0 and of token 1 for the four vectors of rows, then sums of the first half of a block */
#define A 25
#define B 26
#define C 27
#define DX 28
#define OFFSET 29
#define ONE 30
#define PAIR_LOCALS v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128

# Word i of a block. The macro `product sum, x, first` multiplies C, codes of four rows, with x and adds to a sum; first: 1 if there is none yet.
.macro pair_word product, i, first
	splat X0, %(16 + 4 * \i)
	set A
	splat X1, %(16 + 4 * \i)
	set B
	.irp v, 0, 1, 2, 3
	get W
	load %(64 * \i + 16 * \v)
	set C
	\product %(V + \v), A, \first
	\product %(V + 4 + \v), B, \first
	.endr
.endm
.macro open_pair name
	open \name
	.functype \name (i32, i32, i32, i32, i32, i32, i32, i32, i32) -> ()
	.local PAIR_LOCALS
	splat_const ONE, 0x00010001
	loop
.endm
# Scale and offset of token t, whose activations are at x.
.macro token_head x
	splat \x, 0
	set DX
	local.get \x
	i32.load 8:p2align=0
	get FACTOR
	i32.mul
	i32x4.splat
	set OFFSET
.endm
# acc[t][v] += float(the integer on the stack) (d dx)
.macro scale_sum t, v
	f32x4.convert_i32x4_s
	get D
	load %(16 * \v)
	get DX
	f32x4.mul
	f32x4.mul
	get ACC
	load %(64 * \t + 16 * \v)
	f32x4.add
	set A
	get ACC
	get A
	store %(64 * \t + 16 * \v)
.endm
.macro scale_token t, x
	splat \x, 0
	set DX
	.irp v, 0, 1, 2, 3
	get %(V + 4 * \t + \v)
	scale_sum \t, \v
	.endr
.endm
.macro add_mins t, x
	splat \x, 4
	set DX
	.irp v, 0, 1, 2, 3
	get ACC
	get M
	load %(16 * \v)
	get DX
	f32x4.mul
	get ACC
	load %(64 * \t + 16 * \v)
	f32x4.add
	store %(64 * \t + 16 * \v)
	.endr
.endm
.macro next_block bytes
	block
	get M
	i32.eqz
	br_if 0
	add_mins 0, X0
	add_mins 1, X1
	step M, 64
	end_block
	step W, \bytes
	step D, 64
	step_by X0, STRIDE
	step_by X1, STRIDE
	again BLOCKS
	end_function
.endm

# Pairs of i16. Panels hold centred codes: no offset.
.macro madd16 sum, x, first
	get \x
	get C
	i32x4.dot_i16x8_s
	.if \first == 0
	get \sum
	i32x4.add
	.endif
	set \sum
.endm
	open_pair en_pair_s16
	.irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	pair_word madd16, \i, %(\i == 0)
	.endr
	scale_token 0, X0
	scale_token 1, X1
	next_block 1024
