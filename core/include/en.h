/* en.h - edge-net inference. Rules for the whole header:
 * - a pointer passed in is borrowed for the call unless its comment says "kept" (then it must outlive the handle);
 * - a pointer handed out is owned by the handle it came from and dies with it;
 * - sizes are bytes or elements, never both: *_bytes or n_*; shapes are row-major, slowest dimension first;
 * - no call allocates: every object is built in memory that the caller sized with en_*_bytes() and aligned to EN_ALIGN;
 * - int32_t results are en_status values unless a comment says otherwise; on failure outputs are untouched (en_encode and en_decode: on EN_E_FULL what fits is written) and
 *   `why` (may be NULL) holds one sentence that names the tensor, key or limit;
 * - one thread at a time per handle; a sealed model and a tokenizer are read-only and may be shared. */
#ifndef EN_H
#define EN_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define EN_ABI 1
#define EN_ALIGN 64 /* alignment of every memory block that a caller lends */

/* Values are frozen: they cross the wasm border. */
typedef enum {
  EN_OK = 0,
  EN_E_ARG = -1,         /* a parameter is out of its documented range */
  EN_E_NOMEM = -2,       /* the lent memory is smaller than en_*_bytes() asked for */
  EN_E_MORE = -3,        /* not an error: call again with more bytes / to continue */
  EN_E_FORMAT = -4,      /* the file breaks its format */
  EN_E_UNSUPPORTED = -5, /* a valid file that this build cannot run */
  EN_E_FULL = -6,        /* no room: context or output buffer; nothing was changed */
  EN_E_STOPPED = -7,     /* the host's stop word was set; nothing was changed */
  EN_E_STATE = -8,       /* calls in the wrong order */
  EN_E_NUMERIC = -9      /* a non-finite value appeared */
} en_status;
const char *en_status_name(int32_t status); /* "EN_E_NOMEM"; never NULL */

typedef struct { char text[256]; } en_why; /* one sentence, NUL-terminated, no file name (the host knows it) */

/* What the host lends. All fields may be zero: then everything runs on the calling thread. */
typedef struct en_host {
  /* Run job(ctx, lo, hi, lane) over disjoint ranges that cover [0, n); every lo is a multiple of `step` (so is hi, except at n);
   * return when all are done. 0 <= lane < n_lanes, and no two calls run at once with the same lane. */
  void (*parallel)(void *ud, void (*job)(const void *ctx, int32_t lo, int32_t hi, int32_t lane), const void *ctx, int32_t n, int32_t step);
  void *ud;
  int32_t n_lanes;      /* 0 and 1 both mean serial */
  const int32_t *stop;  /* kept; polled between steps of a layer; non-zero makes en_eval return EN_E_STOPPED */
  double (*now_ms)(void *ud); /* for profiles only; NULL: no times */
} en_host;

/* ---- model: probe the head of a GGUF file, lend memory, stream the bytes in, seal ---- */
typedef struct en_model en_model; /* weights: immutable once sealed, shareable by sessions */

typedef struct {
  uint64_t file_bytes;  /* what the whole file must have */
  uint64_t data_offset; /* first byte of the tensor data; everything before it is "the head" */
  uint64_t n_params;    /* sum of tensor elements */
  uint32_t n_layer, n_embd, n_vocab, n_ctx_train, n_head, n_head_kv, n_ff;
  uint64_t fingerprint; /* of the head and of a sample of every tensor; 0 before the model is sealed */
  uint32_t has_tokenizer; /* 1: en_tokenizer_init can work on this file */
  uint32_t has_logits;    /* 0: an encoder, it gives embeddings only */
  uint32_t pooling;       /* EN_POOL_*: how its embeddings are pooled */
  char arch[32], name[64], type[16]; /* general.architecture, general.name (cut), type of most weight bytes, e.g. "Q4_0" */
} en_info;

/* Look at the first n_bytes of a file. EN_E_MORE: the head is longer than that (call again, from the start, with more). */
int32_t en_probe(const void *head, size_t n_bytes, en_info *info, en_why *why);

/* Memory for the model's tables; the file itself lives in `image`. host: the one that en_model_init will get (packing needs scratch per lane); NULL: none. */
size_t en_model_bytes(const void *image, size_t n_head_bytes, const en_host *host);
/* `image`: file_bytes of memory (kept, aligned to EN_ALIGN) whose first n_head_bytes >= data_offset are already filled.
 * host: its lanes pack what is fed; used until the model is sealed. */
int32_t en_model_init(en_model **out, void *mem, size_t mem_bytes, void *image, size_t n_head_bytes, const en_host *host, en_why *why);
/* All bytes of the image below `upto` are written. Repacks, in place, what has become complete: call it as chunks arrive. */
int32_t en_model_feed(en_model *m, uint64_t upto);
/* Everything is there: repack the rest and check. Afterwards the model is read-only. EN_E_STATE if bytes are missing. */
int32_t en_model_seal(en_model *m, en_why *why);
const en_info *en_model_info(const en_model *m);
/* Bytes [at, at + n_bytes) of the model's file, as en_model_init got it, but with the weights as they are now: unpacked. For saving a model that was
 * trained or merged. EN_E_ARG: outside the file. */
int32_t en_model_read(const en_model *m, uint64_t at, void *dst, size_t n_bytes);
const char *en_model_kernels(const en_model *m); /* name of the kernel table in use, e.g. "avx512" */
/* Choose a kernel table by name ("auto", "ref", "ref-int8", "avx2", ...). Before en_model_seal. EN_E_UNSUPPORTED: not on this machine. */
int32_t en_model_use_kernels(en_model *m, const char *name, en_why *why);
const char *en_kernels_name(int32_t i); /* i-th table that runs on this machine, NULL past the end; 0 = the default */
/* Where the instruction set alone does not tell: a table that beats the default on some machines. NULL: the default is the best, or the model has no
 * Q4_0 weights, where they differ. m NULL: for any model. */
const char *en_kernels_rival(const en_model *m);
/* GMAC/s of a table's product of Q4_0 weights, in the cache, with one token, over about `ms` of host->now_ms. mem: EN_TRIAL_BYTES, aligned.
 * 0: the table does not run here, or there is no clock. */
enum { EN_TRIAL_BYTES = 131072 };
double en_kernels_speed(const char *name, const en_host *host, double ms, void *mem);

/* ---- metadata, read straight from the head ---- */
typedef struct { uint32_t type, elem_type; uint64_t n; const uint8_t *at; } en_value; /* type: GGUF value type; n: elements or bytes of a string; at: first byte */
int32_t en_meta(const en_model *m, const char *key, en_value *out);             /* EN_E_ARG: no such key */
int32_t en_meta_at(const en_model *m, uint32_t i, const uint8_t **key, uint64_t *key_bytes, en_value *out); /* EN_E_ARG past the end */

/* ---- tokenizer ---- */
typedef struct en_tokenizer en_tokenizer; /* vocabulary tables; reads its strings from the model's image */
/* Add BOS as the file says; read special tokens in the text; add EOS as the file says; then, as the first text of a pair, what the file has between two (a reranker's query). */
enum { EN_TOK_BOS = 1, EN_TOK_SPECIAL = 2, EN_TOK_EOS = 4, EN_TOK_PAIR = 8 };
size_t en_tokenizer_bytes(const void *image, size_t n_head_bytes);  /* 0: no tokenizer that we know; ask en_tokenizer_init why */
int32_t en_tokenizer_init(en_tokenizer **out, void *mem, size_t mem_bytes, const void *image, size_t n_head_bytes, en_why *why); /* image kept */
size_t en_encode_bytes(const en_tokenizer *t, size_t n_text_bytes); /* scratch that en_encode needs for such a text */
/* Text (UTF-8, bad bytes are kept as bytes where the vocabulary can) -> ids. *n_ids is the number needed even on EN_E_FULL. */
int32_t en_encode(const en_tokenizer *t, const char *utf8, size_t n_bytes, int32_t flags, int32_t *ids, size_t cap, size_t *n_ids, void *scratch, size_t scratch_bytes);
/* Ids -> bytes, exactly what the tokens stand for. EN_TOK_SPECIAL in flags: control tokens are written as their text, else as nothing.
 * A leading space that the tokenizer adds by itself is removed when `at_start`. *n_bytes is the number needed even on EN_E_FULL. */
int32_t en_decode(const en_tokenizer *t, const int32_t *ids, size_t n_ids, int32_t flags, int32_t at_start, char *utf8, size_t cap, size_t *n_bytes);
typedef struct { int32_t bos, eos, eot, eom, unk, sep, pad, cls, mask; int32_t add_bos, add_eos, add_sep /* one more separator between two texts */; uint32_t n_vocab; } en_special; /* -1: none */
const en_special *en_tokenizer_special(const en_tokenizer *t);
/* 1: an id stands for the same text in both; one may have more ids at its end (padding). */
int32_t en_tokenizer_same(const en_tokenizer *a, const en_tokenizer *b);
int32_t en_token_is_end(const en_tokenizer *t, int32_t id); /* 1: generation ends here (eos, eot, eom and tokens known by name) */
int32_t en_token_find(const en_tokenizer *t, const char *utf8, size_t n_bytes); /* id of that exact token text, -1 none */

/* ---- text stream: tokens in, printable text out; stop strings across token borders, no broken code points ---- */
typedef struct en_stream en_stream;
size_t en_stream_bytes(size_t stop_bytes); /* stop_bytes: length of all stop strings with their NULs */
/* stops: `n_stops` NUL-terminated strings one after another (copied). `at_start`: drop the tokenizer's own leading space. */
int32_t en_stream_init(en_stream **out, void *mem, size_t mem_bytes, const en_tokenizer *t, const char *stops, size_t stop_bytes, int32_t n_stops, int32_t at_start);
/* Add a token. *text and *n_bytes: what may be shown now (valid until the next call). Returns 1 when a stop string is complete
 * (the text ends before it), 0 otherwise, or a status < 0. */
int32_t en_stream_push(en_stream *s, int32_t id, const char **text, size_t *n_bytes);
/* The end: give out what was held back; an unfinished code point becomes U+FFFD. */
int32_t en_stream_end(en_stream *s, const char **text, size_t *n_bytes);

/* ---- grammar: tokens that keep a text to a form ---- */
typedef struct en_lexicon en_lexicon; /* a vocabulary ordered for the purpose; read-only, any number of grammars share one */
size_t en_lexicon_bytes(const en_tokenizer *t);
int32_t en_lexicon_init(en_lexicon **out, void *mem, size_t mem_bytes, const en_tokenizer *t); /* t kept */
typedef struct en_grammar en_grammar; /* a grammar and how far a text is in it: one per text */
enum {
  EN_GRAMMAR_GBNF = 0,  /* llama.cpp's notation; the rule "root" is the whole text */
  EN_GRAMMAR_SCHEMA = 1 /* a JSON schema; "{}" is any JSON. Keywords that cannot be kept to are EN_E_UNSUPPORTED, by name */
};
size_t en_grammar_bytes(const en_lexicon *x); /* enough for every grammar that is taken: about 0.9 MB and a byte per token of the vocabulary */
/* x kept; text is not. EN_E_FORMAT names the byte; EN_E_FULL: the grammar is too large, or allows nothing. */
int32_t en_grammar_init(en_grammar **out, void *mem, size_t mem_bytes, const en_lexicon *x, int32_t kind, const char *text, size_t n_bytes, en_why *why);
/* Set logits [n_logits] of tokens that may not come next to -INFINITY. 1: some may come (end tokens where the text may end); 0: the text is complete and
 * nothing can follow; EN_E_STATE: no token fits, because the vocabulary lacks bytes; EN_E_FULL: the grammar is too ambiguous to be followed. */
int32_t en_grammar_mask(en_grammar *g, float *logits, uint32_t n_logits, en_why *why);
int32_t en_grammar_accept(en_grammar *g, int32_t id); /* the id is now part of the text; EN_E_ARG: it does not fit, nothing has changed */
void en_grammar_reset(en_grammar *g);                 /* begin a new text */

/* ---- how near a text is to what was wanted ---- */
/* -log p(id) after logits [n], in nats; *best (may be NULL): the likeliest id, the lowest of equal ones. */
double en_surprise(const float *logits, uint32_t n, int32_t id, int32_t *best);
/* BLEU-4 of a corpus (Papineni et al. 2002; words as mteval's "13a", one reference, no smoothing): start with zeros, add every pair, then ask for the score. */
typedef struct { double matched[4], possible[4] /* n-grams, n = 1..4 */, candidate_words, reference_words; } en_bleu;
typedef struct { double precision, recall, f1; } en_rouge; /* ROUGE-L of one pair (Lin 2004): words without punctuation, letters of ASCII in one case */
size_t en_overlap_bytes(size_t n_candidate, size_t n_reference); /* scratch that the two below need for such texts; 0: too long */
int32_t en_bleu_add(en_bleu *b, const char *candidate, size_t n_candidate, const char *reference, size_t n_reference, void *scratch, size_t scratch_bytes);
double en_bleu_score(const en_bleu *b);                          /* 0..1 */
int32_t en_rouge_l(en_rouge *out, const char *candidate, size_t n_candidate, const char *reference, size_t n_reference, void *scratch, size_t scratch_bytes);

/* ---- session: KV caches of some sequences, scratch ---- */
typedef struct en_session en_session;
enum { EN_KV_F32 = 0, EN_KV_F16 = 1, EN_KV_Q8_0 = 2 /* 32 values: one half as scale and signed bytes */, EN_KV_TYPES };
enum { /* embeddings; frozen */
  EN_POOL_MODEL = 1,  /* as the file says; where it does not: the mean for encoders, the last token for decoders */
  EN_POOL_TOKENS = 2, /* none: a row per token */
  EN_POOL_MEAN = 3, EN_POOL_FIRST = 4 /* token, BERT's [CLS] */, EN_POOL_LAST = 5,
  EN_POOL_RANK = 6    /* scores of a pair's relevance, by the head of a reranker */
};
typedef struct {
  uint32_t n_ctx;    /* positions per sequence; 0: the model's own, at most 4096 */
  uint32_t n_batch;  /* tokens worked on at once; 0: 64 */
  uint32_t n_seq;    /* sequences; 0: 1 */
  uint32_t n_logits; /* rows of logits kept per en_eval; 0: 1 */
  uint32_t kv_type;  /* EN_KV_* */
  uint32_t pooling;  /* 0: logits; EN_POOL_*: embeddings, see below */
} en_session_spec;
/* host: the one that en_session_init will get (scratch is per lane); NULL: none. 0: the spec is impossible (overflow or out of range). */
size_t en_session_bytes(const en_model *m, const en_session_spec *spec, const en_host *host);
size_t en_session_kv_bytes(const en_model *m, const en_session_spec *spec);  /* the part of it that is KV cache */
/* m, host kept. m must be sealed. */
int32_t en_session_init(en_session **out, void *mem, size_t mem_bytes, const en_model *m, const en_session_spec *spec, const en_host *host, en_why *why);

/* One call for single decode, chunked prefill, parallel requests, perplexity and verification.
 * Tokens of one sequence must be in order and continue it: pos = en_seq_length(seq) + how many of it came before in this batch.
 * On EN_E_STOPPED / EN_E_FULL / EN_E_ARG no sequence has changed. */
typedef struct {
  uint32_t n;              /* tokens; any number, worked on in slices of n_batch */
  const int32_t *ids;      /* [n] */
  const uint32_t *seq;     /* [n] or NULL: all in sequence 0 */
  const uint8_t *want;     /* [n] non-zero: logits of this row; NULL: of the last row only */
} en_batch;
int32_t en_eval(en_session *s, const en_batch *b, en_why *why);
/* The same in steps, for hosts that must stay responsive without threads: begin, then run until it is not EN_E_MORE.
 * The batch's arrays are kept until then. `n_steps`: layer steps per call (a llama layer has about 12). en_eval_drop gives up. */
int32_t en_eval_begin(en_session *s, const en_batch *b, en_why *why);
int32_t en_eval_run(en_session *s, uint32_t n_steps, en_why *why);
void en_eval_drop(en_session *s);
uint32_t en_logits_rows(const en_session *s);                    /* rows that the last en_eval produced, in batch order */
float *en_logits(en_session *s, uint32_t row);                   /* [n_vocab], valid until the next en_eval; NULL past the end; may be changed */
uint32_t en_seq_length(const en_session *s, uint32_t seq);       /* positions in the cache */
int32_t en_seq_keep(en_session *s, uint32_t seq, uint32_t n);    /* forget positions >= n. EN_E_UNSUPPORTED: a recurrent model can only forget all (n 0) */
int32_t en_seq_copy(en_session *s, uint32_t from, uint32_t to);  /* fork: `to` becomes a copy of `from` */
uint32_t en_session_n_ctx(const en_session *s);
/* ---- embeddings: a session with spec.pooling set. Texts stand packed side by side, no padding, in one forward pass; none sees another and none is kept, so
 * there is no cache but one layer's keys and values of one slice. In the spec n_ctx is the longest text (0: at most 512, never above what the model was trained
 * for), n_batch the tokens worked on at once (0: 512; at least n_ctx), n_seq nothing, n_logits the rows kept (0: n_batch).
 * In a batch, a text begins where seq changes (NULL: one text); `want` is not read. EN_E_FULL: a text is too long, or too many rows. ---- */
uint32_t en_embedding_rows(const en_session *s);                 /* of the last en_eval: one per text, in batch order (EN_POOL_TOKENS: one per token) */
uint32_t en_embedding_size(const en_session *s);                 /* floats of a row: n_embd, or the labels of a rank head */
float *en_embedding(en_session *s, uint32_t row);                /* pooled, not normalised; valid until the next en_eval; NULL past the end; may be changed */
/* x / |x|, in place; zeros stay. The first n of a longer row: Matryoshka truncation (Kusupati et al. 2022). The same bits everywhere. */
void en_normalize(float *x, uint32_t n);

/* A sequence's cache as bytes, to keep a long prompt over a reload. The host keeps the ids beside it. Only the same model (en_info.fingerprint) with the
 * same kv_type takes it back; n_ctx may differ as long as the positions fit. Little-endian; layout: docs/formats.md. */
size_t en_seq_state_bytes(const en_session *s, uint32_t seq);                              /* 0: no such sequence */
int32_t en_seq_save(const en_session *s, uint32_t seq, void *dst, size_t cap);             /* EN_E_FULL: cap is too small */
int32_t en_seq_load(en_session *s, uint32_t seq, const void *src, size_t n_bytes, en_why *why); /* on failure the sequence is unchanged */

/* Time per kind of step since the last reset, host.now_ms given: fills up to cap rows, returns how many exist. */
typedef struct { const char *name; double ms, macs, bytes; uint64_t calls; } en_profile_row;
int32_t en_profile(const en_session *s, en_profile_row *rows, int32_t cap);
void en_profile_reset(en_session *s);

/* ---- adapter: low-rank updates of a model's matrices (LoRA, Hu et al. 2021; DoRA, Liu et al. 2024) ---- */
typedef struct en_adapter en_adapter; /* borrows the model; trained through en_train.h */
enum { /* which matrices of every layer; order frozen */
  EN_LORA_Q = 1, EN_LORA_K = 2, EN_LORA_V = 4, EN_LORA_O = 8, EN_LORA_GATE = 16, EN_LORA_UP = 32, EN_LORA_DOWN = 64, EN_LORA_ALL = 127
  /* Mamba: O is its output matrix; GATE and UP, and DOWN of Mamba 2, are the parts of its input matrix in the file's order. RWKV 7: receptance, key, value, output; UP and DOWN of the channel mix */
};
typedef struct {
  uint32_t rank;        /* 1..64 */
  float alpha;          /* scale = alpha / rank, or alpha / sqrt(rank) with rslora */
  uint32_t targets;     /* EN_LORA_*; a target that the model does not have is EN_E_ARG */
  uint32_t rslora;      /* 1: rank-stabilised scale */
  uint32_t first_layer; /* layers below it get no update */
  uint32_t dora;        /* 1: every row of a matrix has a length m of its own, to be trained too: m (W + scale B A) / |W + scale B A|. Of a matrix that PEFT knows as
                         * one module with others (q, k, v of phi3), all are targets or none */
} en_adapter_spec;
size_t en_adapter_bytes(const en_model *m, const en_adapter_spec *spec); /* 0: impossible */
/* A uniform in +-1/sqrt(cols), B zero: the model is unchanged at first. m kept. */
int32_t en_adapter_init(en_adapter **out, void *mem, size_t mem_bytes, const en_model *m, const en_adapter_spec *spec, uint64_t seed, en_why *why);
/* From a llama.cpp LoRA file (GGUF, general.type "adapter"), all in memory; its values are copied. 0 bytes: ask the init why. */
size_t en_adapter_file_bytes(const en_model *m, const void *file, size_t n_bytes);
int32_t en_adapter_init_file(en_adapter **out, void *mem, size_t mem_bytes, const en_model *m, const void *file, size_t n_bytes, en_why *why);
/* The same file format, written. Returns the bytes needed and writes only if they fit; 0: the adapter is of DoRA, for which llama.cpp's form has no place. */
size_t en_adapter_save(const en_adapter *a, void *dst, size_t cap);
/* PEFT's two files (github.com/huggingface/peft): adapter_model.safetensors (F32, F16 or BF16; written as F32) and adapter_config.json, both all in
 * memory; values are copied. The rows of q and k of llama models are reordered as their GGUF files are. What the factors alone do not say
 * (biases, base weights changed at the start) is EN_E_UNSUPPORTED. 0 bytes: ask the init why. */
size_t en_adapter_peft_bytes(const en_model *m, const void *tensors, size_t n_bytes);
int32_t en_adapter_init_peft(en_adapter **out, void *mem, size_t mem_bytes, const en_model *m, const void *tensors, size_t n_bytes, const char *config, size_t config_bytes, en_why *why);
typedef struct { const char *base_model; float dropout; uint32_t rslora; } en_peft_config; /* name to write, NULL: none; used in training; 1: state alpha for use_rslora */
size_t en_adapter_save_peft(const en_adapter *a, void *dst, size_t cap); /* adapter_model.safetensors; as en_adapter_save */
size_t en_adapter_save_peft_config(const en_adapter *a, const en_peft_config *config, void *dst, size_t cap); /* adapter_config.json */
/* The factors of one target of one layer, NULL if it has none: A [rank, cols] or B transposed, [rank, rows]. For other file formats. */
float *en_adapter_a(en_adapter *a, uint32_t layer, uint32_t target, uint32_t *rank, uint32_t *cols);
float *en_adapter_b(en_adapter *a, uint32_t layer, uint32_t target, uint32_t *rank, uint32_t *rows);
float *en_adapter_m(en_adapter *a, uint32_t layer, uint32_t target, uint32_t *rows); /* the lengths of its rows, [rows]; NULL too if the adapter is not of DoRA */
/* After such numbers of a DoRA adapter were written: its rows' norms follow from them. Training and reading files do it themselves. */
void en_adapter_changed(en_adapter *a);
/* After the model's weights were changed by something else, another adapter merged into them: DoRA's norms are counted again. */
void en_adapter_rebased(en_adapter *a);
uint64_t en_adapter_params(const en_adapter *a); /* trainable numbers */
float en_adapter_alpha(const en_adapter *a);     /* the scale of an update is this / its rank (rslora included); 0: the scale is 1 */
/* The update times `scale` into the weights themselves: every matrix is decoded, changed and encoded again in its own type (F32: nothing is lost but
 * the rounding of the sum). For ever: en_model_read gives the merged file. No session may be at work on m, caches belong to the weights before.
 * EN_E_ARG: the adapter was made for another model; EN_E_NUMERIC: it is not finite. Then nothing has changed. */
size_t en_adapter_merge_bytes(const en_adapter *a);
int32_t en_adapter_merge(en_model *m, const en_adapter *a, float scale, void *scratch, size_t scratch_bytes, en_why *why);
/* Up to 8 adapters work on a session at once: y = W x + the sum of scale * (what each makes of W x - W x). a kept until it is detached. The caches belong to the weights that made
 * them: attaching, rescaling and detaching empties every sequence. EN_E_ARG: made for another model. */
int32_t en_session_attach(en_session *s, en_adapter *a, float scale, en_why *why); /* again: a new scale */
int32_t en_session_detach(en_session *s, en_adapter *a);

/* ---- sampler: logits -> id. Order: bias, repetition penalty, greedy if temperature 0, top-k, temperature, top-p, min-p, draw ---- */
typedef struct en_sampler en_sampler;
enum {
#define EN_PARAM(id, name, js, lo, hi, dflt, text) EN_P_##id,
#include "../params.def"
#undef EN_PARAM
  EN_P_COUNT
};
typedef struct { const char *name, *js_name, *text; double min, max, dflt; } en_param_info;
const en_param_info *en_param(uint32_t id); /* NULL past the end */
size_t en_sampler_bytes(uint32_t n_vocab, uint32_t n_bias);
int32_t en_sampler_init(en_sampler **out, void *mem, size_t mem_bytes, uint32_t n_vocab, uint32_t n_bias);
int32_t en_sampler_set(en_sampler *s, uint32_t param, double value);  /* out of bounds: EN_E_ARG, unchanged */
int32_t en_sampler_bias(en_sampler *s, int32_t id, float add);        /* -INFINITY forbids the token; EN_E_FULL after n_bias different ids */
void en_sampler_accept(en_sampler *s, int32_t id);                    /* the id is now part of the text (prompt tokens too): feeds the repetition penalty */
void en_sampler_reset(en_sampler *s);                                 /* forget accepted ids, restart the random stream from the seed */
/* Stand where `from` stands, in its text and in its random stream, with the settings that s has. Of a vocabulary of another length, too: tokens that s does not
 * know are left out. For a draft model: with the same settings it then draws what `from` will, as far as the two models agree. */
void en_sampler_follow(en_sampler *s, const en_sampler *from);
/* *id = the choice from logits [n_vocab] (read only). EN_E_NUMERIC: all are NaN or -inf. Does not accept it. */
int32_t en_sample(en_sampler *s, const float *logits, int32_t *id);

#ifdef __cplusplus
}
#endif
#endif
