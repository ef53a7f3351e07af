# tiles.S - loops over blocks for WebAssembly. First those of ../simd/panel.h: two tokens by 16 rows, n_blocks blocks of a panel.
# In assembly because the order decides: an engine keeps the order it is given and has 15 registers. Here a word of activations meets the 16 rows that wait
# for it, then the next word is loaded. From C, clang gathers the products by their sums, so all words live at once and a third of the loop is spilling.
#   void en_pair_*(vf acc[2][4], const vi *w, const vf *d, const vf *m, const uint8_t *x0, const uint8_t *x1, size_t stride, int32_t n_blocks, int32_t factor)
# m: NULL, or minima. factor: m8 times it is what the codes' offset adds to a sum. Sums and their order are those of blocks.h.
#define ACC 0
#define W 1
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

	.altmacro
.macro load at
	v128.load \at:p2align=0
.endm
.macro store at
	v128.store \at:p2align=0
.endm
.macro splat x, at
	local.get \x
	v128.load32_splat \at:p2align=0
.endm
.macro get local
	local.get \local
.endm
.macro set local
	local.set \local
.endm

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
	.globl \name
	.hidden \name
	.type \name,@function
\name:
	.functype \name (i32, i32, i32, i32, i32, i32, i32, i32, i32) -> ()
	.local PAIR_LOCALS
	v128.const 65537, 65537, 65537, 65537
	set ONE
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
.macro step local, by
	get \local
	i32.const \by
	i32.add
	set \local
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
	get X0
	get STRIDE
	i32.add
	set X0
	get X1
	get STRIDE
	i32.add
	set X1
	get BLOCKS
	i32.const -1
	i32.add
	local.tee BLOCKS
	br_if 0
	end_loop
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

# One token by 16 rows of Q8_0 as they lie in the model: void en_one_q8_0(vf acc[4], const uint8_t *w, const uint8_t *x, size_t stride, int32_t n_blocks).
# Bytes as the upper halves of i16 lanes (blocks.h, s16); four vectors of sums, one for each of rows.
#define ONE_X 2
#define ONE_STRIDE 3
#define ONE_BLOCKS 4
#define SUM 5 /* 4 */
#define PART 9 /* 4 */
#define LOW 13
#define HIGH 14
#define WORD 15
#define UPPER 16
#define HALF_BITS 17
#define HALF_SCALE 18
#define ONES 19
#define ONE_DX 20
#define ONE_OFFSET 21
#define ONE_LOCALS v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128
.macro load_halves at
	i32x4.load16x4_s \at:p2align=0
.endm
.macro open_one name
	.globl \name
	.hidden \name
	.type \name,@function
\name:
	.functype \name (i32, i32, i32, i32, i32) -> ()
	.local ONE_LOCALS
	v128.const 0x8fffe000, 0x8fffe000, 0x8fffe000, 0x8fffe000 # halves to floats: v_f16 of vec.h
	set HALF_BITS
	v128.const 0x77800000, 0x77800000, 0x77800000, 0x77800000
	set HALF_SCALE
.endm
# SUM v += float(the integer on the stack) (d dx)
.macro scale_one v
	f32x4.convert_i32x4_s
	get W
	load_halves %(8 * \v)
	i32.const 13
	i32x4.shl
	get HALF_BITS
	v128.and
	get HALF_SCALE
	f32x4.mul
	get ONE_DX
	f32x4.mul
	f32x4.mul
	get %(SUM + \v)
	f32x4.add
	set %(SUM + \v)
.endm
.macro close_one bytes
	step W, \bytes
	get ONE_X
	get ONE_STRIDE
	i32.add
	set ONE_X
	get ONE_BLOCKS
	i32.const -1
	i32.add
	local.tee ONE_BLOCKS
	br_if 0
	end_loop
	.irp v, 0, 1, 2, 3
	get ACC
	get %(SUM + \v)
	store %(16 * \v)
	.endr
	end_function
.endm
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
	v128.const 0xff00ff00, 0xff00ff00, 0xff00ff00, 0xff00ff00
	set UPPER
	loop
	.irp g, 0, 1, 2, 3, 4, 5, 6, 7
	splat ONE_X, %(16 + 8 * \g)
	set LOW
	splat ONE_X, %(20 + 8 * \g)
	set HIGH
	.irp v, 0, 1, 2, 3
	bytes %(PART + \v), %(32 + 64 * \g + 16 * \v), %(\g == 0)
	.endr
	.endr
	splat ONE_X, 0
	set ONE_DX
	.irp v, 0, 1, 2, 3
	get %(PART + \v)
	scale_one \v
	.endr
	close_one 544
