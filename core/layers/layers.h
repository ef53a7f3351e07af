/* layers.h - what a forward pass is made of. An architecture is data: a list of tensors and three straight-line lists of steps
 * (begin, one layer, end). A step names an operation of ops.def, the activation slots it reads and writes, and its weights.
 * The runner (infer/session.c) walks the lists; training reads the same lists from their end.
 *
 * Dimension letters, used everywhere: T tokens of the slice, D model width, H query heads, K key/value heads, E head size, F feed-forward width,
 * V vocabulary, L layers. Every slot is [T, width of the slot] floats, row-major. */
#ifndef EN_LAYERS_H
#define EN_LAYERS_H
#include "../kernels/kernels.h"

/* Symbolic sizes that tensor and slot tables refer to. The last ones: first rows and heights of fused tensors (arch.h). */
typedef enum {
  EN_DIM_0, EN_DIM_1, EN_DIM_D, EN_DIM_E, EN_DIM_HE, EN_DIM_KE, EN_DIM_F, EN_DIM_V, EN_DIM_HALF_ROT,
  EN_DIM_QK /* (H + K) E */, EN_DIM_QKV /* (H + 2K) E */, EN_DIM_2F, EN_DIM_CTX /* n_ctx_train */, EN_DIM_TYPES, EN_DIM_LABELS,
  EN_DIM_X /* experts */, EN_DIM_XF, EN_DIM_XD, EN_DIM_UF, EN_DIM_UD /* F and D of all experts that a token uses; a dense model is one expert */,
  EN_DIM_I, EN_DIM_IN, EN_DIM_2I, EN_DIM_CONV /* channels of the convolution: I + 2 G N */, EN_DIM_CONVK, EN_DIM_DT, EN_DIM_R, EN_DIM_R2N,
  EN_DIM_I_CONV, EN_DIM_ALL_IN /* I + CONV + DT */,
  EN_DIM_2D, EN_DIM_3D, EN_DIM_4D, EN_DIM_5D, EN_DIM_6D, EN_DIM_DECAY, EN_DIM_RATE, EN_DIM_MIX, EN_DIM_GATE, EN_DIM_LOW /* the largest of these four ranks */,
  EN_DIM_2MIX, EN_DIM_3MIX, EN_DIM_4MIX, EN_DIM_5MIX
} en_dim;

/* One table of rotary angles: angle of pair i at position p = p * base^(-2i/rot) / factor[i] * scale. With yarn > 0 (Peng et al. 2023) pairs that
 * turn often within n_ctx_orig positions keep their unscaled angle: scale goes over into 1 between beta_slow and beta_fast turns. */
typedef struct en_rope {
  float base, scale;
  float mscale;                     /* multiplies cos and sin */
  float yarn, beta_fast, beta_slow; /* yarn 0: off, 1: in full */
} en_rope;
enum { EN_ROPES = 2 };

enum { EN_MAX_EXPERTS = 256, EN_MAX_USED = 16, EN_MAX_STATE = 512 /* numbers of a channel */, EN_MAX_CONV = 64, EN_MAX_WKV = 256 /* head size */ };
/* What differs between layers of one model. */
typedef struct en_layer_kind {
  uint8_t rope;   /* its table of angles, below n_rope */
  uint8_t window; /* 1: a token sees itself and the `window` - 1 positions before it, 0: all before it */
} en_layer_kind;

/* State-space layers (Mamba): I inner channels, N numbers of state each, a convolution over `conv` tokens, time steps from R numbers (Mamba 1: one of every
 * channel) or of `heads` groups of channels (Mamba 2: R is 0, and G groups of heads share B and C). */
typedef struct en_ssm { int32_t I, N, conv, R, G, heads; } en_ssm;

/* RWKV: ranks of the pairs of small matrices that make the decay, the learning rate, the mixing (7: of values; 6: of a token with the one before) and the gate.
 * rescale: x is halved after every so many layers, 0: never. */
typedef struct en_wkv { int32_t decay, rate, mix, gate, rescale; } en_wkv;

typedef struct en_config {
  int32_t L, D, H, K, E, F, V;
  int32_t n_ctx_train;
  int32_t rot;            /* leading dimensions of a head that rotate; even, <= E */
  float norm_eps;
  float attn_scale;       /* score = attn_scale * q.k */
  float attn_softcap, logit_softcap; /* 0: off */
  float embed_scale;      /* SCALE_EMBED multiplies by it */
  int32_t window;         /* positions that a layer with a sliding window sees; 0: the model has no such layer */
  int32_t window_period;  /* for the architecture's rule of which layers those are */
  int32_t bidirectional;  /* 1: an encoder, every token of a text sees all of it */
  int32_t pooling;        /* how the model's embeddings are pooled: EN_POOL_*, 0 where the file does not say */
  int32_t n_types;        /* token types (segments of BERT) */
  int32_t n_labels;       /* scores of a rank head */
  int32_t n_experts, n_used; /* feed-forward blocks of a layer, and those that a token goes through; 0: one for all */
  int32_t n_state;        /* floats that a layer keeps of a sequence, however long it is; 0: keys and values instead */
  en_ssm ssm;
  en_wkv wkv;
  int32_t n_ctx_orig;     /* context before its rotary angles were stretched */
  int32_t n_rope;         /* tables in use, 1 to EN_ROPES */
  en_rope rope[EN_ROPES];
} en_config;
int64_t en_dim_size(const en_config *c, en_dim d);

/* Activation slots and their widths. LOGITS has rows only for the tokens that asked, SCORES (of a rank head) for texts. */
#define EN_SLOTS(SLOT) \
  SLOT(X, D) SLOT(H, D) SLOT(Q, HE) SLOT(K, KE) SLOT(V, KE) SLOT(A, HE) SLOT(G, UF) SLOT(U, UF) SLOT(ROUTES, X) SLOT(PAIRS, UD) \
  SLOT(CX, CONV) SLOT(C, CONV) SLOT(Z, I) SLOT(Y, I) SLOT(P, R2N) SLOT(DT, DT) \
  SLOT(SHIFT, D) SLOT(MIX, D) SLOT(WK, D) SLOT(WV, D) SLOT(FIRST, D) SLOT(DECAY, D) SLOT(RATE, D) SLOT(GATE, D) SLOT(LOW, LOW) \
  SLOT(SCORES, LABELS) SLOT(LOGITS, V)
typedef enum {
#define SLOT(name, dim) EN_S_##name,
  EN_SLOTS(SLOT)
#undef SLOT
  EN_S_COUNT
} en_slot;
en_dim en_slot_dim(en_slot s);

typedef enum {
#define EN_OP(NAME, function, reads) EN_OP_##NAME,
#include "ops.def"
#undef EN_OP
  EN_OP_COUNT
} en_op;
const char *en_op_name(en_op op);
/* What an operation reads, and what its result costs, for ops.def. */
enum { EN_READS_NONE = 0, EN_READS_IN = 1, EN_READS_IN2 = 2, EN_READS_KV = 4 /* slots K and V */, EN_READS_P = 8, EN_COSTLY = 16 };

enum { EN_NONE = -1 }; /* no weight */
enum { EN_ACT_NONE, EN_ACT_TANH, EN_ACT_SIGMOID }; /* what DOTS does to its sums */
/* w, b: index into the architecture's per-layer tensor table, or (in begin and end lists) into its global table. */
typedef struct en_step {
  uint8_t op, out, in, in2;
  int8_t w, b;
  uint8_t add; /* LINEAR, ADD: add to what the slot holds (the residual) */
} en_step;
int32_t en_step_reads(const en_step *step, int32_t slot);                    /* 1: its result depends on what the slot held */
int32_t en_step_costly(const en_step *step);                                 /* 1: its result is worth keeping for the way back */
int32_t en_steps_touch(const en_step *steps, int32_t n_steps, int32_t slot); /* 1: some step reads or writes it */

/* Tokens of one sequence that sit side by side in the slice: attention works on one tile at a time. */
enum { EN_ATTEND_TILE = 8 };
typedef struct { int32_t t0, n; uint32_t seq; } en_tile;
/* All tokens of one sequence in the slice, in order: rows first, next[first], ... last, behind which next is -1. What carries a state from token to token goes along them. */
typedef struct { int32_t first, last; uint32_t seq; } en_chain;
enum { EN_STATE_FROM = 1, EN_STATE_TO = 2, EN_STATE_NEW = 4 }; /* which of its two states a sequence begins the slice with, which it leaves behind; it begins with zeros */

/* A low-rank update of one matrix (Hu et al. 2021): W x becomes W x + scale * B (A x). A is [rank, cols]; B is kept transposed, [rank, rows],
 * so that every product over it is a contiguous one. rank 0: this matrix has none.
 * DoRA (Liu et al. 2024), m given: W x becomes m (W x + scale * B (A x)) / norm, by rows; inverse: 1 / norm, |W + scale B A| of every row, a constant to
 * gradients; square: |W|^2 of every row, of which it is made (model/dora.c). */
enum { EN_LORA_MAX_RANK = 64, EN_LORA_MAX_STACK = 8 /* adapters at once */ };
typedef struct en_lora { float *a, *b, *m, *inverse, *square; int32_t rank; float scale; } en_lora;

/* Everything a step may touch while one slice of T tokens runs through one layer. */
typedef struct en_run {
  const en_kernels *k;
  const en_host *host;
  const en_config *c;
  const en_weight *w;          /* tensors of the current list: this layer's, or the globals */
  float *slot[EN_S_COUNT];
  int32_t T;
  int32_t layer;               /* the one in work */
  const int32_t *ids;          /* [T] */
  const uint32_t *pos;         /* [T] position in its text */
  const uint32_t *cell;        /* [T] where its key and value lie in the cache; decoders: pos */
  const float *cs;             /* [T, rot]: cos, sin of every rotating pair, from this layer's table */
  const en_tile *tiles;        /* cover the T tokens in order */
  int32_t n_tiles;
  const int32_t *lo, *hi;      /* [T] visible positions [lo, hi) */
  const en_chain *chains;      /* for layers with a state */
  int32_t n_chains;
  const int32_t *next;         /* [T] */
  float *state;                /* this layer's: [sequence, 2, n_state], or, without state_now, [lanes, n_state] */
  const uint8_t *state_now;    /* [sequence] EN_STATE_*; NULL: every chain begins with zeros, and nothing is left behind */
  uint8_t *kv_k, *kv_v;        /* this layer's caches: [sequence, K, n_ctx] rows of E values as kv_type says (en_kv_row_bytes) */
  uint32_t kv_type;            /* EN_KV_* */
  int32_t n_ctx;
  const en_lora *lora[EN_LORA_MAX_STACK]; /* updates of the current list's tensors, indexed like w; applied one after another */
  float lora_scale[EN_LORA_MAX_STACK];    /* the host's own factor, on top of each update's scale */
  int32_t n_lora;
  float *lora_u;               /* [T, EN_LORA_MAX_RANK] */
  float *dora;                 /* [en_dora_floats] */
  float *lora_x;               /* NULL, or [T, widest input of an update]: dropout is on, this holds what is left of the inputs */
  float lora_drop;             /* share that is dropped */
  uint64_t lora_seed;          /* of this micro-batch and layer */
  float *lse;                  /* NULL, or [T, H]: log-sum-exp of every attention row, for the backward */
  void *scratch;               /* en_matmul_scratch() bytes; also one row of any weight, packed and decoded */
} en_run;

size_t en_dora_floats(const en_config *c); /* scratch of LINEAR steps with DoRA */
/* Perform step[0]; a run of LINEAR steps that read the same slot is one product. Returns how many steps were done (>= 1). */
int32_t en_step_forward(const en_run *r, const en_step *step, int32_t n_steps);
/* Multiply-accumulates and weight bytes of that step, for profiles. */
void en_step_cost(const en_run *r, const en_step *step, double *macs, double *bytes);

/* Angle per position of every rotary pair, freq[rot/2], in double so that long contexts keep their phase. factors: [rot/2] or NULL. */
void en_rope_frequencies(double *freq, const en_config *c, const en_rope *rope, const float *factors);
/* cs[rot]: mscale times cos, sin of every pair at a position. */
void en_rope_angles(float *cs, const double *freq, int32_t rot, float mscale, double position);

/* ---- backward ---- */
/* The same steps, read from their end. r->slot[] holds what each slot held *before* the step (what it read); `out` is what the step wrote.
 * d[slot] is the gradient of the loss with respect to the slot: it comes in for the value after the step and leaves for the value before it.
 * dlora: gradients of r->lora[0]'s factors are added to it (same index; a NULL: that matrix is not trained).
 * weights, dweights: the model's own weights are trained, all of them f32; the gradient of the number at weights[i] is added to dweights[i]. */
typedef struct en_back {
  const en_run *r;
  float *const *d;             /* [EN_S_COUNT] */
  const float *out;
  const en_lora *dlora;        /* or NULL */
  float *du;                   /* [T, EN_LORA_MAX_RANK] scratch */
  float *scaled;               /* [T, widest slot that a LINEAR step adds to] scratch for gradients that DoRA scales */
  float *attend;               /* [en_back_floats(c, r->n_ctx, lanes)] scratch of attention and recurrences */
  int32_t narrow;              /* 1: products of attention narrow their factors too (en_narrow), over matrices of block types */
  int32_t need_in;             /* 0: nothing below this step is trained, dx of its inputs may be left out */
  const float *weights;        /* where the model's numbers begin, or NULL: they are frozen */
  float *dweights;
} en_back;
void en_step_backward(const en_back *b, const en_step *step);
size_t en_back_floats(const en_config *c, int32_t n_tokens, int32_t n_lanes); /* for so many tokens */

/* 1 if the tensor exists in this file (optional ones may not). */
static inline int en_weight_given(const en_weight *w) { return w->data != NULL; }
#endif
