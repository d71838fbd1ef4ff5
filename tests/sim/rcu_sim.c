/*
 * See rcu_sim.h. A grace period is over once every lane of the node that was awake when it began
 * has ended a turn. Kept as late as that on purpose: a reference that survives a turn is then a use
 * of recycled memory, as it would be with real threads; and a lane that the scheduler holds keeps
 * memory from being used again.
 */
#include "tests/sim/rcu_sim.h"

#include "base/check.h"
#include "base/limits.h"
#include "engine/state/rcu.h"
#include "tests/sim/draw.h"

#include <stdlib.h>

struct thread {
    bool is_awake;
    uint64_t quiet_at; /* the step in which it last held no reference */
};

struct rcu_grace {
    uint32_t node;
    uint64_t begun_at;
};

static struct thread threads[NODES_MAX][SIM_LANES_MAX];
static uint32_t current_node;
static uint32_t current_lane;
static uint64_t steps = 1;

void rcu_sim_run(uint32_t node, uint32_t lane)
{
    CHECK(node < NODES_MAX && lane < SIM_LANES_MAX);
    current_node = node;
    current_lane = lane;
    threads[node][lane].is_awake = true;
}

void rcu_sim_sleep(void)
{
    threads[current_node][current_lane].is_awake = false;
}

void rcu_sim_end(uint32_t node)
{
    for (uint32_t lane = 0; lane < SIM_LANES_MAX; lane++)
        threads[node][lane].is_awake = false;
}

static void note_quiet(void)
{
    threads[current_node][current_lane].quiet_at = ++steps;
}

void rcu_thread_begin(void)
{
}

void rcu_thread_end(void)
{
    note_quiet();
}

void rcu_turn(void)
{
    note_quiet();
}

void rcu_offline(void)
{
    note_quiet();
}

void rcu_online(void)
{
}

/* Turns do not interleave: whoever waits here waits for nobody who is inside one. */
void rcu_wait(void)
{
    for (uint32_t lane = 0; lane < SIM_LANES_MAX; lane++)
        threads[current_node][lane].quiet_at = steps + 1;
    steps++;
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
    *grace = (struct rcu_grace){.node = current_node, .begun_at = steps};
}

bool rcu_grace_is_over(const struct rcu_grace *grace)
{
    for (uint32_t lane = 0; lane < SIM_LANES_MAX; lane++) {
        const struct thread *thread = &threads[grace->node][lane];
        if (thread->is_awake && thread->quiet_at <= grace->begun_at)
            return false;
    }
    return true;
}
