/* threads.h - native worker threads for a pool: what a command line tool or an embedder with POSIX threads needs in one call.
 * A build without threads (plain wasm) gets one lane from the same calls. */
#ifndef EN_THREADS_H
#define EN_THREADS_H
#include "pool.h"

typedef struct en_threads en_threads;
/* Make a pool of n_lanes (the caller's thread included) with its threads, and lend it to *host (parallel, ud and n_lanes are set,
 * the rest is kept). n_lanes 0: en_threads_cores(); never more than EN_POOL_MAX_LANES. When a thread cannot be started the pool works with those that could.
 * NULL: no memory; *host is untouched and works serially as it is. */
en_threads *en_threads_start(int32_t n_lanes, en_host *host);
/* Stop and join the threads, free the pool. No job may be running. NULL is fine. host must not be used for work afterwards. */
void en_threads_stop(en_threads *t);
int32_t en_threads_cores(void);                       /* cores that this process may use, at least 1 */
en_pool *en_threads_pool(const en_threads *t);  /* for en_pool_look and en_pool_clock */
#endif
