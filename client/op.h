/*
 * Operations: from the call to its outcome. Owner: whoever holds the mutex of the handle.
 */
#ifndef POLLUX_CLIENT_OP_H
#define POLLUX_CLIENT_OP_H

#include "client/include/pollux.h"
#include "wire/wire.h"

#define OP_NONE UINT32_MAX

struct large_send;
struct shard_state;

/*
 * The phases of an operation. Only op_enter_phase moves an operation from one to another.
 *
 * | from    | to      | when                                                                    |
 * | ------- | ------- | ----------------------------------------------------------------------- |
 * | (free)  | SEND    | the caller asks for it                                                  |
 * | (free)  | RESOLVE | the caller asks what became of a token                                  |
 * | SEND    | DONE    | answered; or given up, and no transmission of it can take effect        |
 * | SEND    | FENCE   | given up: a consistent write, and a transmission may take effect        |
 * | SEND    | RECALL  | given up: a relaxed write, and its node may have it                     |
 * | FENCE   | DONE    | the fence is answered, or its time is over: PLX_UNKNOWN                 |
 * | RECALL  | DONE    | the node has answered, or every transmission was refused, or the time   |
 * |         |         | is over: PLX_UNKNOWN                                                    |
 * | RESOLVE | DONE    | the fence is answered, or its time is over: PLX_UNKNOWN                 |
 *
 * "Given up": the caller's time is over, plx_cancel came, or a node refused for good. In each phase
 * the operation waits to be transmitted at `due_ns`, or (is_sent) for a reply until `due_ns`. A
 * write whose session is gone and that nobody can have executed stays in SEND and begins anew. A
 * relaxed write whose node has restarted stays in SEND, too: until all is refused there, what is
 * transmitted of it only asks (op_is_recall).
 */
enum op_phase {
    PHASE_DONE, /* its slot is free */
    PHASE_SEND,
    PHASE_FENCE,   /* a fence is transmitted, and the operation itself no more */
    PHASE_RECALL,  /* what is transmitted asks its node what became of it, and executes nothing */
    PHASE_RESOLVE, /* a fence is transmitted for a token */
    PHASE_COUNT
};

/* What may share a packet: the same kind, of one shard, to the same node. */
enum op_class { CLASS_WRITE, CLASS_READ, CLASS_RELAXED_READ, CLASS_RELAXED_WRITE, CLASS_COUNT };

struct op {
    enum op_phase phase;
    enum op_class class;
    bool is_sent;              /* and not answered yet */
    struct shard_state *shard; /* NULL: the number of shards is not known yet */
    uint16_t token_shard;      /* RESOLVE */
    uint32_t cancel_epoch;     /* as it was when the operation began */
    uint32_t active_at;
    uint32_t generation; /* tells this use of the slot from the one before */
    uint32_t due_next;   /* transmit_due: of its shard and class; OP_NONE: the last */
    struct plx_op request;
    uint64_t asked_index;   /* its caller's min_index; the handle may ask for more */
    uint64_t session;       /* that `seq` belongs to; 0: none yet */
    uint64_t seq;           /* 0: none yet */
    uint64_t phase_end_ns;  /* when the phase is over, answered or not; UINT64_MAX: never */
    uint64_t fence_wait_ns; /* how long FENCE or RECALL may last */
    uint64_t due_ns;
    uint32_t sent_to; /* with is_sent: endpoint */
    uint32_t attempts;
    uint32_t waits;                  /* for pending writes, one after the other */
    uint32_t unanswered;             /* transmissions that may still, or did, take effect */
    uint64_t first_transmitted_ns;   /* of those */
    uint64_t transmitted_ns;         /* the last of those */
    enum plx_outcome undone_outcome; /* what it ends as where it is certain not to take effect */
    struct large_send *large;
    int32_t endpoint;       /* relaxed write: that it was sent to, and stays with; -1: none */
    uint64_t incarnation;   /* of that node, when it was first sent */
    uint16_t node;          /* relaxed write: the same node... */
    uint64_t series;        /* ...and the series of the numbers that it gives... */
    uint64_t range_end;     /* ...above which it does not accept what was sent; 0: nothing was */
    bool is_alone;          /* shares no packet: a refusal of that would not tell of which */
    uint64_t pending_stamp; /* of the pending writes that its first transmission cancelled */
    uint64_t value_version; /* of the value that is being read on */
    uint32_t value_received_bytes;
    uint8_t *value_buffer; /* VALUE_SIZE_BYTES_MAX; NULL: not needed so far */
};

static inline bool op_is_fence(const struct op *op)
{
    return op->phase == PHASE_FENCE || op->phase == PHASE_RESOLVE;
}

static inline bool op_is_write(const struct op *op)
{
    return op->class == CLASS_WRITE || op->class == CLASS_RELAXED_WRITE;
}

void ops_init(struct plx_client *client);
/* NULL: the window is full. `token`: to be resolved; NULL: the request is an operation.
 * `cancel_epoch`: when the caller entered the handle. */
struct op *op_begin(struct plx_client *client, const struct plx_op *request,
                    const struct plx_token *token, uint32_t cancel_epoch);
/* Moves the operation to its next phase, as the table above has it, and does what the phase begins
 * with. */
void op_enter_phase(struct plx_client *client, struct op *op, enum op_phase phase);
/* To be transmitted, again, after the delay. */
void op_retry(struct plx_client *client, struct op *op, uint64_t delay_ns);
/* Out of time, or refused for good: `outcome` at once where that is certain, else by a fence. */
void op_give_up(struct plx_client *client, struct op *op, enum plx_outcome outcome);
void op_finish(struct plx_client *client, struct op *op, struct plx_response *response);
void op_finish_plain(struct plx_client *client, struct op *op, enum plx_outcome outcome);
/* Operations are looked at again no later than this. */
void op_wake_at(struct plx_client *client, uint64_t at_ns);
void ops_turn(struct plx_client *client);
void ops_cancel(struct plx_client *client);
/* The number of shards is known: each operation that waited for it gets its own. */
void ops_place(struct plx_client *client);
/* A write of this handle that was pending is in the log of the shard: relaxed gets under way began
 * after it. */
void ops_bound_staleness(struct plx_client *client, const struct shard_state *shard);
/* What the handle has seen may be gone: each asks for what its caller does. */
void ops_unbind_staleness(struct plx_client *client);
/* Another leader of the shard: what the former one was asked is asked again at once. */
void ops_redirect(struct plx_client *client, const struct shard_state *shard);
/* UINT64_MAX: never. */
uint64_t time_after(uint64_t now_ns, uint64_t wait_ns);
uint64_t earlier_ns(uint64_t a_ns, uint64_t b_ns);

/* ---- op_encode.c: on the wire ---- */

/* How it is encoded, if it is a write. */
enum wire_op_type op_wire_type(const struct op *op);
/* 0: none. */
uint32_t op_timeout_us(const struct plx_client *client, const struct op *op);
/* The operation, behind its cancels; how many there were. */
uint32_t op_encode(struct plx_client *client, const struct op *op, struct wire_writer *writer);
/* Its size, behind so many cancels. */
size_t op_size_bytes(const struct op *op, uint32_t cancel_count);
/* What is transmitted of it now only asks its node what became of it. */
bool op_is_recall(const struct plx_client *client, const struct op *op);

#endif
