/*
 * Sessions of a handle in one shard: the current one, and those that are kept alive for their
 * tokens. Owner: whoever holds the mutex of the handle.
 */
#ifndef POLLUX_CLIENT_SESSION_H
#define POLLUX_CLIENT_SESSION_H

#include "base/limits.h"
#include "client/include/pollux.h"
#include "wire/wire.h"

struct source;

#define SESSIONS_RETIRED_MAX  8 /* kept alive for the tokens of theirs that are outstanding */
#define SESSIONS_MAX          (1 + SESSIONS_RETIRED_MAX)
#define SESSIONS_FULL_WAIT_NS (1000 * 1000 * 1000) /* before another registration */

/* Notices that a session is idle: a burst of them at once, then one in so long; those to other
 * nodes than the leader are far fewer. Each is repeated so often, after such a time, which is four
 * times as long with each. */
#define IDLE_NOTICE_SPACING_NS        (1000 * 1000)
#define IDLE_NOTICE_BURST_NS          (64 * IDLE_NOTICE_SPACING_NS)
#define IDLE_NOTICE_OTHERS_SPACING_NS (20 * 1000 * 1000)
#define IDLE_NOTICE_OTHERS_BURST_NS   (16 * IDLE_NOTICE_OTHERS_SPACING_NS)
#define IDLE_NOTICE_AGAIN_NS          (UINT64_C(5) * 1000 * 1000)
#define IDLE_NOTICES_AGAIN            6

struct op;
struct shard_state;
struct transmission;

struct session {
    uint64_t id;        /* 0: none */
    uint64_t nonce;     /* of the registration under way */
    uint64_t first_seq; /* wire_first_seq */
    uint64_t next_seq;
    uint64_t floor;
    uint64_t reached_seq; /* the highest whose outcome a node has told */
    uint64_t active_ns;   /* when it last was known to be alive */
    uint64_t due_ns;      /* next registration or renewal at the earliest */
    uint32_t attempts;
    uint32_t pins; /* seqs whose tokens are outstanding */
    bool is_wanted;
    bool is_told;           /* the leader was told that nothing is open */
    uint8_t told_again;     /* how often since */
    uint64_t told_ns;       /* when last */
    bool is_ending;         /* it is given back, and nothing else is sent in it */
    uint64_t ending_number; /* of the first packet that gives it back; 0: none has left */
    uint64_t ending_until_ns;
    uint64_t full_until_ns; /* the cluster has refused to open one more, and that is news */
    uint64_t is_finished[SESSION_WINDOW / 64]; /* by seq modulo the window */
};

/* How long a session that is in use goes without a request: a third of its lifetime at most. */
uint64_t session_renewal_ns(const struct plx_client *client);
struct session *session_current(struct shard_state *shard);
/* NULL: the shard has none of this id. */
struct session *session_find(struct shard_state *shard, uint64_t id);
/* Below it every seq of the session is finished. Of a session that this handle does not have (any
 * more): whoever gave an operation this seq, had finished what lies a window below it. */
uint64_t session_floor(struct shard_state *shard, uint64_t id, uint64_t seq_highest);
/* What is said of a session itself, and under which number. */
struct session_packet {
    uint64_t number;
    uint64_t session;
    uint64_t floor;
    bool is_relaxed;
};
void session_packet_send(struct plx_client *client, const struct source *to,
                         const struct session_packet *packet, const struct wire_op *op);

/* Gives the op a seq of the session in use; false: there is none, or its window is full. */
bool session_assign(struct plx_client *client, struct op *op);
/* The shard has no room for one more, as far as is known now. */
bool session_is_refused(const struct plx_client *client, const struct shard_state *shard);
void session_finish_seq(struct plx_client *client, struct shard_state *shard, uint64_t id,
                        uint64_t seq);
void session_pin(struct shard_state *shard, uint64_t id);
void session_expired(struct shard_state *shard, uint64_t id);
/* What was sent then has been answered: the session was alive since. */
void session_answered(struct session *session, uint64_t sent_ns);
/* A node has told the outcome of one of its operations. */
void session_reached(struct session *session, const struct wire_reply_op *op);
/* The reply to what was sent on a session itself. */
void session_replied(struct plx_client *client, struct shard_state *shard,
                     const struct transmission *transmission, const struct wire_reply *reply);
void sessions_turn(struct plx_client *client, struct shard_state *shard);
/* When sessions_turn has something to do next; UINT64_MAX: never. */
uint64_t sessions_due_ns(const struct plx_client *client, const struct shard_state *shard);
/* Gives the session in use back, unless tokens of it are outstanding: from now on, until a node has
 * said that it is gone, or nodes have ended it as an idle one. */
void session_give_back(struct plx_client *client, struct shard_state *shard);
/* Sends what is due of that, and nothing else. */
void sessions_end_turn(struct plx_client *client, struct shard_state *shard);
/* When that has something to do next; UINT64_MAX: nothing is to be given back. */
uint64_t sessions_end_due_ns(const struct shard_state *shard);

#endif
