/* Copying snapshots: pollux_backup.h. */
#include "client/backup.h"
#include "client/client_internal.h"
#include "client/include/pollux_backup.h"

/* Parts that have not come are asked for again after a silence, which is doubled each time: how
 * long the way is, is not known, and what comes twice takes the place of what is still to come. */
#define SILENCE_MIN_NS UINT64_C(20000000)
#define SILENCE_MAX_NS UINT64_C(640000000)
/* Each comes in several packets, and has to have a slot to be put together in. */
#define PARTS_AT_ONCE 6
static_assert(PARTS_AT_ONCE < REPLY_SLOTS, "parts do not take the slots from each other");

#define FIND_AGAIN_NS UINT64_C(20000000)
/* A node that tells of a longer time has taken too many snapshots lately. */
#define SOON_NS UINT64_C(10000000000)

static_assert(PLX_BACKUP_BLOCK_BYTES == SNAPSHOT_BLOCK_BYTES, "a buffer takes a block");
static_assert(BACKUP_PARTS < 32, "the parts of a block are bits of a word");

/* ---- finding ---- */

/* One answer; PLX_TIMEOUT: not yet. */
static enum plx_outcome find_once(struct plx_client *client, const struct question *question,
                                  uint64_t until_ns, struct plx_snapshot *ret_snapshot)
{
    struct wire_backup_reply reply;
    if (!exchange_run(client, question, until_ns))
        return PLX_E_UNREACHABLE;
    CHECK(wire_backup_reply_decode(span_of(client->exchange.body, client->exchange.size_bytes),
                                   &reply) == OK);
    if (reply.status == WIRE_BACKUP_PENDING)
        return reply.wait_us * UINT64_C(1000) > SOON_NS ? PLX_E_OVERLOADED : PLX_TIMEOUT;
    if (reply.status == WIRE_BACKUP_DENIED)
        return PLX_E_DENIED;
    if (reply.status != WIRE_BACKUP_OK)
        return PLX_E_UNSUPPORTED;
    *ret_snapshot = (struct plx_snapshot){.id = reply.id,
                                          .index = reply.index,
                                          .term = reply.record_term,
                                          .stream_bytes = reply.stream_bytes,
                                          .block_count = reply.block_count,
                                          .content_crc = reply.content_crc,
                                          .node = reply.node};
    return PLX_OK;
}

/* The mutex is held. */
static enum plx_outcome find(struct plx_client *client, const struct plx_backup_from *from,
                             uint64_t index_min, struct plx_snapshot *ret_snapshot)
{
    uint32_t epoch = cancel_epoch_of(client);
    uint64_t until_ns = question_until_ns(client, from->timeout_ns);
    enum plx_outcome outcome = PLX_TIMEOUT;
    bool is_answered = false;
    while (outcome == PLX_TIMEOUT && client->now_ns < until_ns &&
           !is_cancelled_since(client, epoch)) {
        uint8_t bytes[BACKUP_QUESTION_BYTES];
        struct wire_writer writer = {.data = bytes, .capacity_bytes = sizeof(bytes)};
        struct wire_backup asked = {.number = prng_next(&client->prng) | 1,
                                    .kind = WIRE_BACKUP_FIND,
                                    .index_min = index_min};
        wire_backup_encode(&writer, &asked);
        struct question question = {
            .to = {.endpoint = (uint32_t)from->endpoint, .shard = from->shard},
            .wire_type = WIRE_BACKUP,
            .reply_type = WIRE_BACKUP_REPLY,
            .number = asked.number,
            .body = span_of(bytes, writer.size_bytes),
            .cancel_epoch = epoch};
        outcome = find_once(client, &question, until_ns, ret_snapshot);
        is_answered = is_answered || outcome != PLX_E_UNREACHABLE;
        if (outcome == PLX_TIMEOUT)
            pause_until(client, earlier_ns(until_ns, client->now_ns + FIND_AGAIN_NS), epoch);
    }
    return outcome == PLX_E_UNREACHABLE && is_answered ? PLX_TIMEOUT : outcome;
}

enum plx_outcome plx_backup_find(struct plx_client *client, const struct plx_backup_from *from,
                                 uint64_t index_min, struct plx_snapshot *ret_snapshot)
{
    enum plx_outcome outcome = client_enter(client);
    *ret_snapshot = (struct plx_snapshot){.id = 0};
    if (outcome != PLX_OK)
        return outcome;
    outcome = PLX_E_ARGUMENT;
    if (!client->is_in_callback && from != NULL &&
        exchange_is_possible(client, from->endpoint, from->shard))
        outcome = find(client, from, index_min, ret_snapshot);
    client_unlock(client);
    return outcome;
}

/* ---- a block ---- */

static size_t part_bytes(const struct backup_fetch *fetch, uint32_t part)
{
    size_t begin = part * (size_t)BACKUP_PART_BYTES;
    size_t left = begin < fetch->size_bytes ? fetch->size_bytes - begin : 0;
    return left < BACKUP_PART_BYTES ? left : BACKUP_PART_BYTES;
}

static void take_part(struct backup_fetch *fetch, const struct wire_backup_reply *reply,
                      uint64_t now_ns)
{
    uint32_t part = (uint32_t)(reply->number - fetch->number);
    if (reply->id != fetch->id || reply->bytes.size_bytes != part_bytes(fetch, part))
        return;
    memcpy(fetch->buffer + part * (size_t)BACKUP_PART_BYTES, reply->bytes.data,
           reply->bytes.size_bytes);
    fetch->missing &= ~(1u << part);
    bool are_here = (fetch->missing & fetch->wanted) == 0;
    fetch->ask_ns = are_here ? now_ns : now_ns + fetch->silence_ns;
}

bool backup_receive(struct plx_client *client, const struct source *from, struct span body)
{
    struct backup_fetch *fetch = &client->backup;
    struct wire_backup_reply reply;
    if (wire_backup_reply_decode(body, &reply) != OK)
        return false;
    if (reply.kind == WIRE_BACKUP_FIND)
        return exchange_takes(client, from, WIRE_BACKUP_REPLY, reply.number, body);
    if (!fetch->is_active || fetch->asked.endpoint != from->endpoint ||
        fetch->asked.shard != from->shard || reply.number < fetch->number ||
        reply.number - fetch->number >= BACKUP_PARTS)
        return false;
    switch ((enum wire_backup_status)reply.status) {
    case WIRE_BACKUP_OK:
        take_part(fetch, &reply, client->now_ns);
        break;
    case WIRE_BACKUP_BUSY:
        fetch->ask_ns = client->now_ns + reply.wait_us * UINT64_C(1000);
        break;
    case WIRE_BACKUP_PENDING:
    case WIRE_BACKUP_GONE:
    case WIRE_BACKUP_NONE:
    case WIRE_BACKUP_DENIED:
    case WIRE_BACKUP_STATUS_END:
        fetch->refusal = reply.status;
        break;
    }
    return true;
}

static void ask_parts(struct plx_client *client, uint32_t block)
{
    struct backup_fetch *fetch = &client->backup;
    bool is_in_vain = (fetch->missing & fetch->wanted) != 0;
    uint32_t count = 0;
    if (is_in_vain && fetch->silence_ns < SILENCE_MAX_NS)
        fetch->silence_ns *= 2;
    fetch->wanted = 0;
    for (uint32_t part = 0; part < BACKUP_PARTS && count < PARTS_AT_ONCE; part++) {
        if ((fetch->missing >> part & 1) == 0)
            continue;
        count++;
        fetch->wanted |= 1u << part;
        uint8_t bytes[BACKUP_QUESTION_BYTES];
        struct wire_writer writer = {.data = bytes, .capacity_bytes = sizeof(bytes)};
        wire_backup_encode(&writer, &(struct wire_backup){.number = fetch->number + part,
                                                          .kind = WIRE_BACKUP_PART,
                                                          .id = fetch->id,
                                                          .block = block,
                                                          .part = part});
        packet_send(client, &fetch->asked, WIRE_BACKUP, span_of(bytes, writer.size_bytes));
    }
    fetch->ask_ns = client->now_ns + fetch->silence_ns;
}

static void fetch_begin(struct plx_client *client, const struct plx_backup_from *from,
                        const struct plx_snapshot *snapshot, uint32_t number)
{
    uint64_t begin = number * (uint64_t)SNAPSHOT_BLOCK_BYTES;
    uint64_t left = snapshot->stream_bytes - begin;
    struct backup_fetch *fetch = &client->backup;
    uint64_t silence_ns = fetch->silence_ns / 4 * 3;
    *fetch = (struct backup_fetch){
        .is_active = true,
        .asked = {.endpoint = (uint32_t)from->endpoint, .shard = from->shard},
        .number = prng_next(&client->prng) >> 1,
        .id = snapshot->id,
        .due_ns = fetch->due_ns,
        .silence_ns = silence_ns > SILENCE_MIN_NS ? silence_ns : SILENCE_MIN_NS,
        .size_bytes = (size_t)(left < SNAPSHOT_BLOCK_BYTES ? left : SNAPSHOT_BLOCK_BYTES)};
    for (uint32_t part = 0; part < BACKUP_PARTS; part++)
        fetch->missing |= part_bytes(fetch, part) > 0 ? 1u << part : 0;
}

/* Waits until the next block may be asked for. */
static void keep_to_rate(struct plx_client *client, uint64_t rate_bytes)
{
    struct backup_fetch *fetch = &client->backup;
    client->now_ns = clock_monotonic_ns();
    pause_until(client, fetch->due_ns, cancel_epoch_of(client));
    if (rate_bytes == 0)
        return;
    uint64_t block_ns = SNAPSHOT_BLOCK_BYTES * UINT64_C(1000000000) / rate_bytes;
    uint64_t from_ns = client->now_ns - fetch->due_ns < block_ns ? fetch->due_ns : client->now_ns;
    fetch->due_ns = from_ns + block_ns;
}

/* The mutex is held, and the fetch has begun. */
static enum plx_outcome fetch_run(struct plx_client *client, uint32_t number, uint64_t until_ns)
{
    struct backup_fetch *fetch = &client->backup;
    uint32_t epoch = cancel_epoch_of(client);
    client->spin_until_ns = client->now_ns + client->options.spin_ns;
    while (fetch->missing != 0 && fetch->refusal == 0 && client->now_ns < until_ns &&
           !is_cancelled_since(client, epoch)) {
        if (client->now_ns >= fetch->ask_ns)
            ask_parts(client, number);
        client_turn(client);
        if (fetch->missing != 0 && fetch->refusal == 0)
            client_wait(client, earlier_ns(fetch->ask_ns, until_ns));
    }
    fetch->is_active = false;
    if (fetch->refusal == WIRE_BACKUP_DENIED)
        return PLX_E_DENIED;
    if (fetch->refusal != 0)
        return fetch->refusal == WIRE_BACKUP_GONE ? PLX_NOT_FOUND : PLX_E_UNSUPPORTED;
    return fetch->missing == 0 ? PLX_OK : PLX_E_UNREACHABLE;
}

enum plx_outcome plx_backup_block(struct plx_client *client, const struct plx_backup_from *from,
                                  const struct plx_snapshot *snapshot, uint32_t number,
                                  void *buffer)
{
    enum plx_outcome outcome = client_enter(client);
    if (outcome != PLX_OK)
        return outcome;
    outcome = PLX_E_ARGUMENT;
    if (!client->is_in_callback && from != NULL && snapshot != NULL && buffer != NULL &&
        exchange_is_possible(client, from->endpoint, from->shard) &&
        snapshot->stream_bytes > number * (uint64_t)SNAPSHOT_BLOCK_BYTES) {
        keep_to_rate(client, from->rate_bytes);
        uint64_t until_ns = question_until_ns(client, from->timeout_ns);
        fetch_begin(client, from, snapshot, number);
        client->backup.buffer = buffer;
        outcome = fetch_run(client, number, until_ns);
    }
    client_unlock(client);
    return outcome;
}
