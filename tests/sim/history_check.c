/* The rules of history.h. */
#include "tests/sim/history.h"

#include "base/check.h"
#include "tests/checker/linearize.h"

#include <stdlib.h>

/* The stored value that an answer proves; HISTORY_ABSENT: none. */
static uint64_t proven_value(const struct history_op *op)
{
    if (history_is_get(op) && op->outcome == HISTORY_OK)
        return op->seen;
    if (op->type == HISTORY_SWAP && op->outcome == HISTORY_OK)
        return op->old;
    if (op->type == HISTORY_SWAP && op->outcome == HISTORY_MISMATCH && op->seen != HISTORY_UNSEEN)
        return op->seen;
    return HISTORY_ABSENT;
}

/* Every value seen must have a writer on the same key that began before and may have happened. */
static void check_writer(const struct history *history, uint32_t observer, struct verdict *verdict)
{
    const struct history_op *op = &history->ops[observer];
    uint64_t value = proven_value(op);
    if (value == HISTORY_ABSENT)
        return;
    enum rule rule = op->type == HISTORY_RELAXED_GET ? RULE_RELAXED_VALUE : RULE_LINEARIZABILITY;
    if (value > history->count || history->ops[value - 1].value != value) {
        verdict_break(verdict, rule, "op %u (%s key %u) saw value %llu that nobody wrote", observer,
                      history_type_name(op->type), op->key, (unsigned long long)value);
        return;
    }
    const struct history_op *writer = &history->ops[value - 1];
    if (writer->key != op->key || writer->invoke_ns > op->return_ns)
        verdict_break(verdict, rule,
                      "op %u (%s key %u) saw value %llu of key %u, written from %llu on", observer,
                      history_type_name(op->type), op->key, (unsigned long long)value, writer->key,
                      (unsigned long long)writer->invoke_ns);
    else if (writer->outcome == HISTORY_TIMEOUT || writer->outcome == HISTORY_REFUSED ||
             writer->outcome == HISTORY_MISMATCH)
        verdict_break(verdict, RULE_DEFINITE_OUTCOME,
                      "op %u (%s key %u) saw value %llu, whose %s had ended with %s", observer,
                      history_type_name(op->type), op->key, (unsigned long long)value,
                      history_type_name(writer->type), history_outcome_name(writer->outcome));
}

/* A value that appears under two versions was applied twice. */
static void check_once(const struct history *history, struct verdict *verdict)
{
    uint64_t *versions = calloc((size_t)history->count + 2, sizeof(*versions));
    CHECK(versions != NULL);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (!history_is_get(op) || op->outcome != HISTORY_OK || op->seen > history->count)
            continue;
        if (versions[op->seen] == 0)
            versions[op->seen] = op->version;
        if (versions[op->seen] != op->version)
            verdict_break(verdict, RULE_EXACTLY_ONCE,
                          "value %llu of key %u was seen as version %llu and as version %llu",
                          (unsigned long long)op->seen, op->key,
                          (unsigned long long)versions[op->seen], (unsigned long long)op->version);
    }
    free(versions);
}

static bool is_same_server_life(const struct history_op *a, const struct history_op *b)
{
    return a->node == b->node && a->incarnation == b->incarnation;
}

/* `later` began after `earlier` had returned, both answered by one life of one node. */
static void check_pair(const struct history_op *earlier, const struct history_op *later,
                       struct verdict *verdict)
{
    if (later->applied_index < earlier->applied_index)
        verdict_break(verdict, RULE_RELAXED_MONOTONE,
                      "node %u answered a get at applied index %llu after one at %llu", later->node,
                      (unsigned long long)later->applied_index,
                      (unsigned long long)earlier->applied_index);
    bool is_comparable = later->key == earlier->key && later->outcome == HISTORY_OK &&
                         earlier->outcome == HISTORY_OK;
    if (is_comparable && later->version < earlier->version)
        verdict_break(verdict, RULE_RELAXED_MONOTONE,
                      "node %u answered key %u with version %llu after version %llu", later->node,
                      later->key, (unsigned long long)later->version,
                      (unsigned long long)earlier->version);
}

static void check_monotone(const struct history *history, struct verdict *verdict)
{
    for (uint32_t later = 0; later < history->count; later++) {
        const struct history_op *b = &history->ops[later];
        if (b->type != HISTORY_RELAXED_GET || !history_is_answered_get(b))
            continue;
        for (uint32_t earlier = 0; earlier < later; earlier++) {
            const struct history_op *a = &history->ops[earlier];
            if (history_is_answered_get(a) && a->return_ns < b->invoke_ns &&
                is_same_server_life(a, b))
                check_pair(a, b, verdict);
        }
    }
}

/* Translates one operation for the checker; false when it says nothing about the key's order. */
static bool lin_translate(const struct history_op *op, struct lin_op *ret_op)
{
    *ret_op = (struct lin_op){.call_ns = op->invoke_ns,
                              .return_ns = op->return_ns,
                              .value = op->value,
                              .old = op->old,
                              .seen = op->seen};
    bool is_open = op->outcome == HISTORY_PENDING || op->outcome == HISTORY_UNKNOWN;
    if (op->outcome == HISTORY_TIMEOUT || op->outcome == HISTORY_REFUSED ||
        op->type == HISTORY_RELAXED_GET || (is_open && history_is_get(op)))
        return false;
    /* A mismatch that did not tell what was stored says next to nothing, and costs the search much.
     */
    if (op->outcome == HISTORY_MISMATCH && op->seen == HISTORY_UNSEEN)
        return false;
    ret_op->type = op->type == HISTORY_GET    ? LIN_GET
                   : op->type == HISTORY_SWAP ? LIN_SWAP
                                              : LIN_SET;
    ret_op->outcome = is_open ? LIN_MAYBE : op->outcome == HISTORY_MISMATCH ? LIN_MISMATCH : LIN_OK;
    if (is_open)
        ret_op->return_ns = LIN_OPEN;
    if (op->type == HISTORY_GET)
        ret_op->value = op->outcome == HISTORY_OK ? op->seen : LIN_ABSENT;
    return true;
}

static void check_key(const struct history *history, uint32_t key, struct verdict *verdict,
                      struct tally *tally)
{
    struct lin_op *ops = calloc((size_t)history->count + 1, sizeof(*ops));
    uint32_t *numbers = calloc((size_t)history->count + 1, sizeof(*numbers));
    CHECK(ops != NULL && numbers != NULL);
    uint32_t count = 0;
    for (uint32_t i = 0; i < history->count; i++) {
        if (history->ops[i].key == key && lin_translate(&history->ops[i], &ops[count]))
            numbers[count++] = i;
    }
    struct lin_report report;
    lin_check(ops, count, HISTORY_STEPS_MAX, &report);
    tally->histories_checked++;
    tally->checker_steps += report.steps;
    if (report.verdict == LIN_GAVE_UP)
        verdict_break(verdict, RULE_CHECKER_GAVE_UP, "key %u: %u operations, %llu steps", key,
                      count, (unsigned long long)report.steps);
    else if (report.verdict != LIN_LINEARIZABLE)
        verdict_break(verdict, RULE_LINEARIZABILITY, "key %u: %s at op %d; %u of %u fit one order",
                      key, lin_verdict_name(report.verdict),
                      report.suspect == LIN_NO_OP ? -1 : (int)numbers[report.suspect],
                      report.placed, count);
    free(ops);
    free(numbers);
}

void history_check(const struct history *history, struct verdict *verdict, struct tally *tally)
{
    for (uint32_t i = 0; i < history->count; i++)
        check_writer(history, i, verdict);
    check_once(history, verdict);
    check_monotone(history, verdict);
    for (uint32_t key = 0; key < HISTORY_KEYS_MAX; key++)
        check_key(history, key, verdict, tally);
}
