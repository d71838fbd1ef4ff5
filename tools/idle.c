/* Idle back-off of polling threads. */
#include "tools/idle.h"

#include <sched.h>
#include <time.h>

/* A shorter sleep costs more in system calls than it gives back. */
#define SLEEP_MIN_NS 10000

void idle_reset(struct idle *idle)
{
    idle->turns = 0;
}

uint64_t idle_wait(struct idle *idle, uint64_t now_ns, uint64_t deadline_ns)
{
    const struct idle_options *options = &idle->options;
    if (idle->turns < UINT32_MAX)
        idle->turns++;
    if (idle->turns <= options->spin_turns) {
        __builtin_ia32_pause();
        return 0;
    }
    if (idle->turns - options->spin_turns <= options->yield_turns ||
        deadline_ns < now_ns + SLEEP_MIN_NS) {
        sched_yield();
        return 0;
    }
    uint64_t left_ns = deadline_ns - now_ns;
    return left_ns < options->sleep_max_ns ? left_ns : options->sleep_max_ns;
}

void idle_sleep(uint64_t duration_ns)
{
    struct timespec duration = {.tv_sec = (time_t)(duration_ns / 1000000000u),
                                .tv_nsec = (long)(duration_ns % 1000000000u)};
    nanosleep(&duration, NULL);
}
