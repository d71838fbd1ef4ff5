/*
 * Giving a snapshot to a client, part by part: wire/wire_backup.h. The client sets the pace and
 * asks again for what was lost. All that is kept here is the block that was read last, the time
 * from which the next part may leave, and that a newer snapshot is wanted. So any number of
 * clients, and strangers, share one rate, and the snapshots that server/backup_allowance.h allows.
 *
 * Any member's snapshot will do: it holds committed records only, whoever leads.
 */
#include "base/budget.h"
#include "base/check.h"
#include "server/replica_internal.h"
#include "wire/wire.h"

/* When a question is worth asking again that was not answered with a part. */
#define WAIT_NS_MAX UINT64_C(100000000)

static_assert(BACKUP_SNAPSHOT_NS / 1000 <= UINT32_MAX, "the time to wait fits an answer");

size_t replica_backup_arena_bytes(const struct replica *sized)
{
    return sized->options.snapshots.size_bytes == 0 ? 0 : SNAPSHOT_BLOCK_BYTES + 2 * 64;
}

void replica_backup_init(struct replica *replica)
{
    if (replica->snapshot.files != NULL)
        replica->backup.block = arena_take(&replica->shared->arena, SNAPSHOT_BLOCK_BYTES, 64);
}

static void send_reply(struct replica *replica, const struct address *to,
                       struct wire_backup_reply *reply)
{
    struct wire_writer writer = {.data = replica->shared->message_data,
                                 .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    reply->node = replica->options.raft.self.id;
    reply->applied_index = engine_applied_index(replica->engine);
    wire_backup_reply_encode(&writer, reply);
    struct lane_message message = {
        .header = replica_message_header(replica, WIRE_BACKUP_REPLY, replica->next_message_id++),
        .to = *to,
        .body = span_of(writer.data, writer.size_bytes)};
    lane_message_fit(replica->shared, &message);
    /* Not kept: a lost piece costs another question, and what others were sent stays. */
    lane_shared_send_pieces(
        replica->shared, &message, 0,
        wire_piece_count(message.body.size_bytes, message.header.piece_size_bytes));
}

/* ---- find ---- */

bool replica_backup_is_wanted(const struct replica *replica)
{
    const struct replica_backup *backup = &replica->backup;
    struct snapshot_info newest;
    return backup->wanted_index != 0 &&
           backup_allowance_wait_ns(&backup->allowance, replica->shared->now_ns) == 0 &&
           (!snapshots_newest(replica->snapshot.files, &newest) ||
            newest.label.index < backup->wanted_index);
}

void replica_backup_note_begun(struct replica *replica)
{
    struct replica_backup *backup = &replica->backup;
    if (replica_backup_is_wanted(replica)) {
        backup_allowance_take(&backup->allowance, replica->shared->now_ns);
        replica->counters.backup_snapshots++;
    }
    backup->wanted_index = 0;
}

/* The snapshots that are there are too old: another one is wanted, unless there were too many. */
static void want_snapshot(struct replica *replica, const struct wire_backup *question,
                          struct wire_backup_reply *reply)
{
    struct replica_backup *backup = &replica->backup;
    uint64_t wait_ns = backup_allowance_wait_ns(&backup->allowance, replica->shared->now_ns);
    reply->wait_us = WAIT_NS_MAX / 1000;
    if (question->index_min > engine_applied_index(replica->engine) ||
        engine_snapshot_is_running(replica->engine))
        return;
    if (wait_ns <= BACKUP_SNAPSHOT_GAP_NS) {
        backup->wanted_index = question->index_min;
        return;
    }
    replica->counters.backup_snapshots_refused++;
    reply->wait_us = (uint32_t)(wait_ns / 1000);
}

static void answer_find(struct replica *replica, const struct wire_backup *question,
                        struct wire_backup_reply *reply)
{
    struct snapshot_info newest;
    if (snapshots_newest(replica->snapshot.files, &newest) &&
        newest.label.index >= question->index_min) {
        reply->status = WIRE_BACKUP_OK;
        reply->id = newest.label.id;
        reply->index = newest.label.index;
        reply->record_term = newest.label.term;
        reply->stream_bytes = newest.stream_bytes;
        reply->block_count = newest.block_count;
        reply->content_crc = newest.content_crc;
        replica->snapshot.served_ns = replica->shared->now_ns;
        return;
    }
    reply->status = WIRE_BACKUP_PENDING;
    want_snapshot(replica, question, reply);
}

/* ---- parts ---- */

/* The block is read when its first part is asked for. False: it cannot be. */
static bool read_block(struct replica *replica, uint64_t id, uint32_t number)
{
    struct replica_backup *backup = &replica->backup;
    struct snapshot_info info;
    if (backup->raw.size_bytes > 0 && backup->id == id && backup->number == number)
        return true;
    backup->raw.size_bytes = 0;
    if (!replica_snapshot_find(replica, id, &info) || number >= info.block_count ||
        replica_read_block(replica, &info, number, backup->block, &backup->raw) != OK) {
        backup->raw.size_bytes = 0;
        return false;
    }
    backup->id = id;
    backup->number = number;
    return true;
}

static void answer_part(struct replica *replica, const struct wire_backup *question,
                        struct wire_backup_reply *reply)
{
    struct replica_backup *backup = &replica->backup;
    uint64_t now_ns = replica->shared->now_ns;
    uint64_t part_ns = budget_cost_ns(BACKUP_PART_BYTES, replica->options.snapshot_rate);
    uint64_t early_ns = budget_owed_ns(backup->next_part_ns, now_ns);
    if (early_ns > (BACKUP_PARTS - 1) * part_ns) { /* what a block takes may leave at once */
        reply->status = WIRE_BACKUP_BUSY;
        reply->wait_us = (uint32_t)((early_ns < WAIT_NS_MAX ? early_ns : WAIT_NS_MAX) / 1000 + 1);
        return;
    }
    if (!read_block(replica, question->id, question->block)) {
        reply->status = WIRE_BACKUP_GONE;
        return;
    }
    size_t begin = question->part * (size_t)BACKUP_PART_BYTES;
    size_t size = begin < backup->raw.size_bytes ? backup->raw.size_bytes - begin : 0;
    reply->status = WIRE_BACKUP_OK;
    reply->id = question->id;
    reply->bytes = span_of(backup->raw.data + (size > 0 ? begin : 0),
                           size < BACKUP_PART_BYTES ? size : BACKUP_PART_BYTES);
    backup->next_part_ns = budget_spend_ns(backup->next_part_ns, now_ns, part_ns);
    replica->snapshot.served_ns = now_ns;
    replica->counters.backup_parts_tx++;
}

void replica_deny_backup(struct replica *replica, const struct address *to, struct span body)
{
    struct wire_backup question;
    if (wire_backup_decode(body, &question) != OK)
        return;
    struct wire_backup_reply reply = {
        .number = question.number, .kind = question.kind, .status = WIRE_BACKUP_DENIED};
    send_reply(replica, to, &reply);
}

void replica_answer_backup(struct replica *replica, const struct address *to, struct span body)
{
    struct wire_backup question;
    if (wire_backup_decode(body, &question) != OK) {
        replica->counters.drop_body++;
        return;
    }
    struct wire_backup_reply reply = {
        .number = question.number, .kind = question.kind, .status = WIRE_BACKUP_NONE};
    if (replica->snapshot.files == NULL || replica_is_out(replica) ||
        replica_snapshot_is_loading(replica)) {
        send_reply(replica, to, &reply);
        return;
    }
    switch ((enum wire_backup_kind)question.kind) {
    case WIRE_BACKUP_FIND:
        answer_find(replica, &question, &reply);
        break;
    case WIRE_BACKUP_PART:
        answer_part(replica, &question, &reply);
        break;
    case WIRE_BACKUP_KIND_END:
        return;
    }
    send_reply(replica, to, &reply);
}
