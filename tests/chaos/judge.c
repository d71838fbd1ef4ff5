/* One pass over all observations, then the linearizability of each key by tests/checker. */
#include "tests/chaos/judge.h"

#include "base/check.h"
#include "tests/checker/linearize.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct bench {
    const struct history *history;
    struct judge *judge;
    uint64_t *versions; /* under which each value was seen first, 0: not yet */
};

const char *judge_rule_name(enum judge_rule rule)
{
    static const char *const names[] = {
#define X(name, text) #name,
        JUDGE_LIST(X)
#undef X
    };
    return names[rule];
}

const char *judge_rule_text(enum judge_rule rule)
{
    static const char *const texts[] = {
#define X(name, text) text,
        JUDGE_LIST(X)
#undef X
    };
    return texts[rule];
}

__attribute__((format(printf, 3, 4))) static void broken(struct judge *judge, enum judge_rule rule,
                                                         const char *format, ...)
{
    if (judge->broken_counts[rule]++ > 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(judge->texts[rule], JUDGE_TEXT_MAX, format, arguments);
    va_end(arguments);
}

static bool is_get(const struct history_op *op)
{
    return op->type == HISTORY_GET || op->type == HISTORY_RELAXED_GET;
}

/* The stored value that an answer proves; HISTORY_ABSENT: none. */
static uint64_t proven_value(const struct history_op *op)
{
    if (is_get(op) && op->outcome == HISTORY_OK)
        return op->seen;
    if (op->type == HISTORY_SWAP && op->outcome == HISTORY_OK)
        return op->old;
    if (op->type == HISTORY_SWAP && op->outcome == HISTORY_MISMATCH && op->seen != HISTORY_UNSEEN)
        return op->seen;
    return HISTORY_ABSENT;
}

static void judge_observation(struct bench *bench, uint32_t number)
{
    const struct history *history = bench->history;
    const struct history_op *op = &history->ops[number];
    struct judge *judge = bench->judge;
    uint64_t value = proven_value(op);
    if (value == HISTORY_ABSENT)
        return;
    judge->checked_counts[JUDGE_written]++;
    judge->checked_counts[JUDGE_definite]++;
    if (value > history->count || history->ops[value - 1].value != value) {
        broken(judge, JUDGE_written, "operation %u (%s) saw value %" PRIu64 ", which nobody wrote",
               number, history_type_name(op->type), value);
        return;
    }
    const struct history_op *writer = &history->ops[value - 1];
    if (writer->key != op->key || writer->invoke_ns > op->return_ns)
        broken(judge, JUDGE_written,
               "operation %u (%s) of key %u saw value %" PRIu64 " of key %u, or before its time",
               number, history_type_name(op->type), op->key, value, writer->key);
    if (writer->outcome == HISTORY_TIMEOUT || writer->outcome == HISTORY_REFUSED ||
        writer->outcome == HISTORY_MISMATCH)
        broken(judge, JUDGE_definite,
               "operation %u (%s) of key %u saw value %" PRIu64 ", whose %s had ended with %s",
               number, history_type_name(op->type), op->key, value, history_type_name(writer->type),
               history_outcome_name(writer->outcome));
}

/* A value has the version that its write got, wherever and whenever it is seen. */
static void judge_version(struct bench *bench, uint64_t value, uint64_t version)
{
    if (value == HISTORY_ABSENT || value > bench->history->count || version == 0)
        return;
    uint64_t *known = &bench->versions[value];
    bench->judge->checked_counts[JUDGE_once]++;
    if (*known == 0)
        *known = version;
    if (*known != version)
        broken(bench->judge, JUDGE_once,
               "value %" PRIu64 " was seen as version %" PRIu64 " and as version %" PRIu64, value,
               *known, version);
}

static void judge_op(struct bench *bench, uint32_t number)
{
    const struct history_op *op = &bench->history->ops[number];
    bench->judge->checked_counts[JUDGE_ended]++;
    if (op->outcome == HISTORY_PENDING || op->outcome == HISTORY_UNKNOWN)
        broken(bench->judge, JUDGE_ended, "operation %u (%s) is %s", number,
               history_type_name(op->type), history_outcome_name(op->outcome));
    judge_observation(bench, number);
    if (op->outcome == HISTORY_OK)
        judge_version(bench, is_get(op) ? op->seen : op->value, op->version);
}

/* ---- linearizability ---- */

/* Translates for the checker; false when the operation says nothing about the key's order. */
static bool translate(const struct history_op *op, struct lin_op *ret_op)
{
    bool is_open = op->outcome == HISTORY_PENDING || op->outcome == HISTORY_UNKNOWN;
    *ret_op = (struct lin_op){.call_ns = op->invoke_ns,
                              .return_ns = is_open ? LIN_OPEN : op->return_ns,
                              .value = op->value,
                              .old = op->old,
                              .seen = op->seen == HISTORY_UNSEEN ? LIN_ANY : op->seen,
                              .type = LIN_SET};
    if (op->outcome == HISTORY_TIMEOUT || op->outcome == HISTORY_REFUSED ||
        op->type == HISTORY_RELAXED_GET || (is_open && is_get(op)))
        return false;
    if (op->type == HISTORY_GET) {
        ret_op->type = LIN_GET;
        ret_op->value = op->outcome == HISTORY_OK ? op->seen : LIN_ABSENT;
    } else if (op->type == HISTORY_SWAP) {
        ret_op->type = LIN_SWAP;
    }
    ret_op->outcome = is_open ? LIN_MAYBE : op->outcome == HISTORY_MISMATCH ? LIN_MISMATCH : LIN_OK;
    return true;
}

/* `numbers`: the operations of one key. */
static void judge_key(struct bench *bench, uint32_t key, const uint32_t *numbers, uint32_t count)
{
    struct lin_op *ops = calloc((size_t)count + 1, sizeof(*ops));
    uint32_t *origins = calloc((size_t)count + 1, sizeof(*origins));
    struct lin_report report;
    uint32_t used = 0;
    CHECK(ops != NULL && origins != NULL);
    for (uint32_t i = 0; i < count; i++) {
        if (translate(&bench->history->ops[numbers[i]], &ops[used]))
            origins[used++] = numbers[i];
    }
    lin_check(ops, used, HISTORY_STEPS_MAX, &report);
    bench->judge->checked_counts[JUDGE_linearizable] += used > 0;
    bench->judge->search_steps += report.steps;
    if (report.verdict != LIN_LINEARIZABLE)
        broken(bench->judge, JUDGE_linearizable, "key %u: %s at operation %d; %u of %u fit", key,
               lin_verdict_name(report.verdict),
               report.suspect == LIN_NO_OP ? -1 : (int)origins[report.suspect], report.placed,
               used);
    free(ops);
    free(origins);
}

/* Sorts the operations by key, by counting, and judges each key's. */
static void judge_keys(struct bench *bench, uint32_t key_count)
{
    const struct history *history = bench->history;
    uint32_t *ends = calloc((size_t)key_count + 1, sizeof(*ends));
    uint32_t *numbers = calloc((size_t)history->count + 1, sizeof(*numbers));
    CHECK(ends != NULL && numbers != NULL);
    for (uint32_t i = 0; i < history->count; i++) {
        CHECK(history->ops[i].key < key_count);
        ends[history->ops[i].key + 1]++;
    }
    for (uint32_t key = 0; key < key_count; key++)
        ends[key + 1] += ends[key];
    for (uint32_t i = 0; i < history->count; i++)
        numbers[ends[history->ops[i].key]++] = i;
    for (uint32_t key = 0; key < key_count; key++) {
        uint32_t first = key == 0 ? 0 : ends[key - 1];
        judge_key(bench, key, numbers + first, ends[key] - first);
    }
    free(ends);
    free(numbers);
}

void judge_history(const struct history *history, uint32_t key_count, struct judge *ret_judge)
{
    *ret_judge = (struct judge){0};
    struct bench bench = {.history = history, .judge = ret_judge};
    bench.versions = calloc((size_t)history->count + 1, sizeof(*bench.versions));
    CHECK(bench.versions != NULL);
    for (uint32_t i = 0; i < history->count; i++)
        judge_op(&bench, i);
    judge_keys(&bench, key_count);
    free(bench.versions);
}

bool judge_is_content(const struct judge *judge)
{
    for (uint32_t rule = 0; rule < JUDGE_RULES; rule++) {
        if (judge->broken_counts[rule] > 0 || judge->checked_counts[rule] == 0)
            return false;
    }
    return true;
}
