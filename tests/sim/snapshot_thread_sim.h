/* Beside pmem/snapshot_thread_internal.h: snapshots that stand still. */
#ifndef POLLUX_TESTS_SIM_SNAPSHOT_THREAD_SIM_H
#define POLLUX_TESTS_SIM_SNAPSHOT_THREAD_SIM_H

#include <stdbool.h>

/* Until the next call: polls do no work, as if the thread's medium never answered. */
void snapshot_thread_sim_hold(bool is_held);

#endif
