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

struct page_call {
    struct plx_client *client;
    struct plx_sessions *page;
};

static void page_encode(const struct errand *errand, uint64_t number, uint64_t incarnation,
                        struct wire_writer *writer)
{
    const struct page_call *call = errand->what;
    (void)incarnation;
    wire_sessions_encode(writer,
                         &(struct wire_sessions){.number = number, .from = call->page->next});
}

static enum error page_decode_head(struct span bytes, struct wire_reply *ret_head)
{
    struct wire_sessions_reply reply;
    enum error error = wire_sessions_reply_decode(bytes, &reply);
    if (error == OK)
        *ret_head = reply.head;
    return error;
}

/* PLX_MISMATCH: it is not of the table that the page before was of. */
static enum plx_outcome page_outcome(const struct errand *errand, const struct wire_reply *head)
{
    const struct page_call *call = errand->what;
    const struct exchange *exchange = &call->client->exchange;
    struct plx_sessions *page = call->page;
    struct wire_sessions_reply reply;
    if (head->status != WIRE_STATUS_OK)
        return errand_refusal((enum wire_status)head->status);
    CHECK(wire_sessions_reply_decode(span_of(exchange->body, exchange->size_bytes), &reply) == OK);
    if (page->next != 0 && (head->node != page->node || head->incarnation != page->incarnation))
        return PLX_MISMATCH;
    *page = (struct plx_sessions){.next = reply.next,
                                  .count = reply.count,
                                  .sessions_max = reply.sessions_max,
                                  .node = head->node,
                                  .incarnation = head->incarnation,
                                  .applied_index = head->applied_index,
                                  .entry_count = reply.entry_count};
    for (uint32_t i = 0; i < page->entry_count; i++) {
        struct wire_session told = wire_session_at(&reply, i);
        page->entries[i] = session_of(&told);
    }
    return PLX_OK;
}

enum plx_outcome plx_sessions_list(struct plx_client *client, uint16_t shard,
                                   struct plx_sessions *page, uint64_t timeout_ns)
{
    const struct page_call call = {client, page};
    struct errand errand = {.shard = shard,
                            .wire_type = WIRE_SESSIONS,
                            .reply_type = WIRE_SESSIONS_REPLY,
                            .what = &call,
                            .encode = page_encode,
                            .decode = page_decode_head,
                            .outcome = page_outcome};
    return page == NULL ? PLX_E_ARGUMENT : errand_run(client, &errand, timeout_ns);
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
