/*
 * The judge of a history in which every unknown outcome has been resolved: each rule is counted,
 * and the first that broke it is told.
 */
#ifndef POLLUX_TESTS_CHAOS_JUDGE_H
#define POLLUX_TESTS_CHAOS_JUDGE_H

#include "tests/sim/history.h"

#include <stdbool.h>
#include <stdint.h>

#define JUDGE_TEXT_MAX 256

#define JUDGE_LIST(X)                                                                              \
    X(linearizable, "consistent operations on each key fit one order")                             \
    X(definite, "no value whose write was answered with a timeout or refusal was ever seen")       \
    X(written, "every value seen was written to that key, relaxed gets included")                  \
    X(once, "no value was seen under two versions: nothing took effect twice")                     \
    X(ended, "every call ended once all was mended, and every unknown outcome was resolved")

enum judge_rule {
#define X(name, text) JUDGE_##name,
    JUDGE_LIST(X)
#undef X
        JUDGE_RULES
};

struct judge {
    uint64_t checked_counts[JUDGE_RULES]; /* keys, observations, observations, values, operations */
    uint64_t broken_counts[JUDGE_RULES];
    char texts[JUDGE_RULES][JUDGE_TEXT_MAX]; /* of the first breach; "" */
    uint64_t search_steps;
};

/* Keys are 0 up to `key_count`. Values are named as in history.h. */
void judge_history(const struct history *history, uint32_t key_count, struct judge *ret_judge);

/* True when no rule was broken and each had something to look at. */
bool judge_is_content(const struct judge *judge);

const char *judge_rule_name(enum judge_rule rule);
const char *judge_rule_text(enum judge_rule rule);

#endif
