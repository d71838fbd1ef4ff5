/*
 * The simulated end of engine/state/rcu.h: the lanes of all nodes, each as a thread of its own. The
 * world says whose thread runs; the threads of one node share indexes.
 */
#ifndef POLLUX_TESTS_SIM_RCU_SIM_H
#define POLLUX_TESTS_SIM_RCU_SIM_H

#include <stdint.h>

/* The thread of this lane runs from here on: its last turn is over when it says so. */
void rcu_sim_run(uint32_t node, uint32_t lane);
/* The lane that ran sleeps: it holds no reference until it runs again. */
void rcu_sim_sleep(void);
/* The node's threads are gone, and whatever they held. */
void rcu_sim_end(uint32_t node);

#endif
