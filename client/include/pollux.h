/*
 * libpollux: the client of a Pollux cluster, over plain UDP sockets.
 *
 * A handle opens one session in each shard that it writes to. A synchronous call takes the handle's
 * mutex, so threads that share a handle wait for each other. For parallel calls open several
 * handles, or keep many operations in flight on one handle with plx_submit and plx_poll. Only
 * plx_open and plx_close allocate or free memory.
 *
 * Every operation ends in exactly one outcome. PLX_TIMEOUT is a statement: the operation did not
 * take effect and never will. The client makes sure of that. If an operation runs out of time after
 * it was transmitted, the client writes a fence into the replicated log. An operation that was not
 * executed before its fence is never executed afterwards. If no majority answers the fence within
 * fence_wait_ns, the outcome is PLX_UNKNOWN, and the response has a token. plx_resolve turns the
 * token into the outcome, in any process, as long as the session of the operation exists.
 *
 * A handle belongs to the process that opened it. After fork() the child's calls on it return
 * PLX_E_FORKED and send nothing, so the parent goes on as if there was no child; plx_close in the
 * child frees the child's copy. A child that wants to write opens a handle of its own. What the
 * library cannot notice is a process image or a virtual machine that is resumed twice: open a new
 * handle after that.
 *
 * Any number of threads may call one handle; it locks itself. Only plx_close must come when no
 * other thread is in a call, and none may begin one afterwards.
 *
 * Times are in nanoseconds, sizes in bytes. Every call writes its outputs completely, whatever its
 * outcome. A NULL handle, and a NULL in the place of an argument that is needed, is
 * PLX_E_ARGUMENT; a call without an outcome then does nothing, and returns 0, false, NULL or -1.
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
#define PLX_COUNTERS_MAX         256
#define PLX_CLUSTER_SIZE_MAX     64

/* ---- outcomes ---- */

/*
 * X(name, exit code of the CLI, text). The outcomes that begin with PLX_E_ are refusals: nothing
 * happened, now or later (plx_resolve's PLX_E_SESSION_EXPIRED: nobody knows any more).
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
    X(PLX_E_TOO_SOON, 5, "leadership has changed too often lately; wait")                          \
    X(PLX_E_UNSUPPORTED, 5, "the node does not support this operation")                            \
    X(PLX_E_UNREACHABLE, 6, "no answer from the node")                                             \
    X(PLX_E_FORKED, 7, "the handle is of the process that opened it; open another after fork")     \
    X(PLX_E_NO_MEMORY, 7, "out of memory")                                                         \
    X(PLX_E_IO, 7, "the socket failed")                                                            \
    X(PLX_E_DENIED, 5, "the client's key has no right to do this")                                 \
    X(PLX_E_SESSIONS, 5, "no session is free: too many clients have one open; see pollux sessions")

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

/*
 * A borrowed run of bytes. A key or value takes three forms.
 * - Bytes: `data` is not NULL. With size 0 the value is empty, and is stored as an empty value.
 * - PLX_ABSENT: there is no value. It is made by that name alone.
 * - `data` NULL: neither. So are a struct of zeros, and data() of an empty vector. No call takes it
 *   for a key or value that it needs: PLX_E_ARGUMENT, so that a mistake deletes nothing.
 */
struct plx_bytes {
    const void *data;
    size_t size_bytes;
};

#define PLX_ABSENT (plx_absent())

/* What PLX_ABSENT stands for: size 0, and an address that no other value has. Any thread. */
PLX_API struct plx_bytes plx_absent(void);
/* Whether it is PLX_ABSENT. Any thread. */
PLX_API bool plx_is_absent(struct plx_bytes bytes);

/* The bytes of a text, without its terminator. Of NULL: no bytes, which no call takes. Any
 * thread. */
PLX_API struct plx_bytes plx_text(const char *text);

/* ---- tokens ---- */

/* Names one operation whose outcome is unknown. All fields zero: no token. */
struct plx_token {
    uint64_t cluster_id; /* of the cluster's name */
    uint64_t session;
    uint64_t seq;
    uint16_t shard;
    uint32_t era;     /* that the cluster was in: pollux_cluster.h */
    uint64_t cluster; /* its number */
};

#define PLX_TOKEN_TEXT_SIZE 104

/* Writes the text form, terminated by a zero byte. Any thread. */
PLX_API void plx_token_format(const struct plx_token *token, char ret_text[PLX_TOKEN_TEXT_SIZE]);
/* Reads the text form. Returns false, and *ret_token names no token, if the text is not a token or
 * its checksum is wrong. Any thread. */
PLX_API bool plx_token_parse(const char *text, struct plx_token *ret_token);

/* ---- a handle ---- */

struct plx_client;

/* Fill with plx_options_init, then change what you need. The value that ends a comment is the
 * default. */
struct plx_options {
    /* "host:port,host:port"; IPv6 as [::1]:7400, link-local as [fe80::1%eth0]:7400. Name all nodes,
     * because any of them may lead. All addresses of a name are tried. While the node behind a name
     * is silent, the name is looked up again, by a thread of the handle. */
    const char *endpoints;
    const char *cluster; /* the cluster's name, as in the nodes' configuration */
    uint64_t timeout_ns; /* of a call that is not blocking; 50 ms */
    /* How long a call may go on after its timeout to get a definite answer; 1 s. In that time nodes
     * with the default election timeouts can elect a leader, even if the first vote is split. */
    uint64_t fence_wait_ns;
    uint64_t spin_ns; /* how long a waiting call polls before it sleeps; 50 us */
    /* plx_poll renews a session with operations in flight or outstanding tokens after this time
     * without a request. 0, the default, and more than a third of the nodes' session_ttl mean that
     * third. Other sessions may expire; the next write opens a new one. */
    uint64_t keep_alive_ns;
    /* A write waits for a hello from a leader that was silent for longer than this; 100 ms. */
    uint64_t leader_fresh_ns;
    uint64_t rto_min_ns;     /* shortest wait for a reply before a request is sent again; 2 ms */
    uint32_t window;         /* operations in flight, 1 to PLX_WINDOW_MAX; 128 */
    uint32_t packet_ops_max; /* operations in one packet, 1 to PLX_PACKET_OPS_MAX; 32 */
    /* The endpoint, from 0, that gets the relaxed calls. -1, the default: the first endpoint; when
     * its node is silent, the handle chooses another one, for each shard by itself. */
    int32_t preferred_endpoint;
    /* A relaxed get is never older than what this handle has seen of the key's shard: its own
     * writes, and replicated values that it has read. If the node cannot promise that, the outcome
     * is PLX_E_TOO_STALE. */
    bool read_your_writes;
    uint64_t max_age_ns; /* for relaxed gets whose call sets none; 0: any age */
    /* The handle remembers so many keys with relaxed writes that are not replicated yet; 4096. */
    uint32_t relaxed_keys_max;
    uint64_t seed; /* for jitter; 0: the kernel gives one */
    /* The file of the client's key (pollux key new NAME --root FILE). NULL: packets are not sealed.
     * With a key, packets in both directions are authenticated, and a handle speaks only to nodes
     * that take sealed packets: [security] clients = accept or required. */
    const char *key_file;
    /* key_file may be the root key of the cluster, with which the handle may do everything: for the
     * tools of operators. */
    bool may_use_root_key;
    /* plx_close waits for so long at most until the nodes have taken the handle's sessions back;
     * 1 s. 0: it sends what it has to say once, and does not wait. */
    uint64_t close_wait_ns;
};

PLX_API void plx_options_init(struct plx_options *options);

/*
 * Opens a handle. The call resolves host names and sends nothing, so it succeeds when the cluster
 * is down. A name that has no address now is looked up later; if no name has one, the call fails.
 * Returns PLX_OK, PLX_E_ARGUMENT, PLX_E_NO_MEMORY or PLX_E_IO. On failure *ret_client is NULL, and
 * ret_reason (of reason_size bytes; may be NULL) names the argument and what is wrong with it; with
 * PLX_OK it is empty. The options and their strings are copied.
 */
PLX_API enum plx_outcome plx_open(const struct plx_options *options, struct plx_client **ret_client,
                                  char *ret_reason, size_t reason_size);

/*
 * Closes a handle; NULL is allowed. No other thread may be in a call on the handle. The callbacks
 * of operations in flight are not called: if their outcomes matter, call plx_cancel and plx_poll
 * first. Sessions are given back, those of relaxed writes, too. The call waits until the nodes have
 * said so: one round trip, and options.close_wait_ns at most. plx_cancel ends the wait. A session
 * with outstanding tokens stays until it expires, and until then any process can resolve the
 * tokens.
 */
PLX_API void plx_close(struct plx_client *client);

/* ---- calls ---- */

/*
 * How one call is made. All fields zero, or a NULL pointer: consistent, not blocking, defaults.
 *
 * A call that does not block ends within timeout_ns. If a transmitted write may have taken effect,
 * the call may take up to fence_wait_ns more. While another thread uses the handle, the call waits
 * for the handle and cannot end; that wait counts towards the timeout.
 *
 * A blocking call goes on through elections, restarts, lost quorums and busy nodes. It ends
 * - with the answer;
 * - with a refusal that waiting does not change: PLX_E_ARGUMENT, PLX_E_TOO_LARGE,
 *   PLX_E_UNSUPPORTED, PLX_E_TOO_STALE, PLX_E_OVERLOADED if store or logs have no room, or
 *   PLX_E_SESSIONS if the table of sessions has none;
 * - when another thread calls plx_cancel;
 * - with PLX_UNKNOWN if nobody can know the outcome any more. There are two such cases. The cluster
 *   was out of reach for longer than a session lives, and the session has expired. Or a relaxed
 *   write was sent to a node that restarted, or was out of reach for half a minute, and that node
 *   does not know the write.
 */
struct plx_call {
    bool is_relaxed;  /* the preferred node alone answers the get, or accepts the set or delete */
    bool is_blocking; /* return only with the answer, however long it takes */
    uint64_t timeout_ns;    /* from the call on. 0: the handle's; UINT64_MAX: for ever */
    uint64_t fence_wait_ns; /* after the timeout. 0: the handle's; UINT64_MAX: for ever */
    uint64_t min_index;     /* relaxed get: the node has applied this index of the shard; 0: any */
    uint64_t max_age_ns;    /* relaxed get: greatest age of the node's contact with a quorum */
    void *buffer;           /* receives the value; NULL: the value lies in the handle's memory */
    size_t buffer_size_bytes;
};

struct plx_response {
    enum plx_outcome outcome;
    bool valid;        /* outcome is PLX_OK */
    bool timeout;      /* outcome is PLX_TIMEOUT */
    bool has_value;    /* get: the key exists. PLX_MISMATCH: `value` is what is stored. Else `value`
                          is PLX_ABSENT if no value was stored (PLX_NOT_FOUND; PLX_MISMATCH with
                          `version` 0), and without data if nothing is known of it */
    bool is_pending;   /* relaxed: a write that only the answering node has. After a get the pending
                          write may also be a delete, and then there is no value */
    bool is_truncated; /* `value` is only the beginning: the buffer, or the answer, was too small */
    struct plx_bytes value;  /* lies in call.buffer. Without a buffer: valid until the next call on
                                the handle; in a callback: until the callback returns */
    size_t value_size_bytes; /* of the whole value, even if `value` is truncated */
    uint64_t version;        /* log index of the last write of the key, in the log of the key's
                                shard. With is_pending: the journal seq at the answering node */
    uint64_t applied_index;  /* of the key's shard at the answering node */
    uint64_t contact_age_ns; /* since that node's last contact with a quorum; UINT64_MAX: never */
    uint16_t node;           /* the node that answered; 0: none */
    uint64_t incarnation;    /* of that node; each start of a node has another incarnation */
    uint64_t series;         /* of that node's storage: which journal seqs `version` is one of */
    struct plx_token token;  /* set with PLX_UNKNOWN */
};

/*
 * Gets the value of a key. A consistent get is linearizable: it returns a value that was current at
 * some moment during the call. Returns PLX_OK, PLX_NOT_FOUND, PLX_TIMEOUT, PLX_E_TOO_STALE,
 * PLX_E_ARGUMENT (empty key) or PLX_E_TOO_LARGE. Waits for its answer. Any thread; the calls on one
 * handle run one after the other. Not from a callback (PLX_E_ARGUMENT).
 */
PLX_API struct plx_response plx_get(struct plx_client *client, struct plx_bytes key,
                                    const struct plx_call *call);

/*
 * Stores a value, exactly once. PLX_ABSENT deletes the key, as plx_del does. PLX_OK means that
 * the write is durable on a majority of the nodes. Returns PLX_OK, PLX_TIMEOUT, PLX_UNKNOWN or
 * PLX_E_*. Threads as plx_get.
 *
 * A relaxed set is accepted by the preferred node alone, with or without a quorum.
 * - PLX_OK: the write is durable on that node, and that node's relaxed gets return it. When there
 *   is a quorum, the write is replicated, exactly once. It never overwrites a later write of the
 *   key by the same handle, whether the later write is relaxed or not and through whatever node.
 * - PLX_TIMEOUT: no node has the write.
 * - PLX_E_OVERLOADED: the node's journal is full, or the handle remembers relaxed_keys_max keys.
 * - PLX_UNKNOWN, without a token: the node does not answer, or it has restarted and does not know
 *   the write. If the node has the write after all, the write will be replicated.
 */
PLX_API struct plx_response plx_set(struct plx_client *client, struct plx_bytes key,
                                    struct plx_bytes value, const struct plx_call *call);

/* Deletes a key. PLX_OK, too, if the key does not exist. Everything else as plx_set. */
PLX_API struct plx_response plx_del(struct plx_client *client, struct plx_bytes key,
                                    const struct plx_call *call);

/*
 * Compare and swap: stores new_value if old_value is stored, in one step. Always consistent.
 * PLX_ABSENT as old_value creates the key only if it does not exist. PLX_ABSENT as new_value
 * deletes the key if old_value is stored. PLX_MISMATCH: nothing changed, and the response has the
 * stored value. The other outcomes are those of plx_set.
 *
 * A mismatch comes without a value in two cases. Nothing was stored: `version` is 0. Or the first
 * answer was lost, and when the client asked again the value that had caused the mismatch was
 * already overwritten by old_value: `version` names the value that had caused the mismatch.
 */
PLX_API struct plx_response plx_swap(struct plx_client *client, struct plx_bytes key,
                                     struct plx_bytes new_value, struct plx_bytes old_value,
                                     const struct plx_call *call);

/*
 * Says what a value is to become; `stored` is PLX_ABSENT if there is none. *ret_value PLX_ABSENT:
 * no value. Left as it is, without data: the value is to stay. What it points to must stay valid
 * until the function is called again, or plx_update returns. The function may be called many times,
 * and must not call the handle.
 */
typedef void plx_modify(void *context, struct plx_bytes stored, struct plx_bytes *ret_value);

/*
 * Changes a value by a function: reads, and swaps, and begins again when somebody else was first,
 * stepping back so that of many who do so at once nobody has to wait for long. call.buffer is not
 * used. Outcomes as of plx_swap, but PLX_MISMATCH means that the function left the value as it is.
 */
PLX_API struct plx_response plx_update(struct plx_client *client, struct plx_bytes key,
                                       plx_modify *modify, void *context,
                                       const struct plx_call *call);

/*
 * Turns the token of a PLX_UNKNOWN into the outcome of its operation. If the operation has not
 * happened yet, it never will. Any handle of the cluster, in any process, can resolve the token.
 * - PLX_OK, PLX_MISMATCH: this was the outcome.
 * - PLX_TIMEOUT: the operation never took effect.
 * - PLX_UNKNOWN: no majority answered. Resolve the token again.
 * - PLX_E_SESSION_EXPIRED: the session has expired, and the outcome is lost. The operation cannot
 *   take effect any more. Read the key to see whether it had. So it is, too, when an operator has
 *   put the cluster together anew since.
 * - PLX_E_ARGUMENT: the token is of another cluster, if only of one that has the same name.
 */
PLX_API struct plx_response plx_resolve(struct plx_client *client, const struct plx_token *token,
                                        const struct plx_call *call);

/*
 * Gives up a token of this handle. Call it for a token that nobody will resolve. The handle keeps a
 * session open as long as tokens of it are outstanding. With many outstanding tokens the handle
 * opens further sessions, and the oldest ones expire.
 */
PLX_API void plx_forget(struct plx_client *client, const struct plx_token *token);

/*
 * Cancels every operation of the handle that is in flight, as if its time had run out now. As after
 * a timeout, a write that may have taken effect is fenced. A blocking write has the handle's
 * fence_wait_ns for its fence. A write whose fence is already under way keeps its time. A
 * plx_resolve ends with PLX_UNKNOWN. Every waiting call ends, and plx_poll returns. Operations that
 * begin later are not cancelled. Any thread may call it at any time, and so may a signal handler.
 */
PLX_API void plx_cancel(struct plx_client *client);

/* ---- many operations in flight ---- */

enum plx_op_type {
    PLX_OP_GET = 1,
    PLX_OP_SET, /* value PLX_ABSENT: delete */
    PLX_OP_SWAP,
};

/*
 * Called once for each operation that plx_submit accepted. It runs inside plx_poll or inside a
 * synchronous call on the same handle, on the thread of that call. It may call plx_submit and no
 * other function on the handle. The response is valid until it returns.
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
 * Accepts an operation. The operation is sent by the next plx_poll or plx_flush, or when a packet
 * is full. Operations in flight have no order. PLX_OK: `done` will be called. PLX_E_FULL: the
 * window is full; call plx_poll first. Also PLX_E_ARGUMENT and PLX_E_TOO_LARGE. Never waits for the
 * network. Threads as plx_get.
 */
PLX_API enum plx_outcome plx_submit(struct plx_client *client, const struct plx_op *op);

/* Sends the operations that were accepted and not sent yet. Threads as plx_get. */
PLX_API void plx_flush(struct plx_client *client);

/*
 * Sends, receives, sends again, renews sessions, and calls `done` for each operation that has
 * ended. Waits until an operation ends, and at most max_wait_ns; 0 does not wait. Returns how many
 * operations ended; after plx_cancel that may be 0. Threads as plx_get.
 */
PLX_API size_t plx_poll(struct plx_client *client, uint64_t max_wait_ns);

/* Returns how many accepted operations are still without their `done`. Threads as plx_get. */
PLX_API size_t plx_in_flight(struct plx_client *client);

/* A descriptor for poll() or epoll: it is readable when plx_poll has something to receive. Do not
 * read from it. */
PLX_API int plx_descriptor(const struct plx_client *client);

/* ---- nodes ---- */

enum plx_role { PLX_FOLLOWER, PLX_PRE_CANDIDATE, PLX_CANDIDATE, PLX_LEADER };

/* How large a piece the medium of a node's log makes durable at a time. */
enum plx_granularity { PLX_BYTE, PLX_CACHE_LINE, PLX_PAGE };

struct plx_counter {
    char name[64];
    uint64_t value;
};

/* What a node says about one of its shards. Role, term, indices and the like are the shard's. */
struct plx_node {
    uint16_t node;
    uint16_t leader; /* the leader that this node follows; 0: it knows none */
    uint16_t node_count;
    uint16_t shard;       /* the shard that was asked about */
    uint16_t shard_count; /* of the cluster */
    uint16_t lane;        /* the lane of this node that serves the shard */
    uint16_t lane_count;  /* of this node */
    uint8_t role;         /* enum plx_role */
    uint8_t granularity;  /* enum plx_granularity */
    uint8_t membership;   /* enum plx_membership (pollux_members.h), as far as the node knows */
    bool has_fresh_quorum;
    bool is_suspect;  /* the log may lack acknowledged records: docs/glossary.md, "suspect" */
    bool is_emulated; /* the medium only looks durable and does not survive a power loss */
    uint64_t incarnation;
    uint64_t term;
    uint64_t applied_index;
    uint64_t commit_index;
    uint64_t last_index;
    uint64_t contact_age_ns; /* since the last contact with a quorum; UINT64_MAX: never */
    uint64_t round_trip_ns;
    uint32_t counter_count; /* 0 after plx_ping, and of a client without the right `admin` */
    struct plx_counter counters[PLX_COUNTERS_MAX];
};

/* The endpoints that were given to plx_open, in that order, from 0. plx_endpoint_name returns NULL
 * for an endpoint that does not exist. Any thread. */
PLX_API size_t plx_endpoint_count(const struct plx_client *client);
PLX_API const char *plx_endpoint_name(const struct plx_client *client, size_t endpoint);

/*
 * Asks one node about one of its shards. plx_status also asks for the counters; plx_ping does not.
 * Every cluster has a shard 0; `shard_count` in the answer says how many shards there are.
 * timeout_ns 0: the handle's. Returns PLX_OK, PLX_E_UNREACHABLE or PLX_E_ARGUMENT (no such endpoint
 * or shard). Unless it returns PLX_OK, *ret_node is all zero. Threads as plx_get.
 */
PLX_API enum plx_outcome plx_ping(struct plx_client *client, size_t endpoint, uint16_t shard,
                                  uint64_t timeout_ns, struct plx_node *ret_node);
PLX_API enum plx_outcome plx_status(struct plx_client *client, size_t endpoint, uint16_t shard,
                                    uint64_t timeout_ns, struct plx_node *ret_node);

/*
 * Returns the shard of a key in a cluster of shard_count shards (see struct plx_node). Every key
 * belongs to exactly one shard, and shards share nothing. If a key has a part in braces that is not
 * empty, as in "{user7}/name", only that part decides. So "{user7}/name" and "{user7}/limit" are in
 * the same shard. Any thread.
 */
PLX_API uint16_t plx_shard_of_key(struct plx_bytes key, uint16_t shard_count);

/* ---- what the handle counts ---- */

#define PLX_STATISTICS_LIST(X)                                                                     \
    X(packets_sent)                                                                                \
    X(packets_received)                                                                            \
    X(packets_dropped) /* of another cluster, damaged, or not from an endpoint */                  \
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
    X(strangers) /* answers of nodes of another cluster, or of an era that is over: not heeded */  \
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
