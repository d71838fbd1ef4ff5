/*
 * Several cores in one process, for tests: a network that is a list of messages, logs in memory,
 * and durability that comes when the test says so. Deterministic: one clock, moved by the test.
 *
 * After every step it does the caller's duties of raft/raft.h, and checks what must hold always:
 * election safety, leader append-only, leader completeness, state machine safety (paper, figure 3).
 */
#ifndef POLLUX_TESTS_UNIT_RAFT_CLUSTER_H
#define POLLUX_TESTS_UNIT_RAFT_CLUSTER_H

#include "raft/peer_starts.h"
#include "raft/raft.h"

#define CLUSTER_LOG_MAX     8192
#define CLUSTER_PACKETS_MAX 4096
#define CLUSTER_TERMS_MAX   8192
#define CLUSTER_READS_MAX   65536
#define CLUSTER_CHANGES_MAX 512
#define CLUSTER_STARTS_MAX  4096
#define MS                  UINT64_C(1000000)

struct cluster_record {
    uint64_t term;
    uint64_t value;
    uint32_t change; /* of the cluster's changes, from 1: the record is that configuration */
};

struct cluster_change {
    uint8_t bytes[RAFT_CONFIGURATION_BYTES_MAX];
    uint32_t size_bytes;
};

struct cluster_packet {
    struct raft_message message;
    uint64_t start; /* of the sender */
    struct cluster_record records[APPEND_ENTRIES_MAX];
};

struct cluster_image { /* what a medium holds */
    struct raft_hard_state hard_state;
    bool is_founded; /* the cluster's first configuration is known as if from a snapshot */
    uint64_t starts[CLUSTER_STARTS_MAX];
    uint32_t start_count;
    uint64_t last;
    struct cluster_record log[CLUSTER_LOG_MAX];
};

struct cluster_node {
    struct raft_options options;
    void *memory;
    struct raft *raft;
    bool is_alive;
    bool is_manual; /* durable only by cluster_drain */
    struct cluster_image *written;
    struct cluster_image *durable;
    uint64_t dirty_from; /* first record that differs from the durable ones; 0: none */
    uint64_t commit_index;
    struct cluster_packet *after; /* held until cluster_drain */
    uint32_t after_count;
    struct start_own own_start;
    struct peer_starts heard;
    struct raft_effects effects;                 /* of the last step that returned OK */
    uint64_t read_floor[CLUSTER_READS_MAX / 64]; /* by read id: what a read must see at least */
};

struct cluster {
    uint32_t node_count;
    struct raft_configuration founding; /* the first configuration */
    struct cluster_change changes[CLUSTER_CHANGES_MAX];
    uint32_t change_count;
    struct cluster_node nodes[NODES_MAX + 1]; /* by voter id, from 1 */
    uint64_t now_ns;
    struct cluster_packet *packets;
    uint32_t packet_count;
    bool is_cut[NODES_MAX + 1][NODES_MAX + 1];  /* from, to */
    uint64_t leader_of_term[CLUSTER_TERMS_MAX]; /* births */
    struct cluster_record committed[CLUSTER_LOG_MAX];
    uint64_t committed_in[CLUSTER_LOG_MAX]; /* term of the leader that committed it */
    uint64_t committed_last;
    uint64_t value_next;
    uint64_t steps;
    uint64_t start_last;         /* number of the newest start */
    uint64_t question_ns;        /* questions are never too many here */
    struct cluster_image *saved; /* cluster_save */
    uint64_t saved_birth;
    /* Told of each step that returned OK, before what it wrote becomes durable; NULL: nobody. */
    void (*watch)(void *context, uint16_t id, const struct raft_event *event);
    void *watch_context;
};

/* Nodes 1 .. node_count, empty logs, all of them voters of a configuration that is agreed upon
 * beforehand. The birth of a node's storage is its id. Election timeouts are fixed: 100 ms and 20
 * ms more for each following id, so that node 1 campaigns first; the heartbeat is each 10 ms. */
struct cluster *cluster_new(uint32_t node_count);
/* The same without a configuration: the nodes have yet to form a cluster. */
struct cluster *cluster_new_unformed(uint32_t node_count);
/* The first `voter_count` nodes form the configuration; the others are in no cluster. */
struct cluster *cluster_new_of(uint32_t node_count, uint32_t voter_count);
/* As cluster_new, run until node 1 leads in term 1 and its no-op, record 1, is committed
 * everywhere. */
struct cluster *cluster_new_led(uint32_t node_count);
void cluster_free(struct cluster *cluster);

/* Shuts the node down, and starts it again with what is durable. Options may be changed between. */
void cluster_crash(struct cluster *cluster, uint16_t id);
void cluster_start(struct cluster *cluster, uint16_t id, bool is_suspect);
/* Writes a log of these terms (0 ends it) and a hard state into the medium of a node that is
 * down. */
void cluster_write(struct cluster *cluster, uint16_t id, struct raft_hard_state hard_state,
                   const uint64_t *terms);

/* The storage of a node that is down is gone: it gets an empty one, whose birth is 100 higher. */
void cluster_lose(struct cluster *cluster, uint16_t id);

/* Copies what is durable at a node; a node that is down is set back to the copy. */
void cluster_save(struct cluster *cluster, uint16_t id);
void cluster_set_back(struct cluster *cluster, uint16_t id);

/* cluster_starts.c. A start begins, with what is durable, and is told to all; whether a packet
 * counts at its receiver, which asks the sender where it does not know; a message counted. */
void cluster_starts_begin(struct cluster *cluster, uint16_t id, bool is_suspect);
void cluster_tell_start(struct cluster *cluster, uint16_t id);
bool cluster_is_start_known(struct cluster *cluster, const struct cluster_packet *packet);
void cluster_note_start(struct cluster *cluster, const struct raft_message *message);

/* One event for one node; its effects stay in nodes[id].effects. */
enum error cluster_step(struct cluster *cluster, uint16_t id, struct raft_event event);
enum error cluster_tick(struct cluster *cluster, uint16_t id);
enum error cluster_propose(struct cluster *cluster, uint16_t id);
enum error cluster_read(struct cluster *cluster, uint16_t id, uint64_t read_id);
enum error cluster_transfer(struct cluster *cluster, uint16_t id, uint16_t to);
enum error cluster_reconfigure(struct cluster *cluster, uint16_t id,
                               const struct raft_configuration *configuration);
/* A message from outside, entries of these terms (entry_count of them). */
enum error cluster_receive(struct cluster *cluster, struct raft_message message,
                           const uint64_t *terms);
/* Everything that the node wrote becomes durable; what waited leaves. */
void cluster_drain(struct cluster *cluster, uint16_t id);

/* Delivers packet `at` of the network and removes it. */
void cluster_deliver(struct cluster *cluster, uint32_t at);
void cluster_drop(struct cluster *cluster, uint32_t at);
/* Delivers everything until the network is silent. */
void cluster_settle(struct cluster *cluster);
/* Moves the clock by `duration_ns`, ticking and delivering as it goes. */
void cluster_run(struct cluster *cluster, uint64_t duration_ns);
/* Cuts or heals both ways between the node and all others. */
void cluster_isolate(struct cluster *cluster, uint16_t id, bool is_cut);

struct raft_status cluster_status(const struct cluster *cluster, uint16_t id);
/* The node that leads in the highest term; 0: none. */
uint16_t cluster_leader(const struct cluster *cluster);
/* First packet of this type to this node, from `from` on; UINT32_MAX: none. */
uint32_t cluster_find(const struct cluster *cluster, enum raft_message_type type, uint16_t to,
                      uint32_t from);
/* The configuration that node `id` has in force. */
const struct raft_configuration *cluster_configuration(const struct cluster *cluster, uint16_t id);
/* The storage that node `id` starts with. */
struct raft_storage cluster_storage(uint16_t id);
/* A message of the nodes' first storages, and everything else 0. */
struct raft_message cluster_message(enum raft_message_type type, uint16_t from, uint16_t to,
                                    uint64_t term);
/* Log matching (paper 5.3) over all pairs of nodes. */
void cluster_check_log_matching(const struct cluster *cluster);
/* All nodes have written the same log. */
void cluster_check_logs_are_equal(const struct cluster *cluster);

#endif
