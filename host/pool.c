/* pool.c - the lanes of pool.h. One source for native threads and for wasm workers over one shared memory; a build without
 * threads has one lane and runs everything on the caller.
 *
 * A job is cut into chunks, and every lane has a run of neighbouring chunks of its own, so that it reads memory as one stream (one that
 * begins anew costs the time of 20 KB). A lane whose run is empty goes on with another one's. Claiming is one compare-and-exchange of a
 * run, whose first chunk it takes. Only after a claim a lane reads the job's description, which cannot change before the claimed chunk is
 * reported in `left`, because the owner returns (and may post the next job) only when `left` is 0. So a run that was read long ago, of an
 * older job even, gives a chunk of the job in work or none, and a worker that wakes late finds nothing to claim and goes back to sleep. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall() */
#endif
#include "pool.h"
#include <stdatomic.h>

#if defined(__wasm__)
#define EN_POOL_WASM
#elif defined(__linux__) && !defined(EN_POOL_CONDVAR)
#define EN_POOL_FUTEX
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#else /* any system with POSIX threads */
#ifndef EN_POOL_CONDVAR
#define EN_POOL_CONDVAR
#endif
#include <pthread.h>
#include <time.h>
#endif

enum { SPIN_TURNS = 20000 /* without a clock: about 20 us */, SPIN_NS = 20000, TURNS_PER_LOOK = 32 };
enum { MIN_CHUNKS = 6, MAX_CHUNKS = 16 /* of a lane */, CHUNK_STEPS = 8, RUN_BITS = 16, RUN_MASK = (1 << RUN_BITS) - 1 };
_Static_assert(EN_POOL_MAX_LANES * MAX_CHUNKS <= RUN_MASK, "a run holds two numbers of chunks");
#define OWN_LINE _Alignas(64) /* words that different lanes write must not share a cache line */

typedef struct {
  OWN_LINE _Atomic uint32_t run; /* its chunks that nobody has claimed: first | behind the last << RUN_BITS */
  en_pool_counts counts;         /* written by this lane before it reports, or by the owner */
} lane_t;
struct en_pool {
  OWN_LINE _Atomic uint32_t gen;    /* number of the job; idle workers wait for it to change */
  OWN_LINE _Atomic uint32_t left;   /* chunks that are not reported; the owner waits for 0 */
  OWN_LINE _Atomic uint32_t asleep; /* workers that sleep, or are about to: nobody is woken when it is 0 */
  OWN_LINE _Atomic uint32_t owner_asleep;
  OWN_LINE _Atomic uint32_t stop;
  /* The job: written by the owner before the runs, read after a claim. */
  OWN_LINE void (*job)(const void *ctx, int32_t lo, int32_t hi, int32_t lane);
  const void *ctx;
  int64_t n, step, n_steps, n_chunks; /* elements; elements in a step; steps and chunks in the job */
  int32_t n_lanes;
  int32_t (*idle)(void);
  double (*now_ms)(void *);
#ifdef EN_POOL_CONDVAR
  pthread_mutex_t mutex;
  pthread_cond_t changed;
#endif
  lane_t lanes[EN_POOL_MAX_LANES];
};

/* ---- sleeping: wait_on returns when *word != seen, and sometimes earlier ---- */

#if defined(EN_POOL_WASM) && defined(__wasm_atomics__)
static void wait_on(en_pool *p, _Atomic uint32_t *word, uint32_t seen) {
  (void)p;
  __builtin_wasm_memory_atomic_wait32((int *)(void *)word, (int)seen, -1);
}
static void wake(en_pool *p, _Atomic uint32_t *word, int32_t n) {
  (void)p;
  __builtin_wasm_memory_atomic_notify((int *)(void *)word, (unsigned)n);
}
#elif defined(EN_POOL_WASM) /* one lane: nobody to wait for */
static void wait_on(en_pool *p, _Atomic uint32_t *word, uint32_t seen) { (void)p, (void)word, (void)seen; }
static void wake(en_pool *p, _Atomic uint32_t *word, int32_t n) { (void)p, (void)word, (void)n; }
#elif defined(EN_POOL_FUTEX)
static void wait_on(en_pool *p, _Atomic uint32_t *word, uint32_t seen) {
  (void)p;
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}
static void wake(en_pool *p, _Atomic uint32_t *word, int32_t n) {
  (void)p;
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}
#else
static void wait_on(en_pool *p, _Atomic uint32_t *word, uint32_t seen) {
  pthread_mutex_lock(&p->mutex);
  while (atomic_load(word) == seen) pthread_cond_wait(&p->changed, &p->mutex);
  pthread_mutex_unlock(&p->mutex);
}
static void wake(en_pool *p, _Atomic uint32_t *word, int32_t n) {
  (void)word, (void)n;
  pthread_mutex_lock(&p->mutex); /* a waiter that has looked but does not sleep yet holds it */
  pthread_mutex_unlock(&p->mutex);
  pthread_cond_broadcast(&p->changed);
}
#endif

/* ---- spinning ---- */

#ifdef EN_POOL_WASM
/* 1: *word changed within about 20 us. Engines have no cheap clock; a turn takes about 1 ns. */
static int spin(_Atomic uint32_t *word, uint32_t seen) {
  for (int32_t i = 0; i < SPIN_TURNS; i++)
    if (atomic_load_explicit(word, memory_order_acquire) != seen) return 1;
  return 0;
}
#else
static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb"); /* yield is a no-op on most cores */
#endif
}
static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
/* 1: *word changed within about 20 us. By the clock, because a pause takes 10 to 140 cycles. */
static int spin(_Atomic uint32_t *word, uint32_t seen) {
  const int64_t start = now_ns();
  do
    for (int32_t i = 0; i < TURNS_PER_LOOK; i++, relax())
      if (atomic_load_explicit(word, memory_order_acquire) != seen) return 1;
  while (now_ns() - start < SPIN_NS);
  return 0;
}
#endif

/* Return when *word != seen: spin, then sleep. `sleepers` goes up before the last look at *word; whoever changes *word looks at
 * `sleepers` afterwards, so that one of the two sees the other (both in the single order of sequentially consistent operations). */
static void await_change(en_pool *p, _Atomic uint32_t *word, uint32_t seen, _Atomic uint32_t *sleepers) {
  if (spin(word, seen)) return;
  atomic_fetch_add(sleepers, 1);
  while (atomic_load(word) == seen) wait_on(p, word, seen);
  atomic_fetch_sub(sleepers, 1);
}

/* ---- work ---- */

static double clock_ms(const en_pool *p) { return p->now_ms ? p->now_ms(NULL) : 0; }
static void count(en_pool *p, int32_t lane, uint32_t chunks, double start_ms) {
  en_pool_counts *c = &p->lanes[lane].counts;
  c->jobs++;
  c->chunks += chunks;
  c->busy_ms += clock_ms(p) - start_ms;
}

static uint32_t run_of(uint32_t first, uint32_t end) { return first | end << RUN_BITS; }
static uint32_t run_first(uint32_t run) { return run & RUN_MASK; }
static uint32_t run_end(uint32_t run) { return run >> RUN_BITS; }

/* The first chunk of the lane's run or, where that is empty, of the next lane's that has one; -1: there is none. */
static int32_t claim(en_pool *p, int32_t lane) {
  for (int32_t away = 0; away < p->n_lanes; away++) {
    _Atomic uint32_t *word = &p->lanes[(lane + away) % p->n_lanes].run;
    uint32_t run = atomic_load_explicit(word, memory_order_acquire);
    while (run_first(run) < run_end(run))
      if (atomic_compare_exchange_weak(word, &run, run + 1)) return (int32_t)run_first(run);
  }
  return -1;
}

/* Steps are shared evenly: one chunk may have one more than another. */
static void do_chunk(en_pool *p, int32_t i, int32_t lane) {
  const int64_t lo = i * p->n_steps / p->n_chunks * p->step, hi = (i + 1) * p->n_steps / p->n_chunks * p->step;
  p->job(p->ctx, (int32_t)lo, (int32_t)(hi < p->n ? hi : p->n), lane);
}

/* Claim and do chunks until none is left, then report them: all at once, because every lane writes `left`. */
static void drain(en_pool *p, int32_t lane) {
  uint32_t done = 0;
  double start = 0;
  for (int32_t i; (i = claim(p, lane)) >= 0; done++) {
    if (!done) start = clock_ms(p);
    do_chunk(p, i, lane);
  }
  if (!done) return;
  count(p, lane, done, start);
  if (atomic_fetch_sub(&p->left, done) == done && lane && atomic_load(&p->owner_asleep)) wake(p, &p->left, 1);
}

/* Enough chunks to even out lanes that the system interrupts, or that are a little slower; few enough to cost nothing (a call 0.1 us). Jobs of many steps, which are the long ones, are cut
 * finer. */
static int64_t chunks_of(int64_t n_steps, int32_t n_lanes) {
  const int64_t fit = n_steps / (n_lanes * CHUNK_STEPS), each = fit < MIN_CHUNKS ? MIN_CHUNKS : fit < MAX_CHUNKS ? fit : MAX_CHUNKS;
  return n_steps < n_lanes * each ? n_steps : n_lanes * each;
}

/* Give every lane its run; the first ones get what does not divide. */
static void share(en_pool *p) {
  const uint32_t n_chunks = (uint32_t)p->n_chunks, n_lanes = (uint32_t)p->n_lanes;
  atomic_store_explicit(&p->left, n_chunks, memory_order_relaxed);
  for (uint32_t i = 0, at = 0, end; i < n_lanes; i++, at = end) {
    end = ((i + 1) * n_chunks + n_lanes - 1) / n_lanes;
    atomic_store_explicit(&p->lanes[i].run, run_of(at, end), memory_order_release);
  }
}

static void pool_parallel(void *ud, void (*job)(const void *, int32_t, int32_t, int32_t), const void *ctx, int32_t n, int32_t step) {
  en_pool *p = ud;
  if (n <= 0) return;
  if (p->n_lanes == 1 || n <= step) {
    const double start = clock_ms(p);
    job(ctx, 0, n, 0);
    count(p, 0, 1, start);
    return;
  }
  p->job = job;
  p->ctx = ctx;
  p->n = n;
  p->step = step > 0 ? step : 1;
  p->n_steps = (n + p->step - 1) / p->step;
  p->n_chunks = chunks_of(p->n_steps, p->n_lanes);
  share(p);
  atomic_fetch_add(&p->gen, 1);
  if (atomic_load(&p->asleep)) wake(p, &p->gen, (int32_t)p->n_chunks - 1);
  drain(p, 0);
  const double start = clock_ms(p);
  for (uint32_t left; (left = atomic_load(&p->left)) != 0;) await_change(p, &p->left, left, &p->owner_asleep);
  p->lanes[0].counts.wait_ms += clock_ms(p) - start;
}

/* ---- life ---- */

size_t en_pool_bytes(void) { return sizeof(en_pool); }

en_pool *en_pool_init(void *mem, size_t mem_bytes, int32_t n_lanes) {
  en_pool *p = mem;
  if (!mem || mem_bytes < sizeof *p || (uintptr_t)mem % EN_ALIGN || n_lanes < 1 || n_lanes > EN_POOL_MAX_LANES) return NULL;
#if defined(EN_POOL_WASM) && !defined(__wasm_atomics__)
  n_lanes = 1;
#endif
  *p = (en_pool){.n_lanes = n_lanes};
#ifdef EN_POOL_CONDVAR
  if (pthread_mutex_init(&p->mutex, NULL) != 0) return NULL;
  if (pthread_cond_init(&p->changed, NULL) != 0) return NULL;
#endif
  return p;
}

void en_pool_worker(en_pool *p, int32_t lane) {
  if (lane < 1 || lane >= p->n_lanes) return;
  for (uint32_t gen = 0; !atomic_load(&p->stop);) {
    drain(p, lane);
    if (p->idle && p->idle()) continue;
    await_change(p, &p->gen, gen, &p->asleep);
    gen = atomic_load(&p->gen);
  }
}

void en_pool_idle(en_pool *p, int32_t (*work)(void)) { p->idle = work; }
void en_pool_wake(en_pool *p) {
  atomic_fetch_add(&p->gen, 1);
  wake(p, &p->gen, EN_POOL_MAX_LANES);
}
void en_pool_stop(en_pool *p) {
  atomic_store(&p->stop, 1);
  en_pool_wake(p);
}

void en_pool_host(en_pool *p, en_host *host) {
  host->parallel = pool_parallel;
  host->ud = p;
  host->n_lanes = p->n_lanes;
}

en_pool_counts en_pool_look(const en_pool *p, int32_t lane) {
  return lane >= 0 && lane < p->n_lanes ? p->lanes[lane].counts : (en_pool_counts){0};
}

void en_pool_clock(en_pool *p, double (*now_ms)(void *)) { p->now_ms = now_ms; }
