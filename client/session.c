/*
 * Sessions of a shard: opened when its first write needs one, renewed while a seq of it is open,
 * given back at the end. A seq is open while its operation is in flight or its token outstanding.
 *
 * A session without open seqs is idle, and is left to expire. The nodes do not know that the last
 * outcome has arrived, so they are told, by packets that nobody answers. This happens in the turn
 * in which the last open seq ends, because nobody may call the handle again: it has no thread. All
 * nodes are told, because the leader may not live to write it down.
 *
 * What is given back is answered, and sent again until then.
 *
 * Where the session may have expired, the next write gives it back and opens another: a write that
 * is repeated under an expired session may end as unknown.
 *
 * The floor tells the nodes which outcomes nobody will ask for any more. It never passes an open
 * seq: when seqs with tokens fill the window the session is retired (kept alive for its tokens
 * alone) and the next write opens another.
 */
#include "client/client_internal.h"

static bool seq_is_finished(const struct session *session, uint64_t seq)
{
    uint64_t bit = seq % SESSION_WINDOW;
    return (session->is_finished[bit / 64] >> (bit % 64) & 1) != 0;
}

static void seq_set_finished(struct session *session, uint64_t seq, bool value)
{
    uint64_t bit = seq % SESSION_WINDOW;
    uint64_t mask = UINT64_C(1) << (bit % 64);
    if (value)
        session->is_finished[bit / 64] |= mask;
    else
        session->is_finished[bit / 64] &= ~mask;
}

struct session *session_current(struct shard_state *shard)
{
    return &shard->sessions[0];
}

struct session *session_find(struct shard_state *shard, uint64_t id)
{
    for (uint32_t i = 0; i < SESSIONS_MAX && id != 0; i++) {
        if (shard->sessions[i].id == id)
            return &shard->sessions[i];
    }
    return NULL;
}

uint64_t session_floor(struct shard_state *shard, uint64_t id, uint64_t seq_highest)
{
    const struct session *session = session_find(shard, id);
    if (session != NULL)
        return session->floor;
    return seq_highest >= SESSION_WINDOW ? seq_highest - (SESSION_WINDOW - 1) : 0;
}

/* Moves the session in use to the retired ones, where it lives as long as its tokens. */
static void session_retire(struct shard_state *shard)
{
    /* A free place, whose id is 0, or that of the oldest: ids rise. One that is given back waits
     * for its answer there, too. */
    struct session *target = &shard->sessions[1];
    for (uint32_t i = 2; i < SESSIONS_MAX; i++) {
        if (shard->sessions[i].id < target->id)
            target = &shard->sessions[i];
    }
    struct session *current = session_current(shard);
    if (current->pins > 0 || current->is_ending)
        *target = *current;
    *current = (struct session){.id = 0};
}

uint64_t session_renewal_ns(const struct plx_client *client)
{
    uint64_t third_ns = client->session_ttl_ns / 3;
    uint64_t wanted_ns = client->options.keep_alive_ns;
    return wanted_ns != 0 && wanted_ns < third_ns ? wanted_ns : third_ns;
}

static bool session_is_open(const struct session *session)
{
    return session->next_seq > session->floor;
}

/* Half of an idle session's life remains for the first operation after a pause, and its
 * repetitions. Nothing of the session is in flight, so no request can follow the end of it. */
static void session_end_stale(struct plx_client *client, struct shard_state *shard)
{
    struct session *session = session_current(shard);
    if (session->id == 0 || session_is_open(session) ||
        client->now_ns - session->active_ns < session_idle_ns(client->session_ttl_ns) / 2)
        return;
    session_give_back(client, shard);
    session_retire(shard);
}

/* True when the session takes no more operations. */
static bool session_is_spent(const struct session *session)
{
    if (session->id == 0)
        return false;
    return session->next_seq - session->floor >= SESSION_WINDOW ||
           session->next_seq - session->reached_seq >= SESSION_SEQS_AHEAD_MAX;
}

bool session_assign(struct plx_client *client, struct op *op)
{
    struct shard_state *shard = op->shard;
    struct session *session = session_current(shard);
    if (op->session != 0)
        return true;
    session_end_stale(client, shard);
    if (session_is_spent(session)) {
        if (session->pins == 0 && session_is_open(session))
            return false; /* operations in flight hold it: they end */
        if (session->pins == 0)
            session_give_back(client, shard);
        session_retire(shard);
    }
    if (session->id == 0) {
        session->is_wanted = true;
        return false;
    }
    op->session = session->id;
    op->seq = session->next_seq++;
    session->is_told = false;
    session->told_again = 0;
    seq_set_finished(session, op->seq, false);
    return true;
}

bool session_is_refused(const struct plx_client *client, const struct shard_state *shard)
{
    return client->now_ns < shard->sessions[0].full_until_ns;
}

void session_finish_seq(struct plx_client *client, struct shard_state *shard, uint64_t id,
                        uint64_t seq)
{
    struct session *session = session_find(shard, id);
    if (session == NULL || seq < session->floor || seq >= session->next_seq)
        return;
    seq_set_finished(session, seq, true);
    while (session->floor < session->next_seq && seq_is_finished(session, session->floor))
        session->floor++;
    op_wake_at(client, client->now_ns); /* somebody may have waited for room in the window */
}

void session_pin(struct shard_state *shard, uint64_t id)
{
    struct session *session = session_find(shard, id);
    if (session != NULL)
        session->pins++;
}

void plx_forget(struct plx_client *client, const struct plx_token *token)
{
    if (token == NULL || client_enter(client) != PLX_OK)
        return;
    struct shard_state *shard = shard_find(client, token->shard);
    struct session *session = shard == NULL ? NULL : session_find(shard, token->session);
    if (session != NULL && token->cluster_id == client->cluster_id &&
        token->cluster == client->kept.number && session->pins > 0 &&
        token->seq >= session->floor && token->seq < session->next_seq &&
        !seq_is_finished(session, token->seq)) {
        session->pins--;
        session_finish_seq(client, shard, token->session, token->seq);
    }
    client_unlock(client);
}

void session_expired(struct shard_state *shard, uint64_t id)
{
    struct session *session = session_find(shard, id);
    if (session != NULL)
        *session = (struct session){.is_wanted = session->is_wanted};
}

void session_answered(struct session *session, uint64_t sent_ns)
{
    if (session->active_ns < sent_ns)
        session->active_ns = sent_ns;
}

void session_reached(struct session *session, const struct wire_reply_op *op)
{
    bool is_known = op->outcome != WIRE_OUTCOME_NO_SESSION && op->outcome != WIRE_OUTCOME_WINDOW;
    if (is_known && op->seq > session->reached_seq && op->seq < session->next_seq)
        session->reached_seq = op->seq;
}

/* Whoever leads, or led when that was last heard of; -1: nobody is known. */
static int32_t session_endpoint(const struct plx_client *client, const struct shard_state *shard)
{
    int32_t leader = leader_endpoint(client, shard);
    if (leader >= 0)
        return leader;
    bool is_known = shard->last_leader >= 0 &&
                    shard->members[shard->last_leader].incarnation != 0 &&
                    member_counts(client, shard, (uint32_t)shard->last_leader);
    return is_known ? shard->last_leader : -1;
}

void session_packet_send(struct plx_client *client, const struct source *to,
                         const struct session_packet *packet, const struct wire_op *op)
{
    uint8_t request[128];
    uint8_t body[256];
    struct wire_writer writer = {.data = request, .capacity_bytes = sizeof(request)};
    wire_request_begin(&writer, packet->session, packet->floor);
    wire_request_add(&writer, op);
    CHECK(!writer.is_overflow);
    struct wire_write write = {
        .packet_number = packet->number,
        .incarnation = client->shards[to->shard].members[to->endpoint].incarnation,
        .is_relaxed = packet->is_relaxed,
        .request = span_of(request, writer.size_bytes),
    };
    writer = (struct wire_writer){.data = body, .capacity_bytes = sizeof(body)};
    wire_write_encode(&writer, &write);
    packet_send(client, to, WIRE_WRITE, span_of(body, writer.size_bytes));
}

static void session_send_op(struct plx_client *client, const struct source *to, uint64_t number,
                            const struct session *session, const struct wire_op *op)
{
    session_packet_send(client, to,
                        &(struct session_packet){number, session->id, session->floor, false}, op);
}

/* Sends one operation on a session itself; its reply comes to session_replied. */
static void session_send(struct plx_client *client, struct shard_state *shard,
                         struct session *session, const struct wire_op *op)
{
    int32_t leader = session_endpoint(client, shard);
    CHECK(leader >= 0);
    struct transmission *transmission = transmission_new(client, shard, (uint32_t)leader);
    transmission->kind = TRANSMISSION_SESSION;
    transmission->session = session->id;
    session_send_op(client, &(struct source){(uint32_t)leader, shard->number, 0},
                    transmission->number, session, op);
    transmission->message_id = client->message_id;
    session->due_ns =
        client->now_ns + round_trip_timeout_ns(client, shard, false, session->attempts++);
}

static void session_opened(struct plx_client *client, struct shard_state *shard,
                           const struct wire_reply_op *op, uint64_t sent_ns)
{
    struct session *session = session_current(shard);
    if (session->id != 0 || op->seq != session->nonce || op->version == 0)
        return;
    uint64_t first_seq = wire_first_seq(session->nonce);
    *session = (struct session){.id = op->version,
                                .first_seq = first_seq,
                                .next_seq = first_seq,
                                .floor = first_seq,
                                .reached_seq = first_seq,
                                .active_ns = sent_ns};
    client->statistics.sessions++;
    op_wake_at(client, client->now_ns);
    /* What the session says last is for all nodes: each that was named is to be known by then. */
    for (uint32_t i = 0; i < client->endpoint_count; i++) {
        const struct member *member = &shard->members[i];
        if (member->incarnation == 0 && member_is_late(client, member) &&
            endpoint_is_worth_it(client, shard, i))
            member_greet(client, shard, i);
    }
}

/* Each registration takes room in the log, which is never given back, and sessions end rarely. That
 * the table is full stands until the next one should have been answered. */
static void session_table_full(const struct plx_client *client, struct session *session)
{
    session->due_ns = client->now_ns + SESSIONS_FULL_WAIT_NS;
    session->full_until_ns = session->due_ns + RTO_MAX_NS;
}

void session_replied(struct plx_client *client, struct shard_state *shard,
                     const struct transmission *transmission, const struct wire_reply *reply)
{
    struct wire_reply_op op;
    size_t cursor = 0;
    if (reply->op_count != 1 || wire_reply_op_decode(reply->ops, &cursor, &op) != OK)
        return;
    if (transmission->session == 0) {
        struct session *session = session_current(shard);
        if (op.outcome == WIRE_OUTCOME_OK)
            session_opened(client, shard, &op, transmission->sent_ns);
        else if (op.outcome == WIRE_OUTCOME_SESSIONS_FULL && session->id == 0)
            session_table_full(client, session);
        else if (op.outcome == WIRE_OUTCOME_FORGOTTEN && op.seq == session->nonce)
            session->nonce = 0; /* somebody else's: another is drawn */
        return;
    }
    struct session *session = session_find(shard, transmission->session);
    if (session == NULL)
        return;
    bool is_gone = session->is_ending && session->ending_number != 0 &&
                   transmission->number >= session->ending_number;
    if (op.outcome == WIRE_OUTCOME_NO_SESSION || is_gone) {
        session_expired(shard, session->id);
        return;
    }
    session_answered(session, transmission->sent_ns);
    session->attempts = 0;
}

static void session_open_turn(struct plx_client *client, struct shard_state *shard,
                              struct session *session)
{
    if (!session->is_wanted || client->now_ns < session->due_ns)
        return;
    if (leader_endpoint(client, shard) < 0) {
        leader_wanted(client, shard);
        return;
    }
    if (session->nonce == 0)
        session->nonce = prng_next(&client->names) << 1 | 2; /* even: see wire_first_seq */
    session_send(client, shard, session,
                 &(struct wire_op){.type = WIRE_OP_REGISTER, .seq = session->nonce});
}

static uint64_t session_renewal_due_ns(const struct plx_client *client,
                                       const struct session *session)
{
    uint64_t renewal_ns = time_after(session->active_ns, session_renewal_ns(client));
    return renewal_ns > session->due_ns ? renewal_ns : session->due_ns;
}

static void session_renew_turn(struct plx_client *client, struct shard_state *shard,
                               struct session *session)
{
    if (session->is_ending || !session_is_open(session) ||
        client->now_ns < session_renewal_due_ns(client, session))
        return;
    if (leader_endpoint(client, shard) < 0)
        leader_wanted(client, shard);
    else
        session_send(client, shard, session, &(struct wire_op){.type = WIRE_OP_KEEP_ALIVE});
}

/* When the leader is told again; UINT64_MAX: it was, often enough. */
static uint64_t session_again_due_ns(const struct session *session)
{
    if (session->told_again == IDLE_NOTICES_AGAIN)
        return UINT64_MAX;
    return session->told_ns + (IDLE_NOTICE_AGAIN_NS << 2 * session->told_again);
}

/* When notices may be sent next that are to come so far apart, but for a burst. */
static uint64_t notices_due_ns(uint64_t next_ns, uint64_t burst_ns)
{
    return next_ns > burst_ns ? next_ns - burst_ns : 0;
}

/* When nodes may be told that the session is idle; UINT64_MAX: it is not, or they were told often
 * enough, or there is nobody to tell. Whoever led when that was last heard of is told first: of a
 * handle that is idle nobody says whether it still leads, and any node takes a notice. */
static uint64_t session_notice_due_ns(const struct plx_client *client,
                                      const struct shard_state *shard,
                                      const struct session *session)
{
    if (session->is_ending || session_is_open(session) || session->next_seq == session->first_seq ||
        session_endpoint(client, shard) < 0)
        return UINT64_MAX;
    if (!session->is_told)
        return notices_due_ns(client->idle_notice_ns, IDLE_NOTICE_BURST_NS);
    return session_again_due_ns(session);
}

static void session_tell(struct plx_client *client, struct shard_state *shard,
                         struct session *session, uint32_t endpoint)
{
    struct source to = {endpoint, shard->number, 0};
    session_send_op(client, &to, shard->packet_number, session,
                    &(struct wire_op){.type = WIRE_OP_IDLE});
}

/* Whoever leads next is to know, too; and what of this is lost, another node may have. */
static void session_tell_others(struct plx_client *client, struct shard_state *shard,
                                struct session *session, uint32_t leader)
{
    uint64_t due_ns = notices_due_ns(client->others_notice_ns, IDLE_NOTICE_OTHERS_BURST_NS);
    if (client->now_ns < due_ns)
        return;
    if (client->others_notice_ns < client->now_ns)
        client->others_notice_ns = client->now_ns;
    client->others_notice_ns += IDLE_NOTICE_OTHERS_SPACING_NS;
    for (uint32_t i = 0; i < client->reach_count; i++) {
        const struct member *member = &shard->members[i];
        /* What is reached by way of another node alone is left to that one. */
        if (i != leader && member->incarnation != 0 && member->way.relay == 0 &&
            member_counts(client, shard, i))
            session_tell(client, shard, session, i);
    }
}

static void session_notice_turn(struct plx_client *client, struct shard_state *shard,
                                struct session *session)
{
    if (client->now_ns < session_notice_due_ns(client, shard, session))
        return;
    uint32_t leader = (uint32_t)session_endpoint(client, shard);
    if (client->idle_notice_ns < client->now_ns)
        client->idle_notice_ns = client->now_ns;
    client->idle_notice_ns += IDLE_NOTICE_SPACING_NS;
    session->told_again += session->is_told;
    session->is_told = true;
    session->told_ns = client->now_ns;
    shard->packet_number++; /* of all of them */
    session_tell(client, shard, session, leader);
    session_tell_others(client, shard, session, leader);
}

static void session_begin_ending(const struct plx_client *client, struct session *session)
{
    session->is_ending = true;
    session->attempts = 0;
    session->due_ns = client->now_ns;
    session->ending_until_ns = client->now_ns + session_idle_ns(client->session_ttl_ns);
}

/* Nobody has said for a while that it leads, but it may still: it is asked, and a leader is sought
 * beside. */
static void session_end_turn(struct plx_client *client, struct shard_state *shard,
                             struct session *session)
{
    if (client->now_ns >= session->ending_until_ns) {
        session_expired(shard, session->id);
        return;
    }
    if (client->now_ns < session->due_ns)
        return;
    if (leader_endpoint(client, shard) < 0)
        leader_wanted(client, shard);
    if (session_endpoint(client, shard) < 0) {
        session->due_ns = client->now_ns + RTO_INITIAL_NS;
        return;
    }
    session_send(client, shard, session, &(struct wire_op){.type = WIRE_OP_UNREGISTER});
    if (session->ending_number == 0)
        session->ending_number = shard->packet_number;
}

void sessions_end_turn(struct plx_client *client, struct shard_state *shard)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *session = &shard->sessions[i];
        /* A retired session whose last token is gone serves nobody any more. */
        if (session->id != 0 && i > 0 && !session->is_ending && !session_is_open(session))
            session_begin_ending(client, session);
        if (session->id != 0 && session->is_ending)
            session_end_turn(client, shard, session);
    }
}

void sessions_turn(struct plx_client *client, struct shard_state *shard)
{
    struct session *current = session_current(shard);
    if (current->id == 0)
        session_open_turn(client, shard, current);
    else
        session_notice_turn(client, shard, current);
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        if (shard->sessions[i].id != 0)
            session_renew_turn(client, shard, &shard->sessions[i]);
    }
    sessions_end_turn(client, shard);
}

uint64_t sessions_end_due_ns(const struct shard_state *shard)
{
    uint64_t due_ns = UINT64_MAX;
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        const struct session *session = &shard->sessions[i];
        if (session->id != 0 && session->is_ending)
            due_ns = earlier_ns(due_ns, session->due_ns);
    }
    return due_ns;
}

uint64_t sessions_due_ns(const struct plx_client *client, const struct shard_state *shard)
{
    uint64_t due_ns = sessions_end_due_ns(shard);
    if (shard->needs_leader)
        return due_ns;
    if (shard->sessions[0].id == 0 && shard->sessions[0].is_wanted)
        due_ns = earlier_ns(due_ns, shard->sessions[0].due_ns);
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        const struct session *session = &shard->sessions[i];
        if (session->id != 0 && i == 0)
            due_ns = earlier_ns(due_ns, session_notice_due_ns(client, shard, session));
        if (session->id != 0 && !session->is_ending && session_is_open(session))
            due_ns = earlier_ns(due_ns, session_renewal_due_ns(client, session));
    }
    return due_ns;
}

void session_give_back(struct plx_client *client, struct shard_state *shard)
{
    struct session *session = session_current(shard);
    if (session->id == 0 || session->pins > 0 || session->is_ending)
        return;
    session_begin_ending(client, session);
    session_end_turn(client, shard, session);
}
