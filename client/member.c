/*
 * Members of a shard: which node answers where, since when, and which of them leads. A write is
 * transmitted only to a node that said recently that it leads with a fresh quorum; so a call that
 * meets no leader has transmitted nothing, and its timeout is definite without asking anybody.
 *
 * Looking for a leader: the last one known is greeted first, then the endpoints that were given,
 * then the learned ones, too, at growing intervals.
 */
#include "client/client_internal.h"

/* A session is of a cluster, so nobody leads before the handle knows of which. */
int32_t leader_endpoint(const struct plx_client *client, const struct shard_state *shard)
{
    int32_t best = -1;
    for (uint32_t i = 0; i < client->reach_count && client->kept.number != 0; i++) {
        const struct member *member = &shard->members[i];
        if (member->leading_ns == 0 ||
            client->now_ns - member->leading_ns > client->options.leader_fresh_ns ||
            !member_counts(client, shard, i))
            continue;
        /* A deposed leader that does not know yet has a lower term. */
        if (best < 0 || member->term > shard->members[best].term)
            best = (int32_t)i;
    }
    return best;
}

static void seek_begin(const struct plx_client *client, struct shard_state *shard)
{
    shard->hello_due_ns = client->now_ns;
    shard->hello_interval_ns = HELLO_FIRST_NS;
    shard->hello_begin_ns = client->now_ns;
    shard->hello_rounds = 0;
}

void leader_wanted(struct plx_client *client, struct shard_state *shard)
{
    if (shard->needs_leader)
        return;
    shard->needs_leader = true;
    seek_begin(client, shard);
}

/* The number of shards is told by the members of shard 0. */
bool member_is_sought(const struct plx_client *client, const struct shard_state *shard)
{
    return shard->needs_leader || (client->is_shard_count_wanted && shard->number == 0);
}

void shard_count_wanted(struct plx_client *client)
{
    struct shard_state *shard = shard_at(client, 0);
    if (client->is_shard_count_wanted)
        return;
    client->is_shard_count_wanted = true;
    if (!shard->needs_leader)
        seek_begin(client, shard);
}

void leader_confirmed(struct plx_client *client, struct shard_state *shard, uint32_t endpoint)
{
    struct member *leader = &shard->members[endpoint];
    leader->leading_ns = client->now_ns;
    if (!member_counts(client, shard, endpoint))
        return;
    cluster_adopt(client, endpoint);
    if (client->kept.number == 0)
        return; /* its shard 0 has not formed */
    if (leader_endpoint(client, shard) == (int32_t)endpoint &&
        (shard->last_leader != (int32_t)endpoint || shard->last_leader_term < leader->term)) {
        shard->last_leader = (int32_t)endpoint;
        shard->last_leader_term = leader->term;
        client->statistics.leader_changes++;
        ops_redirect(client, shard);
    }
    if (shard->needs_leader) {
        shard->needs_leader = false;
        op_wake_at(client, client->now_ns);
    }
}

/* The node answers there; or the configuration says so, and nobody has answered yet. */
static bool is_at(const struct plx_client *client, const struct shard_state *shard, uint32_t at,
                  uint16_t node)
{
    uint16_t answered = shard->members[at].node;
    return answered == node || (answered == 0 && client->endpoints[at].node == node);
}

void leader_lost(struct plx_client *client, struct shard_state *shard, uint32_t endpoint,
                 uint16_t hint)
{
    shard->members[endpoint].leading_ns = 0;
    leader_wanted(client, shard);
    for (uint32_t i = 0; i < client->reach_count && hint != 0; i++) {
        bool is_late = client->now_ns - shard->members[i].greeted_ns >= HELLO_FIRST_NS;
        if (is_late && is_at(client, shard, i, hint) && endpoint_is_worth_it(client, shard, i))
            member_greet(client, shard, i);
    }
}

void member_is_node(struct member *member, uint16_t node)
{
    if (member->node != node) { /* another has said so, of another journal */
        member->series = 0;
        member->journal_done_seq = 0;
    }
    member->node = node;
}

void member_journal_done(struct plx_client *client, struct shard_state *shard, uint32_t at,
                         const struct pending_news *news, uint64_t applied_index)
{
    struct member *member = &shard->members[at];
    bool is_new = news->series != member->series;
    if (news->series == 0 || (!is_new && news->done_seq <= member->journal_done_seq &&
                              !pending_has_lost(shard, member->node)))
        return;
    if (is_new || news->done_seq > member->journal_done_seq) {
        member->journal_done_seq = news->done_seq;
        member->journal_done_index = applied_index;
    }
    member->series = news->series;
    /* It was applied there by now; at which index nobody says. */
    if (pending_done(client, shard, member->node, news) && shard->seen_index < applied_index) {
        shard->seen_index = applied_index;
        ops_bound_staleness(client, shard);
    }
}

bool member_is_late(struct plx_client *client, const struct member *member)
{
    uint32_t doublings = member->unanswered > SILENCE_MAX ? member->unanswered - SILENCE_MAX : 0;
    uint64_t wait_ns = (uint64_t)RTO_INITIAL_NS
                       << (doublings < HELLO_DOUBLINGS ? doublings : HELLO_DOUBLINGS);
    return client->now_ns - member->greeted_ns >= wait_ns;
}

/* A node of the release before knows short ones only. */
bool hello_is_padded(const struct plx_client *client, uint32_t attempts)
{
    return !client->seals.is_on && attempts % 2 == 0;
}

void member_greet(struct plx_client *client, struct shard_state *shard, uint32_t at)
{
    struct member *member = &shard->members[at];
    uint8_t body[WIRE_HELLO_REPLY_SIZE_BYTES];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    /* While it is unanswered the nonce stays, or a node slower than the hellos would never be
     * heard; it does not stay for long, so that an answer tells of a time not long ago. */
    if (member->nonce == 0 || client->now_ns - member->nonce_ns > NONCE_AGE_MAX_NS) {
        member->nonce = prng_next(&client->prng) | 1;
        member->nonce_ns = client->now_ns;
    }
    member->greeted_ns = client->now_ns;
    if (member->unanswered == 0)
        member->way.silent_ns = client->now_ns;
    endpoint_greeted(client, at);
    const struct wire_hello hello = {.nonce = member->nonce,
                                     .is_padded = hello_is_padded(client, member->unanswered)};
    wire_hello_encode(&writer, &hello);
    member->unanswered++;
    endpoint_missed(client, at, member->unanswered);
    client->statistics.hellos +=
        packet_send_all_ways(client, &(struct source){at, shard->number, 0}, WIRE_HELLO,
                             span_of(body, writer.size_bytes));
}

/* Whoever answers first is the preferred node that is sought: by the turn of another, an answer
 * that takes longer than a node is waited for would always have come too early or too late. */
void member_heard(struct shard_state *shard, uint32_t at)
{
    shard->members[at].asked_ns = 0;
    shard->members[at].silence = 0;
    shard->members[at].unanswered = 0;
    if (shard->is_preferred_sought)
        shard->preferred = at;
    shard->is_preferred_sought = false;
}

void member_asked(const struct plx_client *client, struct shard_state *shard, uint32_t at)
{
    if (shard->members[at].asked_ns == 0)
        shard->members[at].asked_ns = client->now_ns;
}

void member_ask(struct plx_client *client, struct shard_state *shard, uint16_t node)
{
    for (uint32_t i = 0; i < client->reach_count; i++) {
        bool is_late = client->now_ns - shard->members[i].greeted_ns >= PENDING_WAIT_NS;
        if (!is_late || !is_at(client, shard, i, node) || !endpoint_is_worth_it(client, shard, i))
            continue;
        pending_probe(client, shard, i);
        member_greet(client, shard, i);
    }
}

/* What a node of the handle's cluster says in its answer to a hello. */
static void member_tells(struct plx_client *client, struct shard_state *shard, uint32_t at,
                         const struct wire_hello_reply *reply)
{
    const struct pending_news news = {reply->series, reply->journal_done_seq,
                                      reply->is_series_alone};
    client->session_ttl_ns = reply->session_ttl_ns;
    shard_count_told(client, reply->shard_count);
    member_heard(shard, at);
    member_journal_done(client, shard, at, &news, reply->applied_index);
}

bool member_awaits(const struct shard_state *shard, uint32_t at,
                   const struct wire_hello_reply *reply)
{
    return reply->nonce != 0 && reply->nonce == shard->members[at].nonce;
}

void member_hello_reply(struct plx_client *client, struct shard_state *shard, uint32_t at,
                        const struct wire_hello_reply *reply)
{
    struct member *member = &shard->members[at];
    /* An answer to an older hello may tell of a node that is not any more. */
    if (!member_awaits(shard, at, reply)) {
        client->statistics.replies_late++;
        return;
    }
    if (reply->has_fresh_quorum || at == shard->preferred || shard->is_preferred_sought)
        round_trip_greeted(client, shard, member->nonce_ns);
    member->nonce = 0;
    member->unanswered = 0;
    endpoint_answered(client, at);
    member_is_node(member, reply->node);
    member->incarnation = reply->incarnation;
    paths_note_incarnation(client, at, reply->incarnation);
    member->series_now = reply->series;
    member->term = reply->term;
    member->leader = reply->leader;
    member->heard_ns = client->now_ns;
    cluster_told(client, shard, at, reply);
    if (member_counts(client, shard, at))
        member_tells(client, shard, at, reply);
    if (reply->has_fresh_quorum)
        leader_confirmed(client, shard, at);
    else
        member->leading_ns = 0;
    if (shard->number == 0 && member_counts(client, shard, at))
        roster_told(client, at, reply);
    if (shard->needs_leader)
        relay_seek(client, shard);
    op_wake_at(client, client->now_ns);
}

static void greet_from(struct plx_client *client, struct shard_state *shard, uint32_t first,
                       uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        if (endpoint_is_worth_it(client, shard, i))
            member_greet(client, shard, i);
    }
}

/* However many operations it left unanswered at a time, the preferred node was silent once. */
void preferred_turn(struct plx_client *client, struct shard_state *shard)
{
    struct member *preferred = &shard->members[shard->preferred];
    if (!shard->is_preferred_silent)
        return;
    shard->is_preferred_silent = false;
    if (++preferred->silence < SILENCE_MAX || client->options.preferred_endpoint >= 0)
        return;
    preferred->silence = 0;
    shard->preferred = (shard->preferred + 1) % client->endpoint_count;
    shard->is_preferred_sought = true;
    /* The given ones have their turns. */
    greet_from(client, shard, client->endpoint_count, client->reach_count);
}

static uint64_t hello_interval_next(const struct plx_client *client,
                                    const struct shard_state *shard)
{
    uint64_t interval_ns = shard->hello_interval_ns;
    uint64_t share_ns = (client->now_ns - shard->hello_begin_ns) / HELLO_SHARE;
    if (shard->hello_rounds > 1 && interval_ns < HELLO_QUICK_NS)
        return 2 * interval_ns;
    if (interval_ns < share_ns)
        interval_ns = share_ns;
    return interval_ns < HELLO_MAX_NS ? interval_ns : HELLO_MAX_NS;
}

void members_turn(struct plx_client *client, struct shard_state *shard)
{
    if (!member_is_sought(client, shard) || client->now_ns < shard->hello_due_ns)
        return;
    if (shard->hello_rounds == 0 && shard->last_leader >= 0 &&
        endpoint_is_worth_it(client, shard, (uint32_t)shard->last_leader)) {
        member_greet(client, shard, (uint32_t)shard->last_leader);
    } else {
        bool is_early = shard->hello_rounds <= 1; /* those that were given first */
        greet_from(client, shard, 0, is_early ? client->endpoint_count : client->reach_count);
    }
    relay_seek(client, shard);
    shard->hello_rounds++;
    uint64_t jitter = prng_range(&client->prng, 0, shard->hello_interval_ns / 4);
    shard->hello_due_ns = client->now_ns + shard->hello_interval_ns + jitter;
    shard->hello_interval_ns = hello_interval_next(client, shard);
}
