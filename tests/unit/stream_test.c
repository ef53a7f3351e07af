/* Text stream: whatever the cuts between tokens, the text given out is the whole text up to the first stop, in whole code points. */
#include "../../core/base/base.h"
#include "vocab_build.h"

/* Every byte a token, and some longer ones; all as SentencePiece tokens. */
enum { FIRST_BYTE = 3, FIRST_EXTRA = 259 };
static const char *const extra[] = {"hello", "\xe2\x96\x81wor", "ld", "\xf0\x9f\xa6", "\xc3\xa4\xe2\x82\xac", "END", "aab", "\xe2\x96\x81"};
enum { HELLO = FIRST_EXTRA, WOR, LD, LLAMA_3, AE_EURO, END, AAB, SPACE };

static vocab_t open_bytes(void) {
  static char names[256][8];
  token_t all[FIRST_EXTRA + 8] = {{"<unk>", UNKNOWN, 0}, {"<s>", CONTROL, 0}, {"</s>", CONTROL, 0}};
  for (int b = 0; b < 256; b++) {
    snprintf(names[b], sizeof *names, "<0x%02X>", (unsigned)b);
    all[FIRST_BYTE + b] = (token_t){names[b], BYTE, 0};
  }
  for (int i = 0; i < 8; i++) all[FIRST_EXTRA + i] = (token_t){extra[i], NORMAL, 0};
  head_t h = head_begin();
  head_tokens(&h, "llama", all, FIRST_EXTRA + 8);
  vocab_t v = vocab_open(h.bytes, h.n);
  CHECK_EQ(v.status, EN_OK);
  return v;
}

/* ---- a stream whose output is gathered ---- */

typedef struct { en_stream *s; unsigned char *mem; char out[4096]; size_t n; int32_t stopped; } run_t;

static run_t begin(const vocab_t *v, const char *stops, size_t stop_bytes, int32_t n_stops, int32_t at_start) {
  run_t r = {0};
  const size_t bytes = en_stream_bytes(stop_bytes);
  r.mem = aligned_alloc(64, bytes + 64);
  memset(r.mem, 0xEE, bytes + 64);
  CHECK_EQ(en_stream_init(&r.s, r.mem, bytes, v->t, stops, stop_bytes, n_stops, at_start), EN_OK);
  return r;
}
static int whole_code_points(const char *s, size_t n) {
  for (size_t i = 0; i < n;) {
    const unsigned char b = (unsigned char)s[i];
    const size_t k = b < 0x80 ? 1 : b < 0xC0 ? 9 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
    if (k > n - i) return 0;
    for (size_t j = 1; j < k; j++)
      if (((unsigned char)s[i + j] & 0xC0) != 0x80) return 0;
    i += k;
  }
  return 1;
}
static void gather(run_t *r, int32_t status, const char *text, size_t n) {
  CHECK(status == 0 || status == 1);
  CHECK(whole_code_points(text, n));
  r->stopped = status;
  memcpy(r->out + r->n, text, n);
  r->n += n;
}
static size_t push(run_t *r, int32_t id) {
  const char *text = NULL;
  size_t n = 0;
  const int32_t status = en_stream_push(r->s, id, &text, &n);
  gather(r, status, text, n);
  return n;
}
static void finish(run_t *r, size_t stop_bytes) {
  const char *text = NULL;
  size_t n = 0;
  const int32_t status = en_stream_end(r->s, &text, &n);
  gather(r, status, text, n);
  const unsigned char *past = r->mem + en_stream_bytes(stop_bytes);
  CHECK(past[0] == 0xEE && !memcmp(past, past + 1, 63)); /* what lies behind the lent memory is untouched */
  free(r->mem);
}
static void said(const run_t *r, const char *want, size_t n) {
  if (r->n != n || memcmp(r->out, want, n)) printf("said \"%.*s\"\n", (int)r->n, r->out);
  CHECK(r->n == n && !memcmp(r->out, want, n));
}
#define SAID(r, want) said(&(r), want, sizeof(want) - 1)
#define STOPS(list) list, sizeof(list) - 1

/* ---- cases ---- */

static void plain_text(const vocab_t *v) {
  run_t r = begin(v, NULL, 0, 0, 1);
  CHECK_EQ(push(&r, 1), 0);           /* BOS */
  CHECK_EQ(push(&r, WOR), 3);         /* without the space that encoding added */
  CHECK_EQ(push(&r, LD), 2);
  CHECK_EQ(push(&r, WOR), 4);
  finish(&r, 0);
  SAID(r, "world wor");
  r = begin(v, NULL, 0, 0, 0);
  push(&r, WOR);
  finish(&r, 0);
  SAID(r, " wor");
}

static void code_points(const vocab_t *v) {
  run_t r = begin(v, NULL, 0, 0, 1);
  CHECK_EQ(push(&r, LLAMA_3), 0);
  CHECK_EQ(push(&r, FIRST_BYTE + 0x99), 4);
  CHECK_EQ(push(&r, FIRST_BYTE + 0xC3), 0);
  CHECK_EQ(push(&r, HELLO), 3 + 5);            /* certain now: C3 is broken */
  CHECK_EQ(push(&r, FIRST_BYTE + 0x80), 3);    /* can begin nothing */
  CHECK_EQ(push(&r, FIRST_BYTE + 0xF0), 0);
  CHECK_EQ(push(&r, AE_EURO), 3 + 5);
  CHECK_EQ(push(&r, FIRST_BYTE + 0xE2), 0);
  CHECK_EQ(push(&r, FIRST_BYTE + 0x82), 0);
  finish(&r, 0);                               /* E2 82 is one broken code point */
  SAID(r, "\xf0\x9f\xa6\x99\xef\xbf\xbdhello\xef\xbf\xbd\xef\xbf\xbd\xc3\xa4\xe2\x82\xac\xef\xbf\xbd");
}

static void stops(const vocab_t *v) {
  run_t r = begin(v, STOPS("END\0\n\n\0"), 2, 1);
  CHECK_EQ(push(&r, HELLO), 5);
  CHECK_EQ(push(&r, FIRST_BYTE + 'E'), 0);     /* may be the stop's beginning */
  CHECK_EQ(push(&r, FIRST_BYTE + 'N'), 0);
  CHECK_EQ(push(&r, FIRST_BYTE + 'E'), 2);     /* it was not, but it may begin again */
  CHECK_EQ(push(&r, LD), 3);
  CHECK_EQ(push(&r, FIRST_BYTE + '\n'), 0);
  CHECK(!r.stopped);
  CHECK_EQ(push(&r, FIRST_BYTE + '\n'), 0);
  CHECK(r.stopped);
  CHECK_EQ(push(&r, HELLO), 0);                /* nothing comes after a stop */
  CHECK(r.stopped);
  finish(&r, sizeof "END\0\n\n\0" - 1);
  CHECK(r.stopped);
  SAID(r, "helloENEld");

  r = begin(v, STOPS("lo w\0"), 1, 1);
  push(&r, HELLO);
  CHECK_EQ(push(&r, WOR), 0);                  /* a stop across tokens, in the middle of both */
  CHECK(r.stopped);
  finish(&r, 5);
  SAID(r, "hel");

  r = begin(v, STOPS("aaab\0ab\0"), 2, 1);     /* both end at the same byte: the one that began first counts */
  push(&r, FIRST_BYTE + 'x');
  push(&r, FIRST_BYTE + 'a');
  push(&r, AAB);
  CHECK(r.stopped);
  finish(&r, 8);
  SAID(r, "x");

  r = begin(v, STOPS("aabaaac\0"), 1, 1);      /* a near miss in whose middle the stop begins */
  for (const char *c = "aabaaabaaac"; *c; c++) push(&r, FIRST_BYTE + *c);
  CHECK(r.stopped);
  finish(&r, 8);
  SAID(r, "aaba");

  r = begin(v, STOPS("END\0"), 1, 1);          /* held back, then given out at the end */
  push(&r, FIRST_BYTE + 'E');
  push(&r, FIRST_BYTE + 'N');
  push(&r, FIRST_BYTE + 0xE2);
  finish(&r, 4);
  CHECK(!r.stopped);
  SAID(r, "EN\xef\xbf\xbd");

  r = begin(v, STOPS("\xe2\x82\xac\0"), 1, 1); /* a stop of one code point that comes in pieces */
  push(&r, FIRST_BYTE + 0xE2);
  push(&r, FIRST_BYTE + 0x82);
  CHECK(!r.stopped);
  push(&r, FIRST_BYTE + 0xAC);
  CHECK(r.stopped);
  finish(&r, 4);
  SAID(r, "");
}

/* Against a slow restatement: append all bytes, look for the stop that ends first. */
static void random_streams(const vocab_t *v) {
  static const char letters[] = "ab";
  for (uint64_t seed = 0; seed < 1000; seed++) {
    char list[64], text[2000];
    size_t list_bytes = 0, n = 0, given_at = SIZE_MAX;
    const int32_t n_stops = (int32_t)(en_random(seed, 1) % 4);
    for (int32_t i = 0; i < n_stops; i++) {
      const size_t length = 1 + (size_t)(en_random(seed, 10 + (uint64_t)i) % 12);
      for (size_t k = 0; k < length; k++) list[list_bytes++] = letters[en_random(seed * 31 + (uint64_t)i, k) % 2];
      list[list_bytes++] = 0;
    }
    run_t r = begin(v, list, list_bytes, n_stops, 1);
    for (uint64_t k = 0; k < 100 && !r.stopped; k++) { /* a letter, a longer token, or the beginning of some stop: near misses */
      const uint64_t what = en_random(seed + 7777, k), where = what >> 8;
      if (what % 9 == 0) {
        memcpy(text + n, "aab", 3);
        n += 3;
        push(&r, AAB);
      } else if (what % 3 == 0 && list_bytes) {
        for (size_t i = where % list_bytes; list[i] && en_random(where, i) % 16 && !r.stopped; i++) { push(&r, FIRST_BYTE + list[i]); text[n++] = list[i]; }
      } else {
        text[n] = letters[where % 2];
        push(&r, FIRST_BYTE + text[n++]);
      }
    }
    for (size_t end = 1; end <= n && given_at == SIZE_MAX; end++) {
      size_t at = 0;
      for (int32_t i = 0; i < n_stops; i++) {
        const size_t length = strlen(list + at);
        if (length <= end && !memcmp(text + end - length, list + at, length) && (given_at == SIZE_MAX || end - length < given_at)) given_at = end - length;
        at += length + 1;
      }
    }
    CHECK_EQ(r.stopped, given_at != SIZE_MAX);
    finish(&r, list_bytes);
    said(&r, text, given_at != SIZE_MAX ? given_at : n);
  }
}

static void limits(const vocab_t *v) {
  static const char list[] = "END\0x\0";
  const size_t bytes = en_stream_bytes(6);
  unsigned char *mem = aligned_alloc(64, bytes);
  en_stream *s = NULL;
  const char *text;
  size_t n;
  CHECK_EQ(en_stream_init(&s, mem, bytes - 1, v->t, list, 6, 2, 1), EN_E_NOMEM);
  CHECK_EQ(en_stream_init(&s, mem, bytes, NULL, list, 6, 2, 1), EN_E_ARG);
  CHECK_EQ(en_stream_init(&s, mem, bytes, v->t, list, 6, 3, 1), EN_E_ARG);        /* there is no third one */
  CHECK_EQ(en_stream_init(&s, mem, bytes, v->t, list, 5, 2, 1), EN_E_ARG);        /* the last NUL is missing */
  CHECK_EQ(en_stream_init(&s, mem, bytes, v->t, "\0END\0", 5, 2, 1), EN_E_ARG);   /* an empty one */
  CHECK_EQ(en_stream_init(&s, mem, bytes, v->t, "\x82\xac", 3, 1, 1), EN_E_ARG);  /* not UTF-8 */
  CHECK_EQ(en_stream_init(&s, mem, bytes, v->t, list, 6, -1, 1), EN_E_ARG);
  CHECK_EQ(en_stream_bytes(SIZE_MAX), 0);
  CHECK(s == NULL);
  CHECK_EQ(en_stream_init(&s, mem, bytes, v->t, list, 6, 2, 1), EN_OK);
  CHECK_EQ(en_stream_push(s, -1, &text, &n), EN_E_ARG);
  CHECK_EQ(en_stream_push(s, FIRST_EXTRA + 8, &text, &n), EN_E_ARG);
  CHECK_EQ(en_stream_push(s, HELLO, &text, &n), 0);
  CHECK_EQ(n, 5);
  free(mem);
}

int main(void) {
  vocab_t v = open_bytes();
  plain_text(&v);
  code_points(&v);
  stops(&v);
  random_streams(&v);
  limits(&v);
  vocab_close(&v);
  return test_end();
}
