/*
 * Writes on their way to a log record, and who waits for those that this node has proposed.
 *
 * A request joins the batch with its decoded ops. When the batch becomes a record, its requests and
 * ops move into bounded rings and stay there until the record is applied: so this node applies what
 * it proposed without decoding it again. While a ring has no room for a batch, the batch waits;
 * nothing is refused for that.
 */
#ifndef POLLUX_ENGINE_SERVICE_BATCH_H
#define POLLUX_ENGINE_SERVICE_BATCH_H

#include "base/address.h"
#include "base/arena.h"
#include "engine/state/request.h"

struct engine;
struct engine_options;

/* A record's payload: header, then requests, each after its size and padded. */
#define RECORD_PREFIX_SIZE_BYTES  16
#define REQUEST_PREFIX_SIZE_BYTES 4
#define RECORD_FLAGS_OFFSET       12
#define RECORD_FLAG_LIMITS        1u
#define REQUEST_ALIGN_BYTES       8

#define BATCH_OPS_MAX (BATCH_REQUESTS_MAX * REQUEST_OPS_MAX)

/* Of the records that are proposed and not applied yet. */
#define INFLIGHT_REQUESTS_MAX (1u << 14)
#define INFLIGHT_OPS_MAX      (1u << 16)
static_assert(INFLIGHT_REQUESTS_MAX >= 2 * BATCH_REQUESTS_MAX, "two batches fit");
static_assert(INFLIGHT_OPS_MAX >= 2 * BATCH_OPS_MAX, "two batches fit, one of them at the end");

/* Who waits for a request of a record. */
struct waiter {
    struct address from;
    uint64_t packet_number;
    uint64_t deadline_ns; /* UINT64_MAX: none */
    uint8_t reply_type;   /* of the answer; 0: WIRE_WRITE_REPLY */
    bool is_silent;       /* a node's forwarded batch, or a notice: nobody is answered */
    bool is_notice;       /* of an idle session: nobody is told that it was refused, either */
};

/* A request of a batch or a record: what is known of it beside its bytes and ops. */
struct batch_request {
    struct waiter waiter;
    uint64_t session;
    uint64_t floor;
    uint32_t offset; /* of its bytes in the record's payload */
    uint32_t size_bytes;
    uint16_t op_count;
};

/* The writes that wait to become a record. */
struct batch {
    uint8_t *data;
    size_t size_bytes;
    uint32_t count;
    uint64_t deadline_ns; /* the earliest */
    struct batch_request requests[BATCH_REQUESTS_MAX];
    struct op *ops; /* of all requests, in order; room for one request more than a batch takes */
    uint32_t op_count;
    bool has_limits; /* a request that sets limits: one at most */
};

/* A record that this node proposed and has not applied yet. */
struct pending_record {
    uint64_t index;
    uint64_t term;
    uint64_t request_first; /* position in the ring of requests */
    uint64_t op_first;      /* position in the ring of ops, where all of its ops lie in a row */
    uint32_t count;         /* of requests */
    uint32_t op_count;
};

/* Rings of them, indexes rising. Positions ever rise, but begin anew while nothing is pending. */
struct pending_records {
    struct pending_record *records;
    uint32_t capacity; /* a power of two */
    uint32_t limit;
    uint64_t head;
    uint64_t tail;
    struct batch_request *requests; /* INFLIGHT_REQUESTS_MAX */
    uint64_t requests_tail;
    struct op *ops; /* INFLIGHT_OPS_MAX */
    uint64_t ops_tail;
};

size_t batch_arena_bytes(const struct engine_options *options);
void batch_init(struct engine *engine, struct arena *arena);
/* The bytes of the request at *cursor of a record; advances over it and its padding. */
struct span record_next_request(struct span payload, size_t *cursor);
/* False while not even the smallest request would join, however much room the log has. */
bool batch_has_room(const struct engine *engine);
/* Where the ops of a request may be decoded that then perhaps joins: room for REQUEST_OPS_MAX. */
struct op *batch_next_ops(struct engine *engine);
/* WIRE_STATUS_OK: the request joined. Else why not: OVERLOADED (a later batch will take it),
 * LOG_FULL (not before a snapshot makes room). */
enum wire_status batch_add(struct engine *engine, const struct request *request,
                           const struct waiter *waiter, bool may_use_reserve);
/* The record `index`, if this node proposed it in `term`; NULL else. Once each; valid until the
 * next batch is proposed. */
const struct pending_record *batch_take_record(struct engine *engine, uint64_t index,
                                               uint64_t term);
/* Records up to `index` came with a snapshot, unseen: nobody is answered. */
void batch_forget_records(struct engine *engine, uint64_t index);
const struct batch_request *batch_record_request(const struct engine *engine,
                                                 const struct pending_record *record, uint32_t i);
const struct op *batch_record_ops(const struct engine *engine, const struct pending_record *record);
/* Leaves out what was forwarded, by this node or others: they forward what is still to go. False:
 * there was none. */
bool batch_leave_forwards_out(struct engine *engine);
/* Refuses the requests whose time ran out. */
void batch_expire(struct engine *engine);
/* Anchors log time when an entry of the own term is committed. */
void batch_anchor_clock(struct engine *engine);
/* The log time of a record that this leader would propose now. */
uint64_t batch_log_now_ns(const struct engine *engine);
/* Of the message that answers the waiter. */
static inline uint8_t waiter_reply_type(const struct waiter *waiter)
{
    return waiter->reply_type != 0 ? waiter->reply_type : WIRE_WRITE_REPLY;
}
void batch_check_invariants(const struct engine *engine);

#endif
