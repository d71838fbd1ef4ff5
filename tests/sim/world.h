/*
 * One simulated cluster: nodes (the production lanes, with raft, engine, codec and log of each
 * shard behind them), clients, network, media and clocks, in one thread, driven by one seed.
 *
 * world.c: the phases of a run; world_node.c: nodes' starts and deaths; world_clock.c,
 * world_turn.c: their clocks, and the turns of their lanes; world_faults.c, world_cuts.c,
 * world_media.c: what happens to them.
 */
#ifndef POLLUX_TESTS_SIM_WORLD_H
#define POLLUX_TESTS_SIM_WORLD_H

#include "server/membership_board.h"
#include "tests/sim/copier.h"
#include "tests/sim/keeper.h"
#include "tests/sim/overseer.h"

#define FAULTS_MAX 128

/* All nodes, as bits of hosts. */
#define NODE_HOSTS(world) ((1u << (world)->draw.nodes) - 1)

enum death { DEATH_POWER, DEATH_KILL };

/* A lane of a node: a thread of its own, on the node's clock. Shard s is on lane s % lane_count. */
struct sim_lane {
    uint32_t node;
    uint32_t number;
    struct lane *lane;      /* NULL: its node is not running */
    uint64_t held_until_ns; /* the scheduler does not run the thread before */
    uint64_t turn_at_ns;    /* planned; 0: none */
    uint64_t turn_stamp;
    uint64_t busy_until_ns;
    uint32_t idle_in_a_row; /* idle turns without the clock of the node reaching a deadline */
};

/* The files of a shard on a node: the log, the banks of the journal, the snapshots. */
#define NODE_FILES         5
#define NODE_JOURNAL_FILES 2 /* 1 and 2 */
struct node_file {
    char path[MEDIUM_SIM_PATH_MAX];
};

struct sim_node {
    struct node_file files[SIM_SHARDS_MAX][NODE_FILES];
    struct shard_directory directory;
    struct membership_board board;
    uint32_t number;
    uint32_t as; /* the node whose id and address it has: itself, unless it is a second process */
    bool is_running;
    bool is_away;    /* of a quorum that is lost, as far as its operator knows */
    bool is_gone;    /* will not start again in this run: a file is lost or refused */
    bool is_unlucky; /* one of the minority whose medium may rot or vanish */
    bool is_rotten;  /* bits of its files were flipped since its last start */
    /* By shard: bits of its files were flipped in this run; */
    bool is_hurt[SIM_SHARDS_MAX];
    uint64_t booted_ns; /* its latest start */
    /* By shard: bits of its journal were flipped, or a bank was lost: entries may be missing; */
    bool is_journal_hurt[SIM_SHARDS_MAX];   /* since the last start */
    bool is_journal_rotten[SIM_SHARDS_MAX]; /* a bank that no start has read since may be, too */
    /* its log was lost, and its operator lets it begin a new one. */
    bool is_recreated[SIM_SHARDS_MAX];
    /* birth of a storage that was found to be set back, until the next start; 0: none. */
    uint64_t aside_birth[SIM_SHARDS_MAX];
    uint32_t peers;     /* that its [peers] names in this start, node i as bit i */
    bool is_identified; /* the identity of each shard's storage says that it belongs to a cluster */
    uint32_t lane_count;
    struct sim_lane lanes[SIM_LANES_MAX];
    uint32_t format_max;      /* that its program knows: FORMAT_KNOWN, or 0: the older one */
    uint64_t format_since_ns; /* when that began */
    uint32_t formats_found;   /* shards whose files were of a later format at the start, as bits */
    bool is_refused_older;    /* the older program has refused its files */
    uint64_t security_step;   /* of this start: enum security_step */
    uint32_t boots;
    uint64_t incarnation;                       /* of its latest start */
    uint64_t named_incarnation[SIM_SHARDS_MAX]; /* noted as telling its era: history_name */
    uint64_t boot_stamp;
    /* The clock: local = base_local + (1 + drift / 1e6) * (virtual - base_virtual). */
    uint64_t base_local_ns;
    uint64_t base_virtual_ns;
    int64_t drift_per_million;
    uint64_t last_local_ns;
    uint64_t paused_until_ns;
    uint64_t stop_until_ns; /* it stops cleanly, by then at the latest; 0: it does not */
    uint64_t stop_down_ns;  /* and starts again after so long */
    uint64_t slow_until_ns;
    uint64_t slow_cost_ns;
    bool is_snapshot_held; /* its snapshots make no progress */
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
    bool is_duplicate;     /* a second process is there */
};

/* A copy of the log and the snapshots of a shard on a node, as they were in one of its starts. */
#define SAVED_FILES 3
struct saved_storage {
    bool is_there;
    uint32_t node;
    uint32_t shard;
    uint32_t boots;      /* of the node, when the copy was made */
    uint32_t trap_hosts; /* to be cut off when it is set back; 0: none */
    struct medium_sim_image images[SAVED_FILES];
};

/* What a node left when it died, to be the storage of a second process. */
struct copied_node {
    bool is_there;
    uint32_t node;
    uint32_t boots; /* of the node, when the copy was made */
};

/* A quorum is lost for good, and an operator puts the cluster together anew. */
enum disaster_state { DISASTER_NONE, DISASTER_BEGUN, DISASTER_OVER };

struct disaster {
    enum disaster_state state;
    bool is_rescued;
    bool is_return_planned; /* of those nodes that were lost */
    uint32_t left;          /* bits of nodes */
    uint32_t lost;
};

/* The cluster is given up, and a new one restored from a backup. */
struct restored {
    struct keeper keeper;
};

/* world_scrub.c: what has rotted while its node runs. */
enum rot_place { ROT_NOWHERE, ROT_HEAD, ROT_RECORD, ROT_BLOCK, ROT_ENTRY };
struct rotten {
    enum rot_place place;
    uint32_t node;
    uint32_t shard;
    uint32_t boots; /* of the node */
    uint32_t file;
    size_t offset;
    uint8_t byte;   /* that lies there since */
    uint64_t index; /* RECORD, ENTRY */
    size_t record_offset;
    uint64_t generation;   /* of the snapshot or bank */
    uint64_t found_before; /* such places, */
    uint64_t mended_before;
    uint64_t passes; /* and passes, until then */
    uint64_t at_ns;
    bool is_found;
};

/* world_rights.c: from which record on the leaders of a shard knew of the table of rights, by
 * term. */
#define KNOWING_TERMS_MAX 64u
struct knowing {
    uint64_t terms[KNOWING_TERMS_MAX];
    uint64_t first[KNOWING_TERMS_MAX];
    uint32_t count;
    bool is_known;       /* by the node whose turn it is, when the turn began; */
    uint64_t term;       /* in this term it led; 0: it did not */
    uint64_t last_index; /* and its log ended here */
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
    struct overseer overseers[SIM_SHARDS_MAX];
    struct history history;
    struct logs_history logs_history;
    struct witness witness;
    uint64_t closed_index[SIM_SHARDS_MAX]; /* of the last configuration that a node has applied */
    struct prng prng;                      /* of nodes: clocks, seeds of lanes */
    struct prng fault_prng;                /* of faults */
    struct client_world client_world;
    struct sim_node nodes[NODES_MAX]; /* behind the last: a second process, where there are any */
    struct client clients[CLIENTS_MAX];
    struct copier copier; /* who makes backups, where the draw has any */
    struct lasting_fault faults[FAULTS_MAX];
    uint64_t fault_stamp;
    uint64_t quiet_until_ns; /* no fault begins before */
    struct saved_storage saved;
    struct rotten rotten;
    struct copied_node copied;
    struct restored restored;
    struct disaster disaster;
    struct knowing knowing[SIM_SHARDS_MAX]; /* world_rights.c */
    uint64_t table_ns; /* when a leader of shard 0 had applied the table; 0: none has */
    uint64_t named_ns[NODES_MAX][SIM_SHARDS_MAX]; /* since when a node names what it accepts */
    uint64_t highest[SIM_SHARDS_MAX]; /* record that any log has had, where clients are revoked */
    bool is_raise_asked;              /* an operator has asked for the next format */
    uint32_t formats_appended;        /* shards with a record that raises the format, as bits; */
    uint32_t formats_raised;          /* and with a node that has it in force */
    bool is_restart_due;              /* of the node whose turn it is */
    bool is_healed;
    bool is_full_at_end; /* a store was full when nodes were to be added: they were not */
    bool is_residual;    /* healed but for the residual fault */
};

/* Builds the world of a seed; `draw` says what it is made of. */
void world_init(struct world *world, uint64_t seed, const struct draw *draw, struct tally *tally);
void world_deinit(struct world *world);

/* Runs all phases and all checks; the result is in world->verdict. */
void world_run(struct world *world);

/* Runs up to `until_ns` or the first broken rule. */
void world_advance(struct world *world, uint64_t until_ns);
/* Those of the workload, then takers, then the copier. */
uint32_t world_clients(const struct world *world);

uint64_t world_now_ns(const struct world *world);

/* ---- world_node.c ---- */

/* The node as it is before its first start; and plans that. */
void node_make(struct world *world, uint32_t number);
void node_init(struct world *world, uint32_t number);
/* Of its next start. */
struct replica_options node_replica_options(struct world *world, const struct sim_node *node,
                                            uint32_t shard);
/* Its lanes begin, or end, and nothing else is done about it. */
enum error node_open(struct world *world, struct sim_node *node, struct lane_report *ret_report);
void node_close(struct world *world, struct sim_node *node);
/* Not running: what it stored is on its medium. */
void node_sync(struct world *world, const struct sim_node *node);
/* By which the witness knows it; 0: not at all. */
uint16_t node_witness(const struct world *world, const struct sim_node *node);
void node_boot(struct world *world, uint32_t number);
/* It dies now and starts again after `down_ns`; UINT64_MAX: not by itself. */
/* It is asked to stop: hands its leaderships over, in the turns that follow. */
void node_stop(struct world *world, struct sim_node *node, uint64_t down_ns);
/* After a turn: it ends when it has. */
void node_stop_look(struct world *world, struct sim_node *node);
void node_crash(struct world *world, struct sim_node *node, enum death death, uint64_t down_ns);
void node_plan_boot(struct world *world, struct sim_node *node, uint64_t at_ns);
/* Before a side effect of its turn: it may die here. */
void node_side_effect(struct world *world, uint32_t number);
/* The run is over. */
void node_end(struct world *world, struct sim_node *node);
/* It died inside a turn that is over now. */
void node_end_dead(struct world *world, struct sim_node *node);
/* The node that leads the shard in the highest term; NULL: none. */
struct sim_node *node_leader(struct world *world, uint32_t shard);
/* What runs the shard at the node; NULL: the node is not running. */
struct replica *node_replica(const struct sim_node *node, uint32_t shard);
const char *node_path(const struct world *world, uint32_t number, uint32_t shard);
const char *node_file(const struct world *world, uint32_t number, uint32_t shard, uint32_t file);
/* Out for the rest of the run, with whatever its journal still held. */
void node_give_up(struct world *world, struct sim_node *node);

/* ---- world_clock.c ---- */

/* What the node's clock shows now. */
uint64_t node_clock_ns(const struct world *world, struct sim_node *node);
/* The virtual time at which the node's clock will show `local_ns` or a little more. */
uint64_t node_clock_virtual_ns(const struct world *world, struct sim_node *node, uint64_t local_ns);
/* The clock drifts anew; that of a new machine begins anywhere. */
void node_clock_reset(struct world *world, struct sim_node *node, bool is_new_machine);
void node_step_clock(struct world *world, struct sim_node *node, uint64_t step_ns);

/* ---- world_turn.c ---- */

void node_turn(struct world *world, struct sim_lane *lane);
/* Makes sure that the lane, or each lane of the node, takes a turn no later than this. */
void node_plan_turn(struct world *world, struct sim_lane *lane, uint64_t at_ns);
void node_plan_turns(struct world *world, struct sim_node *node, uint64_t at_ns);
/* Tells the history what was applied since witness_begin. */
void node_notes_take(struct world *world, struct sim_node *node);

/* ---- world_set_back.c ---- */

/* Copies a storage of the node, or sets it back to the copy. */
void media_set_back(struct world *world, struct sim_node *node);
/* Instead of the next fault, if that was prepared. */
bool set_back_spring(struct world *world);
void set_back_forget(struct world *world);
/* After a turn: whether the storage was found to be set back. Its node starts again then. */
void set_back_look(struct world *world, struct sim_node *node, uint32_t shard);
void set_back_restart(struct world *world, struct sim_node *node);
/* All others have heard of this start of the node. */
bool set_back_is_witnessed(const struct world *world, const struct sim_node *node, uint32_t shard);
/* After a start. */
void set_back_clear(struct world *world, struct sim_node *node, uint32_t shard);

/* ---- world_duplicate.c ---- */

void duplicate_init(struct world *world);
bool duplicate_is(const struct world *world, const struct sim_node *node);
bool duplicate_is_there(const struct world *world);
/* A second process of the node begins, or what it needs is prepared. */
void duplicate_act(struct world *world, struct sim_node *node);
/* After a turn: whether its storage was found to be set back. */
void duplicate_look(struct world *world, struct sim_node *twin, uint32_t shard);
void duplicate_end(struct world *world);

/* ---- world_upgrade.c ---- */

bool upgrade_is_older(const struct sim_node *node);
/* Which program the node starts as. */
void upgrade_draw(struct world *world, struct sim_node *node);
/* What it has found. */
void upgrade_note_boot(const struct world *world, struct sim_node *node);
/* It was the older program that refused to start, rightly: the newer one starts next. */
bool upgrade_is_refused(struct world *world, struct sim_node *node, enum error error,
                        const char *reason);
/* world_rights.c. The turn of a lane begins, and has ended; a node was there, with its logs. */
void rights_begin_turn(struct world *world, struct sim_node *node, const struct sim_lane *lane);
void rights_end_turn(struct world *world, struct sim_node *node, const struct sim_lane *lane);
void rights_look(struct world *world, const struct sim_node *node);
/* A write was dropped; or was decided by a record of this term. */
void rights_note_dropped(struct world *world, const struct witness_note *note);
void rights_note_decided(struct world *world, const struct witness_note *note, uint64_t term);

/* The node stops, to start as another program; or an operator asks for the next format. */
void upgrade_act(struct world *world, struct sim_node *node);
/* After a turn. */
void upgrade_look(struct world *world, const struct sim_node *node, uint32_t shard);
/* If the format was raised, all members have it. */
bool upgrade_is_even(const struct world *world);

/* ---- world_security.c ---- */

/* How the node takes packets of others in this start; behind upgrade_draw. */
void security_draw(struct world *world, struct sim_node *node);
struct security_options security_options_of(struct world *world, const struct sim_node *node);
/* After a turn: whether all was refused that an attacker has sent. */
void security_look(struct world *world, const struct sim_node *node);

/* ---- world_scrub.c ---- */

/* Something in the files of the shard rots, and the node goes on. False: nothing suitable is
 * there. */
bool scrub_rot(struct world *world, struct sim_node *node, uint32_t shard);
/* After a turn: what the node has found. */
void scrub_look(struct world *world, struct sim_node *node, uint32_t shard);
/* At the end of the run. */
void scrub_end(struct world *world);

/* Runs until the condition holds; false when `bound_ns` passed before. */
bool world_await(struct world *world, bool (*is_reached)(struct world *), uint64_t bound_ns);
/* Overseers of all shards begin. */
void world_watch(struct world *world);

/* ---- world_restore.c ---- */

/* The run is over, and was judged: perhaps its cluster is given up, and a new one restored. True:
 * it is, and its clients have run for a while. */
bool restore_begin(struct world *world);
/* All is over. */
void restore_end(struct world *world);

/* ---- world_backup.c ---- */

/* A packet has come to the copier: the node that gives it blocks may die now. */
void backup_strike(struct world *world);
/* At the end of the run. */
void backup_judge_all(struct world *world);

/* ---- world_excuse.c ---- */

/* Whether some running replica is as asked. */
bool world_has_replica(const struct world *world, bool (*is_so)(struct replica *replica));
/* A full store ends progress by design: then only safety is judged. A full log does not: what it
 * has no room for is refused, and the next snapshot makes room. */
bool excuse_is_full(const struct world *world);
/* Waiting is right. */
bool excuse_is_waiting(const struct world *world);
/* The rule is broken, unless it is. */
void excuse_or_break(struct world *world, enum rule rule, const char *what);

/* ---- world_disaster.c ---- */

/* A quorum is lost; or an operator who is wrong about that asks for a rescue. */
void disaster_act(struct world *world);
/* Its event: the rescue, then the return of who was lost. */
void disaster_turn(struct world *world);
/* All faults end: what is to come comes now. */
void disaster_heal(struct world *world);
/* After a turn: whether the storage has heard that its era is over. Its node starts again then. */
void disaster_look(struct world *world, struct sim_node *node, uint32_t shard);
/* After a start: which era the storage is of. */
void disaster_start_look(struct world *world, struct sim_node *node, uint32_t shard);
/* After a turn, before anybody judges it: one that was no member may be one. */
void disaster_follow(struct world *world, struct sim_node *node, uint32_t shard);
/* No node that has to be there is there. */
bool disaster_is_stuck(const struct world *world);
/* After a rescue: no storage goes on in the era before. */
bool disaster_is_heard_of(struct world *world);

/* ---- world_faults.c ---- */

/* Begins the random faults. */
void faults_begin(struct world *world);
/* One random fault, and the next is planned. */
void faults_act(struct world *world);
/* After a turn of one of its lanes: what has just changed is most easily lost now. */
void faults_strike(struct world *world, struct sim_node *node, uint32_t lane);
/* Ends every fault for good and starts every node that can start. */
void faults_heal(struct world *world);
/* Uniform in [0, max], of the faults' own randomness. */
uint64_t faults_up_to(struct world *world, uint64_t max);
struct sim_node *node_any(struct world *world);
uint32_t shard_any(struct world *world);

/* ---- world_cuts.c ---- */

void cut_partition(struct world *world);
void cut_one_way(struct world *world);
void cut_isolate(struct world *world);
void cut_lag(struct world *world);
/* world_links.c */
void links_change(struct world *world);
void cut_depose(struct world *world);
void cut_apart(struct world *world);
void faults_mend(struct world *world, uint32_t fault);
/* Its event: a pending fault begins, another passes; one that `stamp` does not name is over. */
void faults_turn(struct world *world, uint32_t fault, uint64_t stamp);
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
