/*
 * RCU by liburcu's QSBR flavour. A grace period is one callback of call_rcu: liburcu 0.13 has no
 * way to poll for one otherwise. The callback runs on liburcu's helper thread and only sets a flag.
 */
#include "engine/state/rcu.h"

#include "base/check.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include <urcu/urcu-qsbr.h>

struct rcu_grace {
    struct rcu_head head;
    /* Set with release by the helper thread, read with acquire by the owner: what readers did
     * before their quiescent state is over for an owner that sees true. */
    _Atomic bool is_over;
};

/*
 * ThreadSanitizer does not see into liburcu. In its builds this counter states the order that
 * liburcu guarantees: every quiescent state precedes the end of the grace period that waited for
 * it.
 */
#ifdef __SANITIZE_THREAD__
#define RCU_IS_TRACED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RCU_IS_TRACED 1
#endif
#endif

#ifdef RCU_IS_TRACED
static _Atomic unsigned long quiescent_states;

static void trace_quiescent(void)
{
    atomic_fetch_add_explicit(&quiescent_states, 1, memory_order_acq_rel);
}

static void trace_over(void)
{
    (void)atomic_load_explicit(&quiescent_states, memory_order_acquire);
}
#else
static void trace_quiescent(void)
{
}

static void trace_over(void)
{
}
#endif

void rcu_thread_begin(void)
{
    urcu_qsbr_register_thread();
}

void rcu_thread_end(void)
{
    trace_quiescent();
    urcu_qsbr_unregister_thread();
}

void rcu_turn(void)
{
    trace_quiescent();
    urcu_qsbr_quiescent_state();
}

void rcu_offline(void)
{
    trace_quiescent();
    urcu_qsbr_thread_offline();
}

void rcu_online(void)
{
    urcu_qsbr_thread_online();
}

void rcu_wait(void)
{
    trace_quiescent();
    urcu_qsbr_synchronize_rcu();
    trace_over();
}

struct rcu_grace *rcu_grace_new(void)
{
    /* Makes the helper thread now, on the starting thread's cores, and not in some later turn. */
    if (urcu_qsbr_get_default_call_rcu_data() == NULL)
        return NULL;
    struct rcu_grace *grace = calloc(1, sizeof(*grace));
    if (grace != NULL)
        atomic_init(&grace->is_over, true);
    return grace;
}

void rcu_grace_free(struct rcu_grace *grace)
{
    if (grace == NULL)
        return;
    /* The helper thread may still hold the head. */
    if (!rcu_grace_is_over(grace))
        urcu_qsbr_barrier();
    CHECK(rcu_grace_is_over(grace));
    free(grace);
}

static void grace_over(struct rcu_head *head)
{
    struct rcu_grace *grace = caa_container_of(head, struct rcu_grace, head);
    trace_over();
    atomic_store_explicit(&grace->is_over, true, memory_order_release);
}

void rcu_grace_begin(struct rcu_grace *grace)
{
    CHECK(rcu_grace_is_over(grace));
    atomic_store_explicit(&grace->is_over, false, memory_order_relaxed);
    trace_quiescent();
    urcu_qsbr_call_rcu(&grace->head, grace_over);
}

bool rcu_grace_is_over(const struct rcu_grace *grace)
{
    bool is_over = atomic_load_explicit(&grace->is_over, memory_order_acquire);
    if (is_over)
        trace_over();
    return is_over;
}
