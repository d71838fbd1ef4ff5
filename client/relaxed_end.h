/*
 * A handle that is closed gives its relaxed sessions back, so that nodes need not keep them until
 * they were silent for long. Each node that was sent a relaxed write is asked, until it has
 * answered.
 *
 * Owner: whoever holds the mutex of the handle.
 */
#ifndef POLLUX_CLIENT_RELAXED_END_H
#define POLLUX_CLIENT_RELAXED_END_H

#include <stdint.h>

struct plx_client;
struct shard_state;

/* Sends what is due. The handle sends no relaxed write any more. */
void relaxed_end_turn(struct plx_client *client, struct shard_state *shard);
/* When that has something to do next; UINT64_MAX: every node has answered. */
uint64_t relaxed_end_due_ns(const struct plx_client *client, const struct shard_state *shard);

#endif
