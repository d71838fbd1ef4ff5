/*
 * What an operator asks of the leader of a shard: found, asked, and if it does not lead any more,
 * whoever leads next.
 *
 * Owner: as of the handle.
 */
#ifndef POLLUX_CLIENT_ERRAND_H
#define POLLUX_CLIENT_ERRAND_H

#include "client/include/pollux.h"
#include "wire/wire.h"

#define ERRAND_BODY_BYTES_MAX WIRE_SESSIONS_QUESTION_BYTES

struct shard_state;

struct errand {
    uint16_t shard;
    uint8_t wire_type;
    uint8_t reply_type;
    const void *what; /* for the functions */
    /* One packet's body for a leader of that incarnation. */
    void (*encode)(const struct errand *errand, uint64_t number, uint64_t incarnation,
                   struct wire_writer *writer);
    /* The head of an answer that is more than a reply; NULL: it is one. */
    enum error (*decode)(struct span bytes, struct wire_reply *ret_head);
    /* PLX_TIMEOUT: not this node, ask the next leader. The answer lies in the exchange. */
    enum plx_outcome (*outcome)(const struct errand *errand, const struct wire_reply *reply);
    /* Filled by errand_run. */
    uint64_t until_ns;
    uint32_t epoch; /* when the caller entered */
    bool is_asked;  /* at least one packet was sent */
};

/* For `outcome`: what a status means that is none of the errand's own. */
enum plx_outcome errand_refusal(enum wire_status status);

/*
 * Runs it, without the mutex. What `outcome` says, or: PLX_TIMEOUT: nobody did it in time;
 * PLX_E_UNREACHABLE: the leader did not answer, and may have done it. PLX_E_ARGUMENT: no such
 * shard, or from a callback.
 */
enum plx_outcome errand_run(struct plx_client *client, struct errand *errand, uint64_t timeout_ns);

/* What an errand waits for, until its time is over or plx_cancel; the mutex is held. False: the
 * number of shards is still not known. */
bool shard_count_await(struct plx_client *client, const struct errand *errand);
/* The endpoint that leads the shard; -1: nobody does. */
int32_t leader_await(struct plx_client *client, struct shard_state *shard,
                     const struct errand *errand);

#endif
