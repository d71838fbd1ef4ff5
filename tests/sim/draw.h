/*
 * The swarm: what one run is made of, drawn from its seed. Each run leaves most faults out and
 * weighs the rest wildly, because a fault that is always on hides what it does not meet (Groce et
 * al., "Swarm Testing", ISSTA'12). Weights are relative, chances are parts in a million, times are
 * nanoseconds.
 */
#ifndef POLLUX_TESTS_SIM_DRAW_H
#define POLLUX_TESTS_SIM_DRAW_H

#include "base/error.h"

#include <stdint.h>

#define SIM_SHARDS_MAX 4
#define SIM_LANES_MAX  3

/* The limits of keys and sessions at the start; where they change, up to twice as many. */
#define SIM_KEYS_MAX     256
#define SIM_SESSIONS_MAX 128

#define DRAW_LIST(X)                                                                               \
    X(nodes)                                                                                       \
    X(clients)                                                                                     \
    X(keys)                                                                                        \
    X(ops_per_client)                                                                              \
    X(pipeline_max)                                                                                \
    X(packet_ops_max)                                                                              \
    X(fault_phase_ns)                                                                              \
    X(think_ns)                                                                                    \
    X(get_weight)                                                                                  \
    X(relaxed_get_weight)                                                                          \
    X(set_weight)                                                                                  \
    X(swap_weight)                                                                                 \
    X(del_weight)                                                                                  \
    X(blocking_chance)                                                                             \
    X(timeout_ns)                                                                                  \
    X(fence_wait_ns)                                                                               \
    X(rto_min_ns)                                                                                  \
    X(pinned_chance)                                                                               \
    X(key_size_max)                                                                                \
    X(value_size_max)                                                                              \
    X(big_value_chance)                                                                            \
    X(election_min_ns)                                                                             \
    X(election_max_ns)                                                                             \
    X(heartbeat_ns)                                                                                \
    X(append_entries_max)                                                                          \
    X(append_size_soft)                                                                            \
    X(inflight_max)                                                                                \
    X(batches_inflight_max)                                                                        \
    X(reads_pending_max)                                                                           \
    X(session_ttl_ns)                                                                              \
    X(turn_cost_ns)                                                                                \
    X(delay_ns)                                                                                    \
    X(jitter_ns)                                                                                   \
    X(is_in_order)                                                                                 \
    X(loss_chance)                                                                                 \
    X(duplicate_chance)                                                                            \
    X(duplicate_lag_ns)                                                                            \
    X(late_chance)                                                                                 \
    X(late_ns)                                                                                     \
    X(corrupt_chance)                                                                              \
    X(granularity)                                                                                 \
    X(sync_ns)                                                                                     \
    X(drift_max)                                                                                   \
    X(first_fault_ns)                                                                              \
    X(fault_interval_ns)                                                                           \
    X(partition_weight)                                                                            \
    X(one_way_weight)                                                                              \
    X(isolate_weight)                                                                              \
    X(lag_weight)                                                                                  \
    X(depose_weight)                                                                               \
    X(power_weight)                                                                                \
    X(power_all_weight)                                                                            \
    X(kill_weight)                                                                                 \
    X(kill_leader_weight)                                                                          \
    X(mid_turn_chance)                                                                             \
    X(pause_weight)                                                                                \
    X(slow_weight)                                                                                 \
    X(clock_step_weight)                                                                           \
    X(transfer_weight)                                                                             \
    X(transfer_interval_ns)                                                                        \
    X(stop_weight)                                                                                 \
    X(priority_seed) /* 0: all nodes have one priority */                                          \
    X(stall_weight)                                                                                \
    X(sync_fail_weight)                                                                            \
    X(rot_weight)                                                                                  \
    X(lost_file_weight)                                                                            \
    X(set_back_weight)                                                                             \
    X(duplicate_weight)                                                                            \
    X(strike_chance)                                                                               \
    X(recreate_chance)                                                                             \
    X(cut_ns_max)                                                                                  \
    X(down_ns_max)                                                                                 \
    X(pause_ns_max)                                                                                \
    X(clock_step_ns_max)                                                                           \
    X(residual)                                                                                    \
    X(relaxed_set_weight)                                                                          \
    X(relaxed_del_weight)                                                                          \
    X(reads_own_chance)                                                                            \
    X(min_index_chance)                                                                            \
    X(max_age_chance)                                                                              \
    X(max_age_ns)                                                                                  \
    X(relaxed_keys_max)                                                                            \
    X(leader_fresh_ns)                                                                             \
    X(keep_alive_ns)                                                                               \
    X(hurt_interval_ns)                                                                            \
    X(death_chance)                                                                                \
    X(takers)                                                                                      \
    X(log_lines)                                                                                   \
    X(take_pause_ns)                                                                               \
    X(lease_chance)                                                                                \
    X(lease_ns)                                                                                    \
    X(wall_skew_ns)                                                                                \
    X(journal_fault_chance)                                                                        \
    X(store_blocks)                                                                                \
    X(client_pause_ns_max)                                                                         \
    X(hot_key_chance)                                                                              \
    X(big_value_size_max)                                                                          \
    X(shards)                                                                                      \
    X(lanes)                                                                                       \
    X(is_lanes_mixed)                                                                              \
    X(stray_chance)                                                                                \
    X(hold_weight)                                                                                 \
    X(spread_keys)                                                                                 \
    X(is_tagged)                                                                                   \
    X(is_read_apart)                                                                               \
    X(log_bytes)                                                                                   \
    X(segment_bytes)                                                                               \
    X(snapshot_rate)                                                                               \
    X(scrub_rate) /* 0: nobody looks for damage */                                                 \
    X(scrub_pass_ns)                                                                               \
    X(rot_running_chance)                                                                          \
    X(snapshots_held)                                                                              \
    X(lasting_loss_chance)                                                                         \
    X(short_peers_chance)                                                                          \
    X(limits_weight)                                                                               \
    X(spares)                                                                                      \
    X(upgrade_weight)                                                                              \
    X(older_chance)                                                                                \
    X(member_weight)                                                                               \
    X(limits_keys_min)                                                                             \
    X(rest_chance)                                                                                 \
    X(rest_ns_max)                                                                                 \
    X(rescue_weight)                                                                               \
    X(security_step) /* enum security_step */                                                      \
    X(step_chance)   /* that a node is one step behind, in each of its starts */                   \
    X(is_encrypted)                                                                                \
    X(attack_chance)                                                                               \
    X(backups) /* while faults happen; 0: none at the end, either */                               \
    X(backup_pause_ns)                                                                             \
    X(backup_patience_ns)                                                                          \
    X(backup_rate)                                                                                 \
    X(backup_strike_chance)                                                                        \
    X(is_backup_slow)                                                                              \
    X(is_restored)       /* at the end, from one of the backups */                                 \
    X(clients_mode)      /* enum security_mode */                                                  \
    X(keyed_chance)      /* that a handle has a key */                                             \
    X(few_rights)        /* every other client may only read, once a table of rights is written */ \
    X(revoke_ns)         /* when those clients lose every right, and their keys; 0: never */       \
    X(revoke_drops)      /* with what they have pending */                                         \
    X(client_operations) /* a second, of a client at a node; 0: any */                             \
    X(client_bytes)      /* the same */                                                            \
    X(list_chance)       /* in each turn of a client; 0: there are no lists */                     \
    X(lists_max)         /* of a client */                                                         \
    X(hasty_chance)      /* that a relaxed write waits only so long: */                            \
    X(hasty_ns)                                                                                    \
    X(apart_weight)                                                                                \
    X(gives_back) /* at the end no session is left that nobody needs */                            \
    X(node_mtu)                                                                                    \
    X(link_seed) /* 0: each link carries what Ethernet does */                                     \
    X(link_weight)

/* What stays broken while the first half of liveness is judged: a minority, so the rest must
 * serve. */
enum residual {
    RESIDUAL_NONE,
    RESIDUAL_DEAF,     /* one node hears no peer */
    RESIDUAL_MUTE,     /* no peer hears one node */
    RESIDUAL_ISOLATED, /* both */
    RESIDUAL_DOWN,     /* one node is not running */
    RESIDUAL_LINK,     /* one pair does not hear each other */
    RESIDUAL_APART,    /* all clients reach one node alone: draw_relays.c, not drawn otherwise */
    RESIDUAL_COUNT
};

/* How far a cluster has come: from no seals to seals, and from one key to another. */
enum security_step {
    SECURITY_STEP_NONE,
    SECURITY_STEP_ACCEPT,
    SECURITY_STEP_REQUIRED,
    SECURITY_STEP_TWO_KEYS,
    SECURITY_STEP_OTHER_KEY,
    SECURITY_STEP_OTHER_KEY_ONLY,
    SECURITY_STEP_COUNT
};

struct draw {
#define X(name) uint64_t name;
    DRAW_LIST(X)
#undef X
};

void draw_make(struct draw *draw, uint64_t seed);
/* Nodes that are members from the begin to the end. */
static inline uint32_t draw_founders(const struct draw *draw)
{
    return (uint32_t)(draw->nodes - draw->spares);
}
/* The part of draw_make that is about shards and lanes. */
void draw_shards(struct draw *draw, uint64_t seed);
/* The part of draw_make that makes some runs' media as slow as an election timeout. */
void draw_slow_media(struct draw *draw, uint64_t seed);
/* The part of it that is about clients that rest. */
void draw_idle(struct draw *draw, uint64_t seed);
void draw_leading(struct draw *draw, uint64_t seed);
/* Storages that are lost. */
void draw_births(struct draw *draw, uint64_t seed);
/* What an operator does after a disaster. */
void draw_life(struct draw *draw, uint64_t seed);
/* Nodes that come and go. */
void draw_members(struct draw *draw, uint64_t seed);
/* Programs of two ages, and a format that is raised. */
void draw_upgrade(struct draw *draw, uint64_t seed);
/* The part of it that is about large values. */
void draw_large(struct draw *draw, uint64_t seed);
/* The sizes of logs, and the rate of copies. */
void draw_log(struct draw *draw, uint64_t seed);
/* draw_scrub.c, behind all that say whether anything rots */
void draw_scrub(struct draw *draw, uint64_t seed);
/* Seals, keys, and an attacker: behind all that say which programs run. */
void draw_security(struct draw *draw, uint64_t seed);
void draw_rights(struct draw *draw, uint64_t seed);
/* Backups. */
void draw_backup(struct draw *draw, uint64_t seed);
/* After overrides: no backups where nobody judges them, or makes them. */
void draw_fit_backup(struct draw *draw, uint32_t clients_max);
/* Lists of keys. */
void draw_lists(struct draw *draw, uint64_t seed);
/* Callers of relaxed writes that hardly wait. */
void draw_leave(struct draw *draw, uint64_t seed);
void draw_hasty(struct draw *draw, uint64_t seed);
/* How large packets may be. */
void draw_paths(struct draw *draw, uint64_t seed);
/* Clients that reach some nodes only. */
void draw_relays(struct draw *draw, uint64_t seed);
/* Whether, and how far, limits change. */
void draw_limits(struct draw *draw, uint64_t seed);
/* After overrides: takes back what needs more shards or lanes than there are. */
void draw_fit_shards(struct draw *draw);

/* Overrides one value, written name=value. ERR_SYNTAX, ERR_NOT_FOUND. */
MUST_USE enum error draw_override(struct draw *draw, const char *setting);

/* One line: every value by name. */
void draw_print(const struct draw *draw);

#endif
