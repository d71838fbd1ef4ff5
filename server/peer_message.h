/*
 * The consensus core's messages in their form on the wire: translation between struct raft_message
 * and struct wire_peer_message, so that neither layer knows the other. Payloads are not copied
 * beyond what encoding copies; decoded entries borrow them.
 *
 * Owner: the lane's thread, like the writer and the bytes that it passes in.
 */
#ifndef POLLUX_SERVER_PEER_MESSAGE_H
#define POLLUX_SERVER_PEER_MESSAGE_H

#include "raft/raft.h"
#include "server/cluster_identity.h"
#include "server/majority_room.h"
#include "wire/wire_peer.h"

/* What a message says besides: raft does not know it. */
struct peer_message_beside {
    uint32_t fingerprint; /* engine_fingerprint of the sender */
    struct cluster_identity cluster;
    uint64_t start;          /* as in wire_peer.h */
    struct record_room room; /* append reply: the sender's behind match_index; else 0 */
    uint8_t priority;        /* append reply: the sender's as a leader; else 0 */
    uint64_t undrained;      /* append reply: replica_undrained of the sender; else 0 */
};

/* Entries of an append request follow: peer_message_add_entry, exactly entry_count times. */
void peer_message_encode(struct wire_writer *writer, const struct raft_message *message,
                         const struct peer_message_beside *beside);
void peer_message_add_entry(struct wire_writer *writer, const struct raft_entry *entry);

/*
 * `ret_entries` has room for APPEND_ENTRIES_MAX; its payloads are borrowed from `bytes`. Errors are
 * those of wire_peer_decode; nothing is changed then.
 */
MUST_USE enum error peer_message_decode(struct span bytes, struct peer_message_beside *ret_beside,
                                        struct raft_message *ret_message,
                                        struct raft_entry *ret_entries);

#endif
