/* Keeps the history and writes it out; history_check.c judges it. */
#include "tests/sim/history.h"

#include "base/check.h"

#include <stdlib.h>

#define HISTORY_START 256

void history_init(struct history *history)
{
    *history = (struct history){.capacity = HISTORY_START};
    history->ops = calloc(HISTORY_START, sizeof(*history->ops));
    CHECK(history->ops != NULL);
}

void history_deinit(struct history *history)
{
    free(history->ops);
    free(history->losses);
    for (uint32_t shard = 0; shard < HISTORY_SHARDS_MAX; shard++)
        free(history->rescue.incarnations[shard]);
    free(history->rescue.namings);
    *history = (struct history){0};
}

uint32_t history_invoke(struct history *history, const struct history_op *op, uint64_t now_ns)
{
    if (history->count == history->capacity) {
        history->capacity *= 2;
        history->ops = realloc(history->ops, history->capacity * sizeof(*history->ops));
        CHECK(history->ops != NULL);
    }
    uint32_t number = history->count++;
    struct history_op *placed = &history->ops[number];
    *placed = *op;
    placed->outcome = HISTORY_PENDING;
    placed->invoke_ns = now_ns;
    placed->return_ns = UINT64_MAX;
    bool is_storing =
        op->type == HISTORY_SET || op->type == HISTORY_SWAP || op->type == HISTORY_RELAXED_SET;
    if (is_storing && op->value != HISTORY_ABSENT)
        placed->value = (uint64_t)number + 1;
    return number;
}

static void decide(struct history_decision *decision, const struct history_place *place,
                   uint64_t now_ns)
{
    if (decision->place.index == 0) {
        decision->place = *place;
        decision->decided_ns = now_ns;
    } else if (decision->place.index != place->index || decision->place.within != place->within) {
        decision->decided_again_index = place->index;
    }
}

void history_decided(struct history *history, uint32_t number, const struct history_place *place,
                     uint64_t now_ns)
{
    CHECK(number < history->count && place->index != 0);
    struct history_op *op = &history->ops[number];
    if (history->rescue.at_ns != 0 && place->era == 0) {
        decide(&op->before, place, now_ns);
        return;
    }
    struct history_decision decision = history_decision_of(op);
    decide(&decision, place, now_ns);
    history_set_decision(op, &decision);
}

void history_lose(struct history *history, const struct history_loss *loss)
{
    if (history->loss_count == history->loss_capacity) {
        history->loss_capacity = history->loss_capacity == 0 ? 16 : 2 * history->loss_capacity;
        history->losses =
            realloc(history->losses, history->loss_capacity * sizeof(*history->losses));
        CHECK(history->losses != NULL);
    }
    history->losses[history->loss_count++] = *loss;
}

bool history_is_get(const struct history_op *op)
{
    return op->type == HISTORY_GET || op->type == HISTORY_RELAXED_GET;
}

bool history_is_relaxed_write(const struct history_op *op)
{
    return op->type == HISTORY_RELAXED_SET || op->type == HISTORY_RELAXED_DEL;
}

bool history_is_answered_get(const struct history_op *op)
{
    return history_is_get(op) && (op->outcome == HISTORY_OK || op->outcome == HISTORY_NOT_FOUND);
}

const char *history_type_name(enum history_type type)
{
    static const char *const names[] = {"get", "relaxed-get", "set",        "swap",
                                        "del", "relaxed-set", "relaxed-del"};
    return names[type];
}

const char *history_outcome_name(enum history_outcome outcome)
{
    static const char *const names[] = {"pending", "ok",      "mismatch", "not-found",
                                        "timeout", "refused", "unknown",  "too-stale"};
    return names[outcome];
}

/* ---- JSON lines ---- */

struct moment {
    uint64_t at_ns;
    uint32_t op;
    bool is_return;
};

static int compare_moments(const void *a, const void *b)
{
    const struct moment *left = a;
    const struct moment *right = b;
    if (left->at_ns != right->at_ns)
        return left->at_ns < right->at_ns ? -1 : 1;
    if (left->is_return != right->is_return)
        return left->is_return ? 1 : -1;
    return left->op < right->op ? -1 : left->op > right->op;
}

static void value_write(FILE *file, const char *name, uint64_t value)
{
    if (value == HISTORY_ABSENT)
        fprintf(file, ",\"%s\":null", name);
    else if (value == HISTORY_UNSEEN)
        fprintf(file, ",\"%s\":\"untold\"", name);
    else
        fprintf(file, ",\"%s\":%llu", name, (unsigned long long)value);
}

static const char *moment_type(const struct history_op *op, bool is_return)
{
    if (!is_return)
        return "invoke";
    switch (op->outcome) {
    case HISTORY_OK:
    case HISTORY_NOT_FOUND:
        return "ok";
    case HISTORY_MISMATCH:
    case HISTORY_TIMEOUT:
    case HISTORY_REFUSED:
    case HISTORY_TOO_STALE:
        return "fail";
    case HISTORY_PENDING:
    case HISTORY_UNKNOWN:
        return "info";
    }
    return "?";
}

static void moment_write(FILE *file, const struct history_op *op, const struct moment *moment)
{
    fprintf(file, "{\"type\":\"%s\",\"process\":%u,\"op\":\"%s\",\"key\":\"%u\"",
            moment_type(op, moment->is_return), op->process, history_type_name(op->type), op->key);
    if (!history_is_get(op))
        value_write(file, "value", op->value);
    else if (moment->is_return)
        value_write(file, "value", op->seen);
    if (op->type == HISTORY_SWAP)
        value_write(file, "old", op->old);
    if (moment->is_return && op->outcome == HISTORY_MISMATCH)
        value_write(file, "seen", op->seen);
    if (moment->is_return)
        fprintf(file, ",\"outcome\":\"%s\"", history_outcome_name(op->outcome));
    if (moment->is_return && op->node != 0)
        fprintf(file, ",\"node\":%u,\"version\":%llu,\"applied\":%llu", op->node,
                (unsigned long long)op->version, (unsigned long long)op->applied_index);
    if (moment->is_return && op->is_pending)
        fprintf(file, ",\"pending\":true");
    if (moment->is_return && op->place.index != 0)
        fprintf(file, ",\"decided\":[%llu,%u]", (unsigned long long)op->place.index,
                op->place.within);
    fprintf(file, ",\"id\":%u,\"time\":%llu}\n", moment->op, (unsigned long long)moment->at_ns);
}

void history_write(const struct history *history, FILE *file)
{
    struct moment *moments = calloc(2 * (size_t)history->count + 1, sizeof(*moments));
    CHECK(moments != NULL);
    for (uint32_t i = 0; i < history->count; i++) {
        moments[2 * i] = (struct moment){.at_ns = history->ops[i].invoke_ns, .op = i};
        moments[2 * i + 1] =
            (struct moment){.at_ns = history->ops[i].return_ns, .op = i, .is_return = true};
    }
    qsort(moments, 2 * (size_t)history->count, sizeof(*moments), compare_moments);
    for (uint32_t i = 0; i < 2 * history->count; i++)
        moment_write(file, &history->ops[moments[i].op], &moments[i]);
    free(moments);
}
