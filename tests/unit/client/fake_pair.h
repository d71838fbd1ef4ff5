/*
 * Two nodes played by the test, of which the first leads, and a handle that knows one of them or
 * both: what relaxed writes and their readers are tested with.
 */
#ifndef POLLUX_TESTS_UNIT_CLIENT_FAKE_PAIR_H
#define POLLUX_TESTS_UNIT_CLIENT_FAKE_PAIR_H

#include "tests/unit/client/fake_node.h"

#define SEQ    UINT64_C(1000000) /* of a journal */
#define MILLIS UINT64_C(1000000)

struct pair {
    struct fake fakes[2];
    struct plx_options options;
    struct plx_client *client;
};

void pair_open(struct pair *pair, size_t count);

void pair_close(struct pair *pair);

struct plx_op relaxed_op(const char *key, const char *value, struct ending *ending);

/* The relaxed write that arrived is accepted under this journal seq. */
void fake_accept(struct fake *fake, uint64_t seq);

/* A relaxed set from beginning to end, at the home. */
void set_relaxed(struct pair *pair, struct fake *home, const char *key, uint64_t seq);

/* A consistent set, up to its arrival at the leader. */
void set_arrives(struct pair *pair, const char *key, struct ending *ending);

void set_ends(struct pair *pair, const struct ending *ending);

#endif
