/* Normal forms: the first byte is the form, the rest any text. What comes out is normal already, the composed and the decomposed form agree, and the scratch that was asked
 * for is enough. */
#include "../../core/include/en_normal.h"
#include <stdlib.h>
#include <string.h>

#define REQUIRE(cond) do { if (!(cond)) abort(); } while (0)
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

typedef struct { char *bytes; size_t n; } text_t;

/* In blocks of exactly the sizes that are told, so that the sanitizer sees a byte too many. */
static text_t normal(en_normal form, text_t in) {
  const size_t n_scratch = en_normal_bytes(form, in.bytes, in.n);
  text_t out = {NULL, 0};
  void *scratch = malloc(n_scratch);
  REQUIRE(scratch && n_scratch);
  const int32_t status = en_normal_text(form, in.bytes, in.n, NULL, 0, &out.n, scratch, n_scratch);
  REQUIRE(status == (out.n ? EN_E_FULL : EN_OK));
  out.bytes = malloc(out.n + !out.n);
  REQUIRE(out.bytes);
  const size_t need = out.n;
  REQUIRE(en_normal_text(form, in.bytes, in.n, out.bytes, out.n, &out.n, scratch, n_scratch) == EN_OK && out.n == need);
  free(scratch);
  return out;
}

static void require_same(text_t a, text_t b) { REQUIRE(a.n == b.n && !memcmp(a.bytes, b.bytes, a.n)); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  if (!n) return 0;
  const int compatible = data[0] & 2;
  const en_normal composed = compatible ? EN_NORMAL_NFKC : EN_NORMAL_NFC, decomposed = compatible ? EN_NORMAL_NFKD : EN_NORMAL_NFD, form = data[0] & 1 ? composed : decomposed;
  text_t text = {malloc(n), n - 1};
  REQUIRE(text.bytes);
  memcpy(text.bytes, data + 1, n - 1);
  const text_t one = normal(form, text), again = normal(form, one), other = normal(form == composed ? decomposed : composed, one), back = normal(form, other);
  require_same(one, again);
  require_same(one, back);
  free(text.bytes), free(one.bytes), free(again.bytes), free(other.bytes), free(back.bytes);
  return 0;
}
