/*
 * What nodes say to one another about the log: votes, appends, leadership transfer. The structs are
 * the wire's own; server/peer_message.h translates between them and the consensus core's.
 *
 * Owner: the caller. Pure; any thread. Entries borrow their payloads from the bytes decoded.
 */
#ifndef POLLUX_WIRE_WIRE_PEER_H
#define POLLUX_WIRE_WIRE_PEER_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_writer.h"

enum wire_peer_type {
    WIRE_PEER_VOTE_REQUEST = 1,
    WIRE_PEER_VOTE_REPLY,
    WIRE_PEER_APPEND_REQUEST,
    WIRE_PEER_APPEND_REPLY,
    WIRE_PEER_TIMEOUT_NOW,
    WIRE_PEER_TYPE_END
};

enum wire_peer_entry_kind {
    WIRE_PEER_ENTRY_NOOP = 1, /* a leader's first entry; empty */
    WIRE_PEER_ENTRY_DATA,     /* a batch of requests */
    WIRE_PEER_ENTRY_CONFIGURATION,
    WIRE_PEER_ENTRY_KIND_END
};

/* One record of the log. */
struct wire_peer_entry {
    uint64_t term;
    struct span payload; /* at most RECORD_PAYLOAD_SIZE_BYTES_MAX */
    uint8_t kind;        /* enum wire_peer_entry_kind */
};

/* A storage, and the node that has it. */
struct wire_storage {
    uint64_t birth; /* 0: whichever the node has */
    uint16_t id;    /* 1 to VOTER_ID_MAX */
};

/* The meaning of each field is that of the field of the same name in struct raft_message. */
struct wire_peer_message {
    uint8_t type; /* enum wire_peer_type */
    struct wire_storage from;
    struct wire_storage to;
    uint32_t fingerprint; /* of the replicated limits: nodes that would apply the same log to
                             different effect must not talk */
    uint32_t cluster;     /* that the sender belongs to, the low half of its number; 0: none */
    uint32_t era;         /* of that cluster */
    uint64_t start;       /* of the sender: pmem/log.h */
    uint64_t term;
    union {
        struct {
            uint64_t last_index;
            uint64_t last_term;
            bool is_pre_vote;
            bool is_transfer;
            uint32_t formation;
        } vote_request;
        struct {
            uint64_t last_index;
            uint64_t last_term;
            bool is_granted;
            bool is_pre_vote;
            bool is_suspect;
        } vote_reply;
        struct {
            uint64_t previous_index;
            uint64_t previous_term;
            uint64_t commit_index;
            uint64_t round;
            uint64_t quorum_age_ns;
            uint32_t suspicion;
            uint16_t entry_count; /* at most APPEND_ENTRIES_MAX */
            struct span entries;  /* decoding only: walk with wire_peer_entry_decode */
        } append_request;
        struct {
            uint64_t match_index;
            uint64_t round;
            uint64_t conflict_term;
            uint64_t conflict_index;
            uint64_t rejected_index;
            uint64_t data_room_bytes; /* behind match_index: what records of data may take, */
            uint64_t log_room_bytes;  /* and all records but no-ops */
            uint64_t undrained;       /* as in wire_members.h */
            uint32_t suspicion;
            uint16_t priority; /* of the sender as a leader: 0 to PRIORITY_MAX */
            bool is_success;
        } append_reply;
    };
};

/* Writes all but the entries. Those of an append request follow: wire_peer_add_entry, exactly
 * append_request.entry_count times. */
void wire_peer_encode(struct wire_writer *writer, const struct wire_peer_message *message);
void wire_peer_add_entry(struct wire_writer *writer, const struct wire_peer_entry *entry);

/*
 * Decodes one message and checks all of its entries, so that the walk over them meets no fault.
 * Whether the fields make sense for the receiver is the consensus core's to judge.
 * Errors: ERR_SHORT, ERR_TYPE, ERR_RESERVED, ERR_RANGE, ERR_TOO_LARGE (an entry), ERR_TRAILING.
 */
MUST_USE enum error wire_peer_decode(struct span bytes, struct wire_peer_message *ret_message);

/* Next entry of append_request.entries; advances *cursor (starts at 0). */
MUST_USE enum error wire_peer_entry_decode(struct span entries, size_t *cursor,
                                           struct wire_peer_entry *ret_entry);

#endif
