/* Idle back-off of polling threads. Source: sched_setattr(2), PR_SET_TIMERSLACK(2const). */
#include "server/idle.h"

#include <assert.h> /* static_assert */
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A shorter sleep costs more in system calls than it gives back. */
#define SLEEP_MIN_NS 10000

/* The kernel's struct sched_attr, first version: C libraries name it only since 2025. */
struct slice_attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns;
    uint64_t deadline_ns;
    uint64_t period_ns;
};
static_assert(sizeof(struct slice_attributes) == 48, "SCHED_ATTR_SIZE_VER0");

void idle_thread_begin(void)
{
    struct slice_attributes attributes = {.size = sizeof(attributes)};
    (void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) == 0 &&
        attributes.policy == SCHED_OTHER) {
        attributes.runtime_ns = IDLE_SLICE_NS;
        (void)syscall(SYS_sched_setattr, 0, &attributes, 0);
    }
}

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
