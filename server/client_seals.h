/*
 * What a replica and its clients say to one another, sealed (security/seal.h). A client has one
 * address, and begins a handshake with each shard of each node that it speaks to; one association
 * serves both directions. What it sends is opened by its address and association, what it is sent
 * is sealed by its address. Its key follows from the root key, its name and its generation, so a
 * node has no list of clients. The association says who the client is: its rights follow from that,
 * and are looked up once for each table of rights.
 *
 * The keys of an answered initiation wait in a ring until the client has sealed something with
 * them: that shows that the initiation was no replay. Only then they take the place of what the
 * address had before. Others who ask meanwhile may push them out of the ring; the client asks
 * again. An initiation that comes again while it waits gets the same answer again.
 *
 * All places are taken at the start. A place is given to whoever has sealed something with a key
 * of the cluster; the one that was used least recently makes way.
 *
 * Pure: time and randomness come in. Owner: the lane's thread.
 */
#ifndef POLLUX_SERVER_CLIENT_SEALS_H
#define POLLUX_SERVER_CLIENT_SEALS_H

#include "security/random_stream.h"
#include "server/lane_rights.h"
#include "server/peer_seals.h"

#define CLIENT_SEALS_COUNTER_LIST(X)                                                               \
    X(answered)                                                                                    \
    X(confirmed)                                                                                   \
    X(cookies)                                                                                     \
    X(refused)                                                                                     \
    X(evicted)

struct client_seals_counters {
#define X(name) uint64_t name;
    CLIENT_SEALS_COUNTER_LIST(X)
#undef X
};

struct client_seals;

size_t client_seals_arena_bytes(void);
/* Of the options, `self` and `retry_ns` are not looked at. */
struct client_seals *client_seals_init(struct arena *arena,
                                       const struct peer_seals_options *options);

enum security_mode client_seals_mode(const struct client_seals *seals);
const struct client_seals_counters *client_seals_counters(const struct client_seals *seals);

/*
 * Answers an initiation: writes HANDSHAKE_RESPONSE_BYTES. `node` of the question is not looked at.
 * Errors: those of handshake_initiation_decode; ERR_TYPE: a node's; ERR_KEY: of a root key that
 * this node does not have; ERR_FORGED.
 */
MUST_USE enum error client_seals_answer(struct client_seals *seals,
                                        const struct peer_seals_question *question,
                                        uint8_t *ret_response);

/* A packet where it lies. */
struct client_packet {
    uint8_t *data;
    uint32_t size_bytes;
};

/* Opens a sealed packet where it lies. ERR_NOT_FOUND: it is of no association that this address
 * has. ERR_SHORT, ERR_RANGE, ERR_REPLAYED, ERR_FORGED. */
MUST_USE enum error client_seals_open(struct client_seals *seals, const struct address *from,
                                      struct client_packet packet, uint64_t now_ns);

/*
 * Something unsealed has come from this address, and that is allowed. True: whoever is there is
 * answered so from now on. False: a client with a key is there, and the address has not been proven
 * by a cookie: it may be forged, and the keys stay.
 */
MUST_USE bool client_seals_note_plain(struct client_seals *seals, const struct address *from,
                                      uint64_t now_ns);

/* A message of a client. */
struct client_message {
    const struct address *from;
    uint64_t begun_ns; /* when its first piece came */
    bool is_one_piece; /* it came in one: there is nobody else that a part could be of */
};

/*
 * What the client may do whose packet client_seals_open has opened last from this address; valid in
 * this turn. Who has the root key of the cluster may do everything. NULL: it is not known yet, or
 * no client has sealed it; or it was begun while the address was another client's, of whom its
 * first pieces may be.
 */
const struct rights *client_seals_rights(struct client_seals *seals,
                                         const struct client_message *message,
                                         const struct lane_rights *table);

/* The name of the key that the address has sealed with last; empty: nothing is known of it. Valid
 * until another packet is opened. */
struct span client_seals_name(const struct client_seals *seals, const struct address *from);

/* Whether what is sent to the address is sealed. */
bool client_seals_is_ready(const struct client_seals *seals, const struct address *to);

/* Seals a packet that wire_piece_encode has written for this; client_seals_is_ready has just said
 * so (CHECK). ERR_OUTDATED, ERR_FULL: the packet must not be sent. */
MUST_USE enum error client_seals_close(struct client_seals *seals, const struct address *to,
                                       struct client_packet packet);

#endif
