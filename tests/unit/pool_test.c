/* pool: every element exactly once, ranges on step borders, one caller per lane, idle lanes that sleep. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RUSAGE_SELF, usleep */
#endif
#include "test.h"
#include "../../core/base/base.h"
#include "../../host/threads.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MAX_N = 4096, MAX_LANES = 8 };

typedef struct {
  int32_t n, step, n_lanes;
  int32_t add;                          /* what each visit adds */
  int32_t *visits;                      /* [n], written without locks: ranges are disjoint, and one job ends before the next */
  _Atomic int32_t busy[MAX_LANES];
  _Atomic int32_t errors;
} probe;

static void visit(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  probe *p = (probe *)(uintptr_t)ctx;
  if (lane < 0 || lane >= p->n_lanes || lo < 0 || hi > p->n || lo >= hi || lo % p->step || (hi % p->step && hi != p->n)) {
    atomic_fetch_add(&p->errors, 1);
    return;
  }
  if (atomic_fetch_add(&p->busy[lane], 1) != 0) atomic_fetch_add(&p->errors, 1);
  for (int32_t i = lo; i < hi; i++) p->visits[i] += p->add;
  atomic_fetch_sub(&p->busy[lane], 1);
}

/* Jobs of changing sizes back to back: each must see all that the one before it wrote. */
static void test_jobs(int32_t n_lanes, int n_jobs) {
  static int32_t visits[MAX_N], want[MAX_N];
  static const int32_t steps[] = {1, 8, 16, 48};
  en_host host = {0};
  en_threads *t = en_threads_start(n_lanes, &host);
  CHECK(t != NULL);
  if (!t) return;
  CHECK_EQ(host.n_lanes, n_lanes);
  probe p = {.n_lanes = n_lanes, .visits = visits};
  memset(visits, 0, sizeof visits);
  memset(want, 0, sizeof want);
  for (int j = 0; j < n_jobs; j++) {
    p.n = (int32_t)(en_random(1, (uint64_t)j) % 300) + (j % 500 == 0 ? MAX_N - 300 : 0);
    p.step = steps[en_random(2, (uint64_t)j) % 4];
    p.add = j % 3 + 1;
    host.parallel(host.ud, visit, &p, p.n, p.step);
    for (int32_t i = 0; i < p.n; i++) want[i] += p.add;
    if (j % 1000 == 0 || j == n_jobs - 1) CHECK(memcmp(visits, want, sizeof want) == 0);
  }
  CHECK(memcmp(visits, want, sizeof want) == 0);
  CHECK_EQ(p.errors, 0);
  uint32_t chunks = 0;
  for (int32_t lane = 0; lane < n_lanes; lane++) chunks += en_pool_look(en_threads_pool(t), lane).chunks;
  CHECK(chunks >= (uint32_t)n_jobs - (uint32_t)n_jobs / 100 && chunks <= (uint32_t)n_jobs * 16 * (uint32_t)n_lanes);
  CHECK_EQ(en_pool_look(en_threads_pool(t), n_lanes).chunks, 0);
  CHECK_EQ(en_pool_look(en_threads_pool(t), -1).chunks, 0);
  en_threads_stop(t);
}

typedef struct { _Atomic int32_t lanes_seen, calls; } meeting;

/* Ends when two lanes are inside, or gives up: proof that workers take part. */
static void meet(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  meeting *m = (meeting *)(uintptr_t)ctx;
  (void)lo, (void)hi;
  atomic_fetch_or(&m->lanes_seen, 1 << lane);
  atomic_fetch_add(&m->calls, 1);
  for (int i = 0; i < 2000 && atomic_load(&m->lanes_seen) != 3; i++) usleep(1000);
}

static void test_workers_help(void) {
  en_host host = {0};
  en_threads *t = en_threads_start(2, &host);
  meeting m = {0};
  host.parallel(host.ud, meet, &m, 100, 1);
  CHECK_EQ(m.lanes_seen, 3);
  CHECK_EQ(m.calls, 12);
  CHECK(en_pool_look(en_threads_pool(t), 1).chunks > 0);
  usleep(20000); /* long enough for the worker to sleep: it must be woken again */
  m.lanes_seen = 0;
  host.parallel(host.ud, meet, &m, 100, 1);
  CHECK_EQ(m.lanes_seen, 3);
  en_threads_stop(t);
}

/* Chunks of the workers take long, those of the owner nothing. */
static void dawdle(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  if (lane) usleep(2000);
  visit(ctx, lo, hi, lane);
}

/* The owner must not come back while any worker is inside, however many are. */
static void test_owner_waits(void) {
  static int32_t visits[MAX_N];
  en_host host = {0};
  en_threads *t = en_threads_start(6, &host);
  probe p = {.n = 240, .step = 1, .n_lanes = 6, .add = 1, .visits = visits};
  int32_t wrong = 0;
  for (int j = 1; j <= 50; j++) {
    host.parallel(host.ud, dawdle, &p, p.n, 1);
    for (int32_t i = 0; i < p.n; i++) wrong += visits[i] != j;
    if (j % 10 == 0) usleep(1000); /* let the workers sleep now and then */
  }
  CHECK_EQ(wrong, 0);
  CHECK_EQ(p.errors, 0);
  en_threads_stop(t);
}

static void count_call(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  int32_t *out = (int32_t *)(uintptr_t)ctx;
  out[0]++;
  out[1] = lo;
  out[2] = hi;
  out[3] = lane;
}

/* A pool whose workers never come, or come late, works all the same. */
static void test_without_workers(void) {
  void *mem = aligned_alloc(EN_ALIGN, (en_pool_bytes() + 63) / 64 * 64);
  en_pool *pool = en_pool_init(mem, en_pool_bytes(), 4);
  en_host host = {0};
  static int32_t visits[1000];
  CHECK(pool != NULL);
  en_pool_host(pool, &host);
  CHECK_EQ(host.n_lanes, 4);
  probe p = {.n = 1000, .step = 16, .n_lanes = 4, .add = 1, .visits = visits};
  host.parallel(host.ud, visit, &p, 1000, 16);
  int32_t wrong = 0;
  for (int i = 0; i < 1000; i++) wrong += visits[i] != 1;
  CHECK_EQ(wrong, 0);
  CHECK_EQ(p.errors, 0);
  CHECK_EQ(en_pool_look(pool, 0).chunks, 24);
  int32_t out[4] = {0};
  host.parallel(host.ud, count_call, out, 7, 8); /* less than a step: one call, here */
  CHECK(out[0] == 1 && out[1] == 0 && out[2] == 7 && out[3] == 0);
  host.parallel(host.ud, count_call, out, 0, 8);
  CHECK_EQ(out[0], 1);
  memset(out, 0, sizeof out);
  host.parallel(host.ud, count_call, out, 100000, 16); /* the more steps, the finer; the last chunk ends with the job */
  CHECK(out[0] == 64 && out[2] == 100000);
  memset(out, 0, sizeof out);
  host.parallel(host.ud, count_call, out, INT32_MAX, 1 << 30); /* chunk borders must not wrap */
  CHECK(out[0] == 2 && out[1] == 1 << 30 && out[2] == INT32_MAX);
  en_pool_stop(pool);
  en_pool_worker(pool, 1); /* returns: stopped */
  en_pool_worker(pool, 0); /* returns: the owner's lane */
  en_pool_worker(pool, 4); /* returns: no such lane */
  CHECK(en_pool_init(mem, en_pool_bytes() - 1, 2) == NULL);
  CHECK(en_pool_init((char *)mem + 8, en_pool_bytes(), 2) == NULL);
  CHECK(en_pool_init(mem, en_pool_bytes(), 0) == NULL);
  CHECK(en_pool_init(mem, en_pool_bytes(), EN_POOL_MAX_LANES + 1) == NULL);
  CHECK(en_pool_init(NULL, en_pool_bytes(), 1) == NULL);
  free(mem);
}

enum { MOST_CALLS = 64 };
typedef struct { int32_t lane, n; int32_t lo[MOST_CALLS], hi[MOST_CALLS]; _Atomic int32_t inside; } diary;

/* Lane 0 notes what it is given; the other one stays in its first call until lane 0 has done all the rest. */
static void note(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  diary *d = (diary *)(uintptr_t)ctx;
  if (lane) {
    d->lane = lo;
    atomic_store(&d->inside, hi);
    for (int i = 0; i < 2000 && atomic_load(&d->inside) >= 0; i++) usleep(1000);
    return;
  }
  for (int i = 0; i < 2000 && !atomic_load(&d->inside); i++) usleep(1000);
  if (d->n < MOST_CALLS) d->lo[d->n] = lo, d->hi[d->n] = hi, d->n++;
  if (d->n == 11) atomic_store(&d->inside, -1);
}

/* Two lanes, twelve chunks of five steps: each begins with a half of its own, in order; whoever is done goes on with what the other has left. */
static void test_streams(void) {
  static const int32_t want[11] = {0, 5, 10, 15, 20, 25, 35, 40, 45, 50, 55};
  en_host host = {0};
  en_threads *t = en_threads_start(2, &host);
  diary d = {0};
  host.parallel(host.ud, note, &d, 60, 1);
  CHECK_EQ(d.lane, 30);
  CHECK_EQ(d.n, 11);
  for (int32_t i = 0; i < 11; i++) {
    CHECK_EQ(d.lo[i], want[i]);
    CHECK_EQ(d.hi[i], want[i] + 5);
  }
  en_threads_stop(t);
}

static double cpu_ms(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static _Atomic int32_t pieces_left, pieces_done;
static int32_t do_piece(void) {
  if (atomic_fetch_sub(&pieces_left, 1) <= 0) { atomic_fetch_add(&pieces_left, 1); return 0; }
  atomic_fetch_add(&pieces_done, 1);
  return 1;
}
static void *enter(void *arg) {
  en_pool_worker(arg, 1);
  return NULL;
}

/* Idle work is done without the owner, jobs meanwhile are whole, and a lane that sleeps is woken for more of it. */
static void test_idle_work(void) {
  static int32_t visits[1000];
  void *mem = aligned_alloc(EN_ALIGN, (en_pool_bytes() + 63) / 64 * 64);
  en_pool *pool = en_pool_init(mem, en_pool_bytes(), 2);
  en_host host = {0};
  pthread_t thread;
  int32_t wrong = 0;
  en_pool_host(pool, &host);
  en_pool_idle(pool, do_piece);
  CHECK_EQ(pthread_create(&thread, NULL, enter, pool), 0);
  for (int32_t round = 1; round <= 2; round++) {
    probe p = {.n = 1000, .step = 16, .n_lanes = 2, .add = 1, .visits = visits};
    atomic_store(&pieces_left, 10000);
    en_pool_wake(pool);
    host.parallel(host.ud, visit, &p, 1000, 16);
    for (int i = 0; i < 5000 && atomic_load(&pieces_done) < round * 10000; i++) usleep(1000);
    CHECK_EQ(pieces_done, round * 10000);
    for (int i = 0; i < 1000; i++) wrong += visits[i] != round;
    CHECK_EQ(p.errors, 0);
    usleep(20000); /* long enough for the lane to sleep */
  }
  CHECK_EQ(wrong, 0);
  en_pool_stop(pool);
  pthread_join(thread, NULL);
  free(mem);
}

/* Own CPU time, not wall-clock time: idle lanes must sleep. */
static void test_idle(void) {
  en_host host = {0};
  en_threads *t = en_threads_start(4, &host);
  int32_t visits[64] = {0};
  probe p = {.n = 64, .step = 1, .n_lanes = 4, .add = 1, .visits = visits};
  host.parallel(host.ud, visit, &p, 64, 1);
  const double before = cpu_ms();
  usleep(200000);
  const double used = cpu_ms() - before;
  printf("3 idle lanes used %.2f ms of CPU in 200 ms\n", used);
  CHECK(used < 20);
  en_threads_stop(t);
}

int main(void) {
  for (int32_t lanes = 1; lanes <= MAX_LANES; lanes++) test_jobs(lanes, lanes <= 2 ? 100000 : 10000);
  test_workers_help();
  test_streams();
  test_owner_waits();
  test_without_workers();
  test_idle();
  test_idle_work();
  en_threads_stop(NULL);
  CHECK(en_threads_cores() >= 1);
  for (int i = 0; i < 50; i++) { /* start and stop leave nothing behind (leak checks see it) */
    en_host host = {0};
    en_threads *t = en_threads_start(3, &host);
    CHECK(t != NULL);
    en_threads_stop(t);
  }
  return test_end();
}
