/* See acceptance.h. */
#include "tests/sim/acceptance.h"

#include "base/check.h"

#include <stdlib.h>

static int compare_accepted(const void *a, const void *b)
{
    const struct accepted *left = a;
    const struct accepted *right = b;
    if (left->node != right->node)
        return left->node < right->node ? -1 : 1;
    if (left->shard != right->shard)
        return left->shard < right->shard ? -1 : 1;
    if (left->seq != right->seq)
        return left->seq < right->seq ? -1 : 1;
    return left->op < right->op ? -1 : left->op > right->op;
}

static uint64_t group_of(const struct acceptance *acceptance, const struct history_op *op,
                         uint64_t at_ns)
{
    return timeline_group(op->key, op->node, acceptance_era(acceptance, op, at_ns));
}

/*
 * Nobody knows whether it was accepted. In a settled history the log knows: it is decided, or a
 * newer one is, or the journal was lost, or a later write cancelled it.
 */
static bool is_doubtful(const struct acceptance *acceptance, const struct history_op *op)
{
    bool may_be = op->outcome == HISTORY_UNKNOWN || op->outcome == HISTORY_PENDING;
    bool is_clear = acceptance->history->is_settled && op->node != 0 &&
                    acceptance_era(acceptance, op, op->invoke_ns) ==
                        acceptance_era(acceptance, op, UINT64_MAX) &&
                    !acceptance_is_overruled(acceptance, op, UINT64_MAX);
    return may_be && op->journal_seq == 0 && !is_clear;
}

static void relaxed_note(struct acceptance *acceptance, uint32_t number)
{
    const struct history_op *op = &acceptance->history->ops[number];
    if (op->node != 0 && op->journal_seq != 0) {
        acceptance->accepted[acceptance->accepted_count++] =
            (struct accepted){op->node, op->shard, op->journal_seq, number};
        struct timeline_note note = {timeline_group(op->key, op->node, 0), op->invoke_ns,
                                     op->journal_seq, number, 0};
        timeline_add(&acceptance->known, &note);
        if (op->revoked_ns == 0)
            timeline_add(&acceptance->lasting, &note);
    }
    if (acceptance_is_sure(op))
        timeline_add(&acceptance->newest,
                     &(struct timeline_note){group_of(acceptance, op, op->invoke_ns), op->return_ns,
                                             op->journal_seq, number, 0});
}

static void doubtful_note(struct acceptance *acceptance, uint32_t number)
{
    const struct history_op *op = &acceptance->history->ops[number];
    if (history_is_relaxed_write(op) && is_doubtful(acceptance, op))
        timeline_add(&acceptance->doubtful,
                     &(struct timeline_note){timeline_group(op->key, op->node, 0), op->invoke_ns, 0,
                                             number, 0});
}

/* Time and index are turned round: the least index among those that ended after a moment. */
static void decided_note(struct acceptance *acceptance, uint32_t number)
{
    const struct history_op *op = &acceptance->history->ops[number];
    struct timeline_note note = {
        .at_ns = UINT64_MAX - op->return_ns, .value = UINT64_MAX - op->place.index, .op = number};
    note.group = timeline_group(op->key, op->client, op->life);
    timeline_add(&acceptance->of_client, &note);
    note.group = timeline_group(op->key, op->place.leader, 0);
    if (!history_is_relaxed_write(op) && op->place.leader != 0)
        timeline_add(&acceptance->of_leader, &note);
}

/*
 * A relaxed write that a consistent one through its server overruled never comes into the log, but
 * it had overruled what its client wrote before: the cancels that it carried went into the log with
 * the consistent write.
 */
static void overruled_note(struct acceptance *acceptance, uint32_t number)
{
    const struct history_op *op = &acceptance->history->ops[number];
    const struct timeline_note *server = timeline_greatest(
        &acceptance->of_leader, timeline_group(op->key, op->node, 0), UINT64_MAX - op->invoke_ns);
    if (server == NULL)
        return;
    timeline_add(&acceptance->of_client,
                 &(struct timeline_note){timeline_group(op->key, op->client, op->life),
                                         UINT64_MAX - op->return_ns, server->value, number, 0});
}

void acceptance_init(struct acceptance *acceptance, const struct history *history)
{
    *acceptance = (struct acceptance){.history = history};
    acceptance->accepted = calloc((size_t)history->count + 1, sizeof(*acceptance->accepted));
    CHECK(acceptance->accepted != NULL);
    timeline_init(&acceptance->newest);
    timeline_init(&acceptance->known);
    timeline_init(&acceptance->lasting);
    timeline_init(&acceptance->doubtful);
    timeline_init(&acceptance->of_client);
    timeline_init(&acceptance->of_leader);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (history_is_relaxed_write(op))
            relaxed_note(acceptance, i);
        if (op->place.index != 0)
            decided_note(acceptance, i);
    }
    qsort(acceptance->accepted, acceptance->accepted_count, sizeof(*acceptance->accepted),
          compare_accepted);
    timeline_seal(&acceptance->newest);
    timeline_seal(&acceptance->known);
    timeline_seal(&acceptance->lasting);
    timeline_seal(&acceptance->of_leader);
    for (uint32_t i = 0; i < history->count; i++) {
        if (acceptance_is_sure(&history->ops[i]) && history->ops[i].place.index == 0)
            overruled_note(acceptance, i);
    }
    timeline_seal(&acceptance->of_client);
    for (uint32_t i = 0; i < history->count; i++)
        doubtful_note(acceptance, i);
    timeline_seal(&acceptance->doubtful);
}

void acceptance_deinit(struct acceptance *acceptance)
{
    timeline_deinit(&acceptance->newest);
    timeline_deinit(&acceptance->known);
    timeline_deinit(&acceptance->lasting);
    timeline_deinit(&acceptance->doubtful);
    timeline_deinit(&acceptance->of_client);
    timeline_deinit(&acceptance->of_leader);
    free(acceptance->accepted);
}

uint32_t acceptance_era(const struct acceptance *acceptance, const struct history_op *op,
                        uint64_t at_ns)
{
    uint32_t era = 0;
    for (uint32_t i = 0; i < acceptance->history->loss_count; i++) { /* few */
        const struct history_loss *loss = &acceptance->history->losses[i];
        era += loss->node == op->node && loss->shard == op->shard && loss->at_ns <= at_ns;
    }
    return era;
}

const struct history_op *acceptance_newest(const struct acceptance *acceptance,
                                           const struct history_op *get)
{
    const struct timeline_note *note = timeline_greatest(
        &acceptance->newest, group_of(acceptance, get, get->return_ns), get->invoke_ns);
    return note == NULL ? NULL : &acceptance->history->ops[note->op];
}

uint32_t acceptance_place(const struct acceptance *acceptance, const struct history_op *op,
                          uint64_t seq)
{
    struct accepted wanted = {.node = op->node, .shard = op->shard, .seq = seq};
    uint32_t low = 0;
    uint32_t high = acceptance->accepted_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_accepted(&acceptance->accepted[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool acceptance_is_overruled(const struct acceptance *acceptance, const struct history_op *op,
                             uint64_t index)
{
    uint64_t after = UINT64_MAX - op->invoke_ns;
    const struct timeline_note *own = timeline_greatest(
        &acceptance->of_client, timeline_group(op->key, op->client, op->life), after);
    const struct timeline_note *server =
        timeline_greatest(&acceptance->of_leader, timeline_group(op->key, op->node, 0), after);
    return (own != NULL && UINT64_MAX - own->value <= index) ||
           (server != NULL && UINT64_MAX - server->value <= index);
}

bool acceptance_has_newer(const struct acceptance *acceptance, const struct history_op *op)
{
    /* One of a client that is revoked may have made way for one that was dropped. */
    const struct timeline *newer = op->is_of_few ? &acceptance->known : &acceptance->lasting;
    const struct timeline_note *note =
        timeline_greatest(newer, timeline_group(op->key, op->node, 0), UINT64_MAX);
    return note != NULL && note->value > op->journal_seq;
}

bool acceptance_is_in_doubt(const struct acceptance *acceptance, const struct history_op *op,
                            uint64_t before_ns)
{
    const struct timeline *doubtful = &acceptance->doubtful;
    return timeline_greatest(doubtful, timeline_group(op->key, op->node, 0), before_ns) != NULL ||
           timeline_greatest(doubtful, timeline_group(op->key, 0, 0), before_ns) != NULL;
}
