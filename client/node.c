/* Questions to one shard of one node, outside of any session: ping, status. */
#include "client/client_internal.h"

#define EXCHANGE_RETRY_NS (10 * 1000 * 1000)

bool exchange_takes(struct plx_client *client, const struct source *from, uint8_t wire_type,
                    uint64_t number, struct span body)
{
    struct exchange *exchange = &client->exchange;
    if (!exchange->is_active || exchange->is_done || exchange->asked.endpoint != from->endpoint ||
        exchange->asked.shard != from->shard || exchange->reply_type != wire_type ||
        body.size_bytes > sizeof(exchange->body))
        return false;
    if (wire_type != WIRE_STATUS_REPLY && exchange->number != number)
        return false;
    memcpy(exchange->body, body.data, body.size_bytes);
    exchange->size_bytes = body.size_bytes;
    exchange->round_trip_ns = client->now_ns - exchange->sent_ns;
    exchange->is_done = true;
    return true;
}

static void exchange_send(struct plx_client *client, const struct question *question,
                          uint32_t attempts)
{
    struct exchange *exchange = &client->exchange;
    struct span body = question->body;
    if (question->wire_type == WIRE_HELLO && !hello_is_padded(client, attempts))
        body.size_bytes = WIRE_HELLO_SIZE_BYTES;
    /* An answer does not say to which of them: the first, so that none looks too fast. */
    if (exchange->sent_ns == 0)
        exchange->sent_ns = client->now_ns;
    (void)packet_send_all_ways(client, &question->to, question->wire_type, body);
    exchange->due_ns = client->now_ns + EXCHANGE_RETRY_NS;
}

void exchange_again(struct plx_client *client, const struct source *from, uint64_t message_id)
{
    struct exchange *exchange = &client->exchange;
    bool is_of_it = message_id - exchange->first_id <= client->message_id - exchange->first_id;
    if (!exchange->is_active || exchange->is_done || exchange->asked.endpoint != from->endpoint ||
        exchange->asked.shard != from->shard || !is_of_it)
        return;
    exchange->due_ns = client->now_ns;
    exchange->sent_ns = 0;
}

bool exchange_run(struct plx_client *client, const struct question *question, uint64_t until_ns)
{
    struct exchange *exchange = &client->exchange;
    uint32_t attempts = 0;
    *exchange = (struct exchange){.is_active = true,
                                  .reply_type = question->reply_type,
                                  .asked = question->to,
                                  .first_id = client->message_id + 1,
                                  .number = question->number};
    client->spin_until_ns = client->now_ns + client->options.spin_ns;
    while (!exchange->is_done && client->now_ns < until_ns &&
           !is_cancelled_since(client, question->cancel_epoch)) {
        if (client->now_ns >= exchange->due_ns)
            exchange_send(client, question, attempts++);
        client_turn(client);
        if (!exchange->is_done)
            client_wait(client, earlier_ns(exchange->due_ns, until_ns));
    }
    exchange->is_active = false;
    return exchange->is_done;
}

void pause_until(struct plx_client *client, uint64_t until_ns, uint32_t epoch)
{
    while (client->now_ns < until_ns && !is_cancelled_since(client, epoch)) {
        client_turn(client);
        client_wait(client, until_ns);
        client->now_ns = clock_monotonic_ns();
    }
}

uint64_t question_until_ns(struct plx_client *client, uint64_t timeout_ns)
{
    client->now_ns = clock_monotonic_ns();
    if (timeout_ns == 0)
        timeout_ns = client->options.timeout_ns;
    return time_after(client->now_ns, timeout_ns);
}

static void node_fill(const struct wire_hello_reply *reply, struct plx_node *ret_node)
{
    *ret_node = (struct plx_node){
        .node = reply->node,
        .leader = reply->leader,
        .node_count = reply->node_count,
        .shard_count = reply->shard_count,
        .lane = reply->lane,
        .lane_count = reply->lane_count,
        .role = reply->role,
        .granularity = reply->granularity,
        .has_fresh_quorum = reply->has_fresh_quorum,
        .is_suspect = reply->is_suspect,
        .is_emulated = reply->is_emulated,
        .membership = reply->membership,
        .incarnation = reply->incarnation,
        .term = reply->term,
        .applied_index = reply->applied_index,
        .commit_index = reply->commit_index,
        .last_index = reply->last_index,
        .contact_age_ns =
            reply->contact_age_us > UINT64_MAX / 1000 ? UINT64_MAX : reply->contact_age_us * 1000,
    };
}

static void node_fill_counters(struct span body, size_t cursor, struct plx_node *ret_node)
{
    while (cursor < body.size_bytes && ret_node->counter_count < PLX_COUNTERS_MAX) {
        struct wire_counter counter;
        if (wire_counter_decode(body, &cursor, &counter) != OK)
            return;
        struct plx_counter *to = &ret_node->counters[ret_node->counter_count++];
        CHECK(counter.name.size_bytes < sizeof(to->name));
        memcpy(to->name, counter.name.data, counter.name.size_bytes);
        to->name[counter.name.size_bytes] = '\0';
        to->value = counter.value;
    }
}

static void node_take(const struct plx_client *client, uint16_t shard, void *ret_answer)
{
    struct plx_node *node = ret_answer;
    struct span body = span_of(client->exchange.body, client->exchange.size_bytes);
    struct wire_hello_reply reply;
    size_t cursor;
    CHECK(wire_hello_reply_decode(body, &cursor, &reply) == OK);
    node_fill(&reply, node);
    node->shard = shard;
    node->round_trip_ns = client->exchange.round_trip_ns;
    node_fill_counters(body, cursor, node);
}

bool exchange_is_possible(const struct plx_client *client, size_t endpoint, uint32_t shard)
{
    return endpoint < client->endpoint_count && shard_is_possible(client, shard) &&
           client->endpoints[endpoint].address.port + shard <= UINT16_MAX;
}

enum plx_outcome inquire(struct plx_client *client, const struct inquiry *inquiry,
                         const struct inquiry_to *to, void *ret_answer)
{
    uint32_t epoch = cancel_epoch_of(client);
    enum plx_outcome outcome = client_enter(client);
    memset(ret_answer, 0, inquiry->answer_size_bytes);
    if (outcome != PLX_OK)
        return outcome;
    outcome = PLX_E_ARGUMENT;
    uint8_t bytes[WIRE_MEMBERS_ASK_BYTES_MAX];
    struct wire_writer writer = {.data = bytes, .capacity_bytes = sizeof(bytes)};
    uint64_t number = prng_next(&client->prng) | 1;
    if (inquiry->encode != NULL)
        inquiry->encode(&writer, number);
    CHECK(!writer.is_overflow);
    const struct question question = {.to = {(uint32_t)to->endpoint, to->shard, 0},
                                      .wire_type = inquiry->wire_type,
                                      .reply_type = inquiry->reply_type,
                                      .number = number,
                                      .body = span_of(bytes, writer.size_bytes),
                                      .cancel_epoch = epoch};
    if (!client->is_in_callback && exchange_is_possible(client, to->endpoint, to->shard))
        outcome = exchange_run(client, &question, question_until_ns(client, to->timeout_ns))
                      ? PLX_OK
                      : PLX_E_UNREACHABLE;
    if (outcome == PLX_OK)
        inquiry->take(client, to->shard, ret_answer);
    client_unlock(client);
    return outcome;
}

static void hello_encode(struct wire_writer *writer, uint64_t number)
{
    wire_hello_encode(writer, &(struct wire_hello){.nonce = number, .is_padded = true});
}

enum plx_outcome plx_ping(struct plx_client *client, size_t endpoint, uint16_t shard,
                          uint64_t timeout_ns, struct plx_node *ret_node)
{
    static const struct inquiry hello = {.wire_type = WIRE_HELLO,
                                         .reply_type = WIRE_HELLO_REPLY,
                                         .answer_size_bytes = sizeof(struct plx_node),
                                         .encode = hello_encode,
                                         .take = node_take};
    return inquire(client, &hello, &(struct inquiry_to){endpoint, shard, timeout_ns}, ret_node);
}

enum plx_outcome plx_status(struct plx_client *client, size_t endpoint, uint16_t shard,
                            uint64_t timeout_ns, struct plx_node *ret_node)
{
    static const struct inquiry status = {.wire_type = WIRE_STATUS,
                                          .reply_type = WIRE_STATUS_REPLY,
                                          .answer_size_bytes = sizeof(struct plx_node),
                                          .take = node_take};
    return inquire(client, &status, &(struct inquiry_to){endpoint, shard, timeout_ns}, ret_node);
}
