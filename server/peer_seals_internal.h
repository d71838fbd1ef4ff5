/* Inside of peer_seals*.c. */
#ifndef POLLUX_SERVER_PEER_SEALS_INTERNAL_H
#define POLLUX_SERVER_PEER_SEALS_INTERNAL_H

#include "security/random_stream.h"
#include "server/peer_seals.h"

#include "base/limits.h"

/* Places for peers: the storages of a configuration may all be of different nodes. */
#define PEER_SEALS_PLACES 32u
/* Keys to open with, of one peer: those in use, those before them, and two that nothing has been
 * sealed with yet, one of the start that is known and one of another. */
#define PEER_SEALS_RX 4u

/* Keys of a start that nothing has been sealed with yet are kept for so long, whichever other start
 * asks. */
#define PEER_SEALS_PENDING_NS UINT64_C(100000000)
/* An association is renewed after this time. */
#define PEER_SEALS_RENEW_NS UINT64_C(3600000000000)
/* Initiations without an answer: the time between two doubles so often; to a node that may be of an
 * older program, or not want to seal. */
#define PEER_SEALS_DOUBLINGS       3u
#define PEER_SEALS_DOUBLINGS_PLAIN 8u
/* After so many without an answer, random bytes are drawn anew, and a node that may send unsealed
 * packets does so. */
#define PEER_SEALS_TRIES 4u

static_assert(PEER_SEALS_PLACES >= RAFT_MEMBERS_MAX, "each member has a place");
static_assert(PEER_SEALS_PLACES < UINT8_MAX, "a place, and one, fits a byte");

enum peer_rx_state { PEER_RX_FREE, PEER_RX_PENDING, PEER_RX_BEFORE, PEER_RX_IN_USE };

struct peer_rx {
    enum peer_rx_state state;
    uint32_t association;                   /* this node's number */
    struct address from;                    /* the initiation */
    uint64_t since_ns;                      /* when it was agreed on */
    uint64_t incarnation;                   /* of the peer */
    uint64_t attempt;                       /* of that start */
    uint8_t random[HANDSHAKE_RANDOM_BYTES]; /* of the initiation */
    uint8_t response[HANDSHAKE_RESPONSE_BYTES];
    struct seal_rx seal;
};

struct peer_tx {
    bool is_there;
    uint8_t key_id;
    uint32_t association; /* the peer's number */
    uint64_t since_ns;
    uint64_t incarnation; /* of the peer */
    struct seal_tx seal;
};

/* An initiation under way. */
struct peer_ask {
    bool is_open;
    bool has_bytes;
    bool has_cookie;
    uint32_t tries;
    uint64_t due_ns; /* when it is sent (again) */
    uint8_t cookie[COOKIE_SIZE_BYTES];
    uint8_t bytes[HANDSHAKE_INITIATION_BYTES];
};

struct peer_place {
    uint16_t node; /* 0: free */
    uint64_t used_ns;
    struct address heard_from; /* the initiation under whose keys a packet came; port 0: none */
    struct peer_tx tx;
    struct peer_ask ask;
    struct peer_rx rx[PEER_SEALS_RX];
    uint64_t incarnation; /* of the peer: the start that has sealed something last; 0: none */
    uint64_t attempt;     /* the highest of that start */
};

struct peer_seals {
    struct security_options security;
    struct peer_seals_options options;
    struct random_stream random;
    struct cookie_jar cookies;
    uint64_t attempt;
    uint32_t association; /* given last */
    struct peer_seals_counters counters;
    uint8_t place_of[VOTER_ID_MAX + 1]; /* by node: its place, and one; 0: none */
    struct peer_place places[PEER_SEALS_PLACES];
};

/* The node's place. NULL: it has none. */
struct peer_place *peer_seals_place(struct peer_seals *seals, uint16_t node);
/* The same; takes one where it has none. */
struct peer_place *peer_seals_take(struct peer_seals *seals, uint16_t node, uint64_t now_ns);
/* Begins an initiation, unless one is under way. */
void peer_seals_begin(struct peer_place *place, uint64_t now_ns);
/* The keys that packets of the node are sealed with at present; NULL: none are known. */
const struct peer_rx *peer_seals_newest_rx(const struct peer_place *place);

#endif
