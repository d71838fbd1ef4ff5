/*
 * Members: what a handle knows of one shard's replica behind each endpoint, and which of them leads
 * the shard. Times are those of clock_monotonic_ns. Owner: whoever holds the mutex of the handle.
 */
#ifndef POLLUX_CLIENT_MEMBER_H
#define POLLUX_CLIENT_MEMBER_H

#include "client/include/pollux.h"
#include "client/relay.h"
#include "wire/wire.h"

/*
 * Hellos of one search: the first ones a millisecond apart, then ever more rarely, up to
 * HELLO_QUICK_NS. A search that lasts longer is of a cluster in trouble. From then on the interval
 * is a share of the time that the search has taken: whoever leads again is found after at most an
 * eighth more of the time that nobody led.
 */
#define HELLO_FIRST_NS   (1000 * 1000)
#define HELLO_QUICK_NS   (20 * 1000 * 1000)
#define HELLO_SHARE      8
#define HELLO_MAX_NS     (1000 * 1000 * 1000)
#define HELLO_DOUBLINGS  4                    /* of the wait for one node that does not answer */
#define NONCE_AGE_MAX_NS (1000 * 1000 * 1000) /* and so the longest round trip to a node */
#define SILENCE_MAX      2 /* unanswered waits before another node becomes the preferred one */

struct pending_news;
struct shard_state;

struct member {
    uint16_t node;        /* 0: not known yet */
    uint64_t incarnation; /* 0: not known yet */
    bool is_formed;       /* it knows members of the shard, and so a cluster */
    uint32_t era;         /* of the shard, as it has told together with `is_formed` */
    uint64_t term;
    uint16_t leader;     /* as it said in its last answer; 0: it knows none */
    uint64_t leading_ns; /* when it last said that it leads with a quorum; 0: it does not */
    uint64_t greeted_ns;
    uint64_t heard_ns;           /* when it last answered, in this incarnation */
    uint64_t series;             /* of its relaxed writes; 0: not known */
    uint64_t series_now;         /* of those that it accepts in this incarnation */
    uint64_t journal_done_seq;   /* up to this none of them is pending... */
    uint64_t journal_done_index; /* ...and what was decided of them is applied at this index */
    bool has_relaxed;            /* it was sent relaxed writes, and may keep a session for them */
    uint64_t nonce;              /* of the hello that is unanswered; 0: none */
    uint64_t nonce_ns;
    uint64_t asked_ns;   /* since then relaxed operations wait for a word of it; 0: none does */
    uint32_t silence;    /* unanswered waits in a row */
    uint32_t unanswered; /* hellos in a row */
    struct member_way way;
};

/* The endpoint that leads the shard; -1: nobody is known to lead with a quorum, recently enough. */
int32_t leader_endpoint(const struct plx_client *client, const struct shard_state *shard);
/* Somebody waits for a leader of the shard: it is sought from now on. */
void leader_wanted(struct plx_client *client, struct shard_state *shard);
void leader_lost(struct plx_client *client, struct shard_state *shard, uint32_t endpoint,
                 uint16_t hint);
void leader_confirmed(struct plx_client *client, struct shard_state *shard, uint32_t endpoint);
/* Who answers there. */
void member_is_node(struct member *member, uint16_t node);
/* What a node says of its relaxed writes of the shard. */
void member_journal_done(struct plx_client *client, struct shard_state *shard, uint32_t endpoint,
                         const struct pending_news *news, uint64_t applied_index);
/* Its last hello is unanswered for so long that another one is due. */
bool member_is_late(struct plx_client *client, const struct member *member);
/* Whether that is the answer to its last hello. */
bool member_awaits(const struct shard_state *shard, uint32_t endpoint,
                   const struct wire_hello_reply *reply);
/* Whether a hello after so many without an answer is to be as large as its answer. */
bool hello_is_padded(const struct plx_client *client, uint32_t attempts);
/* Sends a hello. */
void member_greet(struct plx_client *client, struct shard_state *shard, uint32_t endpoint);
/* Greets the member on a node, unless that was done a moment ago. */
void member_ask(struct plx_client *client, struct shard_state *shard, uint16_t node);
/* A relaxed operation went there. */
void member_asked(const struct plx_client *client, struct shard_state *shard, uint32_t at);
/* It answered. */
void member_heard(struct shard_state *shard, uint32_t endpoint);
void member_hello_reply(struct plx_client *client, struct shard_state *shard, uint32_t endpoint,
                        const struct wire_hello_reply *reply);
/* The preferred node left something unanswered: after some such turns another is preferred. */
void preferred_turn(struct plx_client *client, struct shard_state *shard);
/* Hellos are sent until somebody leads, or tells the number of shards. */
bool member_is_sought(const struct plx_client *client, const struct shard_state *shard);
/* Sends the hellos that are due while a leader, or the number of shards, is sought. */
void members_turn(struct plx_client *client, struct shard_state *shard);

#endif
