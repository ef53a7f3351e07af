/* pool.h - a few threads that share one model, on native systems and on wasm shared memory. The core lends its work through
 * en_host.parallel; this is one implementation of it. The owner (the thread that calls en_eval) is lane 0.
 *  - Work is cut into chunks; a chunk is claimed by counting `todo` down. The owner never waits for a lane that claimed nothing,
 *    so a lane that the system does not run costs nothing.
 *  - One job at a time: a job must not call parallel of the same pool. On wasm the owner lives in a worker (a page may not sleep).
 *  - Idle lanes spin a short while (about 20 us), then sleep: they never burn a core.
 * Creating threads is the embedder's business: each worker thread calls en_pool_worker(pool, lane) and stays there until en_pool_stop. */
#ifndef EN_POOL_H
#define EN_POOL_H
#include "../core/include/en.h"

typedef struct en_pool en_pool;
enum { EN_POOL_MAX_LANES = 64 };
size_t en_pool_bytes(void);
/* mem: aligned to EN_ALIGN (kept). n_lanes counts the owner: 1..EN_POOL_MAX_LANES. NULL: one of these is wrong. Worker threads for lanes 1..n_lanes-1 should be running (or about to). */
en_pool *en_pool_init(void *mem, size_t mem_bytes, int32_t n_lanes);
void en_pool_worker(en_pool *p, int32_t lane);  /* returns after en_pool_stop */
void en_pool_stop(en_pool *p);                  /* wakes every worker and lets it return */
/* What workers do before they sleep, where no job waits: work() does a little of it and returns 1, or 0 where there is none; several call it at once, and the owner waits for none of
 * them. Set it before workers enter. Say en_pool_wake() when there is some again. */
void en_pool_idle(en_pool *p, int32_t (*work)(void));
void en_pool_wake(en_pool *p);
void en_pool_host(en_pool *p, en_host *host);   /* fills parallel, ud, n_lanes */
/* What a lane has done since init, for tests and profiles, to be asked between jobs: jobs it took part in and its chunks of them; since there is a clock the time
 * inside jobs and, of the owner, the time at their ends in which it waited for other lanes. */
typedef struct { uint32_t jobs, chunks; double busy_ms, wait_ms; } en_pool_counts;
en_pool_counts en_pool_look(const en_pool *p, int32_t lane); /* zeros: no such lane */
void en_pool_clock(en_pool *p, double (*now_ms)(void *ud));  /* between jobs; called with NULL, by any lane. NULL: none */
#endif
