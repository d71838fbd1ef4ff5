/*
 * engine/state/rcu.h for the gauge: one thread, so a grace period is over as soon as the thread has
 * ended one more turn. liburcu would end it at some time on a thread of its own, and counts of
 * instructions would differ from run to run.
 */
#include "engine/state/rcu.h"

#include "base/check.h"

#include <stdint.h>
#include <stdlib.h>

struct rcu_grace {
    uint64_t turns_before;
};

static uint64_t turns = 1;

void rcu_thread_begin(void)
{
}

void rcu_thread_end(void)
{
}

void rcu_turn(void)
{
    turns++;
}

void rcu_offline(void)
{
}

void rcu_online(void)
{
}

void rcu_wait(void)
{
    turns++;
}

struct rcu_grace *rcu_grace_new(void)
{
    return calloc(1, sizeof(struct rcu_grace));
}

void rcu_grace_free(struct rcu_grace *grace)
{
    free(grace);
}

void rcu_grace_begin(struct rcu_grace *grace)
{
    CHECK(rcu_grace_is_over(grace));
    grace->turns_before = turns;
}

bool rcu_grace_is_over(const struct rcu_grace *grace)
{
    return grace->turns_before < turns;
}
