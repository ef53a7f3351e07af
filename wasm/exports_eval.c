/* exports_eval.c - how good answers are, across the border; the rules are those of exports.c. */
#include "exports.h"

/* mail: surprise of `wanted` after a row of logits, the token that the model would say, is that an end token? */
int32_t w_judge(en_session *s, uint32_t row, uint32_t n_vocab, const en_tokenizer *t, int32_t wanted) {
  const float *logits = en_logits(s, row);
  int32_t best;
  if (!logits) return en_fail(w_reason(), EN_E_STATE, "there are no logits in row %u", row);
  w_mail()[0] = en_surprise(logits, n_vocab, wanted, &best);
  w_mail()[1] = best;
  w_mail()[2] = en_token_is_end(t, best);
  return EN_OK;
}
/* mail: the fields of en_bleu for this pair of texts, then F1 of ROUGE-L. */
enum { BLEU_FIELDS = sizeof(en_bleu) / sizeof(double) };
int32_t w_overlap(const char *candidate, uint32_t n_candidate, const char *reference, uint32_t n_reference) {
  const size_t need = en_overlap_bytes(n_candidate, n_reference);
  if (!need) return en_fail(w_reason(), EN_E_ARG, "the texts are too long to be compared");
  void *scratch = w_open_block(need, "comparison of two texts");
  if (!scratch) return EN_E_NOMEM;
  en_bleu bleu = {0};
  en_rouge rouge = {0, 0, 0};
  int32_t status = en_bleu_add(&bleu, candidate, n_candidate, reference, n_reference, scratch, need);
  if (status == EN_OK) status = en_rouge_l(&rouge, candidate, n_candidate, reference, n_reference, scratch, need);
  w_free(scratch);
  memcpy(w_mail(), &bleu, sizeof bleu);
  w_mail()[BLEU_FIELDS] = rouge.f1;
  return status;
}
/* Score of the sums of such fields, which are in the mailbox. */
double w_bleu(void) {
  en_bleu bleu;
  memcpy(&bleu, w_mail(), sizeof bleu);
  return en_bleu_score(&bleu);
}
