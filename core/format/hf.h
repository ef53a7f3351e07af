/* hf.h - a Hugging Face folder (config.json, tokenizer.json, safetensors) as the GGUF file that it would become: a head, and pieces of data that are
 * converted one by one as their bytes arrive. Nothing but the JSON texts and the heads of the safetensors files needs to be in memory.
 * Adding a family: one file hf_<name>.c with its list of models (en_hf_model) and one line in hf.def. */
#ifndef EN_HF_H
#define EN_HF_H
#include "gguf_write.h"
#include "pieces.h"
#include "safetensors.h"

typedef enum { EN_HF_CONFIG, EN_HF_TOKENIZER, EN_HF_TOKENIZER_CONFIG, EN_HF_GENERATION_CONFIG, EN_HF_POOLING, EN_HF_TEMPLATE, EN_HF_RWKV_VOCAB, EN_HF_TEXTS } en_hf_text;
/* What each text's file is called; config.json must be there, the others may be missing. All but the last two are JSON. */
const char *en_hf_file_name(int32_t text); /* NULL past the end */
typedef struct {
  en_bytes texts[EN_HF_TEXTS];
  const en_bytes *shards; /* heads of the safetensors files in their order: at least 8 + the length that the first 8 bytes tell */
  uint32_t n_shards;
  const char *name;             /* general.name */
} en_hf_files;

typedef struct en_hf en_hf;
size_t en_hf_bytes(const en_hf_files *f);  /* memory for the tables; 0: these files cannot be read, en_hf_init says why */
/* files and all they point to are kept. EN_E_UNSUPPORTED: a model, tokenizer or tensor that we do not know. */
int32_t en_hf_init(en_hf **out, void *mem, size_t mem_bytes, const en_hf_files *files, en_why *why);
size_t en_hf_head(const en_hf *h, void *dst, size_t cap); /* writes the GGUF head if it fits; its bytes, up to the tensor data */

/* The data in the order of the GGUF file: pieces.h. */
int en_hf_piece_at(const en_hf *h, uint32_t i, en_file_piece *out); /* 0 past the end */
void en_hf_convert(const en_hf *h, uint32_t i, void *dst, const void *src);

/* ---- for the families ---- */
enum { /* what happens to a tensor; vectors become F32 besides */
  EN_HF_Q_ROWS = 1, EN_HF_K_ROWS = 2, /* rows of each head from halves to pairs, as GGUF's llama has them */
  EN_HF_PLUS_1 = 4,                   /* norms that are stored less 1 */
  EN_HF_SKIP = 8,                     /* not used */
  EN_HF_MINUS_EXP = 16,               /* -e^x, in F32 */
  EN_HF_F32 = 32,                     /* in F32 */
  EN_HF_COLUMN = 64,                  /* a vector becomes a matrix of rows of 1 */
  EN_HF_GROUPS = 128,                 /* a vector becomes a row for each of n_groups */
  EN_HF_POSITIONS = 256,              /* rows of positions that are counted from pad_token_id + 1 on: those before are left out */
  EN_HF_RANKER = 512,                 /* left out unless the model is a ranker */
  EN_HF_FLAT = 1024,                  /* a vector, whatever its shape */
  EN_HF_ABOVE = 2048,                 /* not used in the first layer */
  EN_HF_TWIN = 4096,                  /* in the first layer it stands for the next line's tensor, too */
  EN_HF_LAST_DIM = 8192               /* rows are the fourth dimension */
};
#define EN_HF_PART(I, N) ((I) << 16 | (N) << 20) /* part I of the N that one tensor is made of */
enum { EN_HF_TWINS = 3 /* at most in a model */ };
/* Names without ".weight" and ".bias", without "model." and the like before them (with ".bias" a line is for that alone): '*' is the layer, '#' the expert. */
typedef struct { const char *from, *to; int32_t how; } en_hf_line;
typedef enum { EN_HF_INT, EN_HF_FLOAT } en_hf_kind;
typedef struct { const char *from, *to /* behind "<arch>."; NULL: none, and none of the shared ones */; en_hf_kind kind; } en_hf_key;
typedef struct en_hf_model {
  const char *type, *arch;      /* model_type of config.json, general.architecture */
  const char *act;              /* the activation that arch computes, as config.json calls it: one or more names, a NUL behind each, another one behind the last */
  const en_hf_line *lines;      /* before the ones that all decoders share; {NULL} ends them */
  const en_hf_key *keys;        /* beside the shared ones; {NULL} ends them, or NULL */
  int32_t (*check)(const en_hf *h, en_why *why);       /* NULL, or what arch cannot compute */
  void (*extra)(const en_hf *h, en_gguf_writer *g);    /* NULL, or more pairs */
} en_hf_model;
en_json en_hf_get(const en_hf *h, const char *key);    /* of config.json, or of the part of it that tells of the text model */
double en_hf_number(const en_hf *h, const char *key, double otherwise);
int en_hf_is_ranker(const en_hf *h); /* an encoder that gives a pair of texts a score */
static inline uint32_t en_hf_u32(double v) { return v > 0 && v < 4e9 ? (uint32_t)v : 0; }
en_json en_hf_text_of(const en_hf *h, en_hf_text which); /* absent if it is not there */
void en_hf_put_key(const en_hf *h, en_gguf_writer *g, const char *key, uint32_t type); /* "<arch>.<key>" */
#define EN_HF_MODELS(name) extern const en_hf_model en_hf_models_##name[];
#include "hf.def"
#undef EN_HF_MODELS

/* ---- hf_rope.c: rope_scaling ---- */
enum { EN_HF_ROPE_FREQS, EN_HF_ROPE_SHORT, EN_HF_ROPE_LONG, EN_HF_ROPE_TENSORS };
int32_t en_hf_rope_check(const en_hf *h, en_why *why);
void en_hf_rope_keys(const en_hf *h, en_gguf_writer *g);
const char *en_hf_rope_name(const en_hf *h, int32_t i, uint64_t *n); /* the i-th tensor of factors and its length, or NULL: the model has none such */
void en_hf_rope_make(const en_hf *h, int32_t i, float *out);

/* ---- hf_vocab.c: tokenizer.json ---- */
typedef struct en_hf_vocab {
  en_json *text;   /* [n]; absent: no token has the id */
  uint8_t *type;   /* [n] as GGUF numbers them */
  float *score;    /* [n_scores], that is n or 0: of SPM minus the rank of the merge that makes the token; of a unigram model its own */
  uint64_t *hash;  /* [n] of SPM: of the texts */
  uint32_t *slot;  /* [n_slots] id + 1 by hash */
  uint32_t n, n_scores, n_slots, kind;
} en_hf_vocab;
int32_t en_hf_vocab_scan(en_hf *h, en_why *why); /* n, n_slots and kind; n 0: there is no tokenizer */
void en_hf_vocab_read(en_hf *h);                 /* the tables, once there is memory for them */
void en_hf_vocab_put(const en_hf *h, en_gguf_writer *g);
enum { EN_HF_BPE, EN_HF_SPM, EN_HF_WORDPIECE, EN_HF_UNIGRAM }; /* en_hf_vocab.kind */
/* hf_rwkv.c */
int32_t en_hf_rwkv_vocab_check(const en_hf *h, en_why *why);
int en_hf_rwkv_vocab_put(const en_hf *h, en_gguf_writer *g); /* 0: there is none */
/* hf_rule.c */
const char *en_hf_rule(const en_hf *h); /* the name of the rule that BPE cuts by, NULL: none that we know */
/* hf_normal.c */
int en_hf_step(en_json v, const char *list, int32_t i, en_json *step); /* the i-th of the steps in v's `list`, or v itself if it has none; 0: there is no such */
int en_hf_step_is(en_json step, const char *type);
int en_hf_normal_step(const en_hf *h, int32_t i, en_json *step); /* of the normalizer */
int en_hf_merges_blanks(en_json step);
int32_t en_hf_normal_check(const en_hf *h, en_why *why);
void en_hf_normal_put(const en_hf *h, en_gguf_writer *g);
/* hf_unigram.c */
int32_t en_hf_unigram_check(const en_hf *h, en_why *why); /* its pre-tokenizer is what SentencePiece does */
void en_hf_unigram_put(const en_hf *h, en_gguf_writer *g);

struct en_hf {
  en_hf_files files;
  en_json json[EN_HF_TEXTS], config; /* config: the text model's part */
  const en_hf_model *model;
  struct en_hf_tensor *tensors;      /* [n_tensors] of the GGUF file */
  struct en_hf_source *sources;      /* [n_sources] tensors of the safetensors files that are used */
  uint32_t *pieces;                  /* [n_sources] sources in the order of the GGUF file */
  uint32_t n_tensors, n_sources, n_made /* tensors at the front that have no source */;
  en_hf_vocab vocab;
};
#endif
