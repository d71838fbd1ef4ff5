/*
 * The inside of a handle. One mutex guards all of it but `cancel_epoch`; whoever holds it runs
 * turns (client_turn): receive, look at the times of the operations, send what is due.
 *
 * op.h: operations and their phases. shard_state.h: what the handle knows of each shard it uses.
 */
#ifndef POLLUX_CLIENT_CLIENT_INTERNAL_H
#define POLLUX_CLIENT_CLIENT_INTERNAL_H

#include "base/arena.h"
#include "base/check.h"
#include "base/prng.h"
#include "client/backup.h"
#include "client/cookies.h"
#include "client/endpoint.h"
#include "client/exchange.h"
#include "client/large.h"
#include "client/lookup.h"
#include "client/packet.h"
#include "client/paths.h"
#include "client/relaxed_end.h"
#include "client/relay.h"
#include "client/reply.h"
#include "client/roster.h"
#include "client/seals.h"
#include "client/shard_state.h"
#include "security/fork_guard.h"
#include "wire/reassembly.h"

#include <pthread.h>
#include <stdatomic.h>

#define PENDING_WAIT_NS   (2 * 1000 * 1000) /* between questions whether writes are decided */
#define PENDING_DOUBLINGS 5                 /* of that wait: without a quorum it may be long */
#define REFUSALS_QUICK    7                 /* then the wait after a refusal doubles, so often */
#define REFUSAL_DOUBLINGS 3

/* Operations that receive a large value at a time, where their callers gave no buffer. */
#define VALUE_BUFFERS_MAX 4

struct plx_client {
    struct arena arena;
    pthread_mutex_t mutex; /* recursive: a callback may submit */
    struct plx_options options;
    char cluster[PLX_CLUSTER_SIZE_MAX];
    uint64_t cluster_id;
    struct fork_guard fork_guard; /* no page: the process is told by its id */
    int64_t owner_process;
    struct seals seals;          /* of packets, in and out */
    struct node_cookie *cookies; /* by shard and endpoint */
    uint8_t out_way; /* of the packet that is written: 0, but for packet_send_all_ways */
    bool is_direct;  /* of that packet: relayed by nobody */
    int socket_fd;
    _Atomic int wake_fd;           /* -1 until the handle sleeps for the first time: socket.c */
    bool is_ipv6;                  /* the socket: all addresses are given in that form */
    _Atomic uint32_t cancel_epoch; /* bumped by plx_cancel (release), read by calls (acquire) */
    uint32_t cancel_seen;          /* what came later has cancelled something yet to be ended */
    bool is_in_callback;
    struct prng prng;  /* jitter, and what only has to be unlikely to repeat */
    struct prng names; /* what must differ between handles, whatever their seeds */
    uint64_t now_ns;
    uint64_t spin_until_ns;

    struct endpoint endpoints[ENDPOINTS_MAX]; /* given ones, then learned ones */
    uint32_t endpoint_count;                  /* given */
    uint32_t reach_count;                     /* all */
    struct endpoint_path paths[ENDPOINTS_MAX];
    struct roster roster;
    struct lookup *lookup; /* NULL: no endpoint is a name */
    struct cluster kept;   /* client/cluster.h */

    struct shard_state *shards; /* SHARDS_MAX, by their numbers */
    uint16_t shard_count;       /* 0: not known yet */
    bool is_shard_count_wanted;
    uint64_t session_ttl_ns;   /* as the nodes tell it; 0: not known yet, and there is no session */
    uint64_t idle_notice_ns;   /* ahead of the clock by a spacing for each notice sent lately */
    uint64_t others_notice_ns; /* the same of notices to nodes that do not lead */
    bool is_closing;           /* only what gives sessions back counts any more */
    uint32_t open_count;
    uint16_t open_shards[SHARDS_MAX]; /* in the order in which they were opened */
    struct pending_table pending;
    uint64_t message_id;

    struct op *ops; /* options.window */
    uint16_t active[PLX_WINDOW_MAX];
    uint32_t active_count;
    uint16_t free_ops[PLX_WINDOW_MAX];
    uint32_t free_count;
    uint64_t timer_ns; /* operations are looked at again then */
    size_t ended_count;
    uint32_t gathered_count; /* begun since something was last sent */

    struct large_send large[LARGE_SENDS_MAX];
    struct exchange exchange;
    struct backup_fetch backup;
    struct reassembly *reassembly;
    struct packet_out *out;
    uint32_t out_count;
    uint8_t *out_bytes; /* PACKETS_OUT_BYTES */
    uint8_t *in;        /* PACKETS_IN_BURST packets */
    uint8_t *sync_value;
    uint8_t *value_buffers[VALUE_BUFFERS_MAX]; /* free ones, for values in several chunks */
    uint32_t value_buffer_count;
    struct plx_statistics statistics;
};

/* The i-th of the open shards. */
static inline struct shard_state *shard_at(const struct plx_client *client, uint32_t i)
{
    return &client->shards[client->open_shards[i]];
}

/* ---- transmit.c ---- */
/* Sends every operation that is due and may leave. */
void transmit_due(struct plx_client *client);
/* Where new relaxed operations go: to a node that has said which cluster it is of. For a write
 * (`must_be_fresh`) it is asked first whether it still is who it was: a restart that is noticed
 * only by the write itself leaves its outcome unknown. -1: it has not answered yet. */
int32_t preferred_endpoint(struct plx_client *client, struct shard_state *shard,
                           bool must_be_fresh);

/* ---- call.c ---- */
/* Taken when a call enters the handle, before it waits for anything. */
uint32_t cancel_epoch_of(const struct plx_client *client);
/* Whether plx_cancel came after that. */
bool is_cancelled_since(const struct plx_client *client, uint32_t epoch);
/* When the time of a call that begins now is over. */
uint64_t call_until(const struct plx_client *client, const struct plx_call *call);
/* One operation of a call that entered then, waited for. */
struct plx_response call_run(struct plx_client *client, const struct plx_op *op, uint32_t epoch);
struct plx_response call_resolve(struct plx_client *client, const struct plx_token *token,
                                 const struct plx_call *call, uint32_t epoch);

/* ---- client.c ---- */
/* PLX_E_ARGUMENT: NULL. PLX_E_FORKED: it is of another process. */
enum plx_outcome client_check(const struct plx_client *client);
/* The same, and takes the mutex with PLX_OK. Each call begins with it. */
enum plx_outcome client_enter(struct plx_client *client);
void client_lock(struct plx_client *client);
void client_unlock(struct plx_client *client);
void client_turn(struct plx_client *client);
/* Waits for the next thing to do, at most until `until_ns`. */
void client_wait(struct plx_client *client, uint64_t until_ns);
void reason_write(char *ret_reason, size_t reason_size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
