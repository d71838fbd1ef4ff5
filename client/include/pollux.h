/*
 * libpollux: the client of a Pollux cluster, over plain UDP sockets.
 *
 * One handle has one session in each shard that it writes to. A synchronous call takes the handle's
 * mutex, so threads that share a handle wait for each other: for parallelism open several handles,
 * or use plx_submit and plx_poll, which keep many operations in flight on one. Opening a handle,
 * naming its endpoints and closing it are the only calls that allocate.
 *
 * Every operation ends in exactly one outcome. PLX_TIMEOUT is a statement: the operation did not
 * take effect and never will. How it is kept: an operation that was transmitted and is out of time
 * is fenced through the replicated log; only where no majority can be reached for that either,
 * until fence_wait_ns is over, is the outcome PLX_UNKNOWN, and it carries a token that plx_resolve,
 * in any process, at any later time at which the session still exists, turns into the truth.
 *
 * Times are nanoseconds, sizes are bytes. Outputs are wholly written by every call.
 */
#ifndef POLLUX_H
#define POLLUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PLX_API __attribute__((visibility("default")))
#else
#define PLX_API
#endif

#define PLX_KEY_SIZE_BYTES_MAX   512
#define PLX_VALUE_SIZE_BYTES_MAX (1024 * 1024)
#define PLX_ENDPOINTS_MAX        16
#define PLX_WINDOW_MAX           128
#define PLX_PACKET_OPS_MAX       64
#define PLX_COUNTERS_MAX         128
#define PLX_CLUSTER_SIZE_MAX     64

/* ---- outcomes ---- */

/*
 * X(name, exit code of the CLI, text). Those that begin with PLX_E_ were refused before anything
 * happened: the store is not modified by them, now or later.
 */
#define PLX_OUTCOME_LIST(X)                                                                        \
    X(PLX_OK, 0, "it took effect, or the value is the answer")                                     \
    X(PLX_MISMATCH, 1, "another value is stored; nothing changed")                                 \
    X(PLX_NOT_FOUND, 1, "no such key")                                                             \
    X(PLX_TIMEOUT, 3, "out of time; it did not take effect and never will")                        \
    X(PLX_UNKNOWN, 4, "no majority answered in time; resolve the token to learn the outcome")      \
    X(PLX_E_ARGUMENT, 2, "invalid argument")                                                       \
    X(PLX_E_TOO_LARGE, 2, "key or value larger than its limit")                                    \
    X(PLX_E_FULL, 5, "as many operations in flight as the window allows; poll first")              \
    X(PLX_E_OVERLOADED, 5, "the cluster has no room for it")                                       \
    X(PLX_E_SESSION_EXPIRED, 5, "the session that knew the outcome is gone")                       \
    X(PLX_E_PERMISSION, 5, "not permitted")                                                        \
    X(PLX_E_TOO_STALE, 5, "this node cannot promise an answer that fresh")                         \
    X(PLX_E_UNSUPPORTED, 5, "the node does not support this operation")                            \
    X(PLX_E_UNREACHABLE, 6, "no answer from the node")                                             \
    X(PLX_E_NO_MEMORY, 7, "out of memory")                                                         \
    X(PLX_E_IO, 7, "the socket failed")

enum plx_outcome {
#define X(name, exit_code, text) name,
    PLX_OUTCOME_LIST(X)
#undef X
        PLX_OUTCOME_COUNT
};

/* Name of the enumerator ("PLX_TIMEOUT"); "PLX_?" outside the enum. Any thread. */
PLX_API const char *plx_outcome_name(enum plx_outcome outcome);
/* One lower-case phrase for a person. Any thread. */
PLX_API const char *plx_outcome_text(enum plx_outcome outcome);
/* The exit code that the CLI gives for it. Any thread. */
PLX_API int plx_outcome_exit_code(enum plx_outcome outcome);

/* ---- bytes ---- */

/* A borrowed run of bytes. `data` NULL means absent; an empty value has data and size 0. */
struct plx_bytes {
    const void *data;
    size_t size_bytes;
};

#define PLX_ABSENT ((struct plx_bytes){NULL, 0})

/* The bytes of a text, without its terminator. NULL is absent. Any thread. */
PLX_API struct plx_bytes plx_text(const char *text);

/* ---- tokens ---- */

/* Names one operation whose outcome is not known yet. All zero: no token. */
struct plx_token {
    uint64_t cluster_id;
    uint64_t session;
    uint64_t seq;
    uint16_t shard;
};

#define PLX_TOKEN_TEXT_SIZE 72

/* Writes the text form, terminated. Any thread. */
PLX_API void plx_token_format(const struct plx_token *token, char ret_text[PLX_TOKEN_TEXT_SIZE]);
/* False, and *ret_token untouched, when the text is no token or was mistyped. Any thread. */
PLX_API bool plx_token_parse(const char *text, struct plx_token *ret_token);

/* ---- a handle ---- */

struct plx_client;

/* Fill with plx_options_init, then change what differs. */
struct plx_options {
    /* "host:port,host:port", IPv6 as [::1]:7400. Name all nodes, so that any of them may lead. */
    const char *endpoints;
    const char *cluster; /* the cluster's name, as in the nodes' configuration */
    uint64_t timeout_ns; /* of a call that is not blocking: 50 ms */
    /* Longest wait beyond the timeout for a definite answer: 1 s, so that nodes with the default
     * election timeouts elect a leader meanwhile, also when the first vote is split. */
    uint64_t fence_wait_ns;
    uint64_t spin_ns; /* a waiting call spins so long before it sleeps: 50 us */
    /* A session without an operation for so long is renewed by plx_poll: 1 s. It must be well below
     * the nodes' session lifetime: a session that expires under an operation leaves it unknown. */
    uint64_t keep_alive_ns;
    uint64_t leader_fresh_ns; /* a leader silent for longer is greeted before a write: 100 ms */
    uint64_t rto_min_ns;     /* a reply is this late at least before its request goes again: 2 ms */
    uint32_t window;         /* operations in flight, 1 to PLX_WINDOW_MAX: 128 */
    uint32_t packet_ops_max; /* operations in one packet, 1 to PLX_PACKET_OPS_MAX: 32 */
    /* Whose node relaxed calls go to, from 0; -1: the first, in each shard another one once that is
     * silent. */
    int32_t preferred_endpoint;
    /* Relaxed gets are never older than what the handle has seen of their shard: its own writes,
     * and what it read that was replicated. PLX_E_TOO_STALE where the preferred node cannot promise
     * that. */
    bool read_your_writes;
    uint64_t max_age_ns; /* of relaxed gets that name none; 0: any */
    /* Keys of relaxed writes that the handle remembers until they are replicated: 4096. */
    uint32_t relaxed_keys_max;
    uint64_t seed; /* of jitter; 0: from the kernel */
};

PLX_API void plx_options_init(struct plx_options *options);

/*
 * Opens a handle. Resolves host names; sends nothing: a cluster that is down is no error here.
 * PLX_OK, PLX_E_ARGUMENT, PLX_E_NO_MEMORY, PLX_E_IO; on failure ret_reason (reason_size bytes, may
 * be NULL) names the argument and what is wrong with it. Options and their strings may go
 * afterwards.
 */
PLX_API enum plx_outcome plx_open(const struct plx_options *options, struct plx_client **ret_client,
                                  char *ret_reason, size_t reason_size);

/*
 * Closes. Operations in flight end without their callback being called: cancel and poll first where
 * their outcomes matter. Each session is given back, unless tokens of it are outstanding: then it
 * expires by itself, and until then any process can resolve them. NULL is allowed. No other thread
 * may be in a call.
 */
PLX_API void plx_close(struct plx_client *client);

/* ---- calls ---- */

/*
 * How one call is to be made. All zero, or a NULL pointer: consistent, not blocking, the defaults.
 *
 * Not blocking: ends within timeout_ns and, where something was transmitted that may have taken
 * effect, within fence_wait_ns beyond. A handle that another thread is using is waited for, and
 * that wait counts; but while it lasts the call cannot end.
 *
 * Blocking: waits through elections, restarts, lost quorums and nodes that are busy, and ends only
 * with the answer; with a refusal that waiting does not change (PLX_E_ARGUMENT, PLX_E_TOO_LARGE,
 * PLX_E_UNSUPPORTED, PLX_E_TOO_STALE, and PLX_E_OVERLOADED where store or log has no room); by
 * plx_cancel; or with PLX_UNKNOWN in the two cases where nobody can know any more: the session
 * expired because the cluster was out of reach for longer than sessions live, or the node that a
 * relaxed write was sent to has restarted, or was out of reach for half a minute, and does not know
 * it.
 */
struct plx_call {
    bool is_relaxed;  /* get: what the preferred node has. set, del: accepted by that node alone */
    bool is_blocking; /* return only with the answer, however long it takes */
    uint64_t timeout_ns;    /* from the call on; 0: the handle's. UINT64_MAX: no end */
    uint64_t fence_wait_ns; /* beyond that, for a fence; 0: the handle's. UINT64_MAX: no end */
    uint64_t min_index;  /* relaxed get: applied index, of the key's shard, at least this; 0: any */
    uint64_t max_age_ns; /* relaxed get: contact with a quorum at most this long ago; 0: any */
    void *buffer;        /* where the value is to be copied; NULL: the handle's own memory */
    size_t buffer_size_bytes;
};

struct plx_response {
    enum plx_outcome outcome;
    bool valid;        /* outcome is PLX_OK */
    bool timeout;      /* outcome is PLX_TIMEOUT */
    bool has_value;    /* get: found. PLX_MISMATCH: something is stored */
    bool is_pending;   /* relaxed: of that node alone, not replicated yet (get: or its absence) */
    bool is_truncated; /* `value` is only the beginning: the buffer, or the answer, was too small */
    struct plx_bytes value;  /* in call.buffer; else valid until the next call on the handle (of a
                                callback: until it returns) */
    size_t value_size_bytes; /* of the whole value, also when truncated */
    uint64_t version;        /* index in the log of the key's shard of the last write of the key;
                                pending: of its node */
    uint64_t applied_index;  /* of the key's shard on the node that answered */
    uint64_t contact_age_ns; /* since that node last had contact with a quorum; UINT64_MAX: never */
    uint16_t node;           /* that answered; 0: none did */
    uint64_t incarnation;    /* of that node: another one after each of its starts */
    struct plx_token token;  /* PLX_UNKNOWN */
};

/*
 * The value of a key. Consistent: what a majority had when the call was made or later. PLX_OK,
 * PLX_NOT_FOUND, PLX_TIMEOUT, PLX_E_TOO_STALE, PLX_E_ARGUMENT (empty key), PLX_E_TOO_LARGE.
 * Waits; any thread (serialised on the handle); not from a callback (PLX_E_ARGUMENT).
 */
PLX_API struct plx_response plx_get(struct plx_client *client, struct plx_bytes key,
                                    const struct plx_call *call);

/*
 * Stores a value (absent: as plx_del). Exactly once; PLX_OK: durable on a majority before the
 * answer. PLX_OK, PLX_TIMEOUT, PLX_UNKNOWN, PLX_E_*. Threads as plx_get.
 *
 * Relaxed: accepted by the preferred node, with or without a quorum. PLX_OK: durable there, and
 * what that node's relaxed gets return; replicated exactly once when there is a quorum. A later
 * write of the key by the same handle, relaxed or not, through whatever node, is never overwritten
 * by it. PLX_E_OVERLOADED: the node's journal is full, or relaxed_keys_max keys are pending.
 * PLX_TIMEOUT: no node has it. PLX_UNKNOWN, without a token: the node that may have it does not
 * answer, or has restarted and does not know it; where it has it, it will be replicated.
 */
PLX_API struct plx_response plx_set(struct plx_client *client, struct plx_bytes key,
                                    struct plx_bytes value, const struct plx_call *call);

/* Removes the key; PLX_OK also where there was none. As plx_set. */
PLX_API struct plx_response plx_del(struct plx_client *client, struct plx_bytes key,
                                    const struct plx_call *call);

/*
 * Stores new_value if old_value is what is stored, in one step; always consistent. old_value
 * absent: create only if missing; new_value absent: delete if equal. PLX_OK; PLX_MISMATCH: nothing
 * changed, and the stored value is returned; otherwise as plx_set. PLX_MISMATCH without a value:
 * none was stored, and `version` is 0; or the answer was lost and asked for again, the value that
 * had been found (of that `version`) is gone, and what is stored by now would match.
 */
PLX_API struct plx_response plx_swap(struct plx_client *client, struct plx_bytes key,
                                     struct plx_bytes new_value, struct plx_bytes old_value,
                                     const struct plx_call *call);

/*
 * The outcome of the operation that a PLX_UNKNOWN left open, and the end of it: what had not
 * happened yet never will. PLX_OK or PLX_MISMATCH: it had happened so. PLX_TIMEOUT: it never took
 * effect. PLX_UNKNOWN: still no majority, ask again. PLX_E_SESSION_EXPIRED: the session is gone and
 * with it the outcome; the operation cannot take effect any more, and the key's value says whether
 * it had. PLX_E_ARGUMENT: a token of another cluster. Any handle of the cluster, any process.
 */
PLX_API struct plx_response plx_resolve(struct plx_client *client, const struct plx_token *token,
                                        const struct plx_call *call);

/*
 * The caller has no more use for a token of this handle. While tokens are outstanding their session
 * is kept open; many of them make the handle open further sessions, of which the oldest expire.
 */
PLX_API void plx_forget(struct plx_client *client, const struct plx_token *token);

/*
 * Ends every operation of the handle that is in flight as if its time had run out: it is refused,
 * fenced, or unknown. For its fence a blocking one has the handle's fence_wait_ns; one that is
 * being fenced already is not hurried, but for plx_resolve, which ends as PLX_UNKNOWN. Ends a call
 * that waits, for whatever it waits, and wakes plx_poll. What is called later is not touched. Any
 * thread at any time; also from a signal handler.
 */
PLX_API void plx_cancel(struct plx_client *client);

/* ---- many operations in flight ---- */

enum plx_op_type {
    PLX_OP_GET = 1,
    PLX_OP_SET, /* value absent: delete */
    PLX_OP_SWAP,
};

/*
 * Called in plx_poll, or in a synchronous call on the same handle, on that thread, once for each
 * operation accepted. May call plx_submit; no other call on the handle. The response is borrowed.
 */
typedef void plx_done(void *context, const struct plx_response *response);

struct plx_op {
    enum plx_op_type type;
    struct plx_bytes key; /* key, value, old_value and call.buffer stay valid until `done` */
    struct plx_bytes value;
    struct plx_bytes old_value;
    struct plx_call call;
    plx_done *done;
    void *context;
};

/*
 * Accepts an operation; it leaves with the next plx_poll, plx_flush, or full packet. Operations in
 * flight have no order among them. PLX_OK: `done` will be called. PLX_E_FULL: the window is full,
 * poll first. PLX_E_ARGUMENT, PLX_E_TOO_LARGE. Never waits for the network; threads as plx_get.
 */
PLX_API enum plx_outcome plx_submit(struct plx_client *client, const struct plx_op *op);

/* Sends what was gathered. Threads as plx_get. */
PLX_API void plx_flush(struct plx_client *client);

/*
 * Sends, receives, retries, calls back; renews the session. Waits for at most max_wait_ns while
 * nothing ends; 0 does not wait. Returns how many operations ended; 0 also after plx_cancel.
 * Threads as plx_get.
 */
PLX_API size_t plx_poll(struct plx_client *client, uint64_t max_wait_ns);

/* Operations accepted whose `done` has not been called. Threads as plx_get. */
PLX_API size_t plx_in_flight(struct plx_client *client);

/* A descriptor that becomes readable when plx_poll has something to receive; do not read it. */
PLX_API int plx_descriptor(const struct plx_client *client);

/* ---- logs: each of them handed out once ---- */

/*
 * One server's logs, in the order of their timestamps, as its log file grows. A cursor under the
 * key "pollux/logs/NAME" says up to where they were handed out: the newest timestamp, and how many
 * logs with it. It moves by a swap, so that each log is handed out at most once, however many
 * callers run on any number of hosts; logs of one timestamp are told apart by their place.
 *
 * In one step the logs are the caller's when the call returns; should it die with them, nobody
 * gets them again. In two steps it takes a lease on them, processes them, and confirms; a lease
 * that is not confirmed in time returns the logs to the next caller.
 *
 * When a lease has ended is judged by the wall clocks of the callers' hosts, which are assumed to
 * agree within PLX_LOGS_SKEW_NS: a lease is taken over that long after its end. Where they differ
 * by more, logs may be leased a second time too early; but of two leases on the same logs only one
 * is ever confirmed.
 */
#define PLX_LOGS_SERVER_SIZE_BYTES_MAX 256
#define PLX_LOGS_REMEMBERED            16 /* hand-outs whose ids the cursor still knows */
#define PLX_LOGS_SKEW_NS               (UINT64_C(500) * 1000 * 1000)

struct plx_log {
    int64_t timestamp; /* of any unit; never smaller than that of the log before it */
    const void *payload;
    size_t payload_size_bytes;
};

/* A place between logs: behind the `count`th log with this timestamp. Count 0: before all logs. */
struct plx_logs_position {
    int64_t timestamp;
    uint64_t count;
};

/* Names one hand-out or lease. Serial 0: none. */
struct plx_logs_id {
    uint64_t serial;
    uint64_t nonce;
};

#define PLX_LOGS_ID_TEXT_SIZE 40

/* Writes the text form, terminated. Any thread. */
PLX_API void plx_logs_id_format(const struct plx_logs_id *id, char ret_text[PLX_LOGS_ID_TEXT_SIZE]);
/* False, and *ret_id untouched, when the text is none. Any thread. */
PLX_API bool plx_logs_id_parse(const char *text, struct plx_logs_id *ret_id);

/* The timestamp that begins a line of the text form; a space, a tab or the end follows it (LF or CR
 * LF). What else is on the line is no concern of the cursor, not even NUL bytes. */
enum plx_logs_format {
    PLX_LOGS_RFC3339, /* 2026-01-31T23:59:59.123456789Z or +01:00: nanoseconds since 1970 */
    PLX_LOGS_INTEGER, /* decimal, of any unit, possibly negative */
};

/* Why logs were refused (outcome PLX_E_ARGUMENT). */
enum plx_logs_fault {
    PLX_LOGS_VALID,
    PLX_LOGS_MALFORMED, /* a line does not begin with a timestamp of the format */
    PLX_LOGS_BACKWARD,  /* a timestamp is smaller than the one before it */
    PLX_LOGS_NAME,      /* the server's name is empty or too long */
    PLX_LOGS_FOREIGN,   /* what is stored under the key is no cursor */
};

/* How to take logs. All zero, or a NULL pointer: in one step, not blocking, the defaults. */
struct plx_logs_how {
    bool is_blocking;       /* as of struct plx_call, for the whole of it */
    uint64_t timeout_ns;    /* 0: the handle's */
    uint64_t fence_wait_ns; /* 0: the handle's */
    uint64_t lease_ns;      /* 0: one step. Else two: how long the logs are leased */
    /* Where the logs given are only the end of all: where that begins (`end` of an earlier call).
     * Without it logs that share the cursor's timestamp must all be given. */
    struct plx_logs_position before;
};

struct plx_logs_result {
    enum plx_outcome outcome;
    size_t first;        /* of the logs given, from 0: the first handed out; count 0: none is new */
    size_t count;        /* how many from there on, to the last */
    size_t offset_bytes; /* text: where they begin, and their size */
    size_t size_bytes;
    struct plx_logs_position end; /* behind the last log given */
    struct plx_logs_id id;        /* of the lease, or of the hand-out */
    bool is_leased;               /* nothing was handed out: somebody else has a lease */
    uint64_t lease_left_ns;       /* of one's own lease, or until that of somebody else is over */
    enum plx_logs_fault fault;    /* with PLX_E_ARGUMENT */
    size_t line;                  /* from 1: the log or line at fault */
    struct plx_token token;       /* PLX_UNKNOWN */
};

/*
 * Hands out, or leases, those of `logs` that were not handed out before: always a suffix.
 *
 * PLX_OK: logs[first] to the end are the caller's. PLX_TIMEOUT: nothing was handed out.
 * PLX_UNKNOWN: it cannot be learnt now; keep the logs, plx_resolve(token) says PLX_OK where they
 * are the caller's and PLX_TIMEOUT or PLX_MISMATCH where not; once it says PLX_E_SESSION_EXPIRED
 * plx_logs_confirm(id) says it. PLX_UNKNOWN without a token: both are gone, its session and what
 * the cursor remembers of PLX_LOGS_REMEMBERED hand-outs; nobody knows any more, and nobody else is
 * given these logs where they were taken. PLX_E_*: refused, nothing was moved. Threads as plx_get.
 */
PLX_API struct plx_logs_result plx_logs_take(struct plx_client *client, const char *server,
                                             const struct plx_log *logs, size_t count,
                                             const struct plx_logs_how *how);

/*
 * The same with one log on each line of a text. A last line without a newline is still being
 * written: it is left for a later call. Every line is checked before anything is moved.
 */
PLX_API struct plx_logs_result plx_logs_take_text(struct plx_client *client, const char *server,
                                                  struct plx_bytes text,
                                                  enum plx_logs_format format,
                                                  const struct plx_logs_how *how);

/*
 * Confirms a lease: its logs are never handed out again. PLX_OK, also where it was confirmed
 * before; PLX_MISMATCH: it was lost to somebody else, and never confirmed. PLX_TIMEOUT: not
 * confirmed by this call; PLX_UNKNOWN: ask again, with the same id. PLX_UNKNOWN without a token:
 * PLX_LOGS_REMEMBERED hand-outs or more have happened since, nobody knows any more. Threads as
 * plx_get.
 */
PLX_API struct plx_response plx_logs_confirm(struct plx_client *client, const char *server,
                                             const struct plx_logs_id *id,
                                             const struct plx_call *call);

/* Where a server's cursor stands. */
struct plx_logs_state {
    struct plx_logs_position position; /* handed out up to here */
    uint64_t handed_out;               /* logs, since the beginning */
    uint64_t serial;                   /* changes of the cursor, since the beginning */
    struct plx_logs_id lease;          /* serial 0: none */
    struct plx_logs_position lease_end;
    uint64_t leased;        /* logs under the lease */
    uint64_t lease_left_ns; /* until somebody else may take them; 0: now */
};

/* PLX_OK, PLX_NOT_FOUND (nothing was ever handed out), PLX_TIMEOUT, PLX_E_*; *ret_state is all zero
 * but with PLX_OK. Threads as plx_get. */
PLX_API struct plx_response plx_logs_cursor(struct plx_client *client, const char *server,
                                            const struct plx_call *call,
                                            struct plx_logs_state *ret_state);

/* ---- nodes ---- */

enum plx_role { PLX_FOLLOWER, PLX_PRE_CANDIDATE, PLX_CANDIDATE, PLX_LEADER };

/* Media of a node's log, by how durability is reached there. */
enum plx_granularity { PLX_BYTE, PLX_CACHE_LINE, PLX_PAGE };

struct plx_counter {
    char name[64];
    uint64_t value;
};

/* One shard of one node. Role, leader, term, indices, contact and suspicion are the shard's:
 * another shard of the same node has others. */
struct plx_node {
    uint16_t node;
    uint16_t leader; /* that this node follows; 0: none known */
    uint16_t node_count;
    uint16_t shard;       /* that was asked about */
    uint16_t shard_count; /* of the cluster */
    uint16_t lane;        /* of this node, which the shard lives on */
    uint16_t lane_count;  /* of this node */
    uint8_t role;         /* enum plx_role */
    uint8_t granularity;  /* enum plx_granularity */
    bool has_fresh_quorum;
    bool is_suspect;  /* its log may lack acknowledged records; see the glossary */
    bool is_emulated; /* its medium is not durable against power loss */
    uint64_t incarnation;
    uint64_t term;
    uint64_t applied_index;
    uint64_t commit_index;
    uint64_t last_index;
    uint64_t contact_age_ns; /* since it last had contact with a quorum; UINT64_MAX: never */
    uint64_t round_trip_ns;
    uint32_t counter_count; /* plx_status only */
    struct plx_counter counters[PLX_COUNTERS_MAX];
};

/* Endpoints as given to plx_open, in that order. plx_endpoint_name: NULL past the last. Any
 * thread. */
PLX_API size_t plx_endpoint_count(const struct plx_client *client);
PLX_API const char *plx_endpoint_name(const struct plx_client *client, size_t endpoint);

/*
 * What one node says of one of its shards: plx_ping asks for the head only, plx_status for its
 * counters too. Shard 0 is in every cluster, and `shard_count` of its answer says how many there
 * are. timeout_ns 0: the handle's. PLX_OK, PLX_E_UNREACHABLE, PLX_E_ARGUMENT (no such endpoint or
 * shard); *ret_node is written with PLX_OK. Threads as plx_get.
 */
PLX_API enum plx_outcome plx_ping(struct plx_client *client, size_t endpoint, uint16_t shard,
                                  uint64_t timeout_ns, struct plx_node *ret_node);
PLX_API enum plx_outcome plx_status(struct plx_client *client, size_t endpoint, uint16_t shard,
                                    uint64_t timeout_ns, struct plx_node *ret_node);

/*
 * Asks the leader of a shard to hand its leadership to node `target` (0: whoever is furthest).
 * PLX_OK: it has begun; ask plx_ping who leads. PLX_TIMEOUT: nobody led in time, so it has not
 * begun and will not. PLX_E_UNREACHABLE: the leader was asked and did not answer; it may have
 * begun. PLX_E_ARGUMENT: no such shard or node, or it leads already. PLX_E_OVERLOADED: another
 * transfer is under way. Threads as plx_get.
 */
PLX_API enum plx_outcome plx_transfer(struct plx_client *client, uint16_t shard, uint16_t target,
                                      uint64_t timeout_ns);

/*
 * The shard of a key, in a cluster of so many shards (from struct plx_node): every key belongs to
 * one, and different shards share nothing. Where a key has a part in braces that is not empty, as
 * in "{user7}/name", only that part counts: keys with the same one are of the same shard. Any
 * thread.
 */
PLX_API uint16_t plx_shard_of_key(struct plx_bytes key, uint16_t shard_count);

/* ---- what the handle counts ---- */

#define PLX_STATISTICS_LIST(X)                                                                     \
    X(packets_sent)                                                                                \
    X(packets_received)                                                                            \
    X(packets_dropped) /* of another cluster, broken, or from a stranger */                        \
    X(send_failures)   /* packets that the kernel did not take; they are sent again */             \
    X(hellos)                                                                                      \
    X(transmissions)          /* requests, each of one or more operations */                       \
    X(retransmissions)        /* operations sent again */                                          \
    X(refusals)               /* requests that a node refused */                                   \
    X(replies_late)           /* replies that no operation waited for any more */                  \
    X(fences)                 /* operations whose time ran out after they were transmitted */      \
    X(unknowns)               /* operations that ended as PLX_UNKNOWN */                           \
    X(unknowns_expired)       /* of these: because the session had expired */                      \
    X(sessions)               /* opened */                                                         \
    X(shard_count_mismatches) /* hellos answered with another number of shards than before */      \
    X(leader_changes)

struct plx_statistics {
#define X(name) uint64_t name;
    PLX_STATISTICS_LIST(X)
#undef X
};

/* Threads as plx_get. */
PLX_API void plx_statistics(struct plx_client *client, struct plx_statistics *ret_statistics);

#ifdef __cplusplus
}
#endif

#endif
