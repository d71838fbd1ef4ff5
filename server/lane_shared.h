/*
 * What a lane lends to its replicas: things that are needed once a thread, not once a shard. One
 * replica uses them at a time, and nothing of one call is expected to be there at the next.
 *
 * Owner: the lane's thread.
 */
#ifndef POLLUX_SERVER_LANE_SHARED_H
#define POLLUX_SERVER_LANE_SHARED_H

#include "base/arena.h"
#include "base/limits.h"
#include "dataplane/port.h"
#include "raft/raft.h"
#include "server/client_rates.h"
#include "server/client_seals.h"
#include "server/obstacles.h"
#include "server/peer_seals.h"
#include "server/proof.h"
#include "server/sent_messages.h"
#include "wire/path_limit.h"
#include "wire/wire_missing.h"
#include "wire/wire_packet.h"

struct replica;

struct lane_shared {
    struct arena arena;        /* of the lane and its replicas; sealed when all are open */
    struct dp_port *port;      /* NULL while the lane opens */
    struct seal_engine engine; /* where any replica seals */
    struct fork_guard guard;   /* likewise */
    const struct replica *replicas[SHARDS_MAX]; /* by shard; NULL: of another lane */
    struct peer_seals *seals[SHARDS_MAX];       /* by shard; NULL: not sealed, or of another lane */
    struct client_seals *client_seals[SHARDS_MAX]; /* likewise, of clients */
    struct proof proof;                            /* of clients' addresses */
    uint64_t withheld;          /* answers that were larger than an unproven address may be sent */
    struct lane_rights rights;  /* what clients may do */
    struct client_rates *rates; /* how much; NULL: any */
    uint64_t unsealed;          /* packets to peers that could not be sealed, and were not sent */
    uint64_t unrelayed;         /* packets to clients whose relay is no member any more */
    uint64_t next_message_id;   /* of what no replica sends */
    uint64_t now_ns;            /* of this turn */
    bool is_flushed;            /* what the replicas sent in this turn so far has left */
    struct sent_messages *sent; /* of several packets, while they may be asked for */
    struct obstacles obstacles; /* what keeps nodes from taking part */
    uint64_t pieces_again;      /* sent because they were asked for */
    uint16_t packet_bytes_max;  /* of what the port takes */
    struct path_limit paths[VOTER_ID_MAX + 1]; /* to each node */
    uint64_t path_questions;                   /* sent: how large packets to a node may be */
    /* A packet that is relayed, and the head in front of it. */
    uint8_t relay_data[RELAY_HEAD_SIZE_BYTES + RELAY_PACKET_SIZE_BYTES_MAX];
    uint8_t path_data[PACKET_PAYLOAD_SIZE_BYTES_MAX];
    uint8_t *message_data; /* MESSAGE_SIZE_BYTES_MAX: one outgoing message at a time */
    struct raft_entry entries[APPEND_ENTRIES_MAX]; /* of the message that is being received */
    struct raft_effects effects;                   /* of the step that is being carried out */
};

struct lane_message {
    struct wire_message_header header;
    struct address to;
    struct span body;
};

/*
 * Whatever a lane sends leaves by one of these. To a client that has not proven its address no more
 * leaves than `to.room` says, or than the budget has (server/proof.h): the rest is withheld, and
 * counted.
 */

/* What goes to a client by way of another node (`to.via`) leaves in pieces that leave room for what
 * is around a relayed packet, and that node sends it on (wire/wire_relay.h). */

/* lane_path.c: chooses the size of the message's pieces by the way that they take. */
void lane_message_fit(struct lane_shared *shared, struct lane_message *message);

/* lane_path.c: something is about to be sent to a node: asks how large packets may be, if it is
 * time. */
void lane_path_ask(struct lane_shared *shared, const struct lane_message *about);
/* `number`: of this start, where the numbers of the questions begin. */
void lane_path_init(struct lane_shared *shared, uint16_t mtu_bytes, uint64_t number);

/* Who pays, where clients are held to rates, for such a message from an address or to it. False:
 * nobody does. Copies of the state have a pace of their own, handshakes come before there is a
 * name, and who has the root key is not held up. */
bool lane_shared_payer(const struct lane_shared *shared, uint16_t shard,
                       const struct address *address, uint8_t wire_type,
                       struct client_rates_payer *ret_payer);

/* Sends a relayed packet to a client as it is, from the UDP port of the shard. */
void lane_shared_pass(struct lane_shared *shared, uint16_t shard, const struct address *to,
                      struct span packet);

/* Sends a message, in as many packets as it takes, from the UDP port of its shard. If they are
 * several, the message is kept for those who ask for pieces of it. */
void lane_shared_send(struct lane_shared *shared, const struct lane_message *message);

/* Sends some of its pieces. */
void lane_shared_send_pieces(struct lane_shared *shared, const struct lane_message *message,
                             uint32_t first, uint32_t count);

/* Sends pieces that are missing at its receiver, at most `pieces_max` and PIECES_AGAIN_MAX; returns
 * how many. Ranges that the message does not have are not looked at. */
uint32_t lane_shared_send_again(struct lane_shared *shared, const struct lane_message *message,
                                const struct wire_missing *missing, uint32_t pieces_max);

#endif
