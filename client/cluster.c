/* See client/cluster.h. */
#include "client/client_internal.h"
#include "client/include/pollux_cluster.h"

bool cluster_fits(const struct cluster *kept, const struct cluster *theirs)
{
    return kept->number == 0 || theirs->number == 0 ||
           (kept->number == theirs->number && kept->era <= theirs->era);
}

/* Whether the endpoint's node has told its cluster in the incarnation in which it told the rest. */
static bool is_told(const struct plx_client *client, const struct member *member, uint32_t at)
{
    return client->endpoints[at].incarnation == member->incarnation;
}

/* Shard 0 names the cluster of the node. Of which era it is each shard tells: one may have heard of
 * a rescue that another has not heard of. */
static bool member_fits(const struct plx_client *client, const struct member *member, uint32_t at)
{
    return cluster_fits(&client->kept, &client->endpoints[at].cluster) &&
           (!member->is_formed || member->era >= client->kept.era);
}

bool member_counts(const struct plx_client *client, const struct shard_state *shard, uint32_t at)
{
    const struct member *member = &shard->members[at];
    if (is_told(client, member, at))
        return member_fits(client, member, at);
    return !member->is_formed;
}

bool member_answers(const struct plx_client *client, const struct shard_state *shard, uint32_t at,
                    const struct wire_reply *reply)
{
    const struct member *member = &shard->members[at];
    bool has_formed_since =
        !member->is_formed && client->kept.number != 0 && reply->applied_index > 0;
    return reply->incarnation == member->incarnation && member_counts(client, shard, at) &&
           !has_formed_since;
}

bool member_is_stranger(const struct plx_client *client, const struct shard_state *shard,
                        uint32_t at)
{
    const struct member *member = &shard->members[at];
    return is_told(client, member, at) && !member_fits(client, member, at);
}

/* The cluster was put together anew: what its former nodes knew of the handle's sessions is gone
 * with them, and their numbers may be somebody else's by now. */
static void cluster_raise(struct plx_client *client, uint32_t era)
{
    for (uint32_t i = 0; i < client->open_count; i++) {
        struct shard_state *shard = shard_at(client, i);
        shard->seen_index = 0; /* it may be lost, and the new era have another record there */
        for (uint32_t at = 0; at < SESSIONS_MAX; at++) {
            if (shard->sessions[at].id != 0)
                session_expired(shard, shard->sessions[at].id);
        }
    }
    ops_unbind_staleness(client);
    /* Backwards: an operation that ends is replaced by the last one. */
    for (uint32_t i = client->active_count; i-- > 0;) {
        struct op *op = &client->ops[client->active[i]];
        if (op->class == CLASS_WRITE && op->session != 0 && op->shard != NULL)
            write_without_session(client, op, false);
    }
    client->kept.era = era; /* the tokens of what has ended are of the era before */
}

static void told_by_shard_0(struct plx_client *client, uint32_t at,
                            const struct wire_hello_reply *reply)
{
    struct endpoint *endpoint = &client->endpoints[at];
    endpoint->incarnation = reply->incarnation;
    endpoint->cluster = (struct cluster){.number = reply->cluster, .era = reply->era};
    if (client->kept.number != 0 && client->kept.number == reply->cluster &&
        client->kept.era < reply->era)
        cluster_raise(client, reply->era);
    for (uint32_t i = 0; i < client->open_count; i++) {
        struct shard_state *shard = shard_at(client, i);
        const struct member *member = &shard->members[at];
        if (shard->number != 0 && member->leading_ns != 0 && member_counts(client, shard, at))
            leader_confirmed(client, shard, at);
    }
}

void cluster_told(struct plx_client *client, struct shard_state *shard, uint32_t at,
                  const struct wire_hello_reply *reply)
{
    const struct endpoint *endpoint = &client->endpoints[at];
    struct shard_state *first = shard_at(client, 0);
    shard->members[at].is_formed = reply->cluster != 0;
    shard->members[at].era = reply->era;
    if (shard->number == 0)
        told_by_shard_0(client, at, reply);
    else if (reply->cluster != 0 &&
             (endpoint->incarnation != reply->incarnation || endpoint->cluster.number == 0) &&
             client->now_ns - first->members[at].greeted_ns >= HELLO_FIRST_NS) {
        relay_align(client, first, shard, at);
        member_greet(client, first, at);
    }
    client->statistics.strangers += member_is_stranger(client, shard, at);
}

void cluster_adopt(struct plx_client *client, uint32_t at)
{
    if (client->kept.number == 0)
        client->kept = client->endpoints[at].cluster;
}

/* A turn may bring what was waited for, and nothing else would end the wait then. */
static void await_cluster(struct plx_client *client, const struct plx_token *token,
                          uint64_t until_ns)
{
    bool had_count = client->shard_count != 0;
    if (!had_count)
        shard_count_wanted(client);
    else
        leader_wanted(client, shard_open(client, token->shard));
    client_turn(client);
    bool has_news = client->kept.number != 0 || had_count != (client->shard_count != 0);
    if (!has_news)
        client_wait(client, until_ns);
}

enum plx_outcome cluster_check_token(struct plx_client *client, const struct plx_token *token,
                                     uint64_t until_ns, uint32_t epoch)
{
    client->now_ns = clock_monotonic_ns();
    while (client->kept.number == 0 && token->cluster != 0) {
        if (client->now_ns >= until_ns || is_cancelled_since(client, epoch))
            return PLX_UNKNOWN;
        if (client->shard_count != 0 && !shard_is_possible(client, token->shard))
            return PLX_E_ARGUMENT;
        await_cluster(client, token, until_ns);
    }
    if (token->cluster != client->kept.number)
        return PLX_E_ARGUMENT;
    if (token->era > client->kept.era)
        cluster_raise(client, token->era);
    return token->era < client->kept.era ? PLX_E_SESSION_EXPIRED : PLX_OK;
}

void plx_cluster(struct plx_client *client, struct plx_cluster *ret_cluster)
{
    *ret_cluster = (struct plx_cluster){.number = 0};
    if (client_enter(client) != PLX_OK)
        return;
    *ret_cluster = (struct plx_cluster){.number = client->kept.number, .era = client->kept.era};
    client_unlock(client);
}

bool plx_endpoint_is_stranger(struct plx_client *client, size_t endpoint,
                              struct plx_cluster *ret_cluster)
{
    *ret_cluster = (struct plx_cluster){.number = 0};
    if (client_enter(client) != PLX_OK)
        return false;
    bool is_stranger = endpoint < client->endpoint_count &&
                       !cluster_fits(&client->kept, &client->endpoints[endpoint].cluster);
    if (is_stranger)
        *ret_cluster = (struct plx_cluster){.number = client->endpoints[endpoint].cluster.number,
                                            .era = client->endpoints[endpoint].cluster.era};
    client_unlock(client);
    return is_stranger;
}
