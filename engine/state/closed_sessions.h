/*
 * Sessions that have ended, as far as this node took packets of them. Local. There are two tables:
 * of the sessions that an operator has ended, and of relaxed ones that their clients gave back.
 *
 * A client takes the answer "no such session" to a packet as a sign that the packet was not
 * executed, if the answer is prompt: a session that ends by time was quiet for longer. One that an
 * operator ends was not. The network may then copy a packet that was executed just before. So a
 * node does not answer a packet that may be such a copy: each whose number is not above those that
 * it took of the session. Packets go to one node alone, so each node needs to know its own only.
 *
 * A session stays here for half of session_ttl of log time; no answer is prompt after a third. A
 * relaxed one stays for as long as a packet may take, by the clock of the node. The table is fixed:
 * nothing ends a session that has no place in it.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_ENGINE_STATE_CLOSED_SESSIONS_H
#define POLLUX_ENGINE_STATE_CLOSED_SESSIONS_H

#include "base/arena.h"

#include <assert.h> /* static_assert */
#include <stdbool.h>
#include <stdint.h>

#define CLOSED_SESSIONS_MAX 8192u /* a power of two */
/* Places in which one session may be. */
#define CLOSED_SESSIONS_PROBES 16u

struct closed_session {
    uint64_t id; /* 0: the place is free */
    uint64_t packet_highest;
    uint64_t until_ns; /* of the time of this table: log time, or the node's */
};

struct closed_sessions {
    struct closed_session *places;
};

size_t closed_sessions_arena_bytes(void);
void closed_sessions_init(struct closed_sessions *closed, struct arena *arena);
/* True when there is a place for the session. */
bool closed_sessions_has_room(const struct closed_sessions *closed, uint64_t id, uint64_t now_ns);
/* Where there is no place, the session that would be forgotten first makes room. */
void closed_sessions_note(struct closed_sessions *closed, const struct closed_session *session,
                          uint64_t now_ns);
/* The packet of that number may be a copy of one that this node took. */
bool closed_sessions_has_taken(const struct closed_sessions *closed, uint64_t id,
                               uint64_t packet_number);

#endif
