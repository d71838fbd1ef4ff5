/*
 * The engine's parts, for the files of engine/ only.
 *
 * machine.c   the replicated state machine: one op after the other, deterministic
 * apply.c     committed records through the machine, and the answers of those this node proposed
 * batch.c     writes on their way to a record, and who waits for it
 * intake.c    writes as they arrive
 * reads.c     relaxed and consistent reads
 * relaxed.c   relaxed writes, from their arrival to the log's decision
 * forward.c   pending relaxed writes on their way into the log
 * answer.c    replies
 */
#ifndef POLLUX_ENGINE_ENGINE_INTERNAL_H
#define POLLUX_ENGINE_ENGINE_INTERNAL_H

#include "base/check.h"
#include "base/shard.h"
#include "engine/engine.h"
#include "engine/relaxed/relaxed_sessions.h"
#include "engine/state/index.h"
#include "engine/state/node_progress.h"
#include "engine/relaxed/pending_writes.h"
#include "engine/state/sessions.h"
#include "engine/state/store.h"

/* A record's payload: header, then requests, each after its size and padded. */
#define RECORD_PREFIX_SIZE_BYTES  16
#define REQUEST_PREFIX_SIZE_BYTES 4
#define REQUEST_ALIGN_BYTES       8

/* Log room that ordinary writes leave to no-ops, fences, and what ends or keeps a session. */
#define LOG_RESERVE_SIZE_BYTES (64 * 1024)

/* Sessions that one record may expire: bounds the work of a record. */
#define EXPIRE_MAX 64

/* Body of a reply: values are cut so that it stays below. */
#define REPLY_SIZE_BYTES_MAX (60 * 1024)
static_assert(REPLY_SIZE_BYTES_MAX > WIRE_REPLY_HEADER_SIZE_BYTES +
                                         REQUEST_OPS_MAX * WIRE_REPLY_OP_HEADER_SIZE_BYTES +
                                         REPLY_CHUNK_SIZE_BYTES_MAX,
              "every op's header and one whole chunk fit");

/* Bytes that waiting reads may take: an average of this each, and room for the largest. */
#define READ_SIZE_BYTES_AVERAGE 256
#define READ_SIZE_BYTES_MAX     (REQUEST_OPS_MAX * (KEY_SIZE_BYTES_MAX + 64) + 64)

/* Capacity of a ring that positions index by a mask; count at most 2^31. */
static inline uint32_t power_of_two_at_least(uint32_t count)
{
    uint32_t capacity = 1;
    while (capacity < count)
        capacity *= 2;
    return capacity;
}

/* Who waits for a request of a record. */
struct waiter {
    struct address from;
    uint64_t packet_number;
    uint64_t deadline_ns; /* UINT64_MAX: none */
    bool is_silent;       /* a node's forwarded batch: nobody is answered */
};

/* The writes that wait to become a record. */
struct batch {
    uint8_t *data;
    size_t size_bytes;
    uint32_t count;
    uint64_t deadline_ns; /* the earliest */
    struct waiter waiters[BATCH_REQUESTS_MAX];
};

/* A record that this node proposed and has not applied yet. */
struct pending_record {
    uint64_t index;
    uint64_t term;
    uint32_t count;
    struct waiter waiters[BATCH_REQUESTS_MAX];
};

/* Ring of them, indexes rising. */
struct pending_records {
    struct pending_record *records;
    uint32_t capacity; /* a power of two */
    uint32_t limit;
    uint64_t head;
    uint64_t tail;
};

/* A consistent read that waits for its index. */
struct pending_read {
    struct address from;
    uint64_t read_id;
    uint64_t deadline_ns; /* UINT64_MAX: none */
    uint64_t position;    /* of its bytes in the byte ring, ever rising */
    uint32_t size_bytes;
    bool is_answered;
};

struct pending_reads {
    struct pending_read *reads; /* ring, read ids rising */
    uint32_t capacity;          /* a power of two */
    uint32_t limit;
    uint64_t head;
    uint64_t tail;
    uint8_t *bytes;
    uint64_t bytes_capacity;
    uint64_t bytes_head; /* positions, ever rising */
    uint64_t bytes_tail;
    uint64_t gathering_id; /* of the reads gathered since the last engine_reads_wanted */
    bool has_gathered;
    uint64_t released_id;
    uint64_t released_index;
    uint64_t deadline_ns;    /* when to look for those that are out of time */
    uint64_t expire_next_ns; /* not before */
};

/* The replicated state and its accounts. */
struct machine {
    struct store store;
    struct index index;
    struct sessions sessions;
    struct nodes_progress nodes;
    uint64_t applied_index;
    uint64_t log_time_ns;
    uint64_t keys;
    uint64_t blocks;
    uint32_t keys_max;
    uint32_t blocks_max;
    uint64_t session_ttl_ns;
    /* Of the request that is being applied. */
    uint16_t origin; /* node whose relaxed writes these are; 0: a client's request */
    bool is_blocked; /* an op of the node could not apply: neither may those after it */
    struct wire_op cancels[REQUEST_OPS_MAX]; /* before the next set or swap */
    uint32_t cancel_count;
};

/* Relaxed writes whose clients wait for durability. */
#define RELAXED_WAITERS_MAX 4096
#define RELAXED_ACKS_MAX    (16 * RELAXED_WAITERS_MAX)

/* What an op of theirs will be answered. */
struct relaxed_ack {
    uint64_t seq;
    uint64_t journal_seq; /* 0: forgotten */
    uint8_t outcome;
};

struct relaxed_waiter {
    struct address from;
    uint64_t packet_number;
    uint64_t last_seq; /* journal seq that must be durable */
    uint16_t op_count; /* its sets: so many acks, in order */
};

struct relaxed {
    bool is_open; /* there is a journal */
    struct pending_writes writes;
    struct relaxed_sessions sessions;
    uint64_t next_seq;
    uint64_t durable_seq;
    uint64_t restored_seq;
    struct relaxed_waiter *waiters; /* a ring */
    uint64_t waiters_head;
    uint64_t waiters_tail;
    struct relaxed_ack *acks; /* a ring */
    uint64_t acks_head;
    uint64_t acks_tail;
    uint8_t *message; /* MESSAGE_SIZE_BYTES_MAX: a journal entry, or a batch to forward */
    uint8_t *value;   /* VALUE_SIZE_BYTES_MAX */
};

/* How far pending relaxed writes are on their way to whom. */
struct forward {
    uint64_t term;
    uint64_t next;       /* position in the pending writes: those before it are on their way */
    uint64_t last_seq;   /* newest of them, 0: none */
    uint64_t size_bytes; /* sent since something was decided, or since it began anew */
    uint64_t seen_head;  /* of the pending writes, when some were last seen to be decided */
    uint64_t due_ns;     /* not sent again before */
    uint64_t wait_ns;
    uint64_t blocked_head; /* head of the pending writes when its op found the store full, and 1;
                              0: none */
    uint16_t leader;
    uint64_t fence_due_ns; /* of the next fence, while one is needed */
};

/* Log time, as a leader makes it. */
struct log_clock {
    uint64_t term; /* 0: not set; leadership that it is anchored in */
    uint64_t anchor_now_ns;
    uint64_t anchor_log_ns;
    uint64_t last_ns;
};

struct engine {
    struct engine_options options;
    struct engine_view view;
    struct machine machine;
    struct log_clock clock;
    struct batch batch;
    struct pending_records records;
    struct pending_reads reads;
    struct relaxed relaxed;
    struct forward forward;
    struct engine_counters counters;
    uint8_t *reply;   /* REPLY_SIZE_BYTES_MAX */
    uint8_t *scratch; /* REPLY_CHUNK_SIZE_BYTES_MAX */
};

/* True for a key that lives in another shard than this engine's. */
static inline bool is_foreign_key(const struct engine *engine, struct span key)
{
    const struct engine_options *options = &engine->options;
    return options->shard_count > 1 && shard_of_key(key, options->shard_count) != options->shard;
}

/* ---- machine.c ---- */

size_t machine_arena_bytes(const struct engine_options *options);
MUST_USE enum error machine_init(struct machine *machine, const struct engine_options *options,
                                 struct arena *arena);
void machine_deinit(struct machine *machine);

/* What one op came to. */
struct op_result {
    uint64_t version;
    uint8_t outcome; /* enum wire_outcome */
    bool is_duplicate;
};

/* Log time of a record begins; expires sessions, returns how many. */
uint32_t machine_begin_record(struct machine *machine, uint64_t index, uint64_t log_time_ns);

/* The session of a request, renewed and with its floor raised; NULL: none (or session 0). */
struct session *machine_begin_request(struct machine *machine, const struct wire_request *request);

/* Executes one op of a request of record `index` (applied_index); `session` as above, set to NULL
 * when the op closes it. */
struct op_result machine_execute(struct machine *machine, struct session **session,
                                 const struct wire_op *op, uint32_t ordinal);

/* The known outcome of an op that was executed before; false: not known. */
bool machine_recall(struct session *session, const struct wire_op *op,
                    struct op_result *ret_result);

struct store_entry *machine_lookup(const struct machine *machine, struct span key);

/* Whether the op's value would fit into the store as it is now; only the value's size counts. */
bool machine_has_room(const struct machine *machine, const struct wire_op *op);

/* ---- batch.c ---- */

size_t batch_arena_bytes(const struct engine_options *options);
void batch_init(struct engine *engine, struct arena *arena);
/* False while not even the smallest request would join, however much room the log has. */
bool batch_has_room(const struct engine *engine);
/* WIRE_STATUS_OK: the request joined. Else why not: OVERLOADED, LOG_FULL. */
enum wire_status batch_add(struct engine *engine, struct span request, const struct waiter *waiter,
                           bool may_use_reserve);
/* The waiters of record `index`, if this node proposed it in `term`; NULL else. Once each. */
const struct pending_record *batch_take_waiters(struct engine *engine, uint64_t index,
                                                uint64_t term);
/* Refuses the requests whose time ran out. */
void batch_expire(struct engine *engine);
/* Anchors log time when leadership has settled. */
void batch_anchor_clock(struct engine *engine);

/* ---- intake.c ---- */

/* The largest request that fits a record. */
#define ADMISSION_REQUEST_SIZE_BYTES_MAX                                                           \
    (RECORD_PAYLOAD_SIZE_BYTES_MAX - RECORD_PREFIX_SIZE_BYTES - REQUEST_PREFIX_SIZE_BYTES -        \
     REQUEST_ALIGN_BYTES)

void admission_write(struct engine *engine, const struct address *from, struct span body);
/* WIRE_STATUS_OK: this node may append now. */
enum wire_status admission_readiness(const struct engine *engine);

/* ---- relaxed.c ---- */

size_t relaxed_arena_bytes(const struct engine_options *options);
MUST_USE enum error relaxed_init(struct engine *engine, struct arena *arena);
void relaxed_deinit(struct engine *engine);
void relaxed_write(struct engine *engine, const struct address *from,
                   const struct wire_write *write, const struct wire_request *request);
/* Lets go of what the applied records have decided. */
void relaxed_follow_decided(struct engine *engine);
/* The journal may lack entries, and what they had accepted may apply yet. */
bool relaxed_is_after_loss(const struct engine *engine);
/* Writes of this node, of the key by the client (0: any), up to `seq`, may have been overruled:
 * hidden, if a cancel of them has applied and they are not decided yet. */
void relaxed_overrule(struct engine *engine, struct span key, uint64_t seq, uint32_t tag);
/* The pending entry of a key, in the pending writes's store; NULL: none. Any thread. */
struct store_entry *relaxed_lookup(const struct engine *engine, struct span key, uint64_t hash);

/* ---- forward.c ---- */

/* Follows leader and term; puts this node's own pending writes into its batch when it leads. */
void forward_begin_turn(struct engine *engine);
void forward_join(struct engine *engine);
/* What was in this node's own batch was refused: to be tried again. */
void forward_failed(struct engine *engine);
/* The oldest of them is in the log and found the store full: to be tried again, too. */
void forward_blocked(struct engine *engine);
/*
 * A write on its way into this leader's batch, where this node's own pending writes of its keys
 * come before it. PENDING: they are not in the log yet, and go first. OK: *bytes is its encoded
 * request; where they are in the log and not decided, or cannot be (no room), one that
 * cancels them, borrowed until the next call into forward.c or relaxed.c.
 */
enum wire_status forward_overrule(struct engine *engine, const struct wire_request *request,
                                  struct span *bytes);
uint64_t forward_deadline_ns(const struct engine *engine);

/* ---- reads.c ---- */

size_t reads_arena_bytes(const struct engine_options *options);
void reads_init(struct engine *engine, struct arena *arena);
void reads_receive(struct engine *engine, const struct address *from, struct span body);
/* Answers those that are released and applied, refuses those out of time. */
void reads_serve(struct engine *engine);
/* Refuses all that wait. */
void reads_refuse_all(struct engine *engine, enum wire_status status);

/* ---- answer.c ---- */

/* A reply is begun, gets its ops, and is sent; one at a time. */
struct answer {
    struct engine *engine;
    struct address to;
    uint8_t wire_type;
    uint32_t ops_left; /* that may follow: room for their headers is kept */
    struct wire_writer writer;
};

void answer_begin(struct answer *answer, struct engine *engine, const struct address *to,
                  uint8_t wire_type);
/* The reply's head; at most `op_count` answer_add follow. */
void answer_open(struct answer *answer, uint64_t number, enum wire_status status,
                 uint32_t op_count);
/* Adds an op; `entry` of `store` (or NULL) is the value it returns, from `offset_bytes` on as far
 * as it fits. */
void answer_add(struct answer *answer, struct wire_reply_op *op, const struct store *store,
                const struct store_entry *entry, uint32_t offset_bytes);
void answer_send(struct answer *answer);

/* The whole of a refusal. */
void answer_refuse(struct engine *engine, const struct address *to, uint8_t wire_type,
                   uint64_t number, enum wire_status status);
/* One op of a write: its result, with the stored value where a swap did not match. */
void answer_add_result(struct answer *answer, const struct wire_op *op,
                       const struct op_result *result);

void answer_hello(struct engine *engine, const struct address *to, uint64_t nonce);

#endif
