/* The rules of logs_check.h; the sentences are those of get_last_log in the contract. */
#include "tests/sim/logs_check.h"

#include "base/check.h"

#include <stdlib.h>

#define LOGS_START 64

/* Lines [first, end) that are somebody's for good, since `final_ns`. */
struct claim {
    uint64_t first;
    uint64_t end;
    uint64_t final_ns;
    uint32_t handout;
    bool is_lease;
};

struct claims {
    struct claim *claims;
    uint32_t count;
};

void logs_history_init(struct logs_history *logs)
{
    *logs = (struct logs_history){.capacity = LOGS_START};
    logs->handouts = calloc(LOGS_START, sizeof(*logs->handouts));
    CHECK(logs->handouts != NULL);
}

void logs_history_deinit(struct logs_history *logs)
{
    free(logs->handouts);
    *logs = (struct logs_history){0};
}

uint32_t logs_history_invoke(struct logs_history *logs, const struct logs_handout *handout,
                             uint64_t now_ns)
{
    if (logs->count == logs->capacity) {
        logs->capacity *= 2;
        logs->handouts = realloc(logs->handouts, logs->capacity * sizeof(*logs->handouts));
        CHECK(logs->handouts != NULL);
    }
    uint32_t number = logs->count++;
    struct logs_handout *placed = &logs->handouts[number];
    *placed = *handout;
    placed->outcome = HISTORY_PENDING;
    placed->confirmed = HISTORY_PENDING;
    placed->invoke_ns = now_ns;
    placed->return_ns = UINT64_MAX;
    placed->confirmed_ns = UINT64_MAX;
    return number;
}

static bool is_granted(const struct logs_handout *handout)
{
    return handout->outcome == HISTORY_OK && handout->count > 0;
}

/* Certainly the taker's for good. */
static bool is_final(const struct logs_handout *handout)
{
    return is_granted(handout) && (!handout->is_lease || handout->confirmed == HISTORY_OK);
}

/* The taker's or nobody's, and nobody knows which. */
static bool is_open(const struct logs_handout *handout)
{
    if (handout->is_lease)
        return is_granted(handout) && handout->confirmed == HISTORY_UNKNOWN;
    return handout->outcome == HISTORY_UNKNOWN && handout->count > 0;
}

static int compare_first(const void *a, const void *b)
{
    const struct claim *left = a;
    const struct claim *right = b;
    if (left->first != right->first)
        return left->first < right->first ? -1 : 1;
    return left->handout < right->handout ? -1 : left->handout > right->handout;
}

static int compare_final(const void *a, const void *b)
{
    const struct claim *left = a;
    const struct claim *right = b;
    if (left->final_ns != right->final_ns)
        return left->final_ns < right->final_ns ? -1 : 1;
    return left->handout < right->handout ? -1 : left->handout > right->handout;
}

static int compare_end_falling(const void *a, const void *b)
{
    const struct claim *left = a;
    const struct claim *right = b;
    if (left->end != right->end)
        return left->end > right->end ? -1 : 1;
    return left->handout < right->handout ? -1 : left->handout > right->handout;
}

/* Those hand-outs that `is_meant`, in an order; to be freed. */
static struct claims claims_gather(const struct logs_history *logs,
                                   bool (*is_meant)(const struct logs_handout *),
                                   int (*compare)(const void *, const void *))
{
    struct claims claims = {.claims = calloc((size_t)logs->count + 1, sizeof(*claims.claims))};
    CHECK(claims.claims != NULL);
    for (uint32_t i = 0; i < logs->count; i++) {
        const struct logs_handout *handout = &logs->handouts[i];
        if (!is_meant(handout))
            continue;
        claims.claims[claims.count++] = (struct claim){
            .first = handout->first,
            .end = handout->first + handout->count,
            .final_ns = handout->is_lease ? handout->confirmed_ns : handout->return_ns,
            .handout = i,
            .is_lease = handout->is_lease,
        };
    }
    qsort(claims.claims, claims.count, sizeof(*claims.claims), compare);
    return claims;
}

/* "Returns the suffix not yet retrieved by anyone." */
static void check_suffix(const struct logs_history *logs, struct verdict *verdict)
{
    for (uint32_t i = 0; i < logs->count; i++) {
        const struct logs_handout *handout = &logs->handouts[i];
        if (is_granted(handout) && handout->first + handout->count != handout->given)
            verdict_break(verdict, RULE_LOGS_SUFFIX,
                          "hand-out %u: %llu lines from %llu on, of %llu given", i,
                          (unsigned long long)handout->count, (unsigned long long)handout->first,
                          (unsigned long long)handout->given);
    }
}

/* "Each log is handed out at most once however many callers run at the same time." */
static void check_once(const struct logs_history *logs, struct verdict *verdict)
{
    struct claims claims = claims_gather(logs, is_final, compare_first);
    const struct claim *furthest = NULL;
    for (uint32_t i = 0; i < claims.count; i++) {
        const struct claim *claim = &claims.claims[i];
        if (furthest != NULL && claim->first < furthest->end) {
            bool are_leases = claim->is_lease && furthest->is_lease;
            verdict_break(verdict, are_leases ? RULE_LOGS_LEASE : RULE_LOGS_ONCE,
                          "line %llu was handed out by %u and by %u",
                          (unsigned long long)claim->first, furthest->handout, claim->handout);
        }
        if (furthest == NULL || claim->end > furthest->end)
            furthest = claim;
    }
    free(claims.claims);
}

/* Nobody is given, nor leased, what had been handed out before the call began. */
static void check_again(const struct logs_history *logs, struct verdict *verdict)
{
    struct claims finals = claims_gather(logs, is_final, compare_final);
    uint64_t *reached = calloc((size_t)finals.count + 1, sizeof(*reached));
    CHECK(reached != NULL);
    for (uint32_t i = 0; i < finals.count; i++)
        reached[i + 1] = finals.claims[i].end > reached[i] ? finals.claims[i].end : reached[i];
    for (uint32_t i = 0; i < logs->count; i++) {
        const struct logs_handout *handout = &logs->handouts[i];
        uint32_t low = 0;
        uint32_t high = finals.count;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (finals.claims[middle].final_ns < handout->invoke_ns)
                low = middle + 1;
            else
                high = middle;
        }
        if (is_granted(handout) && handout->first < reached[low])
            verdict_break(verdict, RULE_LOGS_ONCE,
                          "hand-out %u began at line %llu, and %llu lines were gone before it", i,
                          (unsigned long long)handout->first, (unsigned long long)reached[low]);
    }
    free(reached);
    free(finals.claims);
}

/* ---- exactly once ---- */

/* A taker died in one step with what ended where the lines that it gave ended. */
static bool is_dead_taker(const struct logs_history *logs, uint64_t end)
{
    for (uint32_t i = 0; i < logs->count; i++) {
        const struct logs_handout *handout = &logs->handouts[i];
        if (handout->is_dead && !handout->is_lease && handout->outcome == HISTORY_PENDING &&
            handout->given == end)
            return true;
    }
    return false;
}

/* Gaps are few: each is the death of a taker, or an outcome that was lost. `opens` by falling
 * end. */
static bool is_gap_explained(const struct logs_history *logs, const struct claims *opens,
                             uint64_t first, uint64_t end)
{
    bool *is_used = calloc((size_t)opens->count + 1, sizeof(*is_used));
    CHECK(is_used != NULL);
    bool is_explained = is_dead_taker(logs, end);
    for (uint32_t i = 0; i < opens->count && !is_explained; i++) {
        const struct claim *open = &opens->claims[i];
        is_used[i] = open->end == end;
        for (uint32_t j = 0; j < i && !is_used[i]; j++)
            is_used[i] = is_used[j] && opens->claims[j].first == open->end;
        if (is_used[i] && open->first >= first)
            is_explained = open->first == first || is_dead_taker(logs, open->first);
    }
    free(is_used);
    return is_explained;
}

/* "Exactly once as long as callers that received a suffix do not die with it." */
static void check_whole(const struct logs_history *logs, struct verdict *verdict)
{
    if (!logs->is_settled)
        return;
    struct claims finals = claims_gather(logs, is_final, compare_first);
    struct claims opens = claims_gather(logs, is_open, compare_end_falling);
    uint64_t at = 0;
    for (uint32_t i = 0; i <= finals.count; i++) {
        bool is_last = i == finals.count;
        uint64_t first = is_last ? logs->cursor : finals.claims[i].first;
        if (first > at && !is_gap_explained(logs, &opens, at, first))
            verdict_break(verdict, RULE_LOGS_WHOLE, "lines %llu to %llu were handed out to nobody",
                          (unsigned long long)at, (unsigned long long)first - 1);
        if (is_last && at > first)
            verdict_break(verdict, RULE_LOGS_WHOLE, "the cursor stands at %llu, below %llu",
                          (unsigned long long)first, (unsigned long long)at);
        if (!is_last)
            at = finals.claims[i].end;
    }
    free(opens.claims);
    free(finals.claims);
}

void logs_history_check(const struct logs_history *logs, struct verdict *verdict)
{
    check_suffix(logs, verdict);
    check_once(logs, verdict);
    check_again(logs, verdict);
    check_whole(logs, verdict);
}
