/*
 * RCU for one thread: every reader is the thread itself, so a grace period is over at the first
 * rcu_turn after it began. Kept as late as that on purpose: a reference that survives a turn is
 * then a use of recycled memory, as it would be with real threads.
 */
#include "engine/state/rcu.h"

#include "base/check.h"

#include <stdint.h>
#include <stdlib.h>

struct rcu_grace {
    uint64_t turn;
};

/* One for all nodes of the simulator: a turn of any of them ends every reference. */
static uint64_t turn_count = 1;

void rcu_thread_begin(void)
{
}

void rcu_thread_end(void)
{
    turn_count++;
}

void rcu_turn(void)
{
    turn_count++;
}

void rcu_offline(void)
{
    turn_count++;
}

void rcu_online(void)
{
}

void rcu_wait(void)
{
    turn_count++;
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
    grace->turn = turn_count;
}

bool rcu_grace_is_over(const struct rcu_grace *grace)
{
    return grace->turn < turn_count;
}
