/* metrics_test.c - BLEU and ROUGE-L against published values, and against what the definitions say of simple cases. */
#include "../../core/include/en.h"
#include "test.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void add(en_bleu *b, const char *candidate, const char *reference) {
  const size_t n = en_overlap_bytes(strlen(candidate), strlen(reference));
  void *scratch = aligned_alloc(EN_ALIGN, n);
  CHECK(en_bleu_add(b, candidate, strlen(candidate), reference, strlen(reference), scratch, n - 1) == EN_E_NOMEM);
  CHECK(en_bleu_add(b, candidate, strlen(candidate), reference, strlen(reference), scratch, n) == EN_OK);
  free(scratch);
}
static double bleu(const char *candidate, const char *reference) {
  en_bleu b = {{0}, {0}, 0, 0};
  add(&b, candidate, reference);
  return en_bleu_score(&b);
}
static en_rouge rouge(const char *candidate, const char *reference) {
  const size_t n = en_overlap_bytes(strlen(candidate), strlen(reference));
  void *scratch = aligned_alloc(EN_ALIGN, n);
  en_rouge r = {-1, -1, -1};
  CHECK(en_rouge_l(&r, candidate, strlen(candidate), reference, strlen(reference), scratch, n) == EN_OK);
  free(scratch);
  return r;
}

int main(void) {
  /* Lin 2004, section 3.1: S1 "police killed the gunman"; S2 0.75, S3 0.5, S4 0.5 (beta = 1, so F = P = R here). */
  CHECK_NEAR(rouge("police kill the gunman", "police killed the gunman").f1, 0.75, 1e-12);
  CHECK_NEAR(rouge("the gunman kill police", "police killed the gunman").f1, 0.5, 1e-12);
  CHECK_NEAR(rouge("the gunman police killed", "police killed the gunman").f1, 0.5, 1e-12);
  /* rouge-score's README: "The quick brown fox jumps over the lazy dog" / "The quick brown dog jumps on the log." */
  const en_rouge fox = rouge("The quick brown dog jumps on the log.", "The quick brown fox jumps over the lazy dog");
  CHECK_NEAR(fox.precision, 0.625, 1e-12);
  CHECK_NEAR(fox.recall, 5.0 / 9, 1e-12);
  CHECK_NEAR(fox.f1, 2 * 0.625 * (5.0 / 9) / (0.625 + 5.0 / 9), 1e-12);
  CHECK(rouge("", "a").f1 == 0 && rouge("a", "").f1 == 0 && rouge("", "").f1 == 0);

  /* Papineni et al. 2002, section 2.1: "the" seven times, at most two are in the reference. */
  en_bleu clipped = {{0}, {0}, 0, 0};
  add(&clipped, "the the the the the the the", "The cat is on the mat. the");
  CHECK(clipped.matched[0] == 2 && clipped.possible[0] == 7 && clipped.matched[1] == 0);
  CHECK(en_bleu_score(&clipped) == 0);
  CHECK_NEAR(bleu("the cat sat on the mat", "the cat sat on the mat"), 1, 1e-12);
  /* By hand: 5 of 6 words, 3 of 5 pairs, 2 of 4, 1 of 3. */
  CHECK_NEAR(bleu("the cat sat on a mat", "the cat sat on the mat"), pow(5.0 / 6 * 3 / 5 * 2 / 4 * 1 / 3, 0.25), 1e-12);
  CHECK_NEAR(bleu("the cat sat on", "the cat sat on the mat"), exp(1 - 6.0 / 4), 1e-12); /* the brevity penalty alone */
  /* Words of 13a: "3.5" stays, "it's" stays, the final point and the brace stand alone. */
  en_bleu words = {{0}, {0}, 0, 0};
  add(&words, "It's 3.5, or {7}-8.", "");
  CHECK(words.candidate_words == 9);
  CHECK(words.reference_words == 0);
  /* A corpus adds counts up: not the mean of the sentences. */
  en_bleu corpus = {{0}, {0}, 0, 0};
  add(&corpus, "the cat sat on the mat", "the cat sat on the mat");
  add(&corpus, "a b c d e", "a b c x e");
  CHECK_NEAR(en_bleu_score(&corpus), pow((6 + 4) / 11.0 * (5 + 2) / 9.0 * (4 + 1) / 7.0 * 3 / 5.0, 0.25), 1e-12);
  CHECK(en_overlap_bytes(SIZE_MAX / 2, 1) == 0);

  /* Probabilities 1/8, 1/2, 1/4, 1/8; large logits do not overflow; the lower of two equal ones is the likeliest. */
  const float logits[] = {1000, 1000 + logf(4), 1000 + logf(2), 1000}, even[] = {2, 2};
  int32_t best = -1;
  CHECK_NEAR(en_surprise(logits, 4, 2, &best), log(4), 1e-4);
  CHECK(best == 1);
  CHECK_NEAR(en_surprise(even, 2, 1, &best), log(2), 1e-12);
  CHECK(best == 0);
  return test_end();
}
