/*
 * For operators' programs: the sessions of a shard, and how to end one. `pollux sessions` is such a
 * program. Both calls take the right of an administrator.
 */
#ifndef POLLUX_SESSIONS_H
#define POLLUX_SESSIONS_H

#include "pollux.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PLX_SESSIONS_PAGE_MAX 18

enum plx_session_state {
    PLX_SESSION_UNUSED = 1, /* opened, and nothing was written in it yet */
    PLX_SESSION_OPEN,       /* its client may wait for an outcome, or hold a token */
    PLX_SESSION_IDLE,       /* its client has said that nothing is open */
};

struct plx_session {
    uint64_t id;
    enum plx_session_state state;
    uint64_t quiet_ns; /* since its last request in the log, by the log's time */
    uint64_t heard_ns; /* since the leader took a packet of it; UINT64_MAX: it took none */
    uint64_t left_ns;  /* until it ends by itself, by the log's time */
    uint32_t outcomes; /* that the nodes keep for its client */
    uint8_t ip[16];    /* of whoever used it last, IPv4 mapped */
    uint16_t port;     /* 0: the leader does not know the address */
};

/* A page of the table of sessions, as it is at one applied index of the leader. */
struct plx_sessions {
    uint32_t next;         /* where the next page begins; 0: there is none */
    uint32_t count;        /* of all sessions of the shard */
    uint32_t sessions_max; /* the limit in force */
    uint16_t node;         /* the leader */
    uint64_t incarnation;  /* of the leader */
    uint64_t applied_index;
    uint32_t entry_count; /* of this page; it may be 0 although there are more pages */
    struct plx_session entries[PLX_SESSIONS_PAGE_MAX]; /* in no order */
};

/*
 * Fills `page` with the page that page->next names: 0 for the first one. Call it again with the
 * same `page` until page->next is 0. A session that is opened or ends meanwhile may be missing.
 * Threads as plx_get.
 * - PLX_OK
 * - PLX_MISMATCH: another node leads, or it has restarted, since the page before: begin anew.
 * - PLX_TIMEOUT: there was no leader in time. PLX_E_UNREACHABLE: the leader did not answer; one of
 *   a release that knows no such question does not.
 * - PLX_E_DENIED, PLX_E_OVERLOADED, PLX_E_ARGUMENT: there is no such shard.
 */
PLX_API enum plx_outcome plx_sessions_list(struct plx_client *client, uint16_t shard,
                                           struct plx_sessions *page, uint64_t timeout_ns);

/*
 * Ends a session, on all nodes at one place of the log. Its client, if it lives, is told as after
 * the session's lifetime: what it has in flight may end as PLX_UNKNOWN, plx_resolve of its tokens
 * as PLX_E_SESSION_EXPIRED, and its next write opens a session. Nothing is executed twice. Threads
 * as plx_get.
 * - PLX_OK: the session has ended.
 * - PLX_NOT_FOUND: there is no such session, or not any more.
 * - PLX_TIMEOUT: there was no leader in time. The session is as it was.
 * - PLX_E_UNREACHABLE: the leader did not answer. The session may have ended.
 * - PLX_E_ARGUMENT: there is no such shard, or it is no id of a client's session.
 * - PLX_E_OVERLOADED: the log has no room, or very many sessions were ended lately.
 * - PLX_E_DENIED
 */
PLX_API enum plx_outcome plx_session_end(struct plx_client *client, uint16_t shard, uint64_t id,
                                         uint64_t timeout_ns);

#ifdef __cplusplus
}
#endif

#endif
