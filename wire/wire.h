/*
 * The wire format: packets, messages cut into pieces, and the bodies of what clients and nodes say.
 * What nodes say to one another about the log is in wire/wire_peer.h.
 * Explicit little-endian fields, no struct is ever cast, every reserved byte is zero and checked.
 *
 * Packet (PACKET_HEADER_SIZE_BYTES, then at most PACKET_PAYLOAD_SIZE_BYTES_MAX of payload):
 *    0 magic u16 "PX" | 2 version u8 | 3 type u8 | 4 crc32c u32 over the packet with this field
 * zero | 8 cluster id u64 | 16 shard u16 | 18 sender u16 (voter id; 0: a client) | 20 piece u16 |
 *   22 pieces u16 | 24 message id u64 (the sender's, not reused) | 32 message size u32 |
 *   36 key id u8 (0: no authentication) | 37 zero[3] | 40 authentication tag[16] (zero) | 56
 * payload
 *
 * Decoders borrow from the bytes they are given, check everything against what is left, and return
 * ERR_MAGIC, ERR_VERSION, ERR_CHECKSUM, ERR_CLUSTER, ERR_SHARD, ERR_SHORT, ERR_TRAILING,
 * ERR_TOO_LARGE, ERR_TYPE, ERR_RESERVED, ERR_RANGE; outputs are untouched then. Encoders return the
 * size written, and CHECK that it fits. Pure; any thread.
 */
#ifndef POLLUX_WIRE_WIRE_H
#define POLLUX_WIRE_WIRE_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_writer.h"

#define WIRE_VERSION 1

enum wire_type {
    WIRE_RAFT = 1,
    WIRE_HELLO = 16,
    WIRE_HELLO_REPLY,
    WIRE_WRITE,
    WIRE_WRITE_REPLY,
    WIRE_READ,
    WIRE_READ_REPLY,
    WIRE_STATUS,
    WIRE_STATUS_REPLY,
    WIRE_TRANSFER, /* operator: hand leadership over */
    WIRE_TRANSFER_REPLY,
    WIRE_FORWARD, /* node to leader: its pending relaxed writes, an encoded wire_request */
};

/* ---- packets and pieces ---- */

struct wire_message_header {
    uint8_t type; /* enum wire_type */
    uint16_t shard;
    uint16_t sender;
    uint64_t cluster_id;
    uint64_t message_id;
};

struct wire_packet {
    struct wire_message_header header;
    uint16_t piece;
    uint16_t piece_count;
    uint32_t message_size_bytes;
    struct span payload;
};

/* Cluster id of a cluster's name: what every packet carries, so that strangers are told apart. */
uint64_t wire_cluster_id(const char *name);

/* Pieces that a message body of this size (0 .. MESSAGE_SIZE_BYTES_MAX) is cut into; at least 1. */
uint32_t wire_piece_count(size_t body_size_bytes);

/*
 * Writes piece `piece` of the body as one packet to `to` (PACKET_SIZE_BYTES_MAX); returns its size.
 */
uint32_t wire_piece_encode(uint8_t *to, const struct wire_message_header *header, struct span body,
                           uint32_t piece);

/* Checks and decodes one packet of cluster `cluster_id`. The shard is the caller's to check. */
MUST_USE enum error wire_packet_decode(struct span packet, uint64_t cluster_id,
                                       struct wire_packet *ret_packet);

/* ---- requests of clients ---- */

enum wire_op_type {
    WIRE_OP_SET = 1,    /* value absent: delete */
    WIRE_OP_SWAP,       /* old and new each possibly absent */
    WIRE_OP_FENCE,      /* `seq` can never apply after this unless it already has */
    WIRE_OP_REGISTER,   /* session 0: open a session; seq is the client's nonce, not 0 */
    WIRE_OP_UNREGISTER, /* close the session */
    WIRE_OP_KEEP_ALIVE, /* renews the session's expiry */
    WIRE_OP_CANCEL,     /* relaxed writes that the next set or swap of the request overrules */
    WIRE_OP_TYPE_END
};

/*
 * WIRE_OP_REGISTER under the nonce of a session that is open opens no other: its id is answered
 * again as long as the session was not used. FORGOTTEN once it was: its client has the id, so this
 * is a late copy, or a stranger who drew the same nonce and must draw another. A client draws one
 * at random for each session, from a source that no other client shares, and keeps it for all
 * retries. A copy that comes after the session has ended opens one that nobody uses, until that
 * expires.
 *
 * WIRE_OP_CANCEL names a pending relaxed write by the node that accepted it and its journal seq,
 * both from the reply to it (wire_reply.node, wire_reply_op.version). It belongs to the first set
 * or swap after it in the same request, which may have several, one a node; it has no sequence
 * number of the session, and takes effect exactly when that op does (outcome OK, the first time):
 * what that node accepted for the key of that op from the client of this tag, up to this journal
 * seq, and what has not applied by then, never applies. It is not answered: its seq is of another
 * numbering. Without a set or swap after it the request is refused (BAD_REQUEST).
 */
struct wire_op {
    uint8_t type; /* enum wire_op_type */
    bool has_value;
    bool has_old;
    uint16_t node; /* CANCEL: voter id of the node that accepted it; else 0 */
    uint32_t tag;  /* CANCEL, and SET of a node session: the client's; 0: any, none */
    uint64_t seq;  /* of the session, from 1, never reused. CANCEL: the journal seq */
    struct span key;
    struct span value;
    struct span old;
};
#define WIRE_OP_HEADER_SIZE_BYTES 24

/* Tells the writes of one client, which relaxed ones know by their identity, from those of
 * others. */
static inline uint32_t wire_tag(uint64_t identity)
{
    uint32_t tag = (uint32_t)(identity >> 32) ^ (uint32_t)identity;
    return tag != 0 ? tag : 1;
}

/*
 * The replicated part of a write: copied verbatim into the log record. `floor`: every seq below it
 * is finished for the client; its outcome may be forgotten, and such an op is never executed again.
 */
struct wire_request {
    uint64_t session;
    uint64_t floor;
    uint16_t op_count; /* 1 .. REQUEST_OPS_MAX */
    struct span ops;   /* encoded; walk with wire_op_decode */
};
#define WIRE_REQUEST_HEADER_SIZE_BYTES 24

/*
 * The session under which node `id` forwards its pending relaxed writes: sets whose seq is their
 * journal seq, rising, each with its client's tag and perhaps after its cancels; `floor` is the
 * journal seq that must be done before. A fence decides all up to its seq: what a lost journal had
 * accepted. Clients never use such an id for a consistent write.
 */
#define WIRE_NODE_SESSION_FLAG (UINT64_C(1) << 63)
#define WIRE_NODE_SESSION(id)  (WIRE_NODE_SESSION_FLAG | (uint64_t)(id))

/*
 * WIRE_WRITE. `packet_number` rises with every transmission of the session, so that a node can tell
 * a duplicated packet from a retry; `incarnation` is the addressed node's (from its hello reply),
 * so that a packet delayed across its restart is told apart too. Together they make a refusal
 * definite.
 *
 * Relaxed: the ops are sets and cancels; `session` is an identity that the client draws at random
 * for its whole life, not 0, and the seqs are its own: a retry with the same identity and seqs to
 * the same incarnation of the node is never executed twice. After a restart of the node nobody can
 * promise that, so that a retry there sets `is_recall`: it is answered as before if the node still
 * knows it, and else refused (UNKNOWN), never executed.
 */
struct wire_write {
    uint64_t packet_number;
    uint64_t incarnation;
    uint32_t timeout_us; /* time left; 0: none. Spent before it is appended: refused as expired */
    bool is_relaxed;
    bool is_recall;      /* relaxed only: answer what is known of it, do not execute */
    struct span request; /* encoded wire_request; encoding: may lie in its place already */
};
#define WIRE_WRITE_HEADER_SIZE_BYTES 24

struct wire_read_op {
    struct span key;
    uint32_t offset_bytes; /* of the value: the chunk wanted */
    uint64_t version;      /* 0: any; else the answer is WIRE_OUTCOME_VERSION if it has changed */
};

/* WIRE_READ */
struct wire_read {
    uint64_t request_number; /* echoed */
    uint32_t timeout_us;     /* as in wire_write */
    bool is_consistent;
    uint64_t min_index;  /* relaxed: applied index must be at least this; 0: any */
    uint32_t max_age_us; /* relaxed: last contact with a quorum at most this old; 0: any */
    uint16_t op_count;   /* 1 .. REQUEST_OPS_MAX */
    struct span ops;     /* walk with wire_read_op_decode */
};

/*
 * Outcome of a whole request. Anything but WIRE_STATUS_OK: nothing was or will be appended for it.
 */
enum wire_status {
    WIRE_STATUS_OK = 0,
    WIRE_STATUS_NOT_LEADER,  /* `leader` in the reply is the hint, 0 if unknown */
    WIRE_STATUS_NO_QUORUM,   /* a leader without a fresh quorum, or not settled in its term */
    WIRE_STATUS_EXPIRED,     /* the time left ran out in the queue */
    WIRE_STATUS_OVERLOADED,  /* queues full: slow down and retry */
    WIRE_STATUS_LOG_FULL,    /* the log's medium is full */
    WIRE_STATUS_INCARNATION, /* the node has restarted since: say hello again */
    WIRE_STATUS_BAD_REQUEST, /* malformed, too large, too many */
    WIRE_STATUS_TOO_STALE,   /* min_index or max_age cannot be promised here */
    WIRE_STATUS_UNSUPPORTED, /* relaxed writes: the node keeps no journal */
    WIRE_STATUS_PENDING,     /* an earlier relaxed write of the key goes first: retry in a moment */
    WIRE_STATUS_UNKNOWN,     /* a recall of what this node does not know (any more) */
    WIRE_STATUS_WRONG_SHARD, /* a key that belongs to another shard than the one addressed */
    WIRE_STATUS_END
};

/* Outcome of one operation. */
enum wire_outcome {
    WIRE_OUTCOME_OK = 1,
    WIRE_OUTCOME_MISMATCH,   /* swap: not the expected value; the stored one is returned */
    WIRE_OUTCOME_NOT_FOUND,  /* get: no such key. swap: expected a value, key is absent: MISMATCH */
    WIRE_OUTCOME_FENCED,     /* never executed and never will be */
    WIRE_OUTCOME_NO_SESSION, /* unknown or expired session: not executed by this request */
    WIRE_OUTCOME_SESSIONS_FULL,
    WIRE_OUTCOME_WINDOW,     /* seq too far ahead of the floor: not executed */
    WIRE_OUTCOME_FORGOTTEN,  /* seq below the floor: not executed again; its outcome is gone.
                                REGISTER: the nonce of a session that is in use */
    WIRE_OUTCOME_STORE_FULL, /* not executed: keys or bytes exhausted */
    WIRE_OUTCOME_VERSION,    /* ranged get: the value has changed since that version */
    WIRE_OUTCOME_END
};

/* An age as it is told: never younger than it is. UINT64_MAX: never. */
static inline uint64_t wire_age_us(uint64_t age_ns)
{
    return age_ns == UINT64_MAX ? UINT64_MAX : age_ns / 1000 + (age_ns % 1000 != 0);
}

/* WIRE_WRITE_REPLY, WIRE_READ_REPLY and WIRE_TRANSFER_REPLY share one shape. */
struct wire_reply {
    uint64_t number; /* packet_number or request_number */
    uint64_t incarnation;
    uint16_t node;
    uint16_t leader;
    uint8_t status; /* enum wire_status */
    uint64_t term;
    uint64_t applied_index;
    uint64_t contact_age_us; /* since this node last had contact with a quorum; UINT64_MAX: never */
    uint64_t journal_done_seq; /* up to this, no relaxed write of `node` will apply any more */
    uint16_t op_count;         /* 0 unless status is OK */
    struct span ops;
};
#define WIRE_REPLY_HEADER_SIZE_BYTES 64

struct wire_reply_op {
    uint64_t seq;    /* writes: the op's; reads: its position from 0. REGISTER: the nonce */
    uint8_t outcome; /* enum wire_outcome */
    bool is_pending; /* relaxed: a pending value of this server, or an absence that is pending */
    bool has_value;
    uint64_t version; /* log index of the last write of the key; REGISTER: the new session id;
                         pending: the journal seq */
    uint32_t value_size_bytes; /* whole value */
    struct span chunk;         /* at most REPLY_CHUNK_SIZE_BYTES_MAX of it, from the offset asked */
};
#define WIRE_REPLY_OP_HEADER_SIZE_BYTES 32

struct wire_hello {
    uint64_t nonce;
};

/* What a node is in its Raft group. */
enum wire_role {
    WIRE_ROLE_FOLLOWER,
    WIRE_ROLE_PRE_CANDIDATE,
    WIRE_ROLE_CANDIDATE,
    WIRE_ROLE_LEADER,
};

struct wire_hello_reply {
    uint64_t nonce;
    uint64_t incarnation;
    uint64_t term;
    uint64_t applied_index;
    uint64_t commit_index;
    uint64_t last_index;
    uint64_t contact_age_us;
    uint64_t journal_done_seq; /* as in wire_reply */
    uint16_t node;
    uint16_t leader;
    uint16_t node_count;
    uint16_t shard_count;  /* of the cluster: 1 .. SHARDS_MAX */
    uint16_t lane;         /* of this node, on which the addressed shard lives */
    uint16_t lane_count;   /* of this node: 1 .. LANES_MAX */
    uint8_t role;          /* enum wire_role */
    bool has_fresh_quorum; /* a settled leader with a fresh quorum: writes may be sent here */
    bool is_suspect;
    uint8_t granularity; /* enum medium_granularity of the log */
    bool is_emulated;
};

/* WIRE_STATUS has an empty body; the reply is a hello reply followed by named counters. */
#define WIRE_COUNTERS_MAX 128
struct wire_counter {
    const char *name; /* encoding: at most 63 bytes. Decoding borrows: see name_span */
    struct span name_span;
    uint64_t value;
};

/* Request builders: begin in an empty writer, then add ops; the header is patched as ops are added.
 * An op that overflows the writer leaves what was there before whole. */
void wire_request_begin(struct wire_writer *writer, uint64_t session, uint64_t floor);
void wire_request_add(struct wire_writer *writer, const struct wire_op *op);
MUST_USE enum error wire_request_decode(struct span bytes, struct wire_request *ret_request);
/* Next op of an ops span; advances *cursor (starts at 0). */
MUST_USE enum error wire_op_decode(struct span ops, size_t *cursor, struct wire_op *ret_op);
size_t wire_op_size_bytes(const struct wire_op *op);

void wire_write_encode(struct wire_writer *writer, const struct wire_write *write);
MUST_USE enum error wire_write_decode(struct span bytes, struct wire_write *ret_write);

void wire_read_begin(struct wire_writer *writer, const struct wire_read *read);
void wire_read_add(struct wire_writer *writer, const struct wire_read_op *op);
MUST_USE enum error wire_read_decode(struct span bytes, struct wire_read *ret_read);
MUST_USE enum error wire_read_op_decode(struct span ops, size_t *cursor,
                                        struct wire_read_op *ret_op);

void wire_reply_begin(struct wire_writer *writer, const struct wire_reply *reply);
void wire_reply_add(struct wire_writer *writer, const struct wire_reply_op *op);
MUST_USE enum error wire_reply_decode(struct span bytes, struct wire_reply *ret_reply);
MUST_USE enum error wire_reply_op_decode(struct span ops, size_t *cursor,
                                         struct wire_reply_op *ret_op);

void wire_hello_encode(struct wire_writer *writer, const struct wire_hello *hello);
MUST_USE enum error wire_hello_decode(struct span bytes, struct wire_hello *ret_hello);
void wire_hello_reply_encode(struct wire_writer *writer, const struct wire_hello_reply *reply);
MUST_USE enum error wire_hello_reply_decode(struct span bytes, size_t *ret_end,
                                            struct wire_hello_reply *ret_reply);
void wire_counter_add(struct wire_writer *writer, const struct wire_counter *counter);
MUST_USE enum error wire_counter_decode(struct span bytes, size_t *cursor,
                                        struct wire_counter *ret_counter);

/* WIRE_TRANSFER: number, target voter id (0: whoever is furthest). Answered with a wire_reply. */
void wire_transfer_encode(struct wire_writer *writer, uint64_t number, uint16_t target);
MUST_USE enum error wire_transfer_decode(struct span bytes, uint64_t *ret_number,
                                         uint16_t *ret_target);

const char *wire_status_name(uint8_t status);
const char *wire_outcome_name(uint8_t outcome);

#endif
