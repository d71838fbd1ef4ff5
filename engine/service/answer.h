/* Replies to clients: begun, given their ops, and sent. One at a time, in one buffer. */
#ifndef POLLUX_ENGINE_SERVICE_ANSWER_H
#define POLLUX_ENGINE_SERVICE_ANSWER_H

#include "base/address.h"
#include "base/arena.h"
#include "engine/engine.h"
#include "engine/state/machine.h"
#include "wire/wire.h"

/* Body of a reply: values are cut so that it stays below. */
#define REPLY_SIZE_BYTES_MAX (60 * 1024)
static_assert(REPLY_SIZE_BYTES_MAX > WIRE_REPLY_HEADER_SIZE_BYTES +
                                         REQUEST_OPS_MAX * WIRE_REPLY_OP_HEADER_SIZE_BYTES +
                                         REPLY_CHUNK_SIZE_BYTES_MAX,
              "every op's header and one whole chunk fit");

/* Where replies are built, and how they leave. One for the owner of an engine, one a reader. */
struct reply_buffers {
    uint8_t *reply;   /* REPLY_SIZE_BYTES_MAX */
    uint8_t *scratch; /* REPLY_CHUNK_SIZE_BYTES_MAX */
    struct engine_sink sink;
};

void reply_buffers_init(struct reply_buffers *buffers, struct arena *arena,
                        const struct engine_sink *sink);

struct answer {
    const struct reply_buffers *buffers;
    struct address to;
    uint8_t wire_type;
    uint32_t ops_left; /* that may follow: room for their headers is kept */
    struct wire_writer writer;
};

void answer_begin(struct answer *answer, const struct reply_buffers *buffers,
                  const struct address *to, uint8_t wire_type);
/* What the owner says at the head of a reply. */
struct wire_reply answer_head(const struct engine *engine, uint64_t number,
                              enum wire_status status);
/* The reply's head; at most `op_count` answer_add follow. */
void answer_open(struct answer *answer, const struct wire_reply *head, uint32_t op_count);
/* Adds an op; `entry` of `store` (or NULL) is the value it returns, from `offset_bytes` on as far
 * as it fits. */
void answer_add(struct answer *answer, struct wire_reply_op *op, const struct store *store,
                const struct store_entry *entry, uint32_t offset_bytes);
void answer_send(struct answer *answer);

/* The whole of a refusal. */
void answer_refuse(struct engine *engine, const struct address *to, uint8_t wire_type,
                   uint64_t number, enum wire_status status);
/* One op of a write: its result, with the stored value where a swap did not match. */
void answer_add_result(struct answer *answer, const struct machine *machine,
                       const struct request *request, const struct op *op,
                       const struct op_result *result);

void answer_hello(struct engine *engine, const struct address *to, uint64_t nonce);

#endif
