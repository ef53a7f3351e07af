/* threads.c - POSIX threads that stay in en_pool_worker. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "threads.h"
#include <stdlib.h>

#ifndef __wasm__
#include <pthread.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif

typedef struct { en_pool *pool; int32_t lane; pthread_t thread; } worker;
struct en_threads {
  en_pool *pool;
  int32_t n_started;
  worker workers[EN_POOL_MAX_LANES];
};

static void *run_worker(void *arg) {
  const worker *w = arg;
  en_pool_worker(w->pool, w->lane);
  return NULL;
}

/* Lanes keep their numbers, so a gap in the middle would waste one: stop at the first thread that the system refuses. */
static void start_workers(en_threads *t, int32_t n_lanes) {
  for (int32_t lane = 1; lane < n_lanes; lane++) {
    worker *w = &t->workers[t->n_started];
    w->pool = t->pool;
    w->lane = lane;
    if (pthread_create(&w->thread, NULL, run_worker, w) != 0) return;
    t->n_started++;
  }
}
static void join_workers(en_threads *t) {
  for (int32_t i = 0; i < t->n_started; i++) pthread_join(t->workers[i].thread, NULL);
}

int32_t en_threads_cores(void) {
#ifdef __linux__
  cpu_set_t set; /* a container or taskset may allow fewer cores than there are */
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 && n <= INT32_MAX ? (int32_t)n : 1;
}
#else
struct en_threads { en_pool *pool; };
static void start_workers(en_threads *t, int32_t n_lanes) { (void)t, (void)n_lanes; }
static void join_workers(en_threads *t) { (void)t; }
int32_t en_threads_cores(void) { return 1; }
#endif

en_threads *en_threads_start(int32_t n_lanes, en_host *host) {
  if (n_lanes <= 0) n_lanes = en_threads_cores();
  if (n_lanes > EN_POOL_MAX_LANES) n_lanes = EN_POOL_MAX_LANES;
  en_threads *t = calloc(1, sizeof *t);
  void *mem = aligned_alloc(EN_ALIGN, (en_pool_bytes() + EN_ALIGN - 1) / EN_ALIGN * EN_ALIGN);
  en_pool *pool = mem ? en_pool_init(mem, en_pool_bytes(), n_lanes) : NULL;
  if (!t || !pool) {
    free(t);
    free(mem);
    return NULL;
  }
  t->pool = pool;
  start_workers(t, n_lanes);
  en_pool_host(t->pool, host);
  return t;
}

void en_threads_stop(en_threads *t) {
  if (!t) return;
  en_pool_stop(t->pool);
  join_workers(t);
  free(t->pool);
  free(t);
}

en_pool *en_threads_pool(const en_threads *t) { return t->pool; }
