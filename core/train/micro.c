/* micro.c - one micro-batch: forward, loss, backward, in slices between which a host may do other things. Layers below the lowest trained one only run
 * forward; from there up every layer's values are kept, or its input is, and the rest is computed again on the way back (Chen et al. 2016). */
#include "loss.h"

enum { PART_NONE, PART_FORWARD, PART_LOSS, PART_AGAIN /* forward once more, for the layer's values */, PART_BACKWARD };

static int32_t check_batch(const en_trainer *t, const en_train_batch *b, int32_t learn, en_why *why) {
  if ((b->prefix || learn == EN_TRAIN_PREFIX) && !t->first) return en_fail(why, EN_E_ARG, "all layers are trained: there is no frozen prefix");
  if (!b->n || !b->ids || b->n > t->spec.n_tokens) return en_fail(why, EN_E_ARG, "a micro-batch of %u tokens: 1 to %u are possible", b->n, t->spec.n_tokens);
  for (uint32_t i = 0; i < b->n; i++) {
    if (b->ids[i] < 0 || b->ids[i] >= t->m->c.V) return en_fail(why, EN_E_ARG, "token %d is outside the vocabulary of %d", b->ids[i], t->m->c.V);
    if (b->weight && !(b->weight[i] >= 0 && b->weight[i] < 1e6f)) return en_fail(why, EN_E_ARG, "the weight of token %u is not a number from 0 on", i);
  }
  for (uint32_t i = 0, start = 0; t->m->c.bidirectional && i < b->n; i++) { /* their positions may be learned ones */
    if (i && b->segment && b->segment[i] != b->segment[i - 1]) start = i;
    if (i - start >= (uint32_t)t->m->c.n_ctx_train) return en_fail(why, EN_E_FULL, "a sequence has more than the %d tokens that the model has positions for", t->m->c.n_ctx_train);
  }
  return t->loss->check && learn != EN_TRAIN_PREFIX ? t->loss->check(t, b, why) : EN_OK;
}

/* Rows, positions and tiles of a batch, and what the loss aims at. Returns its weight. */
static double lay_out(en_trainer *t, const en_train_batch *b) {
  const int32_t n = (int32_t)b->n, rot = t->m->c.rot;
  int32_t start = 0, n_tiles = 0, n_chains = 0;
  for (int32_t i = 0; i < n; i++) {
    if (i && b->segment && b->segment[i] != b->segment[i - 1]) start = i;
    t->lo[i] = start;
    t->hi[i] = i + 1;
    t->pos[i] = (uint32_t)i;
    t->place[i] = (uint32_t)(i - start);
    if (t->m->c.window) t->lo_window[i] = EN_MAX(start, i + 1 - t->m->c.window);
    for (int32_t table = 0; table < t->m->c.n_rope; table++)
      en_rope_angles(t->cs + ((size_t)table * t->spec.n_tokens + (size_t)i) * (size_t)rot, en_model_freq(t->m, table), rot, t->m->c.rope[table].mscale, i - start);
    t->next[i] = -1;
    if (i > start) t->next[i - 1] = t->chains[n_chains - 1].last = i;
    else t->chains[n_chains++] = (en_chain){i, i, 0};
    if (i % EN_ATTEND_TILE == 0) t->tiles[n_tiles++] = (en_tile){i, EN_MIN(EN_ATTEND_TILE, n - i), 0};
  }
  for (int32_t i = n - 1; t->m->c.bidirectional && i >= 0; i--) t->hi[i] = i + 1 < n && t->lo[i + 1] == t->lo[i] ? t->hi[i + 1] : i + 1;
  t->run.T = n;
  t->run.ids = b->ids;
  t->run.n_tiles = n_tiles;
  t->run.n_chains = n_chains;
  return t->loss->aim(t, b);
}

static float *input_of(en_trainer *t, int32_t l) { return t->inputs + (size_t)(EN_MAX(l, t->first) - t->first) * (size_t)t->spec.n_tokens * (size_t)t->m->c.D; }
static en_tape tape_of(en_trainer *t, int32_t l) {
  const size_t place = (size_t)(EN_MAX(l, t->first) - t->first);
  return (en_tape){input_of(t, l), t->kept + place * en_tape_floats(t, 1), t->live, t->lse + (t->spec.keep == EN_KEEP_INPUTS ? 0 : place) * (size_t)t->spec.n_tokens * (size_t)t->m->c.H};
}

/* The embedding, into input_of(0); on its way there it may use the places of gradients. */
static void embed(en_trainer *t) {
  memcpy(t->run.slot, t->d, sizeof t->run.slot);
  t->run.slot[EN_S_X] = input_of(t, 0);
  t->run.w = t->m->globals;
  t->run.n_lora = 0;
  for (int32_t i = 0; i < t->m->arch->n_begin; i++) en_step_forward(&t->run, &t->m->arch->begin[i], 1);
}

/* A prefix has X after the frozen layers, not what the first one leaves for all others. */
static void leave_first(en_trainer *t) {
  const en_tape tape = tape_of(t, 0);
  int32_t i = 0, op;
  embed(t);
  do {
    op = t->m->arch->each[i].op;
    i = en_tape_forward(t, 0, &tape, i);
  } while (op != EN_OP_FIRST_VALUE);
}

/* The way back through it; an adapter needs nothing from there. */
static void embed_backward(en_trainer *t) {
  t->run.w = t->m->globals;
  t->run.n_lora = 0;
  for (int32_t i = t->m->arch->n_begin - 1; !t->a && i >= 0; i--) {
    const en_back back = en_trainer_back(t, NULL, t->d);
    en_step_backward(&back, &t->m->arch->begin[i]);
  }
}

/* A step of the live layer's program, forward. 1: it was the last one. */
static int32_t forward_step(en_trainer *t) {
  en_micro *j = &t->micro;
  const en_tape tape = tape_of(t, j->layer);
  j->step = en_tape_forward(t, j->layer, &tape, j->step);
  return j->step >= t->m->arch->n_each;
}

static void begin_backward(en_trainer *t, int32_t layer) {
  en_micro *j = &t->micro;
  const int32_t n = t->m->arch->n_each, again = layer + 1 == t->m->c.L ? n : en_tape_again(t, 0); /* the last layer's values are still the live ones */
  j->layer = layer;
  j->part = again == n ? PART_BACKWARD : PART_AGAIN;
  j->step = again == n ? n - 1 : again;
}

static void next_layer(en_trainer *t) {
  en_micro *j = &t->micro;
  const int32_t l = j->layer++;
  const en_tape tape = tape_of(t, l);
  memcpy(input_of(t, l + 1), en_tape_result(t, &tape), (size_t)t->run.T * (size_t)t->m->c.D * sizeof(float));
  j->step = 0;
  if (j->layer == t->m->c.L) j->part = PART_LOSS;
}

/* 1: it was the last one of all. */
static int32_t backward_step(en_trainer *t) {
  en_micro *j = &t->micro;
  const en_tape tape = tape_of(t, j->layer);
  if (en_tape_backward(t, j->layer, &tape, j->step--)) return 0;
  if (j->layer > t->first) {
    begin_backward(t, j->layer - 1);
    return 0;
  }
  embed_backward(t);
  return 1;
}

static void clear(const en_trainer *t, int32_t slot) { memset(t->d[slot], 0, (size_t)t->run.T * (size_t)en_dim_size(&t->m->c, en_slot_dim((en_slot)slot)) * sizeof(float)); }

/* One step or one piece of the loss. 1: the micro-batch is done. */
static int32_t advance(en_trainer *t) {
  en_micro *j = &t->micro;
  switch (j->part) {
    case PART_FORWARD:
      if (forward_step(t)) next_layer(t);
      return j->learn == EN_TRAIN_PREFIX && j->layer == t->first;
    case PART_LOSS: /* step: the piece */
      if (t->loss->run(t, input_of(t, t->m->c.L), j->learn == EN_TRAIN_LEARN, j->step++, &j->out.loss)) return 0;
      if (j->learn != EN_TRAIN_LEARN) return 1;
      for (int32_t s = 0; s < EN_S_LOGITS; s++)
        if (s != EN_S_X) clear(t, s); /* the loss has worked there */
      begin_backward(t, t->m->c.L - 1);
      return 0;
    case PART_AGAIN:
      forward_step(t);
      j->step = en_tape_again(t, j->step);
      if (j->step < t->m->arch->n_each) return 0;
      j->part = PART_BACKWARD;
      j->step = t->m->arch->n_each - 1;
      return 0;
    default:
      return backward_step(t);
  }
}

static size_t grad_bytes(const en_trainer *t) { return (size_t)t->n_params * sizeof(float); }

int32_t en_train_begin(en_trainer *t, const en_train_batch *b, int32_t learn, en_why *why) {
  en_train_drop(t);
  if (learn < EN_TRAIN_EVALUATE || learn > EN_TRAIN_PREFIX) return en_fail(why, EN_E_ARG, "there is no way %d to work on a micro-batch", learn);
  EN_TRY(check_batch(t, b, learn, why));
  t->micro = (en_micro){.batch = *b, .part = PART_FORWARD, .learn = learn};
  t->batch = &t->micro.batch;
  t->micro.out.weight = lay_out(t, t->batch);
  t->dropping = learn == EN_TRAIN_LEARN && t->spec.dropout > 0;
  if (b->prefix && en_arch_uses(t->m->arch, EN_S_FIRST)) leave_first(t);
  if (b->prefix) memcpy(input_of(t, t->first), b->prefix, (size_t)b->n * (size_t)t->m->c.D * sizeof *b->prefix);
  else embed(t);
  if (b->prefix) t->micro.layer = t->first;
  if (learn == EN_TRAIN_LEARN) {
    memcpy(t->backup, t->grad, grad_bytes(t));
    clear(t, EN_S_X); /* the loss adds to it */
  }
  return EN_OK;
}

void en_train_drop(en_trainer *t) {
  if (t->micro.part && t->micro.learn == EN_TRAIN_LEARN) memcpy(t->grad, t->backup, grad_bytes(t));
  t->micro.part = PART_NONE;
}

void en_train_forget(en_trainer *t) {
  t->micro.part = PART_NONE;
  memset(t->grad, 0, grad_bytes(t));
  t->pending_weight = 0;
  t->n_micro = 0;
}

int32_t en_train_run(en_trainer *t, uint32_t n_steps, en_train_loss *out, en_why *why) {
  en_micro *j = &t->micro;
  if (!j->part) return en_fail(why, EN_E_STATE, "no micro-batch is in work");
  for (uint32_t done = 0; done < n_steps; done++) {
    if (t->host.stop && *(const volatile int32_t *)t->host.stop) {
      en_train_drop(t);
      return en_fail(why, EN_E_STOPPED, "stopped by the host");
    }
    if (!advance(t)) continue;
    j->part = PART_NONE;
    if (j->learn == EN_TRAIN_LEARN) {
      t->pending_weight += j->out.weight;
      t->n_micro++;
    }
    *out = j->out;
    return EN_OK;
  }
  return EN_E_MORE;
}

static int32_t whole(en_trainer *t, const en_train_batch *b, int32_t learn, en_train_loss *out, en_why *why) {
  int32_t status;
  EN_TRY(en_train_begin(t, b, learn, why));
  do status = en_train_run(t, UINT32_MAX, out, why);
  while (status == EN_E_MORE);
  return status;
}

int32_t en_train_evaluate(en_trainer *t, const en_train_batch *b, en_train_loss *out, en_why *why) { return whole(t, b, EN_TRAIN_EVALUATE, out, why); }
int32_t en_train_accumulate(en_trainer *t, const en_train_batch *b, en_train_loss *out, en_why *why) { return whole(t, b, EN_TRAIN_LEARN, out, why); }

const float *en_trainer_prefix(const en_trainer *t) { return t->inputs; }

int32_t en_train_prefix(en_trainer *t, const en_train_batch *b, float *rows, en_why *why) {
  en_train_loss unused;
  EN_TRY(whole(t, b, EN_TRAIN_PREFIX, &unused, why));
  memcpy(rows, t->inputs, (size_t)b->n * (size_t)t->m->c.D * sizeof *rows);
  return EN_OK;
}
