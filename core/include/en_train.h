/* en_train.h - training on top of en.h; the same rules. Optional: leave core/train out of the build and this header goes with it.
 * Either a LoRA or DoRA adapter over a base model that is frozen, in any weight type, or all weights of a model whose tensors are all F32. Gradients are those of the function that the model's kernel table computes, with the
 * rounding of activations passed straight through. */
#ifndef EN_TRAIN_H
#define EN_TRAIN_H
#include "en.h"
#ifdef __cplusplus
extern "C" {
#endif
enum { EN_ADAMW = 0, EN_SGD = 1 };
enum { /* what is minimised; numbers frozen */
#define EN_LOSS(id, file) EN_LOSS_##id,
#include "../losses.def"
#undef EN_LOSS
  EN_LOSS_COUNT
};
typedef struct en_trainer en_trainer; /* gradients, AdamW moments, saved activations; borrows adapter and model */
/* Per layer: only its input, the rest is computed again on the way back; or everything; or what matrix products, attention and recurrences made, so that only
 * what is cheap (norms, rotations, activations) is computed again. More memory, less work; the same numbers. */
enum { EN_KEEP_INPUTS = 0, EN_KEEP_ALL = 1, EN_KEEP_PRODUCTS = 2 };
typedef struct {
  uint32_t n_tokens;   /* most tokens of one micro-batch */
  uint32_t keep;       /* EN_KEEP_* */
  float beta1, beta2, eps, weight_decay; /* AdamW (Loshchilov, Hutter 2019); all 0: 0.9, 0.999, 1e-8, 0. DoRA's m does not decay */
  float clip_norm;     /* global norm of the gradient; 0: off */
  uint32_t optimizer;  /* EN_ADAMW; EN_SGD: g += weight_decay p; v = momentum v + g; p -= lr v (as torch.optim.SGD) */
  float momentum;      /* of EN_SGD, 0 <= momentum < 1 */
  uint32_t freeze_a;   /* 1: only B is trained (LoRA-FA, Zhang et al. 2023): no gradient of A is computed */
  float lr_ratio_b;    /* the learning rate of B, and of DoRA's m, is this times that of A (LoRA+, Hayou et al. 2024); 0: 1 */
  float dropout;       /* share of every adapted matrix's inputs that its update does not see, 0 <= dropout < 1; the rest is divided by 1 - dropout. Not in
                        * en_train_evaluate. What is dropped follows from the seed, the number of the step and of its micro-batch, layer, matrix and place */
  uint64_t seed;       /* of dropout */
  uint32_t loss;       /* EN_LOSS_*; evaluating gives the same loss as training, without dropout */
  float label_smoothing; /* EN_LOSS_CAUSAL: share of the target that is spread over the whole vocabulary, 0 <= x < 1 */
  float temperature;   /* EN_LOSS_DISTILL: softens teacher and model; 0: 2. EN_LOSS_INFONCE: divides the cosines; 0: 0.05 */
  float hard_mix;      /* EN_LOSS_DISTILL: share of the cross-entropy of the batch's own tokens, 0 to 1; the teacher has the rest */
} en_train_spec;
size_t en_trainer_bytes(const en_adapter *a, const en_train_spec *spec, const en_host *host); /* 0: impossible */
/* a, host kept. The adapter may work in a session at the same time (not during a step). */
int32_t en_trainer_init(en_trainer **out, void *mem, size_t mem_bytes, en_adapter *a, const en_train_spec *spec, const en_host *host, en_why *why);

/* The same for all weights of m: they change where they lie, in the model's image (no session may be at work on it during a step; caches of
 * sessions belong to the weights that made them). Every tensor must be F32. Vectors (norms, biases) do not decay; dropout, freeze_a and lr_ratio_b must be 0.
 * en_model_read gives the trained file. Gradients and states have the order of the file's tensor data, packed as the model keeps it. */
size_t en_trainer_model_bytes(const en_model *m, const en_train_spec *spec, const en_host *host);
int32_t en_trainer_init_model(en_trainer **out, void *mem, size_t mem_bytes, en_model *m, const en_train_spec *spec, const en_host *host, en_why *why); /* m, host kept */

/* One micro-batch: whole sequences one after another, none sees another. */
typedef struct {
  uint32_t n;               /* tokens, at most n_tokens */
  const int32_t *ids;       /* [n] */
  const uint32_t *segment;  /* [n] number of the sequence, changes where a new one starts; NULL: one sequence */
  const float *weight;      /* [n] weight of the loss of predicting this token from those before it; 0 masks it. A sequence's first token has no
                             * prediction. NULL: 1 everywhere */
  const float *teacher;     /* EN_LOSS_DISTILL: the teacher's logits after every token, [n, n_vocab], or [n, teacher_k] with teacher_ids */
  const int32_t *teacher_ids; /* [n, teacher_k] different ids that teacher's logits are of; NULL: all, in order */
  uint32_t teacher_k;
  const float *prefix;      /* [n, n_embd] what en_train_prefix gave for these tokens: layers below the adapter's lowest need not run. NULL: they do */
  const int32_t *goals;     /* EN_LOSS_MLM: [n] ids that stood here, -1: not to predict; en_train_mask makes them. weight counts, 0 masks */
  /* EN_LOSS_INFONCE, EN_LOSS_COSINE: the sequences are pairs, anchor and positive in turn; the weight of the batch is their number, `weight` is not read. */
  const float *targets;     /* EN_LOSS_COSINE: [pairs] the cosine that each should have */
  const float *rows;        /* EN_LOSS_INFONCE: NULL, or all pairs of a batch larger than this: [n_rows, n_embd], collected by en_train_rows after evaluating
                             * every micro-batch, before any is accumulated. This one's begin at first_row. Without dropout */
  uint32_t n_rows, first_row;
} en_train_batch;
typedef struct { double loss, weight; } en_train_loss; /* weighted sum of the loss (causal: of -log p), and sum of weights: the mean is loss / weight */
/* Forward, backward, add to the gradients; *out is this micro-batch's loss. On failure the gradients are as before. */
int32_t en_train_accumulate(en_trainer *t, const en_train_batch *b, en_train_loss *out, en_why *why);
int32_t en_train_evaluate(en_trainer *t, const en_train_batch *b, en_train_loss *out, en_why *why); /* forward only */
/* Layers below the adapter's lowest never change: what they make of a sequence can be computed once and kept - in memory, in a file - for all epochs.
 * It is exact: with the prefix of the same micro-batch, losses and gradients have the same bits; with those of its sequences alone, one after
 * another, they differ like packed and unpacked sequences do. Belongs to the model, the tokens and the adapter's first layer. Above 0.5 billion parameters,
 * training the top 4 layers this way is the sensible default. rows: [n, n_embd]. EN_E_ARG: the adapter has no frozen layer below it. */
int32_t en_train_prefix(en_trainer *t, const en_train_batch *b, float *rows, en_why *why);
/* The same in slices, for hosts that must stay responsive: begin, then run until it is not EN_E_MORE. The batch's arrays are kept until then.
 * learn: EN_TRAIN_*; the rows of a prefix are then at en_trainer_prefix, until the next begin. n_steps: layer steps, or pieces of the loss, per call. EN_E_STOPPED: the host's stop word was set (the calls
 * above poll it too); the gradients are as before the micro-batch, as after en_train_drop. */
enum { EN_TRAIN_EVALUATE = 0, EN_TRAIN_LEARN = 1, EN_TRAIN_PREFIX = 2 };
int32_t en_train_begin(en_trainer *t, const en_train_batch *b, int32_t learn, en_why *why);
int32_t en_train_run(en_trainer *t, uint32_t n_steps, en_train_loss *out, en_why *why);
const float *en_trainer_prefix(const en_trainer *t); /* [n, n_embd] */
void en_train_drop(en_trainer *t);   /* give up the micro-batch in work */
void en_train_forget(en_trainer *t); /* and all gradients since the last step */
/* EN_LOSS_INFONCE, EN_LOSS_COSINE: embeddings of the last micro-batch's sequences, [*n, n_embd], of length 1; valid until the next. NULL: another loss. */
const float *en_train_rows(const en_trainer *t, uint32_t *n);
/* Masks of MLM as BERT has them: each id from `first` on (those below are special) is chosen with this probability; of the chosen ones 80 % become `mask`,
 * 10 % another id, 10 % stay. What is chosen follows from seed and counter + 3 i alone. Returns how many. */
typedef struct { float probability; int32_t mask, first, n_vocab; uint64_t seed; } en_mask_spec;
uint32_t en_train_mask(int32_t *ids, int32_t *goals, uint32_t n, const en_mask_spec *s, uint64_t counter);
/* Gradients of all micro-batches since the last step, divided by the sum of their weights: clip, AdamW with this learning rate, zero them.
 * *grad_norm (may be NULL): before clipping. EN_E_NUMERIC: it is not finite; the step is skipped and the gradients are zeroed. EN_E_STATE: nothing was accumulated. */
int32_t en_train_step(en_trainer *t, double lr, double *grad_norm, en_why *why);
const float *en_trainer_gradients(const en_trainer *t, uint64_t *n); /* sums so far, in the order of what is trained; an adapter: for every layer and target A, then B transposed, then m of DoRA */
uint64_t en_trainer_steps(const en_trainer *t);
/* Everything a later en_trainer_load needs to continue with the same numbers: what is trained, moments, step count. */
size_t en_trainer_save(const en_trainer *t, void *dst, size_t cap); /* bytes needed; writes only if they fit; 0 while gradients are pending */
int32_t en_trainer_load(en_trainer *t, const void *src, size_t n_bytes, en_why *why);
#ifdef __cplusplus
}
#endif
#endif
