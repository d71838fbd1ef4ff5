/* Inside of a lane, for the lane*.c files only. See server/lane.h for the turn. */
#ifndef POLLUX_SERVER_LANE_INTERNAL_H
#define POLLUX_SERVER_LANE_INTERNAL_H

#include "server/client_queue.h"
#include "server/lane.h"
#include "wire/reassembly.h"

/* Messages in pieces at once: two a peer, and a fixed number for all clients together. */
#define LANE_PEER_SLOTS   (2 * NODES_MAX)
#define LANE_CLIENT_SLOTS 64

/* Bursts that a turn takes from its port: a ring of the default size. */
#define RX_BURSTS_MAX (CLIENT_QUEUE_MAX / RX_BURST_MAX)

/* Bytes a second that a node passes on for one host, to nodes and back. */
#define RELAY_RATE (UINT64_C(16) << 20)

#define LANE_NOWHERE 255
static_assert(LANE_NOWHERE >= SHARDS_MAX, "no replica's place");

struct lane {
    uint16_t lane;
    uint16_t lane_count;
    uint16_t shard_count;
    uint64_t cluster_id;
    uint32_t format_max;               /* the newest format that the node knows */
    bool needs_seals;                  /* of clients, too */
    struct shard_directory *directory; /* NULL: one lane */
    struct lane_shared shared;
    struct reassembly *from_peers;
    struct reassembly *from_clients;
    struct client_queue *client_queue;
    bool is_drained; /* nothing waits in the port or the queue, as of this turn */
    uint32_t replica_count;
    struct replica *replicas[SHARDS_MAX];
    uint64_t deadlines_ns[SHARDS_MAX]; /* of the replicas, as of their last turns */
    bool is_awake[SHARDS_MAX];         /* takes part in this turn */
    uint32_t awake_count;              /* replicas that take part */
    uint32_t awake[SHARDS_MAX];        /* their places in `replicas` */
    uint8_t place_of[SHARDS_MAX];      /* by shard; LANE_NOWHERE: of another lane */
    struct engine_reader *reader;      /* of shards that live on other lanes */
    uint16_t self;                     /* voter id of the node */
    uint16_t read_shard;               /* of the read that is being answered */
    uint32_t foreign_reads;            /* answered in this turn */
    struct host_budget relays;         /* of packets that are passed on for clients */
    struct rights everything;          /* of each client, where they are not told apart */
    struct rights of_anyone;           /* of whose packet is not sealed, in this turn */
    struct replica *failed;            /* NULL: none */
    struct lane_counters counters;
};

/* A packet, and where it is for. */
struct arrival {
    struct address from;
    uint32_t place;
    bool is_sealed;
    struct wire_packet packet;
};

/* lane_turn.c: the replica takes part in this turn. */
void lane_wake(struct lane *lane, uint32_t place);

/* lane_receive.c: one datagram from the port. */
void lane_receive(struct lane *lane, const struct dp_datagram *datagram);
/* Whether it is received before what clients have sent: by its header, nothing checked, it is a
 * peer's, and comes from the peer's address; or it is for another lane. */
bool lane_goes_first(const struct lane *lane, const struct dp_datagram *datagram);

/* lane_proof.c: what the sender of a client's packet may be sent: `room` of the address. False: the
 * packet does not count, and its sender was told to come again with a cookie. */
bool lane_prove(struct lane *lane, const struct wire_packet *packet, bool is_sealed,
                struct address *from);

/* A client's packet does not count without a good cookie: its sender is told to come again with
 * one, if it asks something. */
void lane_refuse_unproven(struct lane *lane, const struct wire_packet *packet,
                          const struct address *from);

/* lane_rates.c: of a client's whole message, whose last piece is `packet`: says in the message when
 * its client is to come again if it asks too much. False: it does not even count as asked. */
bool lane_admit(struct lane *lane, const struct wire_packet *packet,
                struct replica_message *message);

/* lane_relay.c: a packet around another one, whose sender is believed: passes that one on, to a
 * node or back to a client. True: it is for this node, as if it had come from the client. */
bool lane_relay(struct lane *lane, const struct address *from, const struct wire_packet *packet,
                struct dp_datagram *ret_inner);
/* lane_path.c: a question how large packets may be, or the answer to one, of that peer; 0: of a
 * client. */
void lane_path_receive(struct lane *lane, const struct arrival *arrival, uint16_t peer);
/* Of so many nodes at most: those that there may be. */
#define LANE_PATHS_TOLD_MAX NODES_MAX
void lane_path_add_counters(struct wire_writer *writer, const struct lane *lane);

/* lane_missing.c: asks the senders of unfinished messages for what has not come. */
void lane_ask_missing(struct lane *lane);
uint64_t lane_ask_ns(const struct lane *lane);

/* lane_read.c: of a message of the lane itself, under a fresh id. */
struct wire_message_header lane_message_header(struct lane *lane, uint8_t wire_type,
                                               uint16_t shard);
/* Takes the reader's memory. */
void lane_open_reader(struct lane *lane, const struct lane_options *options);
/* Answers a packet for a shard of another lane. False: it is no relaxed read in one piece. */
bool lane_answer_read(struct lane *lane, const struct dp_datagram *datagram, uint16_t shard);

/* lane_status.c */
void lane_answer_status(struct lane *lane, struct replica *replica,
                        const struct replica_message *message);

#endif
