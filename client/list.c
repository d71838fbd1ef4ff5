/*
 * Lists of keys: pollux_list.h. One page of each shard lies in the caller's memory, and their first
 * entries are merged. A page that is used up is followed by the next one, asked for behind the last
 * key that it spoke for.
 */
#include "client/client_internal.h"
#include "client/errand.h"
#include "client/list.h"

#include <stdalign.h>

/* A node that does not answer for so long may have died, or may not know lists. */
#define ASK_NS UINT64_C(100000000)
/* Between questions that were refused for now. */
#define AGAIN_NS UINT64_C(2000000)

static_assert(LIST_PAGE_BYTES_MAX <= EXCHANGE_BYTES_MAX, "a page is received as an answer");

/* A call that asks for pages. */
struct list_call {
    struct plx_client *client;
    struct plx_list *list;
    struct plx_call call;
    struct errand errand; /* its time, and when it entered */
    uint64_t max_age_ns;
};

size_t plx_list_size(void)
{
    return sizeof(struct plx_list);
}

/* What begins a key, or a key, may be nothing. */
static bool text_take(struct plx_bytes bytes, uint8_t *to, size_t *ret_size_bytes)
{
    *ret_size_bytes = bytes.data == NULL || plx_is_absent(bytes) ? 0 : bytes.size_bytes;
    if (*ret_size_bytes > KEY_SIZE_BYTES_MAX)
        return false;
    if (*ret_size_bytes > 0)
        memcpy(to, bytes.data, *ret_size_bytes);
    return true;
}

enum plx_outcome plx_list_begin(void *memory, size_t memory_size_bytes,
                                const struct plx_list_query *query, struct plx_list **ret_list)
{
    struct plx_list *list = memory;
    if (ret_list == NULL)
        return PLX_E_ARGUMENT;
    *ret_list = NULL;
    if (memory == NULL || query == NULL || memory_size_bytes < sizeof(*list) ||
        (uintptr_t)memory % alignof(struct plx_list) != 0)
        return PLX_E_ARGUMENT;
    list->has_begun = false;
    list->has_values = query->has_values;
    if (!text_take(query->prefix, list->prefix, &list->prefix_bytes) ||
        !text_take(query->after, list->after, &list->after_bytes))
        return PLX_E_TOO_LARGE;
    *ret_list = list;
    return PLX_OK;
}

static bool is_in_time(const struct list_call *call)
{
    return call->client->now_ns < call->errand.until_ns &&
           !is_cancelled_since(call->client, call->errand.epoch);
}

static void pages_begin(struct plx_list *list, uint32_t count)
{
    list->has_begun = true;
    list->taken = SHARDS_MAX;
    for (uint32_t i = 0; i < count; i++) {
        struct list_page *page = &list->pages[i];
        page->number = 0;
        page->is_last = false;
        page->has_next = false;
        page->left = 0;
        page->last_bytes = list->after_bytes;
        memcpy(page->last, list->after, list->after_bytes);
    }
}

/* The next entry of the page comes to the front, if there is one. */
static void page_advance(struct list_page *page)
{
    page->has_next = page->left > 0;
    if (!page->has_next)
        return;
    page->left--;
    page->next = wire_list_entry_decode(page->entries, &page->cursor);
}

/* Whether the answer is one to the question: no node makes a list go round in circles. */
static bool is_answer(const struct plx_list *list, const struct list_page *page,
                      const struct wire_list_reply *reply)
{
    struct span after = span_of(page->last, page->last_bytes);
    size_t cursor = 0;
    for (uint16_t i = 0; i < reply->entry_count; i++) {
        struct wire_list_entry entry = wire_list_entry_decode(reply->entries, &cursor);
        if (!span_begins_with(entry.key, span_of(list->prefix, list->prefix_bytes)))
            return false;
        if (i == 0 && span_compare(after, entry.key) >= 0)
            return false;
    }
    return !reply->has_more || span_compare(after, reply->last) < 0;
}

/* Takes the page that lies in the exchange. */
static void page_put(struct list_page *page, const struct exchange *exchange)
{
    struct wire_list_reply reply;
    memcpy(page->body, exchange->body, exchange->size_bytes);
    page->body_bytes = exchange->size_bytes;
    CHECK(wire_list_reply_decode(span_of(page->body, exchange->size_bytes), &reply) == OK);
    page->number++;
    page->is_last = !reply.has_more;
    page->left = reply.entry_count;
    page->entries = reply.entries;
    page->cursor = 0;
    if (reply.has_more) {
        memcpy(page->last, reply.last.data, reply.last.size_bytes);
        page->last_bytes = reply.last.size_bytes;
    }
    page->index = reply.head.applied_index;
    page->incarnation = reply.head.incarnation;
    page->node = reply.head.node;
    page->contact_age_ns = reply.head.contact_age_us > UINT64_MAX / 1000
                               ? UINT64_MAX
                               : reply.head.contact_age_us * 1000;
    page_advance(page);
}

/* Whether the node counts lists at all. True also where it does not answer. */
static bool knows_lists(struct list_call *call, const struct source *to)
{
    struct plx_client *client = call->client;
    struct wire_hello_reply hello;
    struct wire_counter counter;
    size_t cursor;
    static const char name[] = "engine_lists";
    const struct question question = {.to = *to,
                                      .wire_type = WIRE_STATUS,
                                      .reply_type = WIRE_STATUS_REPLY,
                                      .body = span_of(NULL, 0),
                                      .cancel_epoch = call->errand.epoch};
    if (!exchange_run(client, &question,
                      earlier_ns(call->errand.until_ns, client->now_ns + ASK_NS)))
        return true;
    struct span body = span_of(client->exchange.body, client->exchange.size_bytes);
    CHECK(wire_hello_reply_decode(body, &cursor, &hello) == OK);
    while (cursor < body.size_bytes && wire_counter_decode(body, &cursor, &counter) == OK) {
        if (span_is_equal(counter.name, span_of(name, sizeof(name) - 1)))
            return true;
    }
    return false;
}

/* Writes of this handle are pending on another node than the one that has answered. */
static bool lacks_own(struct list_call *call, const struct shard_state *shard, uint16_t node)
{
    if (!call->client->options.read_your_writes || !call->call.is_relaxed)
        return false;
    for (uint16_t other = 1; other <= VOTER_ID_MAX; other++) {
        if (other != node && pending_is_on(shard, other)) {
            pending_ask_all(call->client);
            return true;
        }
    }
    return false;
}

static void pause_for(struct list_call *call, uint64_t wait_ns)
{
    struct plx_client *client = call->client;
    pause_until(client, earlier_ns(call->errand.until_ns, client->now_ns + wait_ns),
                call->errand.epoch);
}

static void pause_briefly(struct list_call *call)
{
    pause_for(call, AGAIN_NS);
}

/* A refusal; PLX_TIMEOUT: ask again, perhaps somebody else. */
static enum plx_outcome page_refused(struct list_call *call, struct shard_state *shard, uint32_t at,
                                     const struct wire_reply *reply)
{
    struct plx_client *client = call->client;
    client->statistics.refusals++;
    switch ((enum wire_status)reply->status) {
    case WIRE_STATUS_TOO_STALE:
        return PLX_E_TOO_STALE;
    case WIRE_STATUS_NOT_LEADER:
        leader_lost(client, shard, at, reply->leader);
        return PLX_TIMEOUT;
    case WIRE_STATUS_NO_QUORUM:
        leader_lost(client, shard, at, reply->leader == reply->node ? 0 : reply->leader);
        return PLX_TIMEOUT;
    case WIRE_STATUS_OVERLOADED: /* perhaps this client asks too much */
        pause_for(call, AGAIN_NS + reply_retry_ns(reply));
        return PLX_TIMEOUT;
    case WIRE_STATUS_EXPIRED:
        pause_briefly(call);
        return PLX_TIMEOUT;
    default:
        return errand_refusal((enum wire_status)reply->status);
    }
}

/* The answer lies in the exchange. */
static enum plx_outcome page_answered(struct list_call *call, struct shard_state *shard,
                                      uint32_t at)
{
    struct plx_client *client = call->client;
    struct list_page *page = &call->list->pages[shard->number];
    const struct exchange *exchange = &client->exchange;
    struct wire_list_reply reply;
    CHECK(wire_list_reply_decode(span_of(exchange->body, exchange->size_bytes), &reply) == OK);
    if (!member_answers(client, shard, at, &reply.head)) {
        /* It may be a node of another cluster by now: it says so before it is listened to. */
        shard->members[at].incarnation = 0;
        member_greet(client, shard, at);
        return PLX_TIMEOUT;
    }
    if (reply.head.status != WIRE_STATUS_OK)
        return page_refused(call, shard, at, &reply.head);
    if (!is_answer(call->list, page, &reply)) {
        client->statistics.packets_dropped++;
        pause_briefly(call);
        return PLX_TIMEOUT;
    }
    member_heard(shard, at);
    if (call->max_age_ns != 0 && reply.head.contact_age_us > call->max_age_ns / 1000)
        return PLX_E_TOO_STALE;
    if (lacks_own(call, shard, reply.head.node))
        return PLX_E_TOO_STALE;
    /* A write of this handle was decided since the node was asked: the next answer has it. */
    if (call->call.is_relaxed && client->options.read_your_writes &&
        reply.head.applied_index < shard->seen_index)
        return PLX_TIMEOUT;
    note_seen_index(shard, reply.head.applied_index);
    page_put(page, exchange);
    return PLX_OK;
}

/* So much of the call's time is for one question. */
static uint64_t ask_until_ns(const struct list_call *call)
{
    uint64_t left_ns = call->errand.until_ns - call->client->now_ns;
    return call->client->now_ns + (left_ns < 2 * ASK_NS ? left_ns / 2 + 1 : ASK_NS);
}

/* Microseconds that are left to the call; 0: any time. */
static uint32_t left_us(const struct list_call *call)
{
    if (call->errand.until_ns == UINT64_MAX)
        return 0;
    uint64_t left = (call->errand.until_ns - call->client->now_ns) / 1000 + 1;
    return left < UINT32_MAX ? (uint32_t)left : UINT32_MAX;
}

/* One question to one node. */
static enum plx_outcome page_ask(struct list_call *call, struct shard_state *shard, uint32_t at)
{
    struct plx_client *client = call->client;
    const struct plx_list *list = call->list;
    const struct list_page *page = &list->pages[shard->number];
    uint8_t bytes[LIST_QUESTION_BYTES];
    struct wire_writer writer = {.data = bytes, .capacity_bytes = sizeof(bytes)};
    bool is_relaxed = call->call.is_relaxed;
    uint64_t max_age_us = call->max_age_ns / 1000 + (call->max_age_ns % 1000 != 0);
    const struct wire_list asked = {
        .number = prng_next(&client->prng) | 1,
        .min_index = is_relaxed && client->options.read_your_writes ? shard->seen_index : 0,
        .timeout_us = left_us(call),
        .max_age_us = max_age_us < UINT32_MAX ? (uint32_t)max_age_us : UINT32_MAX,
        .page_bytes = LIST_PAGE_BYTES_MAX,
        .is_consistent = !is_relaxed,
        .has_values = list->has_values,
        .prefix = span_of(list->prefix, list->prefix_bytes),
        .after = span_of(page->last, page->last_bytes)};
    wire_list_encode(&writer, &asked);
    CHECK(!writer.is_overflow);
    const struct question question = {.to = {.endpoint = at, .shard = shard->number},
                                      .wire_type = WIRE_LIST,
                                      .reply_type = WIRE_LIST_REPLY,
                                      .number = asked.number,
                                      .body = span_of(bytes, writer.size_bytes),
                                      .cancel_epoch = call->errand.epoch};
    if (exchange_run(client, &question, ask_until_ns(call)))
        return page_answered(call, shard, at);
    if (is_in_time(call) && !knows_lists(call, &question.to))
        return PLX_E_UNSUPPORTED;
    if (is_relaxed)
        shard->is_preferred_silent = true;
    else
        leader_lost(client, shard, at, 0);
    return PLX_TIMEOUT;
}

/* The node that relaxed calls go to; -1 when the time is over, or by plx_cancel. */
static int32_t preferred_await(struct list_call *call, struct shard_state *shard)
{
    struct plx_client *client = call->client;
    int32_t at = preferred_endpoint(client, shard, false);
    while (at < 0 && is_in_time(call)) {
        preferred_turn(client, shard);
        client_turn(client);
        at = preferred_endpoint(client, shard, false);
        if (at < 0)
            client_wait(client, call->errand.until_ns);
    }
    return at;
}

/* Another page of the shard. */
static enum plx_outcome page_get(struct list_call *call, uint16_t number)
{
    struct plx_client *client = call->client;
    struct shard_state *shard = shard_open(client, number);
    enum plx_outcome outcome = PLX_TIMEOUT;
    while (outcome == PLX_TIMEOUT && is_in_time(call)) {
        int32_t at = call->call.is_relaxed ? preferred_await(call, shard)
                                           : leader_await(client, shard, &call->errand);
        if (at >= 0)
            outcome = page_ask(call, shard, (uint32_t)at);
        preferred_turn(client, shard);
        client->now_ns = clock_monotonic_ns();
    }
    return outcome;
}

/* A page of each shard that has nothing to show and may have more. */
static enum plx_outcome pages_get(struct list_call *call)
{
    struct plx_list *list = call->list;
    enum plx_outcome outcome = PLX_OK;
    for (uint16_t i = 0; i < call->client->shard_count && outcome == PLX_OK; i++) {
        /* A page may have no entry, and end somewhere all the same. */
        while (outcome == PLX_OK && !list->pages[i].has_next && !list->pages[i].is_last)
            outcome = page_get(call, i);
    }
    return outcome;
}

static struct plx_bytes bytes_of(struct span span)
{
    return (struct plx_bytes){span.data, span.size_bytes};
}

/* The first of the first entries. */
static enum plx_outcome entry_take(struct list_call *call, struct plx_list_entry *ret_entry)
{
    struct plx_list *list = call->list;
    list->taken = SHARDS_MAX;
    for (uint32_t i = 0; i < call->client->shard_count; i++) {
        if (list->pages[i].has_next &&
            (list->taken == SHARDS_MAX ||
             span_compare(list->pages[i].next.key, list->pages[list->taken].next.key) < 0))
            list->taken = i;
    }
    if (list->taken == SHARDS_MAX)
        return PLX_NOT_FOUND;
    const struct list_page *page = &list->pages[list->taken];
    *ret_entry = (struct plx_list_entry){
        .key = bytes_of(page->next.key),
        .has_value = page->next.has_value,
        .is_pending = page->next.is_pending,
        .value_size_bytes = page->next.value_size_bytes,
        .version = page->next.version,
        .shard = (uint16_t)list->taken,
        .index = page->index,
        .node = page->node,
        .incarnation = page->incarnation,
        .contact_age_ns = page->contact_age_ns,
    };
    if (page->next.has_value)
        ret_entry->value = bytes_of(page->next.value);
    return PLX_OK;
}

/* The mutex is held. */
static enum plx_outcome list_next(struct list_call *call, struct plx_list_entry *ret_entry)
{
    struct plx_client *client = call->client;
    struct plx_list *list = call->list;
    if (!shard_count_await(client, &call->errand))
        return PLX_TIMEOUT;
    if (!list->has_begun)
        pages_begin(list, client->shard_count);
    /* What was handed out lay in its page until now. */
    if (list->taken < SHARDS_MAX)
        page_advance(&list->pages[list->taken]);
    list->taken = SHARDS_MAX;
    enum plx_outcome outcome = pages_get(call);
    return outcome == PLX_OK ? entry_take(call, ret_entry) : outcome;
}

enum plx_outcome plx_list(struct plx_client *client, struct plx_list *list,
                          const struct plx_call *call, struct plx_list_entry *ret_entry)
{
    uint32_t epoch = cancel_epoch_of(client);
    if (ret_entry == NULL)
        return PLX_E_ARGUMENT;
    *ret_entry = (struct plx_list_entry){.has_value = false};
    enum plx_outcome outcome = client_check(client);
    if (outcome != PLX_OK)
        return outcome;
    struct list_call asked = {.client = client, .list = list};
    if (call != NULL)
        asked.call = *call;
    if (list == NULL || asked.call.min_index != 0)
        return PLX_E_ARGUMENT;
    asked.errand.epoch = epoch;
    asked.errand.until_ns = call_until(client, &asked.call);
    outcome = client_enter(client);
    if (outcome != PLX_OK)
        return outcome;
    client->now_ns = clock_monotonic_ns();
    if (asked.call.is_relaxed)
        asked.max_age_ns =
            asked.call.max_age_ns != 0 ? asked.call.max_age_ns : client->options.max_age_ns;
    outcome = client->is_in_callback ? PLX_E_ARGUMENT : list_next(&asked, ret_entry);
    client_unlock(client);
    return socket_is_forked(client) ? PLX_E_FORKED : outcome;
}
