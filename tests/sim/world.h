/*
 * One simulated cluster: nodes (the production lane each, with raft, engine, codec and log behind
 * it), clients, network, media and clocks, in one thread, driven by one seed.
 *
 * world.c: the phases of a run; world_node.c: nodes' clocks, turns, starts and deaths;
 * world_faults.c, world_media.c: what happens to them.
 */
#ifndef POLLUX_TESTS_SIM_WORLD_H
#define POLLUX_TESTS_SIM_WORLD_H

#include "tests/sim/client.h"
#include "tests/sim/overseer.h"

#define FAULTS_MAX 128

enum death { DEATH_POWER, DEATH_KILL };

struct sim_node {
    uint32_t number;
    struct lane *lane;    /* NULL: not running */
    bool is_gone;         /* will not start again in this run: its file is lost or refused */
    bool is_unlucky;      /* one of the minority whose medium may rot or vanish */
    bool is_rotten;       /* bits of its files were flipped since its last start */
    bool is_journal_hurt; /* of its journal's, or a bank was lost: entries may be missing */
    bool is_recreated;    /* its file was lost, and its operator lets it begin a new one */
    uint32_t boots;
    uint64_t boot_stamp;
    /* The clock: local = base_local + (1 + drift / 1e6) * (virtual - base_virtual). */
    uint64_t base_local_ns;
    uint64_t base_virtual_ns;
    int64_t drift_per_million;
    uint64_t last_local_ns;
    uint64_t paused_until_ns;
    uint64_t slow_until_ns;
    uint64_t slow_cost_ns;
    uint64_t turn_at_ns; /* planned; 0: none */
    uint64_t turn_stamp;
    uint64_t busy_until_ns;
    uint32_t idle_in_a_row; /* idle turns without the clock of the node reaching a deadline */
    /* Death in the middle of a turn, after so many more stores and packets; 0: not planned. */
    uint32_t fuse;
    enum death fuse_death;
    bool is_dead_inside;
};

/* A fault that lasts: what to take back when it passes. */
struct lasting_fault {
    bool is_active;
    bool is_pending; /* begins at its event, for `for_ns` */
    uint64_t stamp;  /* of its event */
    uint64_t for_ns;
    uint32_t from_hosts;   /* bits; cut from each of these ... */
    uint32_t to_hosts;     /* ... to each of these */
    bool is_mutual;        /* and back */
    uint64_t lag_ns;       /* not cut, but so much slower */
    uint32_t stalled_node; /* node number + 1 whose medium stalls, 0: none */
};

struct world {
    uint64_t seed;
    uint64_t cluster_id;
    struct draw draw;
    struct verdict verdict;
    struct tally *tally;
    struct agenda agenda;
    struct network network;
    struct medium_sim *media;
    struct overseer overseer;
    struct history history;
    struct logs_history logs_history;
    struct witness witness;
    struct prng prng;       /* of nodes: clocks, seeds of lanes */
    struct prng fault_prng; /* of faults */
    struct client_world client_world;
    struct sim_node nodes[NODES_MAX];
    struct client clients[CLIENTS_MAX];
    struct lasting_fault faults[FAULTS_MAX];
    uint64_t fault_stamp;
    bool is_healed;
    bool is_residual; /* healed but for the residual fault */
    bool is_log_exhausted;
};

/* Builds the world of a seed; `draw` says what it is made of. */
void world_init(struct world *world, uint64_t seed, const struct draw *draw, struct tally *tally);
void world_deinit(struct world *world);

/* Runs all phases and all checks; the result is in world->verdict. */
void world_run(struct world *world);

uint64_t world_now_ns(const struct world *world);

/* ---- world_node.c ---- */

void node_init(struct world *world, uint32_t number);
void node_boot(struct world *world, uint32_t number);
void node_turn(struct world *world, uint32_t number);
/* Makes sure that the node takes a turn no later than this. */
void node_plan_turn(struct world *world, struct sim_node *node, uint64_t at_ns);
/* It dies now and starts again after `down_ns`; UINT64_MAX: not by itself. */
void node_crash(struct world *world, struct sim_node *node, enum death death, uint64_t down_ns);
void node_plan_boot(struct world *world, struct sim_node *node, uint64_t at_ns);
void node_step_clock(struct world *world, struct sim_node *node, uint64_t step_ns);
/* Before a side effect of its turn: it may die here. */
void node_side_effect(struct world *world, uint32_t number);
/* The node that leads in the highest term; NULL: none. */
struct sim_node *node_leader(struct world *world);
/* Its only shard; NULL: not running. */
struct replica *node_replica(const struct sim_node *node);
const char *node_path(const struct world *world, uint32_t number);
/* Its files: the log, then the banks of its journal. */
#define NODE_FILES 3
struct node_file {
    char path[MEDIUM_SIM_PATH_MAX];
};
struct node_file node_file(const struct world *world, uint32_t number, uint32_t file);
/* Out for the rest of the run, with whatever its journal still held. */
void node_give_up(struct world *world, struct sim_node *node);

/* ---- world_faults.c ---- */

/* Begins the random faults. */
void faults_begin(struct world *world);
/* One random fault, and the next is planned. */
void faults_act(struct world *world);
void faults_mend(struct world *world, uint32_t fault);
/* Its event: a pending fault begins, another passes; one that `stamp` does not name is over. */
void faults_turn(struct world *world, uint32_t fault, uint64_t stamp);
/* After a turn: what has just changed is most easily lost now. */
void faults_strike(struct world *world, struct sim_node *node);
/* Ends every fault for good and starts every node that can start. */
void faults_heal(struct world *world);
/* Uniform in [0, max], of the faults' own randomness. */
uint64_t faults_up_to(struct world *world, uint64_t max);
/* Puts a fault into force until `for_ns` have passed (UINT64_MAX: until mended by hand); its
 * number, or FAULTS_MAX. */
uint32_t faults_begin_one(struct world *world, const struct lasting_fault *fault, uint64_t for_ns);
/* The fault that stays while liveness is judged; returns its number to mend, FAULTS_MAX: none. */
uint32_t faults_residual(struct world *world);

/* ---- world_media.c ---- */

void media_rot(struct world *world, struct sim_node *node);
void media_lose(struct world *world, struct sim_node *node);
void media_stall(struct world *world, struct sim_node *node);
/* The stall is over. */
void media_go_on(struct world *world, struct sim_node *node);
void media_fail_sync(struct world *world, struct sim_node *node);

#endif
