/*
 * For the tests of pending relaxed writes: a leader (node 1) and a node that accepted them (node
 * 2), each an engine of its own, over one log.
 */
#ifndef POLLUX_TESTS_UNIT_ENGINE_PAIR_H
#define POLLUX_TESTS_UNIT_ENGINE_PAIR_H

#include "tests/unit/engine/fixture.h"

#include "engine/state/node_progress.h"

/* The two, and the leader's session for consistent writes. */
struct pair {
    struct fixture *leader;
    struct fixture *node;
    uint64_t session;
    uint64_t next_seq;
};

struct pair *pair_new(const struct engine_options *options);
int pair_setup(void **state);
int pair_teardown(void **state);

/* A batch of the node, kept beyond the engine's next call. */
struct kept {
    uint8_t data[320 * 1024];
    size_t size_bytes;
};

bool keep_forward(struct fixture *f, struct kept *ret_kept);
void deliver(struct pair *p, const struct kept *kept);

/* What waits at the leader is appended, and applied on both. */
void commit(struct pair *p);

/* Everything pending at the node goes through the log. */
void forward_all(struct pair *p);

/* A consistent write of these ops at the leader: the outcome of the last. */
uint8_t write_now(struct pair *p, const struct wire_op *ops, uint32_t count);

/* Clients' writes cancel those of a node that is away, of as many keys as there is room for: the
 * keys z1 to z1024, each up to the seq of its number. */
void fill_cancels(struct pair *p, uint16_t node);
void assert_get(struct fixture *f, const char *key, const char *value);

#endif
