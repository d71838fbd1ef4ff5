/* See order_check.h. */
#include "tests/sim/order_check.h"

#include "base/check.h"
#include "tests/sim/timeline.h"

#include <stdlib.h>

static bool is_consistent_write(const struct history_op *op)
{
    return !history_is_get(op) && !history_is_relaxed_write(op);
}

/* "Definite: it did not take effect and never will." */
static void check_definite(const struct history *history, struct verdict *verdict)
{
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        bool is_denied = op->outcome == HISTORY_TIMEOUT || op->outcome == HISTORY_REFUSED ||
                         op->outcome == HISTORY_MISMATCH || op->outcome == HISTORY_TOO_STALE;
        if (is_denied && op->place.index != 0)
            verdict_break(verdict, RULE_DEFINITE_OUTCOME,
                          "op %u (%s key %u) ended with %s, and record %llu executed it", i,
                          history_type_name(op->type), op->key, history_outcome_name(op->outcome),
                          (unsigned long long)op->place.index);
    }
}

/* "A duplicate packet or a retry never applies twice"; and what was acknowledged applied once. */
static void check_applied_once(const struct history *history, struct verdict *verdict)
{
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (op->decided_again_index != 0)
            verdict_break(verdict, RULE_EXACTLY_ONCE,
                          "op %u (%s key %u) was executed by record %llu and by record %llu", i,
                          history_type_name(op->type), op->key, (unsigned long long)op->place.index,
                          (unsigned long long)op->decided_again_index);
        if (!is_consistent_write(op) || op->outcome != HISTORY_OK)
            continue;
        if (op->place.index == 0 || (op->version != 0 && op->version != op->place.index))
            verdict_break(verdict, RULE_EXACTLY_ONCE,
                          "op %u (%s key %u) was told version %llu; record %llu executed it", i,
                          history_type_name(op->type), op->key, (unsigned long long)op->version,
                          (unsigned long long)op->place.index);
    }
}

/* ---- what the log says ---- */

struct decision {
    uint32_t key;
    struct history_place place;
    uint64_t value;
};

/* The writes of the log by key, then by place. */
struct decisions {
    struct decision *decisions;
    uint32_t count;
};

static int compare_places(const void *a, const void *b)
{
    const struct decision *left = a;
    const struct decision *right = b;
    if (left->key != right->key)
        return left->key < right->key ? -1 : 1;
    if (left->place.index != right->place.index)
        return left->place.index < right->place.index ? -1 : 1;
    return left->place.within < right->place.within ? -1 : left->place.within > right->place.within;
}

static struct decisions decisions_gather(const struct history *history)
{
    struct decisions decisions = {.count = 0};
    decisions.decisions = calloc((size_t)history->count + 1, sizeof(*decisions.decisions));
    CHECK(decisions.decisions != NULL);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (op->place.index != 0)
            decisions.decisions[decisions.count++] =
                (struct decision){op->key, op->place, op->value};
    }
    qsort(decisions.decisions, decisions.count, sizeof(*decisions.decisions), compare_places);
    return decisions;
}

/* What the key is after the record at `index`: absent before its first write. */
static struct decision decisions_at(const struct decisions *decisions, uint32_t key, uint64_t index)
{
    uint32_t low = 0;
    uint32_t high = decisions->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct decision *at = &decisions->decisions[middle];
        if (at->key < key || (at->key == key && at->place.index <= index))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || decisions->decisions[low - 1].key != key)
        return (struct decision){.value = HISTORY_ABSENT};
    return decisions->decisions[low - 1];
}

/* "Else its applied state": what is not pending is what the log says at the applied index. */
static void check_answers(const struct history *history, struct verdict *verdict)
{
    struct decisions decisions = decisions_gather(history);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (!history_is_answered_get(op) || op->is_pending)
            continue;
        struct decision decision = decisions_at(&decisions, op->key, op->applied_index);
        uint64_t seen = op->outcome == HISTORY_OK ? op->seen : HISTORY_ABSENT;
        if (seen != decision.value ||
            (seen != HISTORY_ABSENT && op->version != decision.place.index))
            verdict_break(verdict, RULE_LOG_ANSWER,
                          "op %u (%s key %u) at applied index %llu saw value %llu, version %llu; "
                          "the log says value %llu, version %llu",
                          i, history_type_name(op->type), op->key,
                          (unsigned long long)op->applied_index, (unsigned long long)seen,
                          (unsigned long long)op->version, (unsigned long long)decision.value,
                          (unsigned long long)decision.place.index);
    }
    free(decisions.decisions);
}

/* ---- the order of time ---- */

/* Log indexes that were committed for certain, by when: of writes, and of consistent answers. */
static void timeline_fill_committed(struct timeline *timeline, const struct history *history)
{
    timeline_init(timeline);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        struct timeline_note note = {.group = op->shard, .op = i};
        if (op->place.index != 0) {
            note.at_ns = op->decided_ns;
            note.value = op->place.index;
        } else if (op->type == HISTORY_GET && history_is_answered_get(op)) {
            note.at_ns = op->return_ns;
            note.value = op->applied_index;
        } else {
            continue;
        }
        timeline_add(timeline, &note);
    }
    timeline_seal(timeline);
}

/* "Every later consistent get returns it until the next set": the log keeps the order of time. */
static void check_real_time(const struct history *history, struct verdict *verdict)
{
    struct timeline committed;
    timeline_fill_committed(&committed, history);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        bool is_get = op->type == HISTORY_GET && history_is_answered_get(op);
        if (!is_get && op->place.index == 0)
            continue;
        const struct timeline_note *before =
            timeline_greatest(&committed, op->shard, op->invoke_ns);
        /* A write comes behind all that was committed when it began. */
        uint64_t own = is_get ? op->applied_index + 1 : op->place.index;
        if (before != NULL && before->value >= own)
            verdict_break(verdict, RULE_REAL_TIME,
                          "op %u (%s key %u) at index %llu began after op %u at index %llu", i,
                          history_type_name(op->type), op->key,
                          (unsigned long long)(is_get ? own - 1 : own), before->op,
                          (unsigned long long)before->value);
    }
    timeline_deinit(&committed);
}

void order_check(const struct history *history, struct verdict *verdict)
{
    check_definite(history, verdict);
    check_applied_once(history, verdict);
    check_answers(history, verdict);
    check_real_time(history, verdict);
}
