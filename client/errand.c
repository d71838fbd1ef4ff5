/* See client/errand.h. */
#include "client/errand.h"

#include "client/client_internal.h"

enum plx_outcome errand_refusal(enum wire_status status)
{
    switch (status) {
    case WIRE_STATUS_BAD_REQUEST:
        return PLX_E_ARGUMENT;
    case WIRE_STATUS_OVERLOADED:
    case WIRE_STATUS_LOG_FULL:
        return PLX_E_OVERLOADED;
    case WIRE_STATUS_UNSUPPORTED:
        return PLX_E_UNSUPPORTED;
    case WIRE_STATUS_TOO_SOON:
        return PLX_E_TOO_SOON;
    case WIRE_STATUS_DENIED:
        return PLX_E_DENIED;
    case WIRE_STATUS_OK:
    case WIRE_STATUS_NOT_LEADER:
    case WIRE_STATUS_NO_QUORUM:
    case WIRE_STATUS_EXPIRED:
    case WIRE_STATUS_INCARNATION:
    case WIRE_STATUS_TOO_STALE:
    case WIRE_STATUS_PENDING:
    case WIRE_STATUS_UNKNOWN:
    case WIRE_STATUS_WRONG_SHARD:
    case WIRE_STATUS_OUTDATED:
    case WIRE_STATUS_PASSED:
    case WIRE_STATUS_END:
        break;
    }
    return PLX_TIMEOUT;
}

static bool has_time(const struct plx_client *client, const struct errand *errand)
{
    return client->now_ns < errand->until_ns && !is_cancelled_since(client, errand->epoch);
}

bool shard_count_await(struct plx_client *client, const struct errand *errand)
{
    while (client->shard_count == 0 && has_time(client, errand)) {
        shard_count_wanted(client);
        client_turn(client);
        if (client->shard_count == 0)
            client_wait(client, errand->until_ns);
    }
    return client->shard_count != 0;
}

int32_t leader_await(struct plx_client *client, struct shard_state *shard,
                     const struct errand *errand)
{
    while (leader_endpoint(client, shard) < 0 && has_time(client, errand)) {
        leader_wanted(client, shard);
        client_turn(client);
        if (leader_endpoint(client, shard) < 0)
            client_wait(client, errand->until_ns);
    }
    return leader_endpoint(client, shard);
}

/* One attempt at whoever leads now; PLX_TIMEOUT: nobody does, or who was asked does not. Whoever
 * does not answer may have begun. */
static enum plx_outcome errand_once(struct plx_client *client, struct errand *errand)
{
    uint8_t bytes[ERRAND_BODY_BYTES_MAX];
    struct wire_writer writer = {.data = bytes, .capacity_bytes = sizeof(bytes)};
    struct shard_state *shard = shard_open(client, errand->shard);
    int32_t leader = leader_await(client, shard, errand);
    if (leader < 0)
        return PLX_TIMEOUT;
    uint64_t number = ++shard->packet_number;
    errand->encode(errand, number, shard->members[leader].incarnation, &writer);
    CHECK(!writer.is_overflow);
    errand->is_asked = true;
    struct question question = {.to = {.endpoint = (uint32_t)leader, .shard = errand->shard},
                                .wire_type = errand->wire_type,
                                .reply_type = errand->reply_type,
                                .number = number,
                                .body = span_of(bytes, writer.size_bytes),
                                .cancel_epoch = errand->epoch};
    if (!exchange_run(client, &question, errand->until_ns))
        return PLX_E_UNREACHABLE;
    struct wire_reply reply;
    const struct span answer = span_of(client->exchange.body, client->exchange.size_bytes);
    CHECK((errand->decode != NULL ? errand->decode : wire_reply_decode)(answer, &reply) == OK);
    enum plx_outcome outcome = errand->outcome(errand, &reply);
    if (outcome == PLX_TIMEOUT)
        leader_lost(client, shard, (uint32_t)leader, reply.leader);
    return outcome;
}

/* The mutex is held. */
static enum plx_outcome errand_repeat(struct plx_client *client, struct errand *errand)
{
    if (!shard_count_await(client, errand))
        return PLX_TIMEOUT;
    if (!shard_is_possible(client, errand->shard))
        return PLX_E_ARGUMENT;
    enum plx_outcome outcome = PLX_TIMEOUT;
    while (outcome == PLX_TIMEOUT && has_time(client, errand)) {
        outcome = errand_once(client, errand);
        client->now_ns = clock_monotonic_ns();
    }
    return outcome;
}

enum plx_outcome errand_run(struct plx_client *client, struct errand *errand, uint64_t timeout_ns)
{
    errand->epoch = cancel_epoch_of(client);
    enum plx_outcome outcome = client_enter(client);
    if (outcome != PLX_OK)
        return outcome;
    outcome = PLX_E_ARGUMENT;
    if (!client->is_in_callback) {
        errand->until_ns = question_until_ns(client, timeout_ns);
        outcome = errand_repeat(client, errand);
    }
    client_unlock(client);
    return outcome;
}
