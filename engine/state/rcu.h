/*
 * The one door to liburcu (QSBR flavour; Desnoyers et al., "User-Level Implementations of Read-Copy
 * Update", TPDS 2012). A registered thread is inside a read section from one rcu_turn to the next:
 * no reference into an index survives a turn. A thread goes offline before it blocks. Two backends,
 * chosen at link time: rcu_qsbr.c, and the simulator's, which is one thread.
 */
#ifndef POLLUX_ENGINE_STATE_RCU_H
#define POLLUX_ENGINE_STATE_RCU_H

#include <stdbool.h>

/* This thread reads indexes from now on / no longer. */
void rcu_thread_begin(void);
void rcu_thread_end(void);

/* This thread holds no reference: once a turn. */
void rcu_turn(void);

/* Around anything that may block. */
void rcu_offline(void);
void rcu_online(void);

/* Blocks until every other thread has ended its turn or is offline. The caller holds no
 * reference. */
void rcu_wait(void);

/* A grace period: begun by its owner, over when no reader that ran at rcu_grace_begin holds a
 * reference any more. One at a time per struct. Owner: one thread. */
struct rcu_grace;
struct rcu_grace *rcu_grace_new(void); /* start-up only: allocates. NULL: no memory */
void rcu_grace_free(struct rcu_grace *grace);
void rcu_grace_begin(struct rcu_grace *grace);
bool rcu_grace_is_over(const struct rcu_grace *grace);

#endif
