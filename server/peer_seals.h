/*
 * What the nodes of a shard say to one another, sealed (security/seal.h). Each node begins a
 * handshake with each peer for what it sends itself. So there are two associations between two
 * nodes, one a direction, and each has one sender, which alone decides when it is renewed.
 *
 * As the sender: without an association it asks for one, again until it is answered, and goes on
 * with the one that it has until then. It asks anew when the association has served for long, when
 * its numbers come to an end, and when the peer has begun another start or says that it does not
 * have the association any more.
 *
 * As the receiver: it keeps the keys in use, those before them, and two that nothing has been
 * sealed with yet. The first packet that is sealed with one of these shows that its initiation was
 * no replay: only then it takes the place of the keys in use. An initiation that comes again gets
 * the same answer again. Of one start of a peer, only an initiation with a higher number than all
 * before counts. Of the two that wait, one is of the start that has sealed something last, and one
 * of any other: so initiations of starts that are over, replayed, keep out no start that lives.
 *
 * All places are taken at the start. A place is given to whoever shows that it has the secret; the
 * one that was used least recently makes way.
 *
 * Pure: time and randomness come in. Owner: the lane's thread.
 */
#ifndef POLLUX_SERVER_PEER_SEALS_H
#define POLLUX_SERVER_PEER_SEALS_H

#include "base/address.h"
#include "base/arena.h"
#include "security/cookie.h"
#include "security/handshake.h"
#include "security/seal.h"
#include "security/security_mode.h"

/* The key in use, and the one that takes its place or that it has taken the place of. */
#define SECURITY_KEYS_MAX 2

struct security_key {
    uint8_t id; /* 0: none */
    struct handshake_secret secret;
    struct secret root; /* that the keys of clients follow from */
};

/* Of a replica. */
struct security_options {
    enum security_mode mode;    /* of peers */
    enum security_mode clients; /* of clients */
    bool is_encrypted;
    bool is_exposed; /* strangers reach a port on which somebody is believed unsealed; only told */
    struct security_key keys[SECURITY_KEYS_MAX]; /* initiations use the first */
    struct secret seed;                          /* random, another one at each start */
};

/* NULL: a root key that this node does not have. */
const struct security_key *security_key_find(const struct security_options *security, uint8_t id);

struct peer_seals_options {
    const struct security_options *security; /* copied */
    const struct seal_engine *engine;
    const struct fork_guard *guard;
    uint64_t cluster_id;
    uint16_t shard;
    uint16_t self;
    uint64_t incarnation; /* of this start */
    uint64_t retry_ns; /* an initiation without an answer is repeated after this time, then later */
    uint64_t now_ns;
};

#define PEER_SEALS_COUNTER_LIST(X)                                                                 \
    X(asked)                                                                                       \
    X(agreed)                                                                                      \
    X(answered)                                                                                    \
    X(confirmed)                                                                                   \
    X(cookies)                                                                                     \
    X(refused)                                                                                     \
    X(unready)                                                                                     \
    X(evicted)

struct peer_seals_counters {
#define X(name) uint64_t name;
    PEER_SEALS_COUNTER_LIST(X)
#undef X
};

struct peer_seals;

size_t peer_seals_arena_bytes(void);
struct peer_seals *peer_seals_init(struct arena *arena, const struct peer_seals_options *options);

enum security_mode peer_seals_mode(const struct peer_seals *seals);
const struct peer_seals_counters *peer_seals_counters(const struct peer_seals *seals);

/* ---- sending ---- */

/* Whether packets to the node can be sealed; if not, an association is asked for. */
bool peer_seals_is_ready(struct peer_seals *seals, uint16_t node, uint64_t now_ns);

/* Seals a packet that wire_piece_encode has written for this; peer_seals_is_ready has just said so
 * (CHECK). ERR_OUTDATED: the process has forked, and the packet must not be sent. */
MUST_USE enum error peer_seals_close(struct peer_seals *seals, uint16_t node, uint8_t *data,
                                     uint32_t size_bytes);

/* An association with the node is wanted; or, where there is one, another. */
void peer_seals_ask(struct peer_seals *seals, uint16_t node, uint64_t now_ns);

/* The node, or this one, may no longer have what the other seals with: something in its name was
 * sealed with what this node does not have, or it is silent. Asks no more often than once in a
 * while, whoever sends such packets. */
void peer_seals_doubt(struct peer_seals *seals, uint16_t node, uint64_t now_ns);

/* The node has sent something unsealed. Where that is allowed, it may have lost what it could open
 * packets with. */
void peer_seals_note_plain(struct peer_seals *seals, uint16_t node, uint64_t now_ns);

/* The next initiation that is to be sent now, HANDSHAKE_INITIATION_BYTES. False: none. */
bool peer_seals_next(struct peer_seals *seals, uint64_t now_ns, uint16_t *ret_node,
                     uint8_t *ret_initiation);
/* Where the initiation came from that was no replay last. NULL: none was. */
const struct address *peer_seals_heard_from(struct peer_seals *seals, uint16_t node);
/* When there is one. UINT64_MAX: never. */
uint64_t peer_seals_deadline_ns(const struct peer_seals *seals);

/* The answer to an initiation of this node. ERR_NOT_FOUND: it has asked for nothing. ERR_FORGED,
 * and those of handshake_response_decode. */
MUST_USE enum error peer_seals_finish(struct peer_seals *seals, uint16_t node, struct span response,
                                      uint64_t now_ns);

/* ---- receiving ---- */

/* Opens a sealed packet where it lies. ERR_NOT_FOUND: it is of no association that this node has.
 * ERR_RANGE, ERR_REPLAYED, ERR_FORGED. */
MUST_USE enum error peer_seals_open(struct peer_seals *seals, uint8_t *data, uint32_t size_bytes,
                                    uint64_t now_ns);

struct peer_seals_question {
    uint16_t node; /* who says it has sent it */
    struct address from;
    struct span initiation;
    uint64_t now_ns;
};

/*
 * Answers an initiation: writes HANDSHAKE_RESPONSE_BYTES, which are to be sent to where it came
 * from. Errors: those of handshake_initiation_decode; ERR_TYPE: a client's; ERR_NODE: this node
 * itself, or none; ERR_KEY: of a root key that this node does not have; ERR_FORGED; ERR_REPLAYED;
 * ERR_BUSY: another unknown start of the peer has just asked.
 */
MUST_USE enum error peer_seals_answer(struct peer_seals *seals,
                                      const struct peer_seals_question *question,
                                      uint8_t *ret_response);

#endif
