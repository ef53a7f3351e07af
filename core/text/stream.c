/* stream.c - tokens in, text out that may be shown at once: whole code points only, and nothing that may still turn out to be the
 * beginning of a stop string. Several stops are matched side by side, each by Knuth, Morris and Pratt: a byte costs a few steps,
 * whatever was held back before it. */
#include "text.h"
#include "unicode.h"

/* fallback[i]: of text[0..i], the longest proper prefix that is also its end. matched: bytes of it that the stream's end agrees with. */
typedef struct { const char *text; uint32_t *fallback, n, matched; } stop_t;

/* Open bytes and a token's, each of which may become a U+FFFD of three bytes. */
enum { MAX_RAW = EN_MAX_TOKEN + 4, REPLACEMENT_BYTES = 3, MAX_PUSH = REPLACEMENT_BYTES * MAX_RAW };

struct en_stream {
  const en_tokenizer *t;
  stop_t *stops;
  int32_t n_stops, at_start, finished;
  char *text;           /* `given` bytes that the last call gave out, then `held` ones */
  uint32_t given, held; /* never more than all stops and MAX_PUSH together */
  char *raw;            /* [MAX_RAW] n_open bytes of a code point that has not ended */
  uint32_t n_open;
};

typedef struct { en_stream *s; char *stop_text; uint32_t *fallback; } parts_t;

static size_t carve(parts_t *p, size_t stop_bytes, void *mem) {
  void *stops = NULL, *text = NULL, *raw = NULL;
  const en_piece pieces[] = {
    {(void **)&p->s, 1, sizeof *p->s}, {&stops, stop_bytes / 2, sizeof(stop_t)}, /* a stop has a byte and its NUL at least */
    {(void **)&p->stop_text, stop_bytes, 1}, {(void **)&p->fallback, stop_bytes, sizeof(uint32_t)},
    {&text, (uint64_t)stop_bytes + MAX_PUSH, 1}, {&raw, MAX_RAW, 1},
  };
  const size_t bytes = stop_bytes <= EN_MAX_TEXT ? en_carve(pieces, EN_COUNT(pieces), mem) : 0;
  if (mem && bytes) *p->s = (en_stream){.stops = stops, .text = text, .raw = raw};
  return bytes;
}

size_t en_stream_bytes(size_t stop_bytes) {
  parts_t p;
  return carve(&p, stop_bytes, NULL);
}

static int is_utf8(const char *s, size_t n) {
  uint32_t cp;
  for (int32_t k; n; s += k, n -= (size_t)k)
    if ((k = en_utf8_step(s, n, &cp)) <= 0) return 0;
  return 1;
}

static void build_fallback(const stop_t *stop) {
  stop->fallback[0] = 0;
  for (uint32_t i = 1, k = 0; i < stop->n; i++) {
    while (k && stop->text[k] != stop->text[i]) k = stop->fallback[k - 1];
    if (stop->text[k] == stop->text[i]) k++;
    stop->fallback[i] = k;
  }
}

/* A stop that is empty or no UTF-8 is refused: holding it back could tear a code point apart. */
static int32_t add_stops(const parts_t *p, size_t stop_bytes, int32_t n_stops) {
  size_t at = 0;
  for (int32_t i = 0; i < n_stops; i++) {
    const char *end = at < stop_bytes ? memchr(p->stop_text + at, 0, stop_bytes - at) : NULL;
    const size_t n = end ? (size_t)(end - (p->stop_text + at)) : 0;
    if (!n || !is_utf8(p->stop_text + at, n)) return EN_E_ARG;
    p->s->stops[i] = (stop_t){.text = p->stop_text + at, .fallback = p->fallback + at, .n = (uint32_t)n};
    build_fallback(&p->s->stops[i]);
    at += n + 1;
  }
  p->s->n_stops = n_stops;
  return EN_OK;
}

int32_t en_stream_init(en_stream **out, void *mem, size_t mem_bytes, const en_tokenizer *t, const char *stops, size_t stop_bytes, int32_t n_stops, int32_t at_start) {
  parts_t p;
  const size_t need = en_stream_bytes(stop_bytes);
  if (!out || !t || (!stops && stop_bytes) || n_stops < 0 || (size_t)n_stops > stop_bytes / 2) return EN_E_ARG;
  if (!mem || !need || mem_bytes < need) return EN_E_NOMEM;
  carve(&p, stop_bytes, mem);
  if (stop_bytes) memcpy(p.stop_text, stops, stop_bytes);
  EN_TRY(add_stops(&p, stop_bytes, n_stops));
  p.s->t = t;
  p.s->at_start = at_start;
  *out = p.s;
  return EN_OK;
}

/* ---- push ---- */

/* One more byte of text. Returns the length of the stop that it completes (the longest, which began first), 0 if none. */
static uint32_t add_byte(en_stream *s, char c) {
  uint32_t complete = 0;
  s->text[s->held++] = c;
  for (int32_t i = 0; i < s->n_stops; i++) {
    stop_t *stop = &s->stops[i];
    while (stop->matched && stop->text[stop->matched] != c) stop->matched = stop->fallback[stop->matched - 1];
    if (stop->text[stop->matched] == c) stop->matched++;
    if (stop->matched == stop->n) complete = EN_MAX(complete, stop->n);
  }
  return complete;
}

/* Add bytes up to the end of a stop; 1 if there is one. What follows it is dropped, and so is it. */
static int32_t add(en_stream *s, const char *bytes, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const uint32_t stop = add_byte(s, bytes[i]);
    if (!stop) continue;
    s->held -= stop;
    s->finished = 1;
    return 1;
  }
  return 0;
}

/* Whole code points of raw[0..n) into the text; the open end stays. */
static int32_t add_raw(en_stream *s, size_t n) {
  size_t at = 0;
  for (uint32_t cp; at < n;) {
    const int32_t k = en_utf8_step(s->raw + at, n - at, &cp);
    if (!k) break;
    const size_t length = (size_t)(k < 0 ? -k : k);
    if (k > 0 ? add(s, s->raw + at, length) : add(s, "\xef\xbf\xbd", REPLACEMENT_BYTES)) return 1;
    at += length;
  }
  s->n_open = (uint32_t)(n - at);
  memmove(s->raw, s->raw + at, s->n_open);
  return 0;
}

/* Hold back the longest beginning of a stop and give out the rest. */
static void give(en_stream *s, int all, const char **text, size_t *n_bytes) {
  uint32_t keep = 0;
  for (int32_t i = 0; i < s->n_stops && !all; i++) keep = EN_MAX(keep, s->stops[i].matched);
  s->given = s->held - keep;
  s->held = keep;
  *text = s->text;
  *n_bytes = s->given;
}

static void take_back_held(en_stream *s) { memmove(s->text, s->text + s->given, s->held); s->given = 0; }

int32_t en_stream_push(en_stream *s, int32_t id, const char **text, size_t *n_bytes) {
  if (!s || !text || !n_bytes || id < 0 || id >= (int32_t)s->t->special.n_vocab) return EN_E_ARG;
  take_back_held(s);
  if (!s->finished) {
    en_out out = {.bytes = s->raw + s->n_open, .cap = EN_MAX_TOKEN};
    en_token_piece(s->t, id, 0, &s->at_start, &out);
    add_raw(s, s->n_open + out.n);
  }
  give(s, s->finished, text, n_bytes);
  return s->finished;
}

int32_t en_stream_end(en_stream *s, const char **text, size_t *n_bytes) {
  if (!s || !text || !n_bytes) return EN_E_ARG;
  take_back_held(s);
  const int32_t stopped = s->finished || (s->n_open && add(s, "\xef\xbf\xbd", REPLACEMENT_BYTES));
  s->n_open = 0;
  s->finished = 1;
  give(s, 1, text, n_bytes);
  return stopped;
}
