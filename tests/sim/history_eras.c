/*
 * A history with a rescue in it is two: the era before, as its nodes went on without hearing of the
 * rescue, and the new one. Both have what was committed up to the kept index of each shard. What an
 * operation was told by one era says nothing in the other one, behind that index: there it is as if
 * nobody had told its client.
 */
#include "tests/sim/history.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

void history_rescued(struct history *history, const uint64_t *kept_index, uint64_t now_ns)
{
    CHECK(history->rescue.at_ns == 0);
    history->rescue.at_ns = now_ns;
    memcpy(history->rescue.kept_index, kept_index, sizeof(history->rescue.kept_index));
    for (uint32_t i = 0; i < history->count; i++) {
        struct history_op *op = &history->ops[i];
        op->before = history_decision_of(op);
        if (op->place.index > kept_index[op->shard])
            history_set_decision(op, &(struct history_decision){0});
    }
}

void history_set_era(struct history *history, uint32_t shard, uint64_t incarnation, uint32_t era)
{
    struct history_rescue *rescue = &history->rescue;
    if (era == 0) {
        for (uint32_t i = 0; i < rescue->incarnation_count[shard]; i++) {
            if (rescue->incarnations[shard][i] == incarnation)
                rescue->incarnations[shard][i] = 0; /* of nobody */
        }
        return;
    }
    uint32_t count = rescue->incarnation_count[shard]++;
    rescue->incarnations[shard] =
        realloc(rescue->incarnations[shard], (count + 1) * sizeof(*rescue->incarnations[shard]));
    CHECK(rescue->incarnations[shard] != NULL);
    rescue->incarnations[shard][count] = incarnation;
}

void history_name(struct history *history, const struct history_naming *naming)
{
    struct history_rescue *rescue = &history->rescue;
    uint32_t count = rescue->naming_count++;
    rescue->namings = realloc(rescue->namings, (count + 1) * sizeof(*rescue->namings));
    CHECK(rescue->namings != NULL);
    rescue->namings[count] = *naming;
}

/* Whether the client could know the era of the node before it asked. */
static bool was_named(const struct history_rescue *rescue, const struct history_op *op)
{
    for (uint32_t i = 0; i < rescue->naming_count; i++) {
        const struct history_naming *naming = &rescue->namings[i];
        if (naming->incarnation == op->incarnation && naming->shard == op->shard)
            return naming->at_ns <= op->invoke_ns;
    }
    return false;
}

static bool is_of_new_era(const struct history_rescue *rescue, const struct history_op *op,
                          uint32_t shard)
{
    for (uint32_t i = 0; i < rescue->incarnation_count[shard]; i++) {
        if (rescue->incarnations[shard][i] == op->incarnation)
            return true;
    }
    return false;
}

/* Which era answered. What a get was told names the life of the node that answered. */
static uint32_t era_of(const struct history_rescue *rescue, const struct history_op *op)
{
    if (history_is_answered_get(op) && op->incarnation != 0)
        return is_of_new_era(rescue, op, op->shard);
    bool is_write = !history_is_get(op) && !history_is_relaxed_write(op) && op->version != 0;
    if (op->era != HISTORY_ERA_UNCLEAR || op->outcome != HISTORY_OK || !is_write)
        return op->era;
    /* A write was told which record executed it. */
    bool is_before = op->before.place.index == op->version;
    bool is_after = op->place.index == op->version;
    return is_before == is_after ? HISTORY_ERA_UNCLEAR : is_after;
}

/* Nobody told its client, as far as this era knows. */
static void forget_outcome(struct history_op *op)
{
    op->outcome = HISTORY_UNKNOWN;
    op->version = 0;
    op->seen = HISTORY_ABSENT;
    op->incarnation = 0;
}

/* An operation that the new era had answered, to the era before. */
static void see_before(struct history_op *op, uint32_t era)
{
    history_set_decision(op, &op->before);
    if (era != 0)
        forget_outcome(op);
}

static bool is_kept(const struct history_rescue *rescue, const struct history_op *op)
{
    uint64_t kept_index = rescue->kept_index[op->shard];
    bool is_early = op->return_ns <= rescue->at_ns;
    if (history_is_get(op))
        return is_early && op->applied_index <= kept_index;
    if (history_is_relaxed_write(op))
        return is_early && op->place.index <= kept_index;
    if (op->outcome == HISTORY_OK)
        return op->place.index != 0 && op->place.index <= kept_index;
    if (op->outcome == HISTORY_TIMEOUT || op->outcome == HISTORY_REFUSED)
        return op->place.index <= kept_index; /* what ended it may be lost */
    return is_early && op->applied_index != 0 && op->applied_index <= kept_index;
}

/* The other way round. A relaxed write that its node has acknowledged is still its own. */
static void see_after(const struct history_rescue *rescue, struct history_op *op, uint32_t era)
{
    bool is_accepted = history_is_relaxed_write(op) && op->return_ns <= rescue->at_ns;
    if (era == 1 || is_accepted || (era == 0 && is_kept(rescue, op)))
        return;
    forget_outcome(op);
}

void history_view(const struct history *history, uint32_t era, struct history *ret_view)
{
    *ret_view = *history;
    ret_view->ops = calloc((size_t)history->count + 1, sizeof(*ret_view->ops));
    CHECK(ret_view->ops != NULL);
    memcpy(ret_view->ops, history->ops, history->count * sizeof(*history->ops));
    ret_view->is_settled = history->is_settled && era == 1; /* the era before just ends */
    ret_view->rescue.at_ns = era == 1 ? history->rescue.at_ns : 0;
    for (uint32_t i = 0; i < history->count; i++) {
        struct history_op *op = &ret_view->ops[i];
        uint32_t told = era_of(&history->rescue, op);
        if (era == 0)
            see_before(op, told);
        else
            see_after(&history->rescue, op, told);
    }
}

void history_deinit_view(struct history *view)
{
    free(view->ops);
    *view = (struct history){0};
}

void history_check_eras(const struct history *history, struct verdict *verdict)
{
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        /* Before a configuration is committed a node is silent. */
        bool is_over = op->era == 1 && era_of(&history->rescue, op) == 0;
        if (is_over && was_named(&history->rescue, op))
            verdict_break(
                verdict, RULE_ERA,
                "op %u (%s key %u) was answered by node %u in the era before the one that "
                "its client had seen",
                i, history_type_name(op->type), op->key, op->node);
    }
}
