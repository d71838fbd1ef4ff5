/* What the simulator did to a cluster and what it looked at, counted by kind over all seeds. */
#ifndef POLLUX_TESTS_SIM_TALLY_H
#define POLLUX_TESTS_SIM_TALLY_H

#include <stdint.h>

#define TALLY_LIST(X)                                                                              \
    X(packets_sent)                                                                                \
    X(packets_delivered)                                                                           \
    X(fault_packets_lost)                                                                          \
    X(fault_packets_duplicated)                                                                    \
    X(fault_packets_late)                                                                          \
    X(fault_packets_corrupted)                                                                     \
    X(fault_packets_cut)                                                                           \
    X(fault_packets_to_dead_hosts)                                                                 \
    X(fault_partitions)                                                                            \
    X(fault_one_way_cuts)                                                                          \
    X(fault_isolations)                                                                            \
    X(fault_lags)                                                                                  \
    X(fault_clients_apart)                                                                         \
    X(packets_relayed) /* of clients, to nodes */                                                  \
    X(packets_large)   /* larger than Ethernet carries, and delivered */                           \
    X(fault_packets_too_large)                                                                     \
    X(fault_links_changed)                                                                         \
    X(fault_depositions)                                                                           \
    X(fault_strikes)                                                                               \
    X(fault_power_losses)                                                                          \
    X(fault_cluster_power_losses)                                                                  \
    X(fault_kills)                                                                                 \
    X(fault_deaths_inside_a_turn)                                                                  \
    X(fault_pauses)                                                                                \
    X(fault_holds)                                                                                 \
    X(fault_strays)                                                                                \
    X(fault_slow_spells)                                                                           \
    X(fault_clock_steps)                                                                           \
    X(fault_transfers)                                                                             \
    X(fault_stops)                                                                                 \
    X(leaderships_left) /* by nodes that stopped */                                                \
    X(transfers_refused)                                                                           \
    X(limits_changed)                                                                              \
    X(sessions_ended)                                                                              \
    X(members_added)                                                                               \
    X(members_removed)                                                                             \
    X(formats_raised)                                                                              \
    X(boots_older)                                                                                 \
    X(boots_older_refused)                                                                         \
    X(fault_sync_stalls)                                                                           \
    X(fault_sync_failures)                                                                         \
    X(fault_bit_rot)                                                                               \
    X(fault_lost_files)                                                                            \
    X(fault_set_backs)                                                                             \
    X(fault_duplicates_made_anew) /* second processes with a node's id */                          \
    X(fault_duplicates_copied)                                                                     \
    X(duplicates_found)                                                                            \
    X(set_backs_found)                                                                             \
    X(fault_quorums_lost)                                                                          \
    X(rescues)                                                                                     \
    X(rescues_refused)                                                                             \
    X(rescue_records_lost) /* that were committed */                                               \
    X(eras_over_found)                                                                             \
    X(backups)                                                                                     \
    X(backups_given_up)                                                                            \
    X(restores)                                                                                    \
    X(calls_of_the_cluster_before)                                                                 \
    X(backup_blocks)                                                                               \
    X(fault_givers_lost) /* nodes that died while they gave blocks of a backup */                  \
    X(fault_client_deaths)                                                                         \
    X(fault_cancels)                                                                               \
    X(fault_client_pauses)                                                                         \
    X(fault_journal_rot)                                                                           \
    X(fault_lost_journals)                                                                         \
    X(fault_snapshot_rot)                                                                          \
    X(fault_rot_running)                                                                           \
    X(rot_running_found)                                                                           \
    X(rot_running_mended)                                                                          \
    X(scrub_passes)                                                                                \
    X(fault_attacks_replayed)                                                                      \
    X(fault_attacks_aside)                                                                         \
    X(fault_attacks_forged)                                                                        \
    X(fault_attacks_unsealed)                                                                      \
    X(fault_attacks_handshake)                                                                     \
    X(fault_attacks_on_clients)                                                                    \
    X(boots_sealing)                                                                               \
    X(rights_tables)                                                                               \
    X(revocations)                                                                                 \
    X(writes_revoked)                                                                              \
    X(ops_denied)                                                                                  \
    X(handles_sealing)                                                                             \
    X(fault_residuals)                                                                             \
    X(datagrams_handed_over)                                                                       \
    X(reads_for_other_lanes)                                                                       \
    X(transfers_to_preferred)                                                                      \
    X(turns)                                                                                       \
    X(boots)                                                                                       \
    X(recoveries_suspect)                                                                          \
    X(recoveries_torn)                                                                             \
    X(recoveries_with_a_hole)                                                                      \
    X(boots_refused)                                                                               \
    X(boots_with_short_peers)                                                                      \
    X(elections_won)                                                                               \
    X(records_appended)                                                                            \
    X(records_checked)                                                                             \
    X(records_with_room)                                                                           \
    X(records_committed)                                                                           \
    X(state_hashes_compared)                                                                       \
    X(ops_invoked)                                                                                 \
    X(ops_ok)                                                                                      \
    X(ops_mismatch)                                                                                \
    X(ops_not_found)                                                                               \
    X(ops_timeout)                                                                                 \
    X(ops_unknown)                                                                                 \
    X(ops_unknown_resolved)                                                                        \
    X(ops_refused)                                                                                 \
    X(ops_too_stale)                                                                               \
    X(ops_relaxed)                                                                                 \
    X(ops_pending_seen)                                                                            \
    X(tokens_expired)                                                                              \
    X(logs_calls)                                                                                  \
    X(logs_handed_out)                                                                             \
    X(logs_unknown)                                                                                \
    X(journal_entries)                                                                             \
    X(journal_entries_restored)                                                                    \
    X(snapshots_taken)                                                                             \
    X(members_changed)                                                                             \
    X(snapshots_installed)                                                                         \
    X(logs_shortened)                                                                              \
    X(journals_damaged)                                                                            \
    X(journals_set_aside)                                                                          \
    X(lists_ended)                                                                                 \
    X(lists_given_up)                                                                              \
    X(keys_listed)                                                                                 \
    X(library_transmissions)                                                                       \
    X(library_retransmissions)                                                                     \
    X(library_fences)                                                                              \
    X(sessions_judged) /* runs at whose end no session may be left that nobody needs */            \
    X(lives_open)      /* of clients of theirs, that ended with something open */                  \
    X(library_sessions)                                                                            \
    X(histories_checked)                                                                           \
    X(checker_steps)

struct tally {
#define X(name) uint64_t name;
    TALLY_LIST(X)
#undef X
    uint64_t virtual_ns;
};

void tally_print(const struct tally *tally);

#endif
