/*
 * What the parts of a reply mean for their operations. Owner: whoever holds the mutex of the
 * handle.
 */
#ifndef POLLUX_CLIENT_REPLY_H
#define POLLUX_CLIENT_REPLY_H

#include "client/include/pollux.h"
#include "wire/wire.h"

struct op;
struct shard_state;

/* What an answer says apart from its outcome. */
struct plx_response response_of(const struct wire_reply *reply, const struct wire_reply_op *wire);
/* Ends the op with the bytes at hand, copied where the caller wants them. */
void finish_with_value(struct plx_client *client, struct op *op, struct plx_response *response,
                       struct span value);
/* An answer showed what was stored: an absence is seen as of all that was applied. */
void note_seen(struct shard_state *shard, const struct wire_reply *reply,
               const struct wire_reply_op *wire);
void note_seen_index(struct shard_state *shard, uint64_t index);
/* A refusal of a client that asks too much: how long it is to wait, a second at most; else 0. */
#define RETRY_NS_MAX UINT64_C(1000000000)
uint64_t reply_retry_ns(const struct wire_reply *reply);
/* The answer to a read. */
void read_outcome(struct plx_client *client, struct op *op, const struct wire_reply *reply,
                  const struct wire_reply_op *wire);
/* The op's session is gone. What was never executed begins anew in another session; the rest nobody
 * can know. `is_undone`: nothing of the operation was executed, as the node remembers. */
void write_without_session(struct plx_client *client, struct op *op, bool is_undone);
/* The answer to a write that was sent then. */
void write_outcome(struct plx_client *client, struct op *op, const struct wire_reply *reply,
                   const struct wire_reply_op *wire, uint64_t sent_ns);

#endif
