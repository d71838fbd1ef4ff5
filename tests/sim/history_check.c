/* The rules of history.h. */
#include "tests/sim/history.h"

#include "base/check.h"
#include "tests/checker/linearize.h"
#include "tests/sim/order_check.h"
#include "tests/sim/relaxed_check.h"
#include "tests/sim/timeline.h"

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
        if (!history_is_get(op) || op->outcome != HISTORY_OK || op->is_pending ||
            op->seen > history->count)
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

/* Applied indexes, and versions of each key, that each life of a node has shown. */
struct shown {
    struct timeline indexes;
    struct timeline versions;
};

static bool is_of_a_life(const struct history_op *op)
{
    return history_is_answered_get(op) && op->incarnation != 0;
}

static bool shows_version(const struct history_op *op)
{
    return op->outcome == HISTORY_OK && !op->is_pending;
}

/* `key` UINT32_MAX: all keys of the operation's shard. */
static uint64_t life_group(const struct history_op *op, uint32_t key)
{
    uint64_t life = digest_word(digest_word(op->node, op->incarnation), op->shard);
    return digest_word(life, key);
}

static void shown_init(struct shown *shown, const struct history *history)
{
    timeline_init(&shown->indexes);
    timeline_init(&shown->versions);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (!is_of_a_life(op))
            continue;
        struct timeline_note note = {.at_ns = op->return_ns, .op = i};
        note.group = life_group(op, UINT32_MAX);
        note.value = op->applied_index;
        timeline_add(&shown->indexes, &note);
        note.group = life_group(op, op->key);
        note.value = op->version;
        if (shows_version(op))
            timeline_add(&shown->versions, &note);
    }
    timeline_seal(&shown->indexes);
    timeline_seal(&shown->versions);
}

/* A relaxed get after another get, both answered by one life of one node. */
static void check_monotone(const struct history *history, struct verdict *verdict)
{
    struct shown shown;
    shown_init(&shown, history);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (op->type != HISTORY_RELAXED_GET || !is_of_a_life(op))
            continue;
        const struct timeline_note *before =
            timeline_greatest(&shown.indexes, life_group(op, UINT32_MAX), op->invoke_ns);
        if (before != NULL && before->value > op->applied_index)
            verdict_break(verdict, RULE_RELAXED_MONOTONE,
                          "node %u answered a get at applied index %llu after one at %llu",
                          op->node, (unsigned long long)op->applied_index,
                          (unsigned long long)before->value);
        before = timeline_greatest(&shown.versions, life_group(op, op->key), op->invoke_ns);
        if (before != NULL && shows_version(op) && before->value > op->version)
            verdict_break(verdict, RULE_RELAXED_MONOTONE,
                          "node %u answered key %u with version %llu after version %llu", op->node,
                          op->key, (unsigned long long)op->version,
                          (unsigned long long)before->value);
    }
    timeline_deinit(&shown.indexes);
    timeline_deinit(&shown.versions);
}

/* What nobody was told, the log knows: whether it happened, and by when. */
static bool lin_ask_log(const struct history *history, const struct history_op *op,
                        struct lin_op *lin_op)
{
    if (!history->is_log_known || history_is_get(op) || op->outcome == HISTORY_MISMATCH)
        return true;
    lin_op->outcome = LIN_OK;
    lin_op->return_ns = op->decided_ns;
    return op->place.index != 0;
}

/* Translates one operation for the checker; false when it says nothing about the key's order. */
static bool lin_translate(const struct history *history, const struct history_op *op,
                          struct lin_op *ret_op)
{
    *ret_op = (struct lin_op){.call_ns = op->invoke_ns,
                              .return_ns = op->return_ns,
                              .value = op->value,
                              .old = op->old,
                              .seen = op->seen};
    bool is_open = op->outcome == HISTORY_PENDING || op->outcome == HISTORY_UNKNOWN ||
                   history_is_relaxed_write(op);
    if (op->outcome == HISTORY_TIMEOUT || op->outcome == HISTORY_REFUSED ||
        op->type == HISTORY_RELAXED_GET || (is_open && history_is_get(op)))
        return false;
    /* A mismatch that did not tell what was stored says next to nothing, and costs the search
     * much. */
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
    return lin_ask_log(history, op, ret_op);
}

static void check_key(const struct history *history, uint32_t key, struct verdict *verdict,
                      struct tally *tally)
{
    struct lin_op *ops = calloc((size_t)history->count + 1, sizeof(*ops));
    uint32_t *numbers = calloc((size_t)history->count + 1, sizeof(*numbers));
    CHECK(ops != NULL && numbers != NULL);
    uint32_t count = 0;
    for (uint32_t i = 0; i < history->count; i++) {
        if (history->ops[i].key == key && lin_translate(history, &history->ops[i], &ops[count]))
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

static void check_all(const struct history *history, struct verdict *verdict, struct tally *tally)
{
    for (uint32_t i = 0; i < history->count; i++)
        check_writer(history, i, verdict);
    check_once(history, verdict);
    check_monotone(history, verdict);
    relaxed_check(history, verdict);
    if (history->is_log_known)
        order_check(history, verdict);
    freshness_check(history, verdict);
    for (uint32_t key = 0; key < HISTORY_KEYS_MAX; key++)
        check_key(history, key, verdict, tally);
}

void history_check(const struct history *history, struct verdict *verdict, struct tally *tally)
{
    if (history->rescue.at_ns == 0) {
        check_all(history, verdict, tally);
        return;
    }
    history_check_eras(history, verdict);
    for (uint32_t era = 0; era < 2; era++) {
        struct history view;
        history_view(history, era, &view);
        check_all(&view, verdict, tally);
        history_deinit_view(&view);
    }
}
