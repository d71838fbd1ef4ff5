/*
 * Relays: a node that the handle cannot reach, and whom others name as the leader of a shard, is
 * reached by way of one of those others (wire/wire_relay.h). Whatever the handle then sends to that
 * node about the shard takes that way.
 *
 * The direct way comes first, always. Another one is looked for only while a leader is sought, and
 * only when several hellos in a row, over RELAY_AFTER_NS at least, brought no answer. Each way gets
 * as many, one after the other: each node that names the leader, then the direct way again. The one
 * that is answered stays in use: later calls look for none.
 *
 * While a node is reached by way of another one, and calls are under way, the direct way is tried
 * now and then, ever more rarely. An answer that comes directly ends the relay.
 *
 * Owner: whoever holds the mutex of the handle.
 */
#ifndef POLLUX_CLIENT_RELAY_H
#define POLLUX_CLIENT_RELAY_H

#include "client/packet.h"

#define RELAY_MISSES   3u
#define RELAY_AFTER_NS UINT64_C(20000000)
/* So long the word of a node counts: longer than the time between two hellos of a long search. */
#define RELAY_HEARD_NS  UINT64_C(3000000000)
#define DIRECT_FIRST_NS UINT64_C(500000000) /* until the direct way is tried, each time doubled */
#define DIRECT_MAX_NS   UINT64_C(8000000000)

struct shard_state;

/* The way to a member. */
struct member_way {
    uint8_t relay;          /* endpoint, and one, that relays; 0: the way is direct */
    uint32_t relays;        /* those that did: answers may still come from there. A bit each */
    uint64_t silent_ns;     /* when the first of the hellos left that are unanswered */
    uint64_t direct_due_ns; /* when the direct way is tried */
    uint64_t direct_wait_ns;
    uint64_t direct_nonce; /* of the last try; 0: none */
};

/* The endpoint, and one, by way of which the node is reached about the shard; 0: directly. */
uint8_t relay_of(const struct plx_client *client, uint32_t endpoint, uint16_t shard);

/* Whose packet that is which came from the address of an endpoint: that of the endpoint's node, or
 * one that it has relayed. */
struct source relay_source(struct plx_client *client, uint32_t endpoint, uint16_t shard,
                           struct span packet);

/* While a leader is sought: tries another way to the node that leads, where it is time. */
void relay_seek(struct plx_client *client, struct shard_state *shard);
/* The node is about to be greeted about the shard, too, unless it has answered lately: by way of
 * whom it is reached about the other one. */
void relay_align(struct plx_client *client, struct shard_state *shard,
                 const struct shard_state *other, uint32_t endpoint);
/* Tries the direct way where it is time. */
void relays_turn(struct plx_client *client, struct shard_state *shard);
/* Whether that is the nonce of such a try. */
bool relay_awaits(const struct shard_state *shard, const struct source *from, uint64_t nonce);
/* Something that was asked for came from there: that way works, though it may be so long that
 * another one was tried meanwhile. */
void relay_heard(struct plx_client *client, const struct source *from);

/* Puts the packet into one for its relay, if it has one. False: it is not to be sent. */
bool relay_wrap(struct plx_client *client, struct packet_out *packet);

#endif
