/*
 * Which cluster a handle keeps to. Two clusters can have one name, and a list of endpoints can name
 * nodes of both: what one of them says is nothing to the other.
 *
 * The number of a cluster is the one that its shard 0 drew when it formed. The handle adopts the
 * number of the node that it first finds leading a shard with a quorum, and from then on counts
 * only nodes of that cluster. An era that is higher than the handle's is adopted, too; a node of a
 * lower one does not count.
 *
 * No leader counts before the handle has a number: sessions and tokens are of a cluster.
 *
 * A node tells its number in the answer to a hello for shard 0. What it says of another shard
 * counts when it says it in the same incarnation.
 *
 * Owner: whoever holds the mutex of the handle.
 */
#ifndef POLLUX_CLIENT_CLUSTER_H
#define POLLUX_CLIENT_CLUSTER_H

#include "client/include/pollux.h"
#include "wire/wire.h"

struct shard_state;

struct cluster {
    uint64_t number; /* 0: not known */
    uint32_t era;
};

/* Whether the one may be the other: of one number, and not of an era before what is kept. */
bool cluster_fits(const struct cluster *kept, const struct cluster *theirs);
/* Whether what the node behind the endpoint says of the shard counts: it is of the handle's cluster
 * and era, or either does not know its own. */
bool member_counts(const struct plx_client *client, const struct shard_state *shard,
                   uint32_t endpoint);
/* Whether its answer to a read does. A node that belonged to no cluster when it was greeted, and
 * has applied something since, belongs to one: it is to say to which. */
bool member_answers(const struct plx_client *client, const struct shard_state *shard, uint32_t at,
                    const struct wire_reply *reply);
/* Whether it has answered, and is of another cluster or of an earlier era. */
bool member_is_stranger(const struct plx_client *client, const struct shard_state *shard,
                        uint32_t endpoint);
/* A node has answered a hello: what it says of its cluster. Asks shard 0 where that must tell. */
void cluster_told(struct plx_client *client, struct shard_state *shard, uint32_t endpoint,
                  const struct wire_hello_reply *reply);
/* The node leads a shard with a quorum, and counts: its cluster is the handle's from now on. */
void cluster_adopt(struct plx_client *client, uint32_t endpoint);
/*
 * Waits until the handle knows its cluster, at most until `until_ns` or plx_cancel. PLX_OK: the
 * token can be resolved. PLX_UNKNOWN: there was no leader in time. PLX_E_ARGUMENT: it is of another
 * cluster. PLX_E_SESSION_EXPIRED: it is of an era that is over, as its session is.
 */
enum plx_outcome cluster_check_token(struct plx_client *client, const struct plx_token *token,
                                     uint64_t until_ns, uint32_t epoch);

#endif
