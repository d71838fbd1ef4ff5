/*
 * The handshake: two sides that share a secret agree on fresh keys, in one round trip.
 *
 *     initiator                                            responder
 *        | initiation: association, attempt, random, tag       |
 *        |---------------------------------------------------->|  the tag is right: answers
 *        |         response: association, random, tag          |
 *        |<----------------------------------------------------|
 *        | sealed packets under the responder's association    |  the first of them shows that
 *        |====================================================>|  the initiation was no replay
 *
 * Both contribute 32 random bytes, so neither a restart nor a replayed message of the other side
 * gives a key a second time. The traffic keys depend on every byte of both messages, on the
 * cluster, the shard and both nodes. A responder keeps the keys apart from those in use until a
 * packet is sealed with them: a replayed initiation makes nobody forget anything.
 *
 * A responder that is asked too often answers with a cookie instead, and keeps nothing. The
 * initiator repeats its initiation with the cookie. Such an answer is not authenticated. It repeats
 * the tag of the initiation, so only who has seen the initiation can make one.
 *
 * Initiation, offset, size and meaning of each field:
 *    0  u8   version 1
 *    1  u8   key id: which root secret
 *    2  u8   1 a node, 2 a client
 *    3  [1]  zero
 *    4  u32  generation of a client's key; of a node zero
 *    8  u64  attempt: rises with each initiation of one incarnation
 *   16  u64  incarnation of the initiator
 *   24  u32  association: what the responder is to write into its packets to the initiator
 *   28  u8   size of the name; of a node zero
 *   29  [3]  zero
 *   32  [32] random bytes
 *   64  [64] name of a client, then zeros
 *  128  [16] cookie, or zero
 *  144  [16] tag: keyed BLAKE2b of the context and all bytes before
 *
 * Response:
 *    0  u8   version 1
 *    1  u8   key id, as asked
 *    2  u8   1 agreed, 2 a cookie
 *    3  [1]  zero
 *    4  u32  association: what the initiator is to write into its packets; cookie: zero
 *    8  u64  attempt, as asked
 *   16  u64  incarnation of the responder; cookie: zero
 *   24  [8]  zero
 *   32  [32] random bytes; cookie: the cookie, then zeros
 *   64  [16] tag: keyed BLAKE2b of the context, the initiation and all bytes before; cookie: the
 *            tag of the initiation
 *
 * A response is smaller than its initiation: nobody is sent more than somebody has sent in his
 * name.
 *
 * Pure; any thread. Outputs are untouched on an error.
 */
#ifndef POLLUX_SECURITY_HANDSHAKE_H
#define POLLUX_SECURITY_HANDSHAKE_H

#include "base/error.h"
#include "security/seal.h"
#include "security/secret.h"

enum handshake_initiator { HANDSHAKE_NODE = 1, HANDSHAKE_CLIENT };
enum handshake_answer { HANDSHAKE_AGREED = 1, HANDSHAKE_COOKIE };

/* What both sides know of the two, and what no message has to say. */
struct handshake_context {
    uint64_t cluster_id;
    uint16_t shard;
    uint16_t initiator; /* voter id; 0: a client */
    uint16_t responder; /* voter id; 0: whichever node a client calls */
};

/* What two sides share: made of the secret of the nodes, or of a client's. */
struct handshake_secret {
    struct secret tags;
    struct secret traffic;
};

/* One side's view of one handshake. */
struct handshake {
    const struct handshake_secret *secret;
    struct handshake_context context;
};

struct handshake_initiation {
    uint8_t key_id;    /* not 0 */
    uint8_t initiator; /* enum handshake_initiator */
    uint32_t generation;
    uint64_t attempt;
    uint64_t incarnation;
    uint32_t association;
    uint32_t name_bytes; /* of a client: 1 .. KEY_NAME_BYTES_MAX */
    uint8_t random[HANDSHAKE_RANDOM_BYTES];
    uint8_t name[KEY_NAME_BYTES_MAX + 1];
    uint8_t cookie[COOKIE_SIZE_BYTES];
};

struct handshake_response {
    uint8_t key_id;
    uint8_t answer; /* enum handshake_answer */
    uint32_t association;
    uint64_t attempt;
    uint64_t incarnation;
    uint8_t random[HANDSHAKE_RANDOM_BYTES]; /* cookie: it, and zeros */
};

/* The traffic keys of both directions. */
struct handshake_traffic {
    struct seal_secret to_responder;
    struct seal_secret to_initiator;
};

/* From the secret of the nodes, or of a client. */
void handshake_secret_of(const struct secret *secret, struct handshake_secret *ret_secret);

/* Writes HANDSHAKE_INITIATION_BYTES. */
void handshake_initiation_encode(uint8_t *to, const struct handshake *handshake,
                                 const struct handshake_initiation *initiation);

/* Reads an initiation, its tag unseen: whose it claims to be. Errors: ERR_SHORT, ERR_TRAILING,
 * ERR_VERSION, ERR_KEY (id 0), ERR_TYPE, ERR_RANGE (size of the name), ERR_RESERVED. */
MUST_USE enum error handshake_initiation_decode(struct span bytes,
                                                struct handshake_initiation *ret_initiation);

/* ERR_FORGED: whoever made these bytes does not have the secret, or meant somebody else. */
MUST_USE enum error handshake_initiation_check(struct span bytes,
                                               const struct handshake *handshake);

/* Writes HANDSHAKE_RESPONSE_BYTES: an answer to the initiation of which these are the bytes. */
void handshake_response_encode(uint8_t *to, const struct handshake *handshake,
                               struct span initiation, const struct handshake_response *response);

/* Likewise, but a cookie: no secret is needed. */
void handshake_cookie_encode(uint8_t *to, struct span initiation,
                             const uint8_t cookie[COOKIE_SIZE_BYTES]);

/* Errors as of an initiation. */
MUST_USE enum error handshake_response_decode(struct span bytes,
                                              struct handshake_response *ret_response);

/* ERR_FORGED: it is no answer to this initiation, or nobody's who has the secret. */
MUST_USE enum error handshake_response_check(struct span bytes, const struct handshake *handshake,
                                             struct span initiation);

/* The traffic keys, from the bytes of both messages; both were found authentic, or made here. */
void handshake_agree(const struct handshake *handshake, struct span initiation,
                     struct span response, struct handshake_traffic *ret_traffic);

#endif
