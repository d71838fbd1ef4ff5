/*
 * Sessions of a shard: opened when its first write needs one, renewed while a seq of it is open,
 * given back at the end. A seq is open while its operation is in flight or its token outstanding. A
 * session without open seqs is left to expire. Where it may have, the next write gives it back and
 * opens another: a write that is repeated under an expired session may end as unknown.
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

uint64_t session_floor(struct shard_state *shard, uint64_t id)
{
    const struct session *session = session_find(shard, id);
    return session == NULL ? 0 : session->floor;
}

/* Moves the session in use to the retired ones, where it lives as long as its tokens. */
static void session_retire(struct shard_state *shard)
{
    /* A free place, whose id is 0, or that of the oldest: ids rise. */
    struct session *target = &shard->sessions[1];
    for (uint32_t i = 2; i < SESSIONS_MAX; i++) {
        if (shard->sessions[i].id < target->id)
            target = &shard->sessions[i];
    }
    struct session *current = session_current(shard);
    if (current->pins > 0)
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

/* Half of the lifetime remains for the first operation after a pause, its repetitions, and the
 * first renewal. Nothing of the session is in flight, so no request can follow the end of it. */
static void session_end_stale(struct plx_client *client, struct shard_state *shard)
{
    struct session *session = session_current(shard);
    if (session->id == 0 || session_is_open(session) ||
        client->now_ns - session->active_ns < client->session_ttl_ns / 2)
        return;
    session_give_back(client, shard);
    *session = (struct session){.id = 0};
}

bool session_assign(struct plx_client *client, struct op *op)
{
    struct shard_state *shard = op->shard;
    struct session *session = session_current(shard);
    if (op->session != 0)
        return true;
    session_end_stale(client, shard);
    if (session->id != 0 && session->next_seq - session->floor >= SESSION_WINDOW) {
        if (session->pins == 0)
            return false; /* operations in flight hold the window: they end */
        session_retire(shard);
    }
    if (session->id == 0) {
        session->is_wanted = true;
        return false;
    }
    op->session = session->id;
    op->seq = session->next_seq++;
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
    client_lock(client);
    struct shard_state *shard = shard_find(client, token->shard);
    struct session *session = shard == NULL ? NULL : session_find(shard, token->session);
    if (session != NULL && token->cluster_id == client->cluster_id && session->pins > 0 &&
        token->seq >= session->floor && token->seq < session->next_seq &&
        !seq_is_finished(session, token->seq)) {
        session->pins--;
        session_finish_seq(client, shard, token->session, token->seq);
        if (session->pins == 0 && session != session_current(shard))
            session->id = 0;
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

static struct span request_of_one(uint8_t *buffer, size_t capacity_bytes, uint64_t session,
                                  const struct wire_op *op)
{
    struct wire_writer writer = {.data = buffer, .capacity_bytes = capacity_bytes};
    wire_request_begin(&writer, session, 0);
    wire_request_add(&writer, op);
    CHECK(!writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

/* Sends one operation on a session itself; its reply comes to session_replied. */
static void session_send(struct plx_client *client, struct shard_state *shard,
                         struct session *session, const struct wire_op *op)
{
    uint8_t request[128];
    uint8_t body[256];
    int32_t leader = leader_endpoint(client, shard);
    CHECK(leader >= 0);
    struct transmission *transmission = transmission_new(client, shard, (uint32_t)leader);
    transmission->kind = TRANSMISSION_SESSION;
    transmission->session = session->id;
    struct wire_write write = {
        .packet_number = transmission->number,
        .incarnation = shard->members[leader].incarnation,
        .request = request_of_one(request, sizeof(request), session->id, op),
    };
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    wire_write_encode(&writer, &write);
    packet_send(client, &(struct source){(uint32_t)leader, shard->number}, WIRE_WRITE,
                span_of(body, writer.size_bytes));
    session->due_ns =
        client->now_ns + round_trip_timeout_ns(client, shard, false, session->attempts++);
}

static void session_opened(struct plx_client *client, struct shard_state *shard,
                           const struct wire_reply_op *op, uint64_t sent_ns)
{
    struct session *session = session_current(shard);
    if (session->id != 0 || op->seq != session->nonce || op->version == 0)
        return;
    *session = (struct session){.id = op->version, .next_seq = 1, .floor = 1, .active_ns = sent_ns};
    client->statistics.sessions++;
    op_wake_at(client, client->now_ns);
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
    if (op.outcome == WIRE_OUTCOME_NO_SESSION) {
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
        session->nonce = prng_next(&client->names) | 1;
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
    if (!session_is_open(session) || client->now_ns < session_renewal_due_ns(client, session))
        return;
    if (leader_endpoint(client, shard) < 0)
        leader_wanted(client, shard);
    else
        session_send(client, shard, session, &(struct wire_op){.type = WIRE_OP_KEEP_ALIVE});
}

void sessions_turn(struct plx_client *client, struct shard_state *shard)
{
    struct session *current = session_current(shard);
    if (current->id == 0)
        session_open_turn(client, shard, current);
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        if (shard->sessions[i].id != 0)
            session_renew_turn(client, shard, &shard->sessions[i]);
    }
}

uint64_t sessions_due_ns(const struct plx_client *client, const struct shard_state *shard)
{
    uint64_t due_ns = UINT64_MAX;
    if (shard->needs_leader)
        return due_ns;
    if (shard->sessions[0].id == 0 && shard->sessions[0].is_wanted)
        due_ns = shard->sessions[0].due_ns;
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        const struct session *session = &shard->sessions[i];
        if (session->id != 0 && session_is_open(session))
            due_ns = earlier_ns(due_ns, session_renewal_due_ns(client, session));
    }
    return due_ns;
}

void session_give_back(struct plx_client *client, struct shard_state *shard)
{
    struct session *session = session_current(shard);
    if (session->id == 0 || session->pins > 0 || leader_endpoint(client, shard) < 0)
        return;
    session_send(client, shard, session, &(struct wire_op){.type = WIRE_OP_UNREGISTER});
}
