/* What operators ask about sessions: pages of the table of a shard, and the end of one session. */
#include "client/client_internal.h"
#include "client/errand.h"
#include "client/include/pollux_sessions.h"

static_assert(PLX_SESSIONS_PAGE_MAX == WIRE_SESSIONS_PAGE_MAX, "a program sees a whole page");
static_assert((int)PLX_SESSION_UNUSED == WIRE_SESSION_UNUSED, "states are told by value");
static_assert((int)PLX_SESSION_OPEN == WIRE_SESSION_OPEN, "states are told by value");
static_assert((int)PLX_SESSION_IDLE == WIRE_SESSION_IDLE, "states are told by value");

static uint64_t told_ns(uint64_t us)
{
    return us > UINT64_MAX / 1000 ? UINT64_MAX : us * 1000;
}

static struct plx_session session_of(const struct wire_session *told)
{
    struct plx_session session = {.id = told->id,
                                  .state = (enum plx_session_state)told->state,
                                  .quiet_ns = told_ns(told->quiet_us),
                                  .heard_ns = told_ns(told->heard_us),
                                  .left_ns = told_ns(told->left_us),
                                  .outcomes = told->outcomes,
                                  .port = told->address.port};
    memcpy(session.ip, told->address.ip, sizeof(session.ip));
    return session;
}

/* PLX_MISMATCH: it is not of the table that the page before was of. */
static enum plx_outcome table_page_fill(const struct wire_sessions_reply *reply,
                                        struct plx_sessions *page)
{
    const struct wire_reply *head = &reply->head;
    if (page->next != 0 && (head->node != page->node || head->incarnation != page->incarnation))
        return PLX_MISMATCH;
    *page = (struct plx_sessions){.next = reply->next,
                                  .count = reply->count,
                                  .sessions_max = reply->sessions_max,
                                  .node = head->node,
                                  .incarnation = head->incarnation,
                                  .applied_index = head->applied_index,
                                  .entry_count = reply->entry_count};
    for (uint32_t i = 0; i < page->entry_count; i++) {
        struct wire_session told = wire_session_at(reply, i);
        page->entries[i] = session_of(&told);
    }
    return PLX_OK;
}

/* One question to whoever leads now. PLX_TIMEOUT: nobody does, or who was asked does not. */
static enum plx_outcome table_page_ask(struct plx_client *client, const struct errand *errand,
                                       struct plx_sessions *page)
{
    uint8_t bytes[WIRE_SESSIONS_QUESTION_BYTES];
    struct wire_writer writer = {.data = bytes, .capacity_bytes = sizeof(bytes)};
    struct shard_state *shard = shard_open(client, errand->shard);
    int32_t leader = leader_await(client, shard, errand);
    if (leader < 0)
        return PLX_TIMEOUT;
    const struct wire_sessions asked = {.number = prng_next(&client->prng) | 1, .from = page->next};
    wire_sessions_encode(&writer, &asked);
    const struct question question = {.to = {.endpoint = (uint32_t)leader, .shard = errand->shard},
                                      .wire_type = WIRE_SESSIONS,
                                      .reply_type = WIRE_SESSIONS_REPLY,
                                      .number = asked.number,
                                      .body = span_of(bytes, writer.size_bytes),
                                      .cancel_epoch = errand->epoch};
    if (!exchange_run(client, &question, errand->until_ns))
        return PLX_E_UNREACHABLE;
    struct wire_sessions_reply reply;
    CHECK(wire_sessions_reply_decode(span_of(client->exchange.body, client->exchange.size_bytes),
                                     &reply) == OK);
    if (reply.head.status == WIRE_STATUS_OK)
        return table_page_fill(&reply, page);
    enum plx_outcome outcome = errand_refusal((enum wire_status)reply.head.status);
    if (outcome == PLX_TIMEOUT)
        leader_lost(client, shard, (uint32_t)leader, reply.head.leader);
    return outcome;
}

/* The mutex is held. */
static enum plx_outcome table_page_await(struct plx_client *client, const struct errand *errand,
                                         struct plx_sessions *page)
{
    if (!shard_count_await(client, errand))
        return PLX_TIMEOUT;
    if (!shard_is_possible(client, errand->shard))
        return PLX_E_ARGUMENT;
    enum plx_outcome outcome = PLX_TIMEOUT;
    while (outcome == PLX_TIMEOUT && client->now_ns < errand->until_ns &&
           !is_cancelled_since(client, errand->epoch)) {
        outcome = table_page_ask(client, errand, page);
        client->now_ns = clock_monotonic_ns();
    }
    return outcome;
}

enum plx_outcome plx_sessions_list(struct plx_client *client, uint16_t shard,
                                   struct plx_sessions *page, uint64_t timeout_ns)
{
    struct errand errand = {.shard = shard, .epoch = cancel_epoch_of(client)};
    enum plx_outcome outcome = client_enter(client);
    if (outcome != PLX_OK)
        return outcome;
    outcome = PLX_E_ARGUMENT;
    if (!client->is_in_callback && page != NULL) {
        errand.until_ns = question_until_ns(client, timeout_ns);
        outcome = table_page_await(client, &errand, page);
    }
    client_unlock(client);
    return outcome;
}

static void end_encode(const struct errand *errand, uint64_t number, uint64_t incarnation,
                       struct wire_writer *writer)
{
    const uint64_t *id = errand->what;
    (void)incarnation;
    wire_session_end_encode(writer, number, *id);
}

static enum plx_outcome end_outcome(const struct errand *errand, const struct wire_reply *reply)
{
    struct wire_reply_op op;
    size_t cursor = 0;
    (void)errand;
    if (reply->status != WIRE_STATUS_OK)
        return errand_refusal((enum wire_status)reply->status);
    if (reply->op_count != 1 || wire_reply_op_decode(reply->ops, &cursor, &op) != OK)
        return PLX_TIMEOUT;
    return op.outcome == WIRE_OUTCOME_OK ? PLX_OK : PLX_NOT_FOUND;
}

enum plx_outcome plx_session_end(struct plx_client *client, uint16_t shard, uint64_t id,
                                 uint64_t timeout_ns)
{
    struct errand errand = {.shard = shard,
                            .wire_type = WIRE_SESSION_END,
                            .reply_type = WIRE_SESSION_END_REPLY,
                            .what = &id,
                            .encode = end_encode,
                            .outcome = end_outcome};
    return errand_run(client, &errand, timeout_ns);
}
