/*
 * The chain of each key, for a history in which only swaps write. Each value names the swap that
 * wrote it, so each swap that took effect says which other it followed, and all of them must form
 * one line from absent to what is stored in the end. Nothing is searched for: one walk, and whoever
 * is not on it did not happen.
 *
 * Deletes part the line into pieces, each from a creation to a deletion; versions order them.
 */
#ifndef POLLUX_TESTS_CHAOS_CHAIN_H
#define POLLUX_TESTS_CHAOS_CHAIN_H

#include "tests/sim/history.h"

#include <stdint.h>

#define CHAIN_TEXT_MAX 256

#define CHAIN_LIST(X)                                                                              \
    X(linked, "each swap that took effect followed one that did, and no two followed one")         \
    X(whole, "all that took effect lie on one line from absent to the last consistent get")        \
    X(rising, "versions never fall along that line")                                               \
    X(silent, "no swap that said timeout, mismatch or refusal is on that line or was ever read")   \
    X(truthful, "each unknown is on that line if, and only if, it was resolved to ok")

enum chain_rule {
#define X(name, text) CHAIN_##name,
    CHAIN_LIST(X)
#undef X
        CHAIN_RULES
};

struct chain_report {
    uint64_t checked_counts[CHAIN_RULES]; /* links, keys, versions, values, unknowns */
    uint64_t broken_counts[CHAIN_RULES];
    char texts[CHAIN_RULES][CHAIN_TEXT_MAX];    /* of the first breach; "" */
    uint64_t shown_counts[HISTORY_UNKNOWN + 1]; /* of outcomes as told: of these, seen or linked */
};

/*
 * `told` is what the clients were told, `resolved` the same with each resolution in the place of
 * its unknown. Keys are 0 up to `key_count`; each must have been read when all swaps had ended.
 */
void chain_check(const struct history *told, const struct history *resolved, uint32_t key_count,
                 struct chain_report *ret_report);

const char *chain_rule_text(enum chain_rule rule);

#endif
