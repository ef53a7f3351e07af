/* grammar.c - a program (grammar.h) beside a text, as a state machine that is built while it is needed.
 * A thread is a place in the program and a stack of places to return to; stacks share their lower parts (nodes). The threads that can be at work after some
 * text are a state, and equal ones are one state. What a byte makes of a state is found out once, so a walk over the vocabulary costs a look-up a byte; and
 * the tokens that a state allows are kept for the next time, which is soon: inside a string the state does not change.
 * When the room for states is used up, all but the present one are forgotten. A rule that begins with itself ends at MAX_DEPTH like any nesting. */
#include "grammar.h"
#include <math.h>

enum {
  MAX_ITEMS = EN_MAX_CODE, MAX_SEEN = 1 << 13, MAX_NODES = 1 << 13, MAX_STATES = 1 << 11, MAX_NEXT = 1 << 16, NODE_SLOTS = 2 * MAX_NODES, STATE_SLOTS = 2 * MAX_STATES,
  MAX_DEPTH = 256, /* open calls; what would nest deeper is not allowed */
  N_MASKS = 8
};
enum { UNKNOWN = 0, DEAD = 1, FIRST_STATE = 2, FULL = 0 };
enum { EMPTY = 0 /* node: the bottom of every stack */, AT_END = EN_MAX_CODE /* place of a thread that has nothing left to match */ };

typedef struct { uint32_t at, node; } thread_t;
typedef struct { uint32_t at; uint16_t below, depth; } node_t; /* where to return to, and with which stack */
typedef struct { uint32_t first, n; int32_t may_end; } state_t;
typedef struct { uint32_t *bits, state, n /* tokens */; } mask_t; /* state 0: none */

struct en_grammar {
  const en_lexicon *x;
  en_program program;
  uint8_t class_of[256];     /* bytes that no range tells apart are one class */
  uint32_t n_classes;
  thread_t *items; uint32_t n_items; /* [MAX_ITEMS] of all states */
  thread_t *seen; uint32_t n_seen;   /* [MAX_SEEN] in work */
  node_t *nodes; uint32_t n_nodes;   /* [MAX_NODES] a node lies above those that it stands on */
  state_t *states; uint32_t n_states; /* [MAX_STATES] */
  uint16_t *node_slots, *state_slots, *moved; /* hashes; [MAX_NODES] for compaction */
  uint16_t *next;            /* [n_states, n_classes] */
  mask_t masks[N_MASKS];
  uint32_t next_mask, root /* place where it starts */, now /* state */;
  int32_t ended;             /* an end token was accepted */
};

/* ---- memory ---- */

static size_t carve(en_grammar *at, void **self, const en_lexicon *x, void *mem) {
  const uint64_t words = ((uint64_t)x->t->special.n_vocab + 31) / 32;
  uint32_t *bits = NULL;
  const en_piece pieces[] = {
    {self, 1, sizeof *at}, {(void **)&at->program.code, EN_MAX_CODE, sizeof(en_instruction)}, {(void **)&at->program.rules, EN_MAX_RULES, sizeof(en_rule)},
    {(void **)&at->items, MAX_ITEMS, sizeof(thread_t)}, {(void **)&at->seen, MAX_SEEN, sizeof(thread_t)}, {(void **)&at->nodes, MAX_NODES, sizeof(node_t)},
    {(void **)&at->states, MAX_STATES, sizeof(state_t)}, {(void **)&at->node_slots, NODE_SLOTS, 2}, {(void **)&at->state_slots, STATE_SLOTS, 2},
    {(void **)&at->moved, MAX_NODES, 2}, {(void **)&at->next, MAX_NEXT, 2}, {(void **)&bits, words * N_MASKS, 4},
  };
  const size_t bytes = en_carve(pieces, EN_COUNT(pieces), mem);
  for (uint32_t i = 0; mem && bytes && i < N_MASKS; i++) at->masks[i] = (mask_t){.bits = bits + i * words};
  return bytes;
}

size_t en_grammar_bytes(const en_lexicon *x) {
  en_grammar at;
  void *self;
  return x ? carve(&at, &self, x, NULL) : 0;
}

/* ---- stacks ---- */

/* The stack `below` with a place on it; FULL: no room. */
static uint32_t push(en_grammar *g, uint32_t at, uint32_t below) {
  for (uint32_t slot = en_hash_mix(at * 0x9e3779b1u + below);; slot++) {
    uint16_t *entry = &g->node_slots[slot % NODE_SLOTS];
    if (*entry && (g->nodes[*entry].at != at || g->nodes[*entry].below != below)) continue;
    if (*entry) return *entry;
    if (g->n_nodes == MAX_NODES) return FULL;
    g->nodes[g->n_nodes] = (node_t){at, (uint16_t)below, (uint16_t)(g->nodes[below].depth + 1)};
    return *entry = (uint16_t)g->n_nodes++;
  }
}

/* ---- states ---- */

static int32_t see(en_grammar *g, uint32_t at, uint32_t node) {
  for (uint32_t i = 0; i < g->n_seen; i++)
    if (g->seen[i].at == at && g->seen[i].node == node) return 1;
  if (g->n_seen == MAX_SEEN) return 0;
  g->seen[g->n_seen++] = (thread_t){at, node};
  return 1;
}

/* Everything that the threads in `seen` reach without a byte joins them; 0: no room. */
static int32_t close_over(en_grammar *g) {
  int32_t ok = 1;
  for (uint32_t i = 0; ok && i < g->n_seen; i++) {
    const thread_t t = g->seen[i];
    if (t.at == AT_END) continue;
    const en_instruction *c = &g->program.code[t.at];
    uint32_t back = t.at + 1, node = t.node;
    switch (c->op) {
      case EN_OP_SPLIT: ok = see(g, t.at + 1, node) && see(g, t.at + (uint32_t)c->to, node); break;
      case EN_OP_JUMP: ok = see(g, t.at + (uint32_t)c->to, node); break;
      case EN_OP_RETURN: ok = see(g, node ? g->nodes[node].at : AT_END, node ? g->nodes[node].below : EMPTY); break;
      case EN_OP_CALL:
        while (g->program.code[back].op == EN_OP_JUMP) back += (uint32_t)g->program.code[back].to;
        if (g->program.code[back].op != EN_OP_RETURN) { /* else: whoever called here is whom to return to */
          if (g->nodes[node].depth == MAX_DEPTH) break;
          ok = (node = push(g, back, node)) != FULL;
        }
        ok = ok && see(g, (uint32_t)g->program.rules[c->to].start, node);
        break;
      default: break;
    }
  }
  return ok;
}

/* The state of the threads in `seen`: a number, or FULL. */
static uint32_t intern(en_grammar *g) {
  const uint32_t first = g->n_items;
  int32_t may_end = 0;
  uint32_t n = 0, hash = EN_HASH_START;
  for (uint32_t i = 0; i < g->n_seen; i++) {
    const thread_t t = g->seen[i];
    may_end |= t.at == AT_END;
    if (t.at == AT_END || g->program.code[t.at].op != EN_OP_RANGE) continue;
    if (first + n == MAX_ITEMS) return FULL;
    g->items[first + n++] = t;
    hash = (hash ^ t.at) * 16777619u;
    hash = (hash ^ t.node) * 16777619u;
  }
  if (!n && !may_end) return DEAD;
  for (uint32_t slot = en_hash_mix(hash);; slot++) {
    uint16_t *entry = &g->state_slots[slot % STATE_SLOTS];
    const state_t *old = &g->states[*entry];
    if (*entry && (old->n != n || old->may_end != may_end || memcmp(g->items + old->first, g->items + first, n * sizeof(thread_t)))) continue;
    if (*entry) return *entry;
    if (g->n_states == MAX_STATES || (g->n_states + 1) * g->n_classes > MAX_NEXT) return FULL;
    g->states[g->n_states] = (state_t){first, n, may_end};
    memset(g->next + g->n_states * g->n_classes, UNKNOWN, g->n_classes * sizeof *g->next);
    g->n_items += n;
    return *entry = (uint16_t)g->n_states++;
  }
}

/* What a byte makes of a state; FULL: no room to find out. */
static uint32_t step(en_grammar *g, uint32_t state, uint8_t byte) {
  uint16_t *known = &g->next[state * g->n_classes + g->class_of[byte]];
  if (*known != UNKNOWN || state < FIRST_STATE) return state < FIRST_STATE ? DEAD : *known;
  const state_t *s = &g->states[state];
  g->n_seen = 0;
  for (uint32_t i = 0; i < s->n; i++) {
    const thread_t t = g->items[s->first + i];
    const en_instruction *c = &g->program.code[t.at];
    if (byte >= c->lo && byte <= c->hi && !see(g, t.at + 1, t.node)) return FULL;
  }
  const uint32_t to = close_over(g) ? intern(g) : FULL;
  return *known = (uint16_t)to;
}

static void forget_states(en_grammar *g) {
  memset(g->node_slots, 0, NODE_SLOTS * sizeof *g->node_slots);
  memset(g->state_slots, 0, STATE_SLOTS * sizeof *g->state_slots);
  for (int32_t i = 0; i < N_MASKS; i++) g->masks[i].state = 0;
  g->n_items = 0;
  g->n_states = FIRST_STATE;
}

/* Forget every state but the present one, and every node that it does not stand on. */
static void make_room(en_grammar *g) {
  const state_t s = g->states[g->now];
  const uint32_t n_nodes = g->n_nodes;
  memcpy(g->seen, g->items + s.first, s.n * sizeof *g->seen); /* they came from there: they fit */
  g->n_seen = s.n;
  memset(g->moved, 0, MAX_NODES * sizeof *g->moved);
  for (uint32_t i = 0; i < s.n; i++) g->moved[g->seen[i].node] = 1;
  for (uint32_t i = n_nodes - 1; i > 0; i--)
    if (g->moved[i]) g->moved[g->nodes[i].below] = 1;
  forget_states(g);
  g->n_nodes = 1;
  for (uint32_t i = 1; i < n_nodes; i++)
    if (g->moved[i]) g->moved[i] = (uint16_t)push(g, g->nodes[i].at, g->nodes[i].below ? g->moved[g->nodes[i].below] : EMPTY);
  for (uint32_t i = 0; i < g->n_seen; i++) g->seen[i].node = g->seen[i].node ? g->moved[g->seen[i].node] : EMPTY;
  if (s.may_end) g->seen[g->n_seen++] = (thread_t){AT_END, EMPTY};
  g->now = intern(g);
}

static int32_t begin(en_grammar *g) {
  g->n_nodes = 1;
  g->nodes[EMPTY] = (node_t){0};
  g->ended = 0;
  forget_states(g);
  g->n_seen = 0;
  see(g, g->root, EMPTY);
  g->now = close_over(g) ? intern(g) : FULL;
  return g->now >= FIRST_STATE;
}

/* ---- public ---- */

static void find_classes(en_grammar *g) {
  uint8_t begins[257] = {0};
  for (uint32_t i = 0; i < g->program.n_code; i++)
    if (g->program.code[i].op == EN_OP_RANGE) begins[g->program.code[i].lo] = begins[g->program.code[i].hi + 1] = 1;
  for (uint32_t byte = 0, class = 0; byte < 256; byte++) {
    class += byte && begins[byte];
    g->class_of[byte] = (uint8_t)class;
    g->n_classes = class + 1;
  }
}

int32_t en_grammar_init(en_grammar **out, void *mem, size_t mem_bytes, const en_lexicon *x, int32_t kind, const char *text, size_t n_bytes, en_why *why) {
  en_grammar at = {.x = x};
  void *self;
  if (!out || !x || (!text && n_bytes) || (kind != EN_GRAMMAR_GBNF && kind != EN_GRAMMAR_SCHEMA)) return en_fail(why, EN_E_ARG, "en_grammar_init needs a vocabulary, a kind and a text");
  const size_t need = carve(&at, &self, x, NULL);
  if (!mem || !need || mem_bytes < need) return en_fail(why, EN_E_NOMEM, "the grammar needs %z bytes, %z were given", (uint64_t)need, (uint64_t)mem_bytes);
  carve(&at, &self, x, mem);
  en_grammar *g = self;
  *g = at;
  g->program.why = why;
  if (kind == EN_GRAMMAR_GBNF) en_gbnf_compile(&g->program, text, n_bytes);
  else en_schema_compile(&g->program, text, n_bytes);
  EN_TRY(en_program_check(&g->program));
  g->root = (uint32_t)g->program.rules[en_program_rule(&g->program, "root", 4)].start;
  find_classes(g);
  if (!begin(g)) return en_fail(why, EN_E_FULL, "the grammar allows nothing at its beginning, or too much");
  *out = g;
  return EN_OK;
}

/* ---- tokens ---- */

/* The tokens that fit after the present state, as bits; -1: no room. */
static int64_t walk(en_grammar *g, uint32_t *bits) {
  const en_lexicon *x = g->x;
  uint16_t state[EN_MAX_TOKEN + 1]; /* after each byte of the token before */
  const uint8_t *rest = x->rest;
  uint32_t alive = 0; /* bytes of it that the grammar allows */
  int64_t n = 0;
  state[0] = (uint16_t)g->now;
  for (uint32_t i = 0; i < x->n; i++) {
    const uint32_t length = x->length[i].n, shared = x->length[i].shared;
    const uint8_t *at = rest;
    rest += length - shared;
    if (shared > alive) continue;
    for (alive = shared; alive < length; alive++) {
      const uint32_t to = step(g, state[alive], *at++);
      if (to == FULL) return -1;
      if (to == DEAD) break;
      state[alive + 1] = (uint16_t)to;
    }
    if (alive < length) continue;
    bits[x->ids[i] >> 5] |= (uint32_t)1 << (x->ids[i] & 31);
    n++;
  }
  return n;
}

static mask_t *mask_of_state(en_grammar *g) {
  const size_t bytes = ((size_t)g->x->t->special.n_vocab + 31) / 32 * 4;
  for (int32_t i = 0; i < N_MASKS; i++)
    if (g->masks[i].state == g->now) return &g->masks[i];
  for (int32_t again = 0; again < 2; again++) {
    mask_t *m = &g->masks[g->next_mask++ % N_MASKS];
    m->state = 0;
    memset(m->bits, 0, bytes);
    const int64_t n = walk(g, m->bits);
    if (n < 0) { make_room(g); continue; }
    m->n = (uint32_t)n;
    m->state = g->now;
    for (int32_t i = 0; g->states[g->now].may_end && i < g->x->t->n_ends; i++, m->n++) m->bits[g->x->t->ends[i] >> 5] |= (uint32_t)1 << (g->x->t->ends[i] & 31);
    return m;
  }
  return NULL;
}

int32_t en_grammar_mask(en_grammar *g, float *logits, uint32_t n_logits, en_why *why) {
  if (g->ended) return 0;
  const mask_t *m = mask_of_state(g);
  if (!m) return en_fail(why, EN_E_FULL, "the grammar allows too many things at once to be followed");
  if (!m->n && g->states[g->now].may_end) return 0;
  if (!m->n) return en_fail(why, EN_E_STATE, "no token of the vocabulary continues the text as the grammar wants it");
  const uint32_t n = EN_MIN(n_logits, g->x->t->special.n_vocab);
  for (uint32_t i = 0; i < n; i++)
    if (!(m->bits[i >> 5] >> (i & 31) & 1)) logits[i] = -INFINITY;
  for (uint32_t i = n; i < n_logits; i++) logits[i] = -INFINITY;
  return 1;
}

int32_t en_grammar_accept(en_grammar *g, int32_t id) {
  const en_tokenizer *t = g->x->t;
  char piece[EN_MAX_TOKEN];
  int32_t at_start = 0;
  if (id < 0 || (uint32_t)id >= t->special.n_vocab || g->ended) return EN_E_ARG;
  if (en_token_is_end(t, id)) return (g->ended = g->states[g->now].may_end) ? EN_OK : EN_E_ARG;
  en_out out = {.bytes = piece, .cap = sizeof piece};
  if (!en_token_is_hidden(en_token_type(t, id))) en_token_piece(t, id, 0, &at_start, &out);
  if (!out.n) return EN_E_ARG;
  for (int32_t again = 0; again < 2; again++) {
    uint32_t state = g->now;
    for (size_t i = 0; i < out.n && state >= FIRST_STATE; i++) state = step(g, state, (uint8_t)piece[i]);
    if (state == DEAD) return EN_E_ARG;
    if (state != FULL) { g->now = state; return EN_OK; }
    make_room(g);
  }
  return EN_E_FULL;
}

void en_grammar_reset(en_grammar *g) { begin(g); }
