/*
 * Histories for the tests of their judges: operations one after another, a microsecond each, with
 * the log as the world would tell it.
 */
#ifndef POLLUX_TESTS_UNIT_SIM_STORY_H
#define POLLUX_TESTS_UNIT_SIM_STORY_H

#include "tests/sim/history.h"

#define STORY_STEP_NS 1000

struct story {
    struct history history;
    uint64_t now_ns;
};

void story_init(struct story *story);
void story_deinit(struct story *story);
struct history_op *story_at(struct story *story, uint32_t number);
/* A write of key 0 by client 1 that ended with OK, where `op` says nothing else. */
uint32_t story_write(struct story *story, struct history_op op);
/* A relaxed set of key 0 by client 1, accepted by `node` under `seq`. */
uint32_t story_relaxed(struct story *story, uint16_t node, uint64_t seq);
/* The record at `index` executed it; node 1 had appended it. */
void story_decide(struct story *story, uint32_t number, uint64_t index);
/* A consistent set of key 0 by `client`, at once in the log. */
uint32_t story_set(struct story *story, uint32_t client, uint64_t index);
/* What a get of key 0 by client 9 saw: the value of write `number`, or its absence. */
uint32_t story_get(struct story *story, struct history_op op, uint32_t number);
uint32_t story_get_relaxed(struct story *story, uint16_t node, uint64_t applied, uint32_t number);
uint32_t story_get_pending(struct story *story, uint16_t node, uint64_t applied, uint32_t number);
uint32_t story_get_absent(struct story *story, uint16_t node, uint64_t applied);
enum rule story_judge(const struct story *story);

#endif
