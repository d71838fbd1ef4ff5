/*
 * Whether a medium keeps up: how long the persists of a replica have been waited for, and whether
 * the election timeouts suit the medium.
 *
 * A log asks its medium for persists of its own, too (log_settle), so tickets may be durable that
 * the replica never asked for: every durable ticket from the newest asked one on means that nothing
 * is waited for.
 *
 * Owner: the lane's thread. Pure.
 */
#ifndef POLLUX_SERVER_MEDIUM_WATCH_H
#define POLLUX_SERVER_MEDIUM_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct medium_watch {
    uint64_t ticket_asked;     /* newest that the replica asked for */
    uint64_t ticket_done;      /* newest that is durable, whoever asked for it */
    uint64_t pending_since_ns; /* when the oldest unfinished persist was asked for; 0: none */
};

/* The replica has asked for a persist. Tickets rise. */
void medium_watch_ask(struct medium_watch *watch, uint64_t ticket, uint64_t now_ns);

/* Everything up to this ticket is durable. */
void medium_watch_collect(struct medium_watch *watch, uint64_t ticket, uint64_t now_ns);

/* Nothing that the replica asked for is on its way. */
bool medium_watch_is_idle(const struct medium_watch *watch);

/* What was asked for has been on its way for at least `stall_ns` without any progress. */
bool medium_watch_is_stalled(const struct medium_watch *watch, uint64_t now_ns, uint64_t stall_ns);

/*
 * The shortest election timeout that suits a medium whose small syncs take `sync_ns`. A vote may
 * have to wait for a sync that is under way and then for its own, and the leader's first record
 * after it does the same.
 */
uint64_t medium_watch_timeout_ns(uint64_t sync_ns);

#endif
