/*
 * The roster: where the members of the cluster are, as the configuration says. The endpoints that
 * the handle was given are found first and never forgotten; behind them are places for endpoints
 * that it has learned, so that it goes on when nodes were added, moved, or replaced one by one.
 *
 * A node's answer to a hello tells the index of its configuration. If that is committed, and newer
 * than what the handle knows, the handle asks the node for the members, once.
 *
 * A handle that keeps to no cluster yet learns from whoever answers: perhaps none of the endpoints
 * that it was given leads a shard, and the leader is known to them alone. What it learned of a
 * cluster that is not to be its own is forgotten.
 *
 * A learned address may be of no use here: nodes may reach one another where clients do not. So it
 * is greeted only where no given endpoint has lately answered for the same node, ever more rarely
 * as long as it does not answer, and nothing waits for it.
 *
 * Owner: whoever holds the mutex of the handle.
 */
#ifndef POLLUX_CLIENT_ROSTER_H
#define POLLUX_CLIENT_ROSTER_H

#include "base/limits.h"
#include "client/packet.h"

#define HEARD_NS      UINT64_C(1000000000) /* an endpoint that answered since is good */
#define LEARNED_MAX   12
#define ENDPOINTS_MAX (PLX_ENDPOINTS_MAX + LEARNED_MAX)
static_assert(LEARNED_MAX > NODES_MAX + 2,
              "all members but those that leave, and one to take over");
static_assert(ENDPOINTS_MAX <= UINT8_MAX, "a packet names its endpoint in 8 bits");

struct shard_state;

struct roster {
    bool is_off;       /* nothing is learned */
    uint64_t cluster;  /* whose members are known; 0: none */
    uint32_t era;      /* that `index` is of */
    uint64_t index;    /* of the configuration whose members are known; 0: of none */
    uint64_t asked;    /* index of the one that was asked for */
    uint64_t asked_ns; /* when */
    uint64_t number;   /* of that question; 0: it is answered */
    uint32_t endpoint; /* that was asked */
    uint32_t next;     /* endpoint to greet next while a leader is sought */
    uint64_t due_ns;   /* when a node is greeted next, to hear of another configuration */
};

/* A node that counts has answered a hello of shard 0. */
void roster_told(struct plx_client *client, uint32_t endpoint,
                 const struct wire_hello_reply *reply);
/* False: nobody has asked for that. */
bool roster_takes(struct plx_client *client, const struct source *from,
                  const struct wire_members *members);
/* While operations are under way: hears now and then whether there is another configuration. */
void roster_turn(struct plx_client *client);

/* Whether to greet what is behind the endpoint when somebody is sought. */
bool endpoint_is_worth_it(const struct plx_client *client, const struct shard_state *shard,
                          uint32_t endpoint);
/* It was greeted; it has answered. */
void endpoint_greeted(struct plx_client *client, uint32_t endpoint);
void endpoint_answered(struct plx_client *client, uint32_t endpoint);

#endif
