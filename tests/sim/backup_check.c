/* See backup_check.h. */
#include "tests/sim/backup_check.h"

static bool is_decided_by(const struct history_op *op, uint64_t index)
{
    return op->place.index != 0 && op->place.index <= index;
}

static bool is_behind(const struct history_op *op, const struct history_op *other)
{
    return op->place.index != other->place.index ? op->place.index > other->place.index
                                                 : op->place.within > other->place.within;
}

/* ---- each key ---- */

/* The last write of the key up to the record; NULL: none. */
static const struct history_op *last_write(const struct history *history, uint32_t key,
                                           uint64_t index)
{
    const struct history_op *last = NULL;
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (op->key == key && is_decided_by(op, index) && (last == NULL || is_behind(op, last)))
            last = op;
    }
    return last;
}

static void check_keys(const struct history *history, const struct copied *copied,
                       struct verdict *verdict)
{
    for (uint32_t key = 0; key < copied->key_count; key++) {
        uint32_t shard = copied->key_shards[key];
        const struct copied_key *found = &copied->keys[key];
        uint64_t index = copied->shards[shard].index;
        const struct history_op *last = last_write(history, key, index);
        uint64_t value = last != NULL ? last->value : HISTORY_ABSENT;
        uint64_t version = value != HISTORY_ABSENT ? last->place.index : 0;
        if (found->value != value || found->version != version)
            verdict_break(verdict, RULE_BACKUP,
                          "shard %u as of record %llu: key %u has value %llu, version %llu in the "
                          "backup; the log says value %llu, version %llu",
                          shard, (unsigned long long)index, key, (unsigned long long)found->value,
                          (unsigned long long)found->version, (unsigned long long)value,
                          (unsigned long long)version);
    }
}

/* ---- what must be in it ---- */

/* Acknowledged before the copy of its shard began, and in no record that the backup has. */
static bool is_left_out(const struct history_op *op, const struct copied *copied)
{
    const struct copied_shard *shard = &copied->shards[op->shard];
    return op->outcome == HISTORY_OK && !history_is_get(op) && op->return_ns < shard->begun_ns &&
           !is_decided_by(op, shard->index);
}

/* The node may have lost it. */
static bool may_be_lost(const struct history *history, const struct history_op *op)
{
    for (uint32_t i = 0; i < history->loss_count; i++) {
        const struct history_loss *loss = &history->losses[i];
        if (loss->node == op->node && loss->shard == op->shard && loss->at_ns >= op->return_ns)
            return true;
    }
    return false;
}

/* Keys with a write that the node had accepted, and that the log decided behind the record. Such a
 * write was pending when the node was asked. One that was never decided was overruled: perhaps
 * before. */
static uint64_t pending_keys(const struct history *history, const struct copied *copied,
                             uint32_t shard, uint32_t node)
{
    bool is_noted[HISTORY_KEYS_MAX] = {false};
    uint64_t count = 0;
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (!history_is_relaxed_write(op) || op->shard != shard || op->node != node + 1 ||
            op->place.index == 0 || is_noted[op->key] || !is_left_out(op, copied) ||
            may_be_lost(history, op))
            continue;
        is_noted[op->key] = true;
        count++;
    }
    return count;
}

static void check_pending(const struct history *history, const struct copied *copied,
                          struct verdict *verdict)
{
    for (uint32_t i = 0; i < copied->shard_count * copied->node_count; i++) {
        uint32_t shard = i / copied->node_count;
        uint32_t node = i % copied->node_count;
        const struct copied_note *note = &copied->shards[shard].notes[node];
        uint64_t pending = pending_keys(history, copied, shard, node);
        if (!note->is_told)
            verdict_break(verdict, RULE_BACKUP, "shard %u: the backup does not name node %u", shard,
                          node + 1);
        else if (!note->is_silent && note->pending < pending)
            verdict_break(verdict, RULE_BACKUP,
                          "shard %u as of record %llu: node %u had relaxed writes of %llu keys "
                          "that are not in the backup; it tells of %llu",
                          shard, (unsigned long long)copied->shards[shard].index, node + 1,
                          (unsigned long long)pending, (unsigned long long)note->pending);
    }
}

static void check_acknowledged(const struct history *history, const struct copied *copied,
                               struct verdict *verdict)
{
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (!history_is_relaxed_write(op) && is_left_out(op, copied))
            verdict_break(verdict, RULE_BACKUP,
                          "shard %u as of record %llu: op %u (%s key %u) was acknowledged before, "
                          "and record %llu executed it",
                          op->shard, (unsigned long long)copied->shards[op->shard].index, i,
                          history_type_name(op->type), op->key,
                          (unsigned long long)op->place.index);
    }
}

void backup_check(const struct history *history, const struct copied *copied,
                  struct verdict *verdict)
{
    check_keys(history, copied, verdict);
    check_acknowledged(history, copied, verdict);
    check_pending(history, copied, verdict);
}
