/*
 * A simulated client: a host with a program that uses libpollux, the real one, on a handle of its
 * own, and notes in the history what it asked and was told. Its process may die at any time it
 * waits; then its handle is gone, and a new process with a new handle begins.
 *
 * client.c: the process and its life; client_ops.c: operations of the workload; lister.c: lists of
 * keys; taker.c: a client that takes logs. They share tokens.h, where unknown outcomes are left to
 * whoever resolves them.
 */
#ifndef POLLUX_TESTS_SIM_CLIENT_H
#define POLLUX_TESTS_SIM_CLIENT_H

#include "client/include/pollux_limits.h"
#include "client/include/pollux_sessions.h"
#include "client/include/pollux_members.h"
#include "tests/sim/history.h"
#include "tests/sim/log_file.h"
#include "tests/sim/logs_check.h"
#include "tests/sim/socket_sim.h"
#include "tests/sim/tokens.h"
#include "tests/sim/value.h"
#include "tests/sim/witness.h"

#define CLIENT_SLOTS_MAX 16 /* operations in flight */

/* What the clients of one world share. */
struct client_world {
    struct agenda *agenda;
    struct verdict *verdict;
    struct tally *tally;
    struct history *history;
    struct logs_history *logs_history;
    struct witness *witness;
    struct network *network;
    const struct draw *draw;
    struct tokens tokens;
    struct log_file log_file;
    uint8_t keys[HISTORY_KEYS_MAX][KEY_SIZE_BYTES_MAX];
    size_t key_sizes_bytes[HISTORY_KEYS_MAX];
    uint32_t key_shards[HISTORY_KEYS_MAX];
    uint32_t nodes_apart;               /* bits: no client reaches them */
    uint32_t nodes_down;                /* bits: not running now, ... */
    uint32_t nodes_gone;                /* ... or never again */
    uint64_t key_seed;                  /* of the run: keys follow from it */
    uint32_t outsiders;                 /* bits: nodes that may be no members */
    uint32_t new_era;                   /* that a rescue began; 0: there was none */
    bool has_ended_session;             /* an operator was asked to end one, whosever it was */
    uint32_t new_nodes[SIM_SHARDS_MAX]; /* bits: nodes whose storage of the shard is of it */
    bool is_residual;                   /* all is healed but for one lasting fault */
    bool is_winding_down;               /* no new operations */
    bool has_rights;                    /* the table of rights was written */
    uint32_t lives_open;                /* that ended with something open of their sessions */
    uint32_t lives_hasty;               /* killed while a notice of theirs may wait at a node... */
    uint64_t hasty_until_ns;            /* ...until then: it would be lost with that node */
    bool is_few_revoked;                /* it may say that clients of few rights are revoked */
};

struct client;
struct copier;
struct keeper;

/* An operation in flight. */
struct client_slot {
    bool is_used;
    struct client *client;
    uint32_t op;       /* its number in the history */
    int32_t preferred; /* a relaxed one that no other node can answer: that endpoint; -1: any may */
    uint8_t *value;
    uint8_t *old_value;
};

struct client {
    struct client_world *world;
    uint32_t number;
    bool is_taker;
    struct copier *copier; /* who makes backups; else NULL */
    struct keeper *keeper; /* who keeps to a cluster that is given up; else NULL */
    struct prng prng;
    struct socket_sim socket;
    struct plx_client *handle; /* NULL: none is open */
    uint32_t life;
    uint32_t ops_left;
    uint64_t next_op_ns;
    uint64_t hurt_at_ns; /* when it is cancelled or dies next; UINT64_MAX: never */
    uint32_t deaths;
    int32_t preferred; /* endpoint that its handle is pinned to; -1: none */
    bool reads_own;
    bool is_transfer_wanted;
    uint16_t transfer_target;
    uint16_t transfer_shard;
    bool are_limits_wanted;
    uint16_t limits_shard;
    bool is_change_wanted;
    bool is_change_looked; /* change.after is what was seen */
    struct plx_change change;
    uint32_t nodes_to_add; /* bits */
    struct plx_limits limits;
    uint32_t limits_number[SIM_SHARDS_MAX]; /* so many changes, at least, that it knows of */
    uint64_t max_age_ns;                    /* of its handle */
    uint64_t last_values[HISTORY_KEYS_MAX]; /* last known value of each key: what swaps expect */
    uint64_t seen_index[SIM_SHARDS_MAX];    /* the newest index that an answer told of, by shard */
    struct client_slot slots[CLIENT_SLOTS_MAX];
    uint32_t logs_known; /* a taker: so many lines are known to be handed out; they end here */
    struct plx_logs_position logs_known_end;
    void *list_memory; /* outlives its deaths */
    struct prng list_prng;
    uint32_t lists_left;
    char *text; /* that it was given; outlives its deaths */
};

/* With a copier: it makes backups. */
void client_init(struct client *client, struct client_world *world, uint32_t number, uint64_t seed,
                 struct copier *copier);
void client_deinit(struct client *client);

/* Its event. */
void client_wake(struct client *client, uint64_t stamp);
/* A packet for its host. */
void client_receive(struct client *client, struct packet *packet);
/* A node has died, and what it had heard and not written with it. */
void client_world_lose_notices(struct client_world *world, uint64_t now_ns);
/* Has every call ended that can end while some nodes are down? */
bool client_is_done(const struct client *client);
/* It has nothing left to do, resolving included, and has closed its handle. */
bool client_is_quiet(const struct client *client);
/* Says what it waits for, when verbose. */
void client_describe(const struct client *client);
/* Starts a process that reads every key, and where the logs' cursor stands. */
void client_read_finally(struct client *client);
/* Asks for leadership of a shard to be handed over, once it comes to that. */
void client_ask_transfer(struct client *client, uint16_t shard, uint16_t target);

/* Asks for a change of the members, once it comes to that. */
void client_ask_change(struct client *client, const struct plx_change *change);
/* client_members.c, for its programs: what was asked for, until its outcome is known; and the nodes
 * to add, until they are members. */
void client_change_turn(struct client *client);
void client_ask_nodes(struct client *client, uint32_t nodes);
void client_add_nodes(struct client *client);
/* Starts a process that makes these nodes members, one after the other. */
void client_add_members(struct client *client, uint32_t nodes);

/* Asks for the limits of a shard to be changed, once it comes to that; the number is its own. */
void client_ask_limits(struct client *client, uint16_t shard, const struct plx_limits *limits);

/* ---- between the files ---- */

/* Its handle, for a program of its own. */
void client_open(struct client *client);
void client_close(struct client *client);
/* Starts another process; none runs. */
void client_start(struct client *client, void (*program)(void *argument));

uint64_t client_now_ns(const struct client *client);

/* ---- world_security.c ---- */

/* Names of clients; NULL: the root key. */
#define SIM_KEY_FULL "simulated"
#define SIM_KEY_FEW  "few"
/* The name of the key file of a handle. */
void security_client_key(const struct client_world *clients, const char *name, char *ret_path,
                         size_t size);

/* Asks for the next format, in the name of the handle. True: it is noted. */
bool client_raise_format(struct client *client);

/* ---- client_rights.c ---- */

bool client_has_few_rights(const struct client *client);
/* It is the one who writes the table of rights, and the table is not there yet. */
bool client_is_to_write_rights(const struct client *client);
/* Its handle has the root key. If the table revokes, it waits until that is due. */
void client_write_rights(struct client *client);
/* It has lost every right, or is about to: it begins nothing any more. */
bool client_is_revoked(const struct client *client);

/* Begins what is due of the workload. */
void client_begin_ops(struct client *client);
uint32_t client_in_flight(const struct client *client);
/* Only operations are in flight that wait for a node which will not come back. */
bool client_is_stranded(const struct client *client);
/* It cannot end while a node that is down stays so, or one that is cut off. */
bool client_may_wait(const struct client *client, const struct client_slot *slot);
/* The process has died: its operations are left as they are. */
void client_drop_ops(struct client *client);
/* The era that the handle had seen when it was answered so. */
uint32_t client_era_seen(const struct client *client, const struct history_op *op);
/* Notes the identities of the operations of a handle; its packets leave next. */
void client_name_ops(void *context, const struct plx_client *handle);
/* A blocking consistent get. */
void client_read_key(struct client *client, uint32_t key);
/* Resolves a token of the board, or one of its own that others have resolved. */
void client_resolve(struct client *client, struct token *token);
/* What a taker does until all lines are handed out. */
void taker_run(struct client *client);
/* Asks where the cursor stands, for the check. */
void taker_read_cursor(struct client *client);

#endif
