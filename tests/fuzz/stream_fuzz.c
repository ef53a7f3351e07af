/* Text stream: any tokens, any stops, against the whole text put together first. Input: number of stops, then the stops (NUL after
 * each), then a byte per token. */
#include "../../core/base/base.h"
#include "../../core/text/unicode.h"
#include "../unit/vocab_build.h"

#define REQUIRE(cond) do { if (!(cond)) abort(); } while (0)
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { N_LONG = 8, FIRST_BYTE = 2 + N_LONG, MAX_IDS = 1024, MAX_TEXT = 16 * MAX_IDS };
static const char *const longer[N_LONG] = {"stop", "\xe2\x96\x81hello", "\xf0\x9f", "\xa6\x99", "\n\n", "abab", "\xc3\xa4\xe2\x82", "\xe2\x96\x81"};

static const en_tokenizer *vocabulary(void) { /* once: the same in every run */
  static vocab_t v;
  if (v.t) return v.t;
  static char names[256][8];
  token_t all[FIRST_BYTE + 256] = {{"<unk>", UNKNOWN, 0}, {"<s>", CONTROL, 0}};
  for (int i = 0; i < N_LONG; i++) all[2 + i] = (token_t){longer[i], NORMAL, 0};
  for (int b = 0; b < 256; b++) {
    snprintf(names[b], sizeof *names, "<0x%02X>", (unsigned)b);
    all[FIRST_BYTE + b] = (token_t){names[b], BYTE, 0};
  }
  head_t h = head_begin();
  head_tokens(&h, "llama", all, FIRST_BYTE + 256);
  v = vocab_open(h.bytes, h.n);
  REQUIRE(v.status == EN_OK);
  return v.t;
}

/* The text as it should come out: broken code points replaced, cut before the stop that ends first. Returns its length. */
static size_t expected(const char *raw, size_t n_raw, const char *stops, int32_t n_stops, char *out, int *stopped) {
  size_t n = 0;
  for (size_t at = 0; at < n_raw;) {
    uint32_t cp;
    const int32_t k = en_utf8_step(raw + at, n_raw - at, &cp);
    const size_t length = k > 0 ? (size_t)k : k < 0 ? (size_t)-k : n_raw - at;
    memcpy(out + n, k > 0 ? raw + at : "\xef\xbf\xbd", k > 0 ? length : 3);
    n += k > 0 ? length : 3;
    at += length;
  }
  for (size_t end = 1; end <= n; end++) {
    size_t cut = SIZE_MAX;
    const char *stop = stops;
    for (int32_t i = 0; i < n_stops; i++, stop += strlen(stop) + 1) {
      const size_t length = strlen(stop);
      if (length <= end && !memcmp(out + end - length, stop, length)) cut = EN_MIN(cut, end - length);
    }
    if (cut != SIZE_MAX) { *stopped = 1; return cut; }
  }
  *stopped = 0;
  return n;
}

static void run(const char *stops, size_t stop_bytes, int32_t n_stops, const uint8_t *tokens, size_t n) {
  static int32_t ids[MAX_IDS];
  static char raw[MAX_TEXT], want[3 * MAX_TEXT], got[3 * MAX_TEXT];
  const en_tokenizer *t = vocabulary();
  const size_t bytes = en_stream_bytes(stop_bytes);
  void *mem = aligned_alloc(64, bytes);
  en_stream *s;
  const char *text;
  size_t n_raw, n_text, n_got = 0;
  if (en_stream_init(&s, mem, bytes, t, stops, stop_bytes, n_stops, 1) != EN_OK) { free(mem); return; }
  n = EN_MIN(n, MAX_IDS);
  for (size_t i = 0; i < n; i++) ids[i] = tokens[i] < FIRST_BYTE ? tokens[i] : FIRST_BYTE + tokens[i];
  REQUIRE(en_decode(t, ids, n, 0, 1, raw, sizeof raw, &n_raw) == EN_OK);
  int32_t status = 0;
  int stopped;
  for (size_t i = 0; i < n; i++) {
    status = en_stream_push(s, ids[i], &text, &n_text);
    REQUIRE(status == 0 || status == 1);
    memcpy(got + n_got, text, n_text);
    n_got += n_text;
  }
  status = en_stream_end(s, &text, &n_text);
  memcpy(got + n_got, text, n_text);
  n_got += n_text;
  const size_t n_want = expected(raw, n_raw, stops, n_stops, want, &stopped);
  REQUIRE(status == stopped && n_got == n_want && !memcmp(got, want, n_want));
  free(mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  if (!n) return 0;
  const int32_t n_stops = data[0] % 5;
  const char *stops = (const char *)data + 1;
  size_t at = 1;
  for (int32_t i = 0; i < n_stops; i++) {
    const uint8_t *end = at < n ? memchr(data + at, 0, n - at) : NULL;
    if (!end) return 0;
    at = (size_t)(end - data) + 1;
  }
  run(stops, at - 1, n_stops, data + at, n - at);
  return 0;
}
