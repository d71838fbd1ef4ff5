/* Nodes that seal what they send one another, for tests: their tables, a clock that the test moves,
 * and the exchange of messages between any two, step by step. */
#ifndef POLLUX_TESTS_UNIT_SERVER_PEER_SIDES_H
#define POLLUX_TESTS_UNIT_SERVER_PEER_SIDES_H

#include "server/peer_seals.h"
#include "wire/wire_packet.h"

#define SIDES_CLUSTER  UINT64_C(0x1122334455667788)
#define SIDES_RETRY_NS UINT64_C(10000000)

/* A node of a test. Its fields say how its next start is. */
struct peer_side {
    uint16_t node;
    uint16_t shard;
    uint64_t cluster_id;
    uint64_t incarnation; /* of its last start */
    struct security_options security;
    struct peer_seals *seals;
    struct arena arena;
};

struct peer_packet {
    uint8_t data[PACKET_SIZE_BYTES_MAX];
    uint32_t size_bytes;
};

struct peer_hello {
    uint8_t initiation[HANDSHAKE_INITIATION_BYTES];
    uint8_t response[HANDSHAKE_RESPONSE_BYTES];
};

extern uint64_t sides_now_ns;
extern struct seal_engine sides_engine;
extern struct fork_guard sides_guard;

/* Of each test: nodes 1 and 2, alice and bob, have started with one key and mode `required`. */
extern struct peer_side alice;
extern struct peer_side bob;
int sides_setup(void **state);
int sides_teardown(void **state);

struct security_key sides_key(uint8_t id, uint8_t first_byte);
/* Starts the side anew, with another seed: it has forgotten everything. */
void side_start(struct peer_side *side);
/* Likewise a further node. */
void side_make(struct peer_side *side, uint16_t node);
void side_end(struct peer_side *side);

/* The steps of a handshake. */
bool side_asks(struct peer_side *side, uint16_t expected, struct peer_hello *hello);
enum error side_answers(struct peer_side *side, uint16_t from, struct peer_hello *hello);
enum error side_finishes(struct peer_side *side, uint16_t from, const struct peer_hello *hello);
/* All of them, for what `from` sends to `to`. */
void sides_agree(struct peer_side *from, struct peer_side *to, struct peer_hello *hello);

/* A sealed packet with a text. */
void side_seals(struct peer_side *from, const struct peer_side *to, struct peer_packet *packet);
/* Opens a copy of the packet; if it opens, it is what side_seals has made of it. */
enum error side_opens(struct peer_side *side, const struct peer_packet *packet);

#endif
