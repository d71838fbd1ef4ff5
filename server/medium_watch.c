/* See medium_watch.h. */
#include "server/medium_watch.h"

#define SYNCS_IN_A_TIMEOUT 4
#define TIMEOUT_STEP_NS    UINT64_C(10000000)

void medium_watch_ask(struct medium_watch *watch, uint64_t ticket, uint64_t now_ns)
{
    watch->ticket_asked = ticket;
    if (watch->pending_since_ns == 0)
        watch->pending_since_ns = now_ns;
}

void medium_watch_collect(struct medium_watch *watch, uint64_t ticket, uint64_t now_ns)
{
    if (ticket != watch->ticket_done)
        watch->pending_since_ns = now_ns;
    watch->ticket_done = ticket;
    if (medium_watch_is_idle(watch))
        watch->pending_since_ns = 0;
}

bool medium_watch_is_idle(const struct medium_watch *watch)
{
    return watch->ticket_done >= watch->ticket_asked;
}

bool medium_watch_is_stalled(const struct medium_watch *watch, uint64_t now_ns, uint64_t stall_ns)
{
    return watch->pending_since_ns != 0 && now_ns - watch->pending_since_ns >= stall_ns;
}

uint64_t medium_watch_timeout_ns(uint64_t sync_ns)
{
    uint64_t timeout_ns = SYNCS_IN_A_TIMEOUT * sync_ns;
    return (timeout_ns + TIMEOUT_STEP_NS - 1) / TIMEOUT_STEP_NS * TIMEOUT_STEP_NS;
}
