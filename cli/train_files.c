/* train_files.c - what a training has on the disk beside its data: the checkpoint and the table of losses. */
#include "../core/base/base.h"
#include "adapters.h"
#include "parts.h"
#include "train.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int train_can_write(const training *t) {
  const char *out = args_text(t->a, T_OUT);
  const int is_file = args_given(t->a, T_FULL) || cli_writes_gguf(out, args_text(t->a, T_FORMAT)), is_folder = cli_is_folder(out);
  cli_out tried;
  if (is_file && is_folder) return cli_fail(out, "it is a folder; a file is to be written there"), 0;
  if (!is_file && !is_folder && !access(out, F_OK)) return cli_fail(out, "it is a file; an adapter in PEFT's form is a folder"), 0;
  const int ok = cli_out_open(&tried, t->checkpoint);
  cli_out_close(&tried, 0);
  return ok;
}

/* ---- checkpoints ---- */

typedef struct { char magic[4]; uint32_t version; uint64_t settings; } checkpoint_head; /* then what en_trainer_save writes */

int train_save(const training *t) {
  const checkpoint_head head = {{'E', 'N', 'C', 'K'}, 1, t->settings};
  const size_t n = en_trainer_save(t->trainer, NULL, 0);
  char *data = malloc(sizeof head + n);
  if (!data) return cli_fail(t->checkpoint, "no memory for %zu bytes", n), 0;
  memcpy(data, &head, sizeof head);
  en_trainer_save(t->trainer, data + sizeof head, n);
  const int ok = cli_write_file(t->checkpoint, data, sizeof head + n);
  free(data);
  return ok;
}

int train_load(training *t) {
  checkpoint_head head;
  size_t n;
  en_why why = {""};
  char *data = cli_read_file(t->checkpoint, &n);
  if (!data) return 0;
  int32_t status = n < sizeof head ? en_fail(&why, EN_E_FORMAT, "the checkpoint is cut short") : EN_OK;
  if (status == EN_OK) {
    memcpy(&head, data, sizeof head);
    if (memcmp(head.magic, "ENCK", 4) || head.version != 1) status = en_fail(&why, EN_E_FORMAT, "this is no checkpoint");
    else if (head.settings != t->settings) status = en_fail(&why, EN_E_ARG, "the checkpoint was made with other data or other settings");
    else status = en_trainer_load(t->trainer, data + sizeof head, n - sizeof head, &why);
  }
  free(data);
  if (status != EN_OK) return cli_fail(t->checkpoint, "%s", why.text), 0;
  t->first = t->step = en_trainer_steps(t->trainer);
  return 1;
}

/* ---- the table of losses ---- */

int train_open_csv(training *t) {
  static const char title[] = "step,epoch,lr,loss,grad_norm,tokens\n";
  const char *path = args_text(t->a, T_CSV);
  size_t n = 0, kept = sizeof title - 1;
  if (!path) return 1;
  char *old = t->first && !access(path, F_OK) ? cli_read_file(path, &n) : NULL;
  if (old && n >= kept && !memcmp(old, title, kept))
    for (char *line = old + kept, *end; (end = strchr(line, '\n')) && strtoull(line, NULL, 10) <= t->first; line = end + 1) kept = (size_t)(end + 1 - old);
  t->csv = fopen(path, "wb");
  if (t->csv) fwrite(old ? old : title, 1, EN_MIN(kept, old ? n : kept), t->csv);
  else cli_fail(path, "%s", strerror(errno));
  free(old);
  return t->csv != NULL;
}
