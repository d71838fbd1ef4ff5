/*
 * Append requests of several packets that a leader has sent, the newest of each peer: so that it
 * can send pieces of them again, and repeat them, without keeping their bytes. The bytes follow
 * from the message and from the entries in the leader's log, which a leader never changes.
 *
 * A message is the same message, under the same id, for a limited time. The receiver counts how
 * long it has waited for the missing pieces, but not how old the message was when its first piece
 * came. That must stay short, because the message says how long ago a quorum answered its leader.
 *
 * Owner: the lane of the replica.
 */
#ifndef POLLUX_SERVER_SENT_APPENDS_H
#define POLLUX_SERVER_SENT_APPENDS_H

#include "base/arena.h"
#include "raft/raft.h"
#include "wire/wire_missing.h"

#define SENT_APPENDS_PER_PEER 32
/* Pieces are sent again so often in the mean; then the message is begun anew. */
#define SENT_APPEND_REPEATS 4

struct sent_append {
    struct raft_message message;
    uint64_t message_id;
    uint8_t version;           /* of its packets: those of one message are of one version, */
    uint16_t piece_size_bytes; /* and its pieces of one size */
    uint64_t sent_ns;
    uint64_t useful_ns;   /* when it was sent, or was last asked for in time */
    uint32_t pieces_left; /* that may be sent again */
};

struct sent_appends;

size_t sent_appends_arena_bytes(uint32_t peer_count);
/* `life_ns`: how old a message may be when its receiver begins to put it together. */
struct sent_appends *sent_appends_init(struct arena *arena, uint32_t peer_count, uint64_t life_ns);

/* The message has been sent to that peer, 0 to peer_count - 1, in so many pieces. */
void sent_appends_keep(struct sent_appends *appends, uint32_t peer,
                       const struct sent_append *append, uint32_t piece_count);

/*
 * A message to that peer with the same entries and of the same term, an answer to which counts as
 * one to `message` would; NULL: none that may still be repeated.
 */
struct sent_append *sent_appends_same(struct sent_appends *appends, uint32_t peer,
                                      const struct raft_message *message, uint64_t now_ns);

/*
 * The message that the peer asks for; NULL: not known, too old when the peer began with it, or
 * repeated often enough.
 */
struct sent_append *sent_appends_asked(struct sent_appends *appends, uint32_t peer,
                                       const struct wire_missing *missing, uint64_t now_ns);

#endif
