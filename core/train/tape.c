/* tape.c - one layer's program forward with every step's result kept, and backward from its end.
 * A step that writes slot S gets a fresh place for S; a step that changes S in place, or adds to it, starts from a copy. So the values that
 * the backward needs are simply still there. The layout follows from the list of steps alone. Results that are kept have a place for
 * every layer, the others share one, and are computed again on the way back. */
#include "trainer.h"

static size_t width(const en_trainer *t, int32_t slot) { return (size_t)en_dim_size(&t->m->c, en_slot_dim((en_slot)slot)); }

int32_t en_tape_keeps(const en_trainer *t, int32_t i) {
  return t->spec.keep == EN_KEEP_ALL || (t->spec.keep == EN_KEEP_PRODUCTS && en_step_costly(&t->m->arch->each[i]));
}

int32_t en_tape_again(const en_trainer *t, int32_t i) {
  while (i < t->m->arch->n_each && en_tape_keeps(t, i)) i++;
  return i;
}

static size_t step_floats(const en_trainer *t, int32_t i) { return (size_t)t->spec.n_tokens * width(t, t->m->arch->each[i].out); }

size_t en_tape_floats(const en_trainer *t, int32_t kept) {
  uint64_t n = 0;
  for (int32_t i = 0; i < t->m->arch->n_each; i++)
    if (en_tape_keeps(t, i) == kept) n += (uint64_t)width(t, t->m->arch->each[i].out);
  return en_mul_u64(n, t->spec.n_tokens, &n) && n <= SIZE_MAX / 8 ? (size_t)n : SIZE_MAX / 8; /* then nothing can be carved */
}

/* Slots before step i, where the tape says that they lie; out: what step i writes. */
static void place_slots(const en_trainer *t, const en_tape *tape, int32_t i, float **slot, float **out) {
  const en_step *steps = t->m->arch->each;
  float *kept = tape->kept, *live = tape->live;
  memset(slot, 0, EN_S_COUNT * sizeof *slot);
  slot[EN_S_X] = tape->x;
  slot[EN_S_FIRST] = t->outlives;
  for (int32_t s = 0; s <= i; s++) {
    float **at = en_tape_keeps(t, s) ? &kept : &live;
    *out = *at;
    *at += step_floats(t, s);
    if (s < i) slot[steps[s].out] = *out;
  }
}

float *en_tape_result(const en_trainer *t, const en_tape *tape) {
  float *slot[EN_S_COUNT], *out = NULL;
  const int32_t n = t->m->arch->n_each;
  place_slots(t, tape, n - 1, slot, &out);
  return t->m->arch->each[n - 1].out == EN_S_X ? out : slot[EN_S_X];
}

/* How many steps from i on are one product: LINEAR steps that read one slot and add to nothing. */
static int32_t together(const en_step *steps, int32_t i, int32_t n) {
  int32_t k = 1;
  if (steps[i].op != EN_OP_LINEAR || steps[i].add || steps[i].out == steps[i].in) return 1;
  while (i + k < n && steps[i + k].op == EN_OP_LINEAR && steps[i + k].in == steps[i].in && !steps[i + k].add && steps[i + k].out != steps[i].in) k++;
  return k;
}

static void enter_layer(en_trainer *t, int32_t l, float *lse) {
  const size_t half = (size_t)t->spec.n_tokens * width(t, EN_S_K);
  const en_layer_kind kind = en_arch_kind(t->m->arch, &t->m->c, l, t->run.n_ctx);
  t->run.cs = t->cs + (size_t)kind.rope * (size_t)t->spec.n_tokens * (size_t)t->m->c.rot;
  t->run.lo = kind.window ? t->lo_window : t->lo;
  t->run.layer = l;
  t->run.w = en_model_layer(t->m, l);
  t->run.n_lora = t->a ? 1 : 0;
  if (t->a) t->run.lora[0] = en_adapter_layer(t->a, l);
  t->run.lse = lse;
  t->run.lora_x = t->dropping ? t->dropped : NULL;
  if (t->dropping) t->run.lora_seed = en_random(en_random(t->spec.seed, t->n_steps), t->n_micro << 16 | (uint64_t)l);
  t->run.kv_k = (uint8_t *)t->kv;
  t->run.kv_v = (uint8_t *)(t->kv + half);
}

int32_t en_tape_forward(en_trainer *t, int32_t l, const en_tape *tape, int32_t i) {
  const en_step *steps = t->m->arch->each;
  const int32_t n = t->m->arch->n_each, k = together(steps, i, n);
  float *out = NULL;
  enter_layer(t, l, tape->lse);
  place_slots(t, tape, i, t->run.slot, &out);
  if (en_step_reads(&steps[i], steps[i].out)) memcpy(out, t->run.slot[steps[i].out], (size_t)t->run.T * width(t, steps[i].out) * sizeof *out);
  for (int32_t s = 0; s < k; s++) {
    float *unused[EN_S_COUNT];
    place_slots(t, tape, i + s, unused, &out);
    t->run.slot[steps[i + s].out] = out;
  }
  for (int32_t done = 0; done < k;) done += en_step_forward(&t->run, steps + i + done, k - done);
  return i + k;
}

/* Steps of the lowest trained layer below its first update need no gradient of what they read. */
static int32_t first_trained_step(const en_trainer *t, int32_t l) {
  const en_step *steps = t->m->arch->each;
  if (!t->a) return -1; /* the token embedding */
  const en_lora *lora = en_adapter_layer(t->a, l);
  for (int32_t i = 0; i < t->m->arch->n_each; i++)
    if (steps[i].op == EN_OP_LINEAR && lora[steps[i].w].rank) return i;
  return t->m->arch->n_each;
}

int32_t en_tape_backward(en_trainer *t, int32_t l, const en_tape *tape, int32_t i) {
  const int32_t lowest = l == t->first ? first_trained_step(t, l) : -1;
  float *out = NULL;
  if (i < EN_MAX(lowest, 0)) return 0;
  enter_layer(t, l, tape->lse);
  place_slots(t, tape, i, t->run.slot, &out);
  en_back back = en_trainer_back(t, out, t->d);
  if (t->a) back.dlora = t->dlora + (size_t)l * (size_t)t->m->arch->n_layer;
  back.need_in = i > lowest;
  en_step_backward(&back, &t->m->arch->each[i]);
  return i > EN_MAX(lowest, 0);
}
