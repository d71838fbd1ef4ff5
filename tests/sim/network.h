/*
 * The simulated network: datagrams between hosts, which are the nodes (numbers from 0) and, behind
 * them, the clients. A node has a queue a lane, which the UDP port selects, but for strays, and a
 * ring a lane for what another lane hands over. Loses, duplicates, delays, reorders and corrupts by
 * the draw; cuts are directed, a pair at a time, and counted, so that overlapping faults each take
 * back only their own.
 */
#ifndef POLLUX_TESTS_SIM_NETWORK_H
#define POLLUX_TESTS_SIM_NETWORK_H

#include "base/address.h"
#include "base/limits.h"
#include "base/prng.h"
#include "base/span.h"
#include "tests/sim/agenda.h"
#include "tests/sim/attacker.h"
#include "tests/sim/draw.h"
#include "tests/sim/tally.h"
#include "tests/sim/verdict.h"

#define CLIENTS_MAX 16
#define HOSTS_MAX   (NODES_MAX + CLIENTS_MAX)
#define INBOX_MAX   1024 /* packets waiting for a lane; more are lost, as on a full receive ring */
#define RING_MAX    256  /* packets that other lanes handed over */

struct packet {
    struct packet *next;
    struct address from;
    uint32_t to_host;
    uint16_t to_port;
    uint32_t to_lane; /* of a node: on whose queue it comes */
    uint32_t size_bytes;
    uint64_t arrived_ns; /* at its host */
    bool is_hostile; /* sent by an attacker, and to be refused */
    uint8_t data[PACKET_SIZE_BYTES_MAX];
};

struct inbox {
    struct packet *packets[INBOX_MAX];
    uint32_t head;
    uint32_t count;
};

/* Pieces of which the checksum is known, the latest of those that share a place. */
#define SEEN_PIECES 65536

struct seen_piece {
    uint64_t name; /* of its sender, its message id and its number; 0: none */
    uint32_t crc;  /* of the packet, as it says itself */
};

/* A second process at the address of a node. */
struct network_double {
    bool is_there;
    uint32_t host;    /* of itself: its queues */
    uint32_t of;      /* the host whose address it has */
    uint32_t share;   /* of the packets to that address, in a million */
    bool is_to_nodes; /* clients' packets do not reach it */
};

struct network {
    struct agenda *agenda;
    struct verdict *verdict;
    struct tally *tally;
    const struct draw *draw;
    struct prng prng;
    struct packet *free;
    uint64_t sent;                         /* packets, in this run */
    uint16_t mtu_bytes[HOSTS_MAX];         /* that the link of a host carries */
    uint32_t cuts[HOSTS_MAX][HOSTS_MAX];   /* from, to: faults that cut this direction */
    uint64_t lag_ns[HOSTS_MAX][HOSTS_MAX]; /* added delay, of all faults together */
    uint64_t last_at_ns[HOSTS_MAX][HOSTS_MAX];
    struct inbox inboxes[NODES_MAX][SIM_LANES_MAX];
    struct inbox rings[NODES_MAX][SIM_LANES_MAX];
    uint32_t lane_counts[NODES_MAX]; /* UDP port p + i comes on the queue of lane i % this */
    uint16_t ports[HOSTS_MAX];       /* the port that is open; 0: none */
    uint16_t ports_used[HOSTS_MAX];
    bool is_open[NODES_MAX][SIM_LANES_MAX];
    bool is_muted[NODES_MAX]; /* dying inside a turn: nothing leaves any more */
    bool is_healed;
    struct network_double twin;
    uint64_t cluster_id;
    struct attacker attacker;
    uint64_t hostile_taken[NODES_MAX]; /* by its lanes, in this start of the node */
    struct seen_piece seen[SEEN_PIECES];
};

void network_init(struct network *network, uint64_t seed);
void network_deinit(struct network *network);

/* An MTU that some link has. */
uint16_t network_mtu_draw(struct prng *prng);

struct address network_address(uint32_t host);
/* The host opens a port that it never had before. */
void network_port_open(struct network *network, uint32_t host);
void network_port_close(struct network *network, uint32_t host);
/* HOSTS_MAX: no such host. */
uint32_t network_host(const struct address *address);

/* Sends from the host's UDP port, or that of a node plus `from->port_offset`. */
struct network_sender {
    uint32_t host;
    uint16_t port_offset;
};
void network_send(struct network *network, struct network_sender from, const struct address *to,
                  struct span bytes);

/* Puts a delivered packet on the queue of its lane; false when it was lost there. */
bool network_enqueue(struct network *network, struct packet *packet);
/* Gives a packet to another lane of its node; false: that lane's ring is full. */
bool network_hand_over(struct network *network, struct packet *packet, uint32_t lane);
/* The next one from the lane's ring, or from its queue; NULL: none. */
struct packet *network_take_over(struct network *network, uint32_t node, uint32_t lane);
struct packet *network_dequeue(struct network *network, uint32_t node, uint32_t lane);
/* How long it lies in the host's queues. */
uint64_t network_waited_ns(const struct network *network, const struct packet *packet);
/* A lane is about to look at it. */
void network_note_heard(struct network *network, const struct packet *packet, uint32_t lane);
/* A client is about to look at it. */
void network_note_received(struct network *network, const struct packet *packet);
/* A lane has looked at it, and has not handed it over. */
void network_note_taken(struct network *network, const struct packet *packet);
void network_release(struct network *network, struct packet *packet);
/* Forgets what waits for a lane. */
void network_flush(struct network *network, uint32_t node, uint32_t lane);

#endif
