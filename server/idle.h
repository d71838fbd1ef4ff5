/*
 * What a polling thread does when a turn found no work: spin, then give the core away, then sleep
 * for short whiles, each for as long as its options say. Seven polling processes share two cores
 * this way without starving each other; a thread that owns its core spins for ever.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_SERVER_IDLE_H
#define POLLUX_SERVER_IDLE_H

#include <stdbool.h>
#include <stdint.h>

struct idle_options {
    uint32_t spin_turns; /* UINT32_MAX: for ever */
    uint32_t yield_turns;
    uint64_t sleep_max_ns;
};

struct idle {
    struct idle_options options;
    uint32_t turns; /* without work, in a row */
};

/*
 * Makes the calling thread fit for short waits, whoever else wants its core: it asks for scheduler
 * slices of IDLE_SLICE_NS, since a thread that yields lets the others have as much (EEVDF: 3 ms if
 * nobody asks), and for timers without slack. What the kernel does not know (slices before Linux
 * 6.12) it ignores; a thread of a real-time policy stays as it is.
 */
#define IDLE_SLICE_NS 100000
void idle_thread_begin(void);

/* The last turn worked. */
void idle_reset(struct idle *idle);

/*
 * The last turn did not: spins once or gives the core away, and returns 0; or returns how long to
 * sleep (ns), never past `deadline_ns`. The caller then prepares for blocking and calls idle_sleep.
 */
uint64_t idle_wait(struct idle *idle, uint64_t now_ns, uint64_t deadline_ns);

void idle_sleep(uint64_t duration_ns);

#endif
