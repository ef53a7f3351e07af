/* hf_rwkv.c - RWKV 7 as flash-linear-attention writes it ("fla"), with the vocabulary that lies beside it as text. Source of the names and of what they mean: fla's model and
 * llama.cpp's conversion, restated. The six mixes of a token with the one before become one tensor in the order r, w, k, v, a, g; pairs of small matrices are stored as GGUF has them;
 * the first layer has no mix of values: llama.cpp wants the tensors there nevertheless, and takes those of the rate. */
#include "hf.h"
#include <math.h>

#define MIX(NAME, I) {"layers.*.attn.x_" NAME, "blk.*.time_mix_lerp_fused.weight", EN_HF_FLAT | EN_HF_LAST_DIM | EN_HF_PART(I, 6)}
#define TIME(NAME) {"layers.*.attn." NAME, "blk.*.time_mix_" NAME ".weight", EN_HF_FLAT}
#define LORA_0(LETTER, HOW) {"layers.*.attn." LETTER "_lora.lora.2.bias", "blk.*.time_mix_" LETTER "0.weight", HOW}
#define LORA_1(LETTER, HOW) {"layers.*.attn." LETTER "_lora.lora.0", "blk.*.time_mix_" LETTER "1", HOW}
#define LORA_2(LETTER, HOW) {"layers.*.attn." LETTER "_lora.lora.2", "blk.*.time_mix_" LETTER "2", HOW}
static const en_hf_line lines[] = {
  {"embeddings", "token_embd", 0}, {"layers.*.pre_norm", "token_embd_norm", 0}, {"layers.*.attn_norm", "blk.*.attn_norm", 0}, {"layers.*.ffn_norm", "blk.*.attn_norm_2", 0},
  {"layers.*.attn.r_proj", "blk.*.time_mix_receptance", 0}, {"layers.*.attn.k_proj", "blk.*.time_mix_key", 0}, {"layers.*.attn.v_proj", "blk.*.time_mix_value", 0},
  {"layers.*.attn.o_proj", "blk.*.time_mix_output", 0}, {"layers.*.attn.g_norm", "blk.*.time_mix_ln", 0}, TIME("k_k"), TIME("k_a"), TIME("r_k"),
  MIX("r", 0), MIX("w", 1), MIX("k", 2), MIX("v", 3), MIX("a", 4), MIX("g", 5), {"layers.*.attn.x_x", "blk.*.time_mix_lerp_fused.weight", EN_HF_F32 | EN_HF_LAST_DIM},
  LORA_0("w", 0), LORA_1("w", EN_HF_F32), LORA_2("w", EN_HF_F32), LORA_1("g", 0), LORA_2("g", 0),
  LORA_0("a", EN_HF_TWIN), LORA_0("v", EN_HF_ABOVE), LORA_1("a", EN_HF_TWIN), LORA_1("v", EN_HF_ABOVE), LORA_2("a", EN_HF_TWIN), LORA_2("v", EN_HF_ABOVE),
  {"layers.*.ffn.x_k", "blk.*.channel_mix_lerp_k.weight", EN_HF_FLAT}, {"layers.*.ffn.key", "blk.*.channel_mix_key", 0}, {"layers.*.ffn.value", "blk.*.channel_mix_value", 0}, {NULL, NULL, 0}};
static const en_hf_key keys[] = {
  {"norm_eps", "attention.layer_norm_epsilon", EN_HF_FLOAT}, {"head_dim", "wkv.head_size", EN_HF_INT}, {"max_position_embeddings", NULL, EN_HF_INT}, {"num_attention_heads", NULL, EN_HF_INT},
  {"num_key_value_heads", NULL, EN_HF_INT}, {"intermediate_size", NULL, EN_HF_INT}, {NULL, NULL, EN_HF_INT}};

/* The norm of the heads has head_dim times the epsilon of the others; GGUF has no key for it. */
static int32_t check(const en_hf *h, en_why *why) {
  const double eps = en_hf_number(h, "head_dim", 64) * en_hf_number(h, "norm_eps", 1e-5);
  if (en_json_kind_of(en_hf_get(h, "attn")) == EN_JSON_OBJECT) return en_fail(why, EN_E_UNSUPPORTED, "rwkv7 with layers of attention is not supported");
  if (!(fabs(eps - 64e-5) < 1e-7)) return en_fail(why, EN_E_UNSUPPORTED, "rwkv7 with head_dim times norm_eps = %g is not supported, only %g", eps, 64e-5);
  return EN_OK;
}

/* Ranks and widths that a folder leaves open are those of the published sizes. */
static double rank_of(const en_hf *h, const char *key, double power, double factor) {
  return en_hf_number(h, key, fmax(1, rint(pow(en_hf_number(h, "hidden_size", 0), power) * factor / 32)) * 32);
}
static void extra(const en_hf *h, en_gguf_writer *g) {
  const double width = en_hf_number(h, "hidden_size", 0), inner = ceil(width * en_hf_number(h, "hidden_ratio", 4) / 32) * 32;
  const struct { const char *key; double value; } all[] = {
    {"context_length", 1 << 20}, {"attention.head_count", 0}, {"feed_forward_length", en_hf_number(h, "intermediate_size", inner)},
    {"attention.decay_lora_rank", rank_of(h, "decay_low_rank_dim", 0.5, 1.8)}, {"attention.iclr_lora_rank", rank_of(h, "a_low_rank_dim", 0.5, 1.8)},
    {"attention.value_residual_mix_lora_rank", rank_of(h, "v_low_rank_dim", 0.5, 1.3)}, {"attention.gate_lora_rank", rank_of(h, "gate_low_rank_dim", 0.8, 0.6)}};
  for (int32_t i = 0; i < EN_COUNT(all); i++) {
    en_hf_put_key(h, g, all[i].key, EN_GGUF_U32);
    en_put32(&g->w, en_hf_u32(all[i].value));
  }
}

const en_hf_model en_hf_models_rwkv[] = {{"rwkv7", "rwkv7", "sqrelu\0", lines, keys, check, extra}, {NULL, NULL, NULL, NULL, NULL, NULL, NULL}};

/* ---- the vocabulary: a line for each token from 1 on, its id, its bytes as Python writes a string ('...', or b'...' for what is no text), their number ---- */

typedef struct { const char *p, *end; } text_t;
enum { FIRST_ID = 1, END_OF_TEXT = 0, END_OF_TURN = 261 /* an empty line */ };

static int32_t hex(const char *p, int32_t n_digits) {
  int32_t v = 0;
  for (int32_t i = 0; i < n_digits; i++) {
    const char c = (char)(p[i] | 32);
    if (c >= '0' && c <= '9') v = v * 16 + c - '0';
    else if (c >= 'a' && c <= 'f') v = v * 16 + c - 'a' + 10;
    else return -1;
  }
  return v;
}

/* As GGUF spells bytes: printable ASCII as it is, the rest by escapes. */
static void put_byte(en_writer *w, uint8_t c) {
  static const char digits[] = "0123456789abcdef";
  const char escape[4] = {'\\', 'x', digits[c >> 4], digits[c & 15]};
  const char *shorts = c == '\\' ? "\\\\" : c == '\t' ? "\\t" : c == '\n' ? "\\n" : c == '\r' ? "\\r" : NULL;
  if (shorts) en_put_str(w, shorts);
  else if (c >= 32 && c < 127) en_put(w, &c, 1);
  else en_put(w, escape, 4);
}
static void put_point(en_writer *w, uint32_t cp) {
  if (cp < 0x80) { put_byte(w, (uint8_t)cp); return; }
  const int32_t more = cp < 0x800 ? 1 : cp < 0x10000 ? 2 : 3;
  put_byte(w, (uint8_t)((more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0) | cp >> 6 * more));
  for (int32_t i = more; i-- > 0;) put_byte(w, (uint8_t)(0x80 | (cp >> 6 * i & 63)));
}

/* One escape; *p is behind the backslash. 0: it is none. */
static int put_escape(en_writer *w, const char **p, const char *end, int is_bytes) {
  static const char names[] = "\\'\"tnrabfv", bytes[] = "\\'\"\t\n\r\a\b\f\v";
  const char what = *p < end ? *(*p)++ : 0;
  const int32_t n_digits = what == 'x' ? 2 : what == 'u' ? 4 : what == 'U' ? 8 : 0;
  const char *name = what ? strchr(names, what) : NULL;
  if (name) { put_byte(w, (uint8_t)bytes[name - names]); return 1; }
  const int32_t v = n_digits && end - *p >= n_digits ? hex(*p, n_digits) : -1;
  if (v < 0 || v > 0x10ffff || (is_bytes && n_digits != 2)) return 0;
  *p += n_digits;
  if (is_bytes) put_byte(w, (uint8_t)v);
  else put_point(w, (uint32_t)v);
  return 1;
}

/* The next line: its id and its bytes as GGUF spells them, into w. 0: there is none, or it is not such a line (*bad). */
static int next_line(text_t *t, uint32_t *id, en_writer *w, int *bad) {
  const char *p = t->p, *end = t->p < t->end ? memchr(t->p, '\n', (size_t)(t->end - t->p)) : NULL;
  end = end ? end : t->end;
  *bad = 0;
  if (p == end) return 0;
  t->p = end + (end < t->end);
  *bad = 1;
  uint32_t v = 0;
  for (; p < end && *p >= '0' && *p <= '9'; p++) v = EN_MIN(v * 10 + (uint32_t)(*p - '0'), 100000000);
  if (p == end || *p++ != ' ') return 0;
  const int is_bytes = p < end && *p == 'b';
  p += is_bytes;
  const char quote = p < end ? *p++ : 0;
  if (quote != '\'' && quote != '"') return 0;
  while (p < end && *p != quote) {
    const char c = *p++;
    if (c != '\\') put_byte(w, (uint8_t)c);
    else if (!put_escape(w, &p, end, is_bytes)) return 0;
  }
  *bad = !(p < end);
  *id = v;
  return !*bad;
}

static text_t vocab_text(const en_hf *h) {
  const en_bytes *t = &h->files.texts[EN_HF_RWKV_VOCAB];
  const char *p = t->bytes;
  return (text_t){p, p ? p + t->n_bytes : NULL};
}
static uint32_t n_tokens(const en_hf *h) { return en_hf_u32(en_hf_number(h, "vocab_size", 0)); }

int32_t en_hf_rwkv_vocab_check(const en_hf *h, en_why *why) {
  const char *const file = en_hf_file_name(EN_HF_RWKV_VOCAB);
  text_t t = vocab_text(h);
  uint32_t id, wanted = FIRST_ID;
  int bad = 0;
  if (!t.p) return EN_OK;
  for (en_writer none = {NULL, 0, 0}; next_line(&t, &id, &none, &bad); wanted++)
    if (id != wanted || wanted >= n_tokens(h)) return en_fail(why, EN_E_FORMAT, "%s: token %u stands where token %u of %u belongs", file, id, wanted, n_tokens(h));
  if (bad || t.p != t.end) return en_fail(why, EN_E_FORMAT, "%s: the line of token %u is none of a vocabulary", file, wanted);
  if (n_tokens(h) > 1 << 22) return en_fail(why, EN_E_FORMAT, "a vocabulary of %u tokens is not possible", n_tokens(h));
  return EN_OK;
}

static void put_padding(en_writer *w, uint32_t id) {
  en_put_str(w, "[PAD");
  en_put_decimal(w, id);
  en_put_str(w, "]");
}

int en_hf_rwkv_vocab_put(const en_hf *h, en_gguf_writer *g) {
  enum { NORMAL = 1, CONTROL = 3, UNUSED = 5 };
  text_t t = vocab_text(h);
  const uint32_t n = n_tokens(h);
  uint32_t id, n_known = FIRST_ID;
  int bad;
  if (!t.p) return 0;
  en_gguf_key_text(g, "tokenizer.ggml.model", "rwkv");
  en_gguf_key_array(g, "tokenizer.ggml.tokens", EN_GGUF_STR, n);
  en_gguf_string(g, "<s>", 3);
  for (text_t next = t;; t = next, n_known++) {
    en_writer size = {NULL, 0, 0};
    if (!next_line(&next, &id, &size, &bad)) break;
    en_put64(&g->w, size.n);
    next_line(&t, &id, &g->w, &bad);
  }
  for (uint32_t i = n_known; i < n; i++) {
    en_writer size = {NULL, 0, 0};
    put_padding(&size, i);
    en_put64(&g->w, size.n);
    put_padding(&g->w, i);
  }
  en_gguf_key_array(g, "tokenizer.ggml.token_type", EN_GGUF_I32, n);
  for (uint32_t i = 0; i < n; i++) en_put32(&g->w, i < FIRST_ID ? CONTROL : i < n_known ? NORMAL : UNUSED);
  en_gguf_key_u32(g, "tokenizer.ggml.bos_token_id", END_OF_TEXT);
  en_gguf_key_u32(g, "tokenizer.ggml.eos_token_id", END_OF_TEXT);
  if (n_known > END_OF_TURN) en_gguf_key_u32(g, "tokenizer.ggml.eot_token_id", END_OF_TURN);
  return 1;
}
