/* See client/roster.h. */
#include "client/client_internal.h"
#include "client/include/pollux_cluster.h"

#define MILLISECOND_NS UINT64_C(1000000)
#define REFRESH_NS     (2000 * MILLISECOND_NS)
#define SOUGHT_NS      (20 * MILLISECOND_NS) /* the same, while a leader is sought */
#define AGAIN_NS       (20 * MILLISECOND_NS) /* before a question is repeated */
#define BACKOFF_NS     (2 * MILLISECOND_NS)
#define BACKOFF_MISSES 11 /* doublings */

/* ---- learned endpoints ---- */

static bool is_learned(const struct plx_client *client, uint32_t at)
{
    return at >= client->endpoint_count;
}

/* A given endpoint has lately answered for the node. */
static bool is_found_elsewhere(const struct plx_client *client, const struct shard_state *shard,
                               uint16_t node)
{
    for (uint32_t i = 0; i < client->endpoint_count; i++) {
        const struct member *member = &shard->members[i];
        if (member->node == node && member->heard_ns != 0 &&
            client->now_ns - member->heard_ns <= HEARD_NS && member_counts(client, shard, i))
            return true;
    }
    return false;
}

bool endpoint_is_worth_it(const struct plx_client *client, const struct shard_state *shard,
                          uint32_t at)
{
    const struct endpoint *endpoint = &client->endpoints[at];
    if (!is_learned(client, at))
        return true;
    /* The members are those of shard 0. A node leaves the other shards after it. */
    bool is_member = endpoint->is_member || shard->number != 0;
    return is_member && !client->roster.is_off && client->now_ns >= endpoint->due_ns &&
           !is_found_elsewhere(client, shard, endpoint->node);
}

void endpoint_greeted(struct plx_client *client, uint32_t at)
{
    struct endpoint *endpoint = &client->endpoints[at];
    if (!is_learned(client, at))
        return;
    endpoint->due_ns = client->now_ns + (BACKOFF_NS << endpoint->misses);
    if (endpoint->misses < BACKOFF_MISSES)
        endpoint->misses++;
}

void endpoint_answered(struct plx_client *client, uint32_t at)
{
    client->endpoints[at].misses = 0;
    client->endpoints[at].due_ns = 0;
}

/* Something waits for an answer from there, or for the next piece to go there. */
static bool is_busy(const struct plx_client *client, uint32_t at)
{
    for (uint32_t i = 0; i < client->active_count; i++) {
        const struct op *op = &client->ops[client->active[i]];
        if (op->endpoint == (int32_t)at && op->unanswered > 0)
            return true;
    }
    for (uint32_t i = 0; i < LARGE_SENDS_MAX; i++) {
        if (client->large[i].op != OP_NONE && client->large[i].endpoint == at)
            return true;
    }
    return client->exchange.is_active && client->exchange.asked.endpoint == at;
}

/* A place for an address more; ENDPOINTS_MAX: there is none. */
static uint32_t place_find(const struct plx_client *client)
{
    if (client->reach_count < client->endpoint_count + LEARNED_MAX)
        return client->reach_count;
    for (uint32_t at = client->endpoint_count; at < client->reach_count; at++) {
        if (!client->endpoints[at].is_member && !is_busy(client, at))
            return at;
    }
    return ENDPOINTS_MAX;
}

/* Whoever was there is forgotten in every shard. */
static void place_empty(struct plx_client *client, uint32_t at)
{
    for (uint32_t i = 0; i < client->open_count; i++) {
        struct shard_state *shard = shard_at(client, i);
        shard->members[at] = (struct member){.node = 0};
        if (shard->last_leader == (int32_t)at)
            shard->last_leader = -1;
        if (shard->preferred == at)
            shard->preferred = 0;
    }
    if (client->reach_count <= at)
        client->reach_count = at + 1;
}

/* False: there is no place for it now. */
static bool address_learn(struct plx_client *client, const struct wire_member *member)
{
    int32_t known = endpoint_find(client, &member->address, 0);
    if (known < 0) {
        uint32_t at = place_find(client);
        if (at == ENDPOINTS_MAX)
            return false;
        place_empty(client, at);
        client->endpoints[at] = (struct endpoint){.address = member->address};
        known = (int32_t)at;
    }
    client->endpoints[known].node = member->node;
    client->endpoints[known].is_member = true;
    return true;
}

/* Whether it stays, and the handle's socket can reach such an address in every shard. */
static bool is_of_use(const struct plx_client *client, const struct wire_member *member)
{
    const struct address *address = &member->address;
    return member->membership != WIRE_OUTGOING && address->port != 0 &&
           address->port + client->shard_count <= UINT16_MAX &&
           (client->is_ipv6 || address_is_ipv4(address));
}

bool roster_takes(struct plx_client *client, const struct source *from,
                  const struct wire_members *members)
{
    struct roster *roster = &client->roster;
    if (roster->number == 0 || members->number != roster->number || from->shard != 0 ||
        from->endpoint != roster->endpoint)
        return false;
    roster->number = 0;
    /* A later one need not be committed. The next answer to a hello tells when it is. */
    if (members->configuration_index != roster->asked ||
        !member_counts(client, shard_at(client, 0), from->endpoint))
        return true;
    for (uint32_t at = client->endpoint_count; at < client->reach_count; at++)
        client->endpoints[at].is_member = false;
    bool is_whole = true;
    for (uint32_t i = 0; i < members->member_count; i++) {
        if (is_of_use(client, &members->members[i]))
            is_whole = address_learn(client, &members->members[i]) && is_whole;
    }
    if (is_whole)
        roster->index = roster->asked;
    return true;
}

/* ---- hearing of a configuration ---- */

static void roster_ask(struct plx_client *client, uint32_t at, uint64_t index)
{
    struct roster *roster = &client->roster;
    uint8_t body[WIRE_MEMBERS_ASK_BYTES_MAX];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    roster->number = prng_next(&client->prng) | 1;
    roster->asked = index;
    roster->asked_ns = client->now_ns;
    roster->endpoint = at;
    wire_members_ask_encode(&writer, roster->number);
    packet_send(client, &(struct source){at, 0, 0}, WIRE_MEMBERS,
                span_of(writer.data, writer.size_bytes));
}

/* Nothing is known of the cluster, or of this era of it. */
static void roster_begin(struct plx_client *client, const struct cluster *cluster)
{
    struct roster *roster = &client->roster;
    for (uint32_t at = client->endpoint_count; at < client->reach_count; at++)
        client->endpoints[at].is_member &= roster->cluster == cluster->number;
    *roster =
        (struct roster){.cluster = cluster->number, .era = cluster->era, .next = roster->next};
}

void roster_told(struct plx_client *client, uint32_t at, const struct wire_hello_reply *reply)
{
    struct roster *roster = &client->roster;
    const struct cluster *kept = &client->kept;
    if (roster->is_off || reply->cluster == 0 ||
        (kept->number != 0 && (reply->cluster != kept->number || reply->era != kept->era)))
        return;
    if (roster->cluster != reply->cluster || roster->era != reply->era) /* another log's indexes */
        roster_begin(client, &(struct cluster){reply->cluster, reply->era});
    roster->due_ns = client->now_ns + REFRESH_NS;
    bool is_new = reply->configuration_index > roster->index &&
                  reply->configuration_index <= reply->commit_index;
    if (!is_new)
        return;
    uint64_t asked_ago_ns = client->now_ns - roster->asked_ns;
    bool is_answered = roster->number == 0;
    if (is_answered && roster->asked == reply->configuration_index && asked_ago_ns < REFRESH_NS)
        return; /* that answer was of no use, or some of its members found no place: not so soon */
    if (is_answered || asked_ago_ns >= AGAIN_NS)
        roster_ask(client, at, reply->configuration_index);
    roster->due_ns = client->now_ns + AGAIN_NS;
}

/* Who leads a shard that the handle uses; else who gets its relaxed calls. */
static uint32_t somebody(const struct plx_client *client)
{
    for (uint32_t i = 0; i < client->open_count; i++) {
        int32_t leader = leader_endpoint(client, shard_at(client, i));
        if (leader >= 0)
            return (uint32_t)leader;
    }
    return shard_at(client, 0)->preferred;
}

/* A leader is sought, but not of shard 0, whose members would be greeted for that: how often they
 * are greeted instead. 0: none is. */
static uint64_t sought_elsewhere_ns(const struct plx_client *client)
{
    uint64_t interval_ns = 0;
    for (uint32_t i = 1; i < client->open_count; i++) {
        const struct shard_state *shard = shard_at(client, i);
        if (shard->needs_leader)
            interval_ns =
                SOUGHT_NS > shard->hello_interval_ns ? SOUGHT_NS : shard->hello_interval_ns;
    }
    return shard_at(client, 0)->needs_leader ? 0 : interval_ns;
}

void roster_turn(struct plx_client *client)
{
    struct roster *roster = &client->roster;
    if (roster->is_off || client->active_count == 0 || client->now_ns < roster->due_ns)
        return;
    uint64_t sought_ns = sought_elsewhere_ns(client);
    roster->due_ns = client->now_ns + (sought_ns != 0 ? sought_ns : REFRESH_NS);
    uint32_t at = sought_ns != 0 ? roster->next++ % client->reach_count : somebody(client);
    if (endpoint_is_worth_it(client, shard_at(client, 0), at))
        member_greet(client, shard_at(client, 0), at);
}

/* ---- for programs ---- */

void plx_learn(struct plx_client *client, bool is_wanted)
{
    if (client_enter(client) != PLX_OK)
        return;
    client->roster.is_off = !is_wanted;
    client_unlock(client);
}

size_t plx_learned_count(struct plx_client *client)
{
    size_t count = 0;
    if (client_enter(client) != PLX_OK)
        return 0;
    for (uint32_t at = client->endpoint_count; at < client->reach_count; at++)
        count += client->endpoints[at].is_member;
    client_unlock(client);
    return count;
}
