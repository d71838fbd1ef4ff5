/*
 * A simulated client: speaks engine/wire.h over the simulated network by the rules of the real
 * library (a retry keeps its sequence number and takes a new packet number; a timeout is reported
 * only after every transmission was refused or after a fence; what is still open is resolved
 * later), and notes in the history what it asked and was told.
 *
 * client.c: life and timers; client_send.c: what leaves; client_reply.c: what comes back.
 */
#ifndef POLLUX_TESTS_SIM_CLIENT_H
#define POLLUX_TESTS_SIM_CLIENT_H

#include "base/arena.h"
#include "engine/reassembly.h"
#include "engine/wire.h"
#include "tests/sim/history.h"
#include "tests/sim/network.h"

#define CLIENT_SLOTS_MAX      32  /* operations that are not finished */
#define CLIENT_SENT_MAX       256 /* transmissions whose answer is still told apart */
#define CLIENT_REQUEST_MAX    4   /* operations a request */
#define CLIENT_REASSEMBLY_MAX 4
#define CLIENT_NODE_NONE      UINT32_MAX

/* What the clients of one world share. */
struct client_world {
    struct agenda *agenda;
    struct verdict *verdict;
    struct tally *tally;
    struct history *history;
    struct network *network;
    const struct draw *draw;
    uint64_t cluster_id;
    bool is_winding_down; /* no new operations */
    bool is_full_log_met; /* somebody was told that the log is full */
};

enum slot_state {
    SLOT_FREE,
    SLOT_CALLING,   /* until its answer or its soft deadline */
    SLOT_FENCING,   /* the soft deadline is past and a transmission is out: fenced */
    SLOT_RESOLVING, /* reported unknown; the fence goes on in the background */
};

struct slot {
    enum slot_state state;
    uint32_t op; /* its number in the history */
    bool is_write;
    uint64_t session; /* 0: not sent yet */
    uint64_t seq;
    uint32_t attempts;
    uint32_t open_count; /* transmissions of the original that were not refused */
    uint64_t next_send_ns;
    uint64_t soft_deadline_ns; /* UINT64_MAX: blocking */
    uint64_t hard_deadline_ns;
};

struct sent {
    uint64_t number; /* 0: free */
    uint64_t nonce;  /* registration, else 0 */
    uint32_t node;
    uint32_t count;
    uint32_t slots[CLIENT_REQUEST_MAX];
    uint32_t ops[CLIENT_REQUEST_MAX]; /* still the slots' when the answer comes? */
    bool is_fence[CLIENT_REQUEST_MAX];
};

struct client {
    struct client_world *world;
    uint32_t number;
    uint32_t host;
    struct prng prng;
    struct arena arena;
    struct reassembly *reassembly;
    uint32_t ops_left;
    uint64_t next_op_ns;
    uint64_t stamp; /* of its timer */
    uint64_t wake_ns;
    uint32_t leader; /* node number or CLIENT_NODE_NONE */
    uint64_t incarnations[NODES_MAX];
    uint64_t hello_nonces[NODES_MAX];
    uint64_t hello_sent_ns[NODES_MAX];
    uint64_t session; /* 0: none */
    uint64_t next_seq;
    uint64_t register_nonce;
    uint64_t register_next_ns;
    uint32_t register_attempts;
    uint64_t next_number;
    uint64_t next_message_id;
    uint64_t last_values[HISTORY_KEYS_MAX]; /* last known value of each key: what swaps expect */
    struct slot slots[CLIENT_SLOTS_MAX];
    struct sent sent[CLIENT_SENT_MAX];
};

void client_init(struct client *client, struct client_world *world, uint32_t number, uint64_t seed);
void client_deinit(struct client *client);

/* Its timer went off. */
void client_wake(struct client *client);
/* A packet for it. */
void client_receive(struct client *client, const struct packet *packet);
/* Has every operation been answered? Operations that are only being resolved do not count. */
bool client_is_done(const struct client *client);
/* Nothing at all is left to do, resolving included. */
bool client_is_quiet(const struct client *client);
/* Says what it waits for, when verbose. */
void client_describe(const struct client *client);
/* Starts a blocking consistent get of a key, whatever else goes on. */
void client_read_finally(struct client *client, uint32_t key);
/* Asks the node to hand its leadership over. */
void client_ask_transfer(struct client *client, uint32_t node, uint16_t target);

/* ---- between the files ---- */

/* Sends what is due; returns when something will be due next. */
uint64_t client_send_due(struct client *client);
uint32_t client_other_node(struct client *client, uint32_t node);
void client_plan(struct client *client, uint64_t at_ns);
void client_finish(struct client *client, struct slot *slot, enum history_outcome outcome);
/* The session is gone: whatever was under it ends here. */
void client_lose_session(struct client *client);
uint64_t client_now_ns(const struct client *client);
const struct history_op *client_op(const struct client *client, const struct slot *slot);

/* Keys and values as bytes: the name of a value, then a pattern that depends on it. */
struct span client_key(const struct client_world *world, uint32_t key);
struct span client_value(const struct client_world *world, uint64_t value);
/* The name of a value by its first chunk; 0: not a value that anybody wrote. */
uint64_t client_value_name(const struct client_world *world, struct span chunk,
                           uint32_t value_size_bytes);

#endif
