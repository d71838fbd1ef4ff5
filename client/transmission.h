/*
 * Transmissions: which operations of one shard went out under which packet number, and how long
 * their replies take. Owner: whoever holds the mutex of the handle.
 */
#ifndef POLLUX_CLIENT_TRANSMISSION_H
#define POLLUX_CLIENT_TRANSMISSION_H

#include "base/limits.h"
#include "client/include/pollux.h"

/* Remembered in a shard: transmissions, and operations in them. A handle has at most SESSION_WINDOW
 * operations in flight, so each is remembered for its last 32 attempts. */
#define TRANSMISSIONS_MAX    1024
#define TRANSMISSION_OPS_MAX (32 * SESSION_WINDOW)

#define RTO_INITIAL_NS (10 * 1000 * 1000)
#define RTO_MAX_NS     (100 * 1000 * 1000)
/* No way to a node takes longer: what does was spent waiting there, for a quorum perhaps. */
#define ROUND_TRIP_MAX_NS (500 * 1000 * 1000)
/* What a hello took longer it may have waited for keys, or for whoever polls. */
#define GREETING_MAX_NS (100 * 1000 * 1000)

struct op;
struct shard_state;

enum transmission_kind {
    TRANSMISSION_NONE,
    TRANSMISSION_OPS,
    TRANSMISSION_SESSION,
    TRANSMISSION_RELAXED_END,
    TRANSMISSION_PROBE
};

/* An operation as it went out. */
struct transmission_op {
    uint16_t place; /* in client->ops */
    uint32_t generation;
    uint32_t offset; /* reads: where in the value the chunk asked for begins */
};

struct transmission {
    uint64_t number;
    uint64_t message_id; /* 0: it is not repeated for want of a cookie (any more) */
    uint64_t sent_ns;
    uint64_t session;
    enum transmission_kind kind;
    bool is_read;
    bool is_recall; /* executes nothing */
    bool is_timed;  /* its round trip has been taken */
    uint8_t endpoint;
    bool has_cancels; /* which are answered, too */
    uint16_t op_count;
    uint64_t answered;           /* a bit for each op */
    uint64_t ops_begin;          /* position of the first op in the shard's ring */
    struct transmission_op *ops; /* there, side by side */
};
static_assert(REQUEST_OPS_MAX <= 64, "one bit of `answered` for each op");

/* Smoothed round trip and its variation (Jacobson and Karels, 1988; RFC 6298). */
struct round_trip {
    uint64_t smoothed_ns;
    uint64_t variation_ns;
};

/* How long the reply to an attempt is waited for, with jitter. `attempts`: made before. */
uint64_t round_trip_timeout_ns(struct plx_client *client, const struct shard_state *shard,
                               bool is_read, uint32_t attempts);
/* A hello that first went out at `since_ns`, to where operations go, was answered now. */
void round_trip_greeted(const struct plx_client *client, struct shard_state *shard,
                        uint64_t since_ns);
/* A reply to the transmission came now. */
void round_trip_sample(const struct plx_client *client, struct shard_state *shard,
                       struct transmission *transmission);
/* Under the next number of the shard; its ops are added before the next one is made. */
struct transmission *transmission_new(struct plx_client *client, struct shard_state *shard,
                                      uint32_t endpoint);
/* The operation goes out with it, now. */
void transmission_add(struct plx_client *client, struct transmission *transmission, struct op *op);
/* NULL: it is forgotten, or never was. */
struct transmission *transmission_find(struct shard_state *shard, uint64_t number);
/* The operation that went out at this place, if it still waits for an outcome; else NULL. */
struct op *transmission_op(struct plx_client *client, const struct transmission *transmission,
                           uint32_t at);
/* The same by its seq, and at which place it went out. */
struct op *transmission_op_of_seq(struct plx_client *client,
                                  const struct transmission *transmission, uint64_t seq,
                                  uint32_t *ret_at);

#endif
