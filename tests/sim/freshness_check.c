/* Bounds of staleness, and handles that read their own writes: see order_check.h. */
#include "tests/sim/order_check.h"
#include "tests/sim/timeline.h"

/* A node's clock may be so much slower than time: its ages are short by that share. */
#define CLOCK_SLOWNESS_SHARE 8

static bool is_relaxed_answer(const struct history_op *op)
{
    return op->type == HISTORY_RELAXED_GET && history_is_answered_get(op);
}

/* The wire counts ages in microseconds; one that is shorter is asked for as one. */
static bool is_too_old(const struct history_op *op)
{
    uint64_t max_age_us = op->max_age_ns < 1000 ? 1 : op->max_age_ns / 1000;
    return op->max_age_ns > 0 && op->contact_age_ns / 1000 > max_age_us;
}

/* "Refused with its own outcome when the server cannot promise it": by what the answer says. */
static void check_bounds(const struct history *history, struct verdict *verdict)
{
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        bool is_bounded = op->min_index > 0 || op->max_age_ns > 0 || op->reads_own;
        if (op->outcome == HISTORY_TOO_STALE && !is_bounded)
            verdict_break(verdict, RULE_STALENESS, "op %u (%s key %u) asked for no bound", i,
                          history_type_name(op->type), op->key);
        if (!is_relaxed_answer(op))
            continue;
        if (op->applied_index < op->min_index)
            verdict_break(verdict, RULE_STALENESS,
                          "op %u (key %u) asked for index %llu; node %u had applied %llu", i,
                          op->key, (unsigned long long)op->min_index, op->node,
                          (unsigned long long)op->applied_index);
        if (is_too_old(op))
            verdict_break(verdict, RULE_STALENESS,
                          "op %u (key %u) asked for age %llu ns; node %u had contact %llu ns ago",
                          i, op->key, (unsigned long long)op->max_age_ns, op->node,
                          (unsigned long long)op->contact_age_ns);
    }
}

/* The truth behind the age: all that was committed so long ago is in the answer. */
static void check_age(const struct history *history, struct verdict *verdict)
{
    struct timeline committed;
    timeline_init(&committed);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (op->place.index != 0)
            timeline_add(&committed, &(struct timeline_note){.group = op->shard,
                                                             .at_ns = op->decided_ns,
                                                             .value = op->place.index,
                                                             .op = i});
    }
    timeline_seal(&committed);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        uint64_t age_ns = op->max_age_ns + op->max_age_ns / CLOCK_SLOWNESS_SHARE;
        uint64_t slack_ns = history->staleness_slack_ns;
        if (!is_relaxed_answer(op) || op->max_age_ns == 0 || slack_ns >= op->invoke_ns ||
            age_ns >= op->invoke_ns - slack_ns)
            continue;
        const struct timeline_note *before =
            timeline_greatest(&committed, op->shard, op->invoke_ns - slack_ns - age_ns);
        if (before != NULL && before->value > op->applied_index)
            verdict_break(verdict, RULE_STALENESS,
                          "op %u (key %u) asked for age %llu ns; node %u answered at index %llu "
                          "and index %llu had been committed %llu ns before",
                          i, op->key, (unsigned long long)op->max_age_ns, op->node,
                          (unsigned long long)op->applied_index, (unsigned long long)before->value,
                          (unsigned long long)(op->invoke_ns - before->at_ns));
    }
    timeline_deinit(&committed);
}

/* ---- "a relaxed get is no older than what the client has itself seen" ---- */

/* The log index that an answer has shown to its client; 0: none. */
static uint64_t shown_index(const struct history_op *op)
{
    if (op->is_pending || history_is_relaxed_write(op))
        return 0;
    if (op->outcome == HISTORY_NOT_FOUND)
        return op->applied_index;
    return op->outcome == HISTORY_OK ? op->version : 0;
}

/* What a handle was shown before it heard of a new era is forgotten then. */
static bool is_forgotten(const struct history *history, const struct history_op *op)
{
    return history->rescue.at_ns != 0 && op->era != 1;
}

static void check_own_reads(const struct history *history, struct verdict *verdict)
{
    struct timeline shown;
    timeline_init(&shown);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        timeline_add(&shown, &(struct timeline_note){
                                 timeline_group(op->shard, op->client, op->life), op->return_ns,
                                 is_forgotten(history, op) ? 0 : shown_index(op), i, 0});
    }
    timeline_seal(&shown);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (!is_relaxed_answer(op) || !op->reads_own)
            continue;
        const struct timeline_note *before = timeline_greatest(
            &shown, timeline_group(op->shard, op->client, op->life), op->invoke_ns);
        if (before != NULL && before->value > op->applied_index)
            verdict_break(verdict, RULE_READ_YOUR_WRITES,
                          "op %u (key %u) of client %u at applied index %llu, after op %u had "
                          "shown it index %llu",
                          i, op->key, op->client, (unsigned long long)op->applied_index, before->op,
                          (unsigned long long)before->value);
    }
    timeline_deinit(&shown);
}

/* What the get saw is a pending write of its own handle, later than the other one. */
static bool is_own_and_later(const struct history *history, const struct history_op *get,
                             const struct history_op *write)
{
    if (!get->is_pending || get->outcome != HISTORY_OK || get->seen > history->count)
        return false;
    const struct history_op *writer = &history->ops[get->seen - 1];
    return writer->client == write->client && writer->life == write->life &&
           writer->invoke_ns > write->return_ns;
}

/* A relaxed write of the handle at one node, decided, is seen at every other one. */
static void check_own_relaxed(const struct history *history, struct verdict *verdict)
{
    struct timeline own;
    timeline_init(&own);
    uint16_t node_max = 0;
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        node_max = op->node > node_max ? op->node : node_max;
        if (history_is_relaxed_write(op) && op->outcome == HISTORY_OK && op->place.index != 0 &&
            !is_forgotten(history, op))
            timeline_add(&own, &(struct timeline_note){
                                   timeline_group(op->key, op->client, op->life * 16 + op->node),
                                   op->return_ns, op->place.index, i, 0});
    }
    timeline_seal(&own);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        for (uint16_t node = 1; node <= node_max && is_relaxed_answer(op) && op->reads_own;
             node++) {
            const struct timeline_note *before = timeline_greatest(
                &own, timeline_group(op->key, op->client, op->life * 16 + node), op->invoke_ns);
            if (node != op->node && before != NULL && before->value > op->applied_index &&
                !is_own_and_later(history, op, &history->ops[before->op]))
                verdict_break(verdict, RULE_READ_YOUR_WRITES,
                              "op %u (key %u) of client %u at applied index %llu of node %u; its "
                              "relaxed write %u through node %u is decided at index %llu",
                              i, op->key, op->client, (unsigned long long)op->applied_index,
                              op->node, before->op, node, (unsigned long long)before->value);
        }
    }
    timeline_deinit(&own);
}

/* A handle's pending write is not shown to it any more once it has written the key again. One that
 * ended as unknown may come into effect after that. */
static void check_own_pending(const struct history *history, struct verdict *verdict)
{
    struct timeline written; /* when the handle's writes that the log has were begun */
    timeline_init(&written);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (!history_is_get(op) && op->outcome == HISTORY_OK && op->place.index != 0)
            timeline_add(&written,
                         &(struct timeline_note){timeline_group(op->key, op->client, op->life),
                                                 op->return_ns, op->invoke_ns, i, 0});
    }
    timeline_seal(&written);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (!is_relaxed_answer(op) || !op->reads_own || !op->is_pending ||
            op->outcome != HISTORY_OK || op->seen > history->count)
            continue;
        const struct history_op *writer = &history->ops[op->seen - 1];
        const struct timeline_note *last = timeline_greatest(
            &written, timeline_group(op->key, op->client, op->life), op->invoke_ns);
        if (last != NULL && writer->outcome == HISTORY_OK && writer->client == op->client &&
            writer->life == op->life && last->value > writer->return_ns)
            verdict_break(verdict, RULE_READ_YOUR_WRITES,
                          "op %u (key %u) of client %u saw its pending write %llu; it had written "
                          "the key again by op %u",
                          i, op->key, op->client, (unsigned long long)op->seen - 1, last->op);
    }
    timeline_deinit(&written);
}

void freshness_check(const struct history *history, struct verdict *verdict)
{
    check_bounds(history, verdict);
    check_age(history, verdict);
    check_own_reads(history, verdict);
    check_own_relaxed(history, verdict);
    check_own_pending(history, verdict);
}
