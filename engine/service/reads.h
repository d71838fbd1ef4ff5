/* Reads: relaxed ones are answered at once; consistent ones wait for raft and for the index. */
#ifndef POLLUX_ENGINE_SERVICE_READS_H
#define POLLUX_ENGINE_SERVICE_READS_H

#include "base/address.h"
#include "base/arena.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire.h"

struct engine;
struct engine_options;

/* Bytes that waiting reads may take: an average of this each, and room for the largest. */
#define READ_SIZE_BYTES_AVERAGE 256
#define READ_SIZE_BYTES_MAX     (REQUEST_OPS_MAX * (KEY_SIZE_BYTES_MAX + 64) + 64)

/* A consistent read that waits for its index. */
struct pending_read {
    struct address from;
    uint64_t read_id;
    uint64_t deadline_ns; /* UINT64_MAX: none */
    uint64_t position;    /* of its bytes in the byte ring, ever rising */
    uint32_t size_bytes;
    bool is_answered;
    bool is_list; /* of keys: its bytes are what is kept of a WIRE_LIST */
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

struct answer;

/* WIRE_STATUS_OK: a relaxed read can be answered under this head, which says what is applied and
 * how old the contact with a quorum is. Else why not: WRONG_SHARD, TOO_STALE. Any thread. */
enum wire_status reads_check(const struct engine *engine, const struct wire_read *read,
                             const struct wire_reply *head);
/* Whether a node that says this of itself can promise an answer that fresh. */
bool reads_are_fresh(const struct wire_reply *head, uint64_t min_index, uint32_t max_age_us);
/* Puts head and ops of the reply into a begun answer. Any thread in its RCU turn. */
void reads_answer(const struct engine *engine, struct answer *answer, const struct wire_reply *head,
                  const struct wire_read *read);

size_t reads_arena_bytes(const struct engine_options *options);
void reads_init(struct engine *engine, struct arena *arena);
/* A WIRE_READ from `from`. */
void reads_receive(struct engine *engine, const struct address *from, struct span body);
/* A consistent list from `from` waits as a read does. Any status but WIRE_STATUS_OK: it does
 * not. */
enum wire_status reads_wait_list(struct engine *engine, const struct address *from,
                                 const struct wire_list *list, struct span body);
/* Answers those that are released and applied, refuses those out of time. */
void reads_serve(struct engine *engine);
/* Refuses all that wait. */
void reads_refuse_all(struct engine *engine, enum wire_status status);

#endif
