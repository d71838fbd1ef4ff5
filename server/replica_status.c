/* What a replica tells about itself: the view for the engine, status for operators. */
#include "server/replica_internal.h"

#include "base/format.h"

#include <stdio.h>

static uint64_t contact_age_ns(const struct replica *replica)
{
    if (replica->status.quorum_contact_ns == 0 || replica_is_removed(replica))
        return UINT64_MAX;
    return replica->shared->now_ns > replica->status.quorum_contact_ns
               ? replica->shared->now_ns - replica->status.quorum_contact_ns
               : 0;
}

bool replica_can_lead(const struct replica *replica)
{
    return !replica->resignation.is_resigning &&
           log_append_room_bytes(replica->log) >= LOG_NOOP_TAIL_SIZE_BYTES &&
           !replica_snapshot_is_loading(replica) && !replica_lacks_capacity(replica) &&
           !replica_is_out(replica) && !replica_is_removed(replica);
}

/* Payload of the largest record that leaves room for the no-ops of new leaders. */
static size_t append_room_bytes(const struct replica *replica)
{
    size_t room = log_append_room_bytes(replica->log);
    size_t kept = LOG_NOOP_TAIL_SIZE_BYTES + log_record_room_bytes(0) + RECORD_ALIGN_BYTES;
    return room > kept ? room - kept : 0;
}

/* The number of the cluster, once a configuration with it is committed: a record that only this
 * node has may be lost, and with it a number that a client would keep to. */
static uint64_t note_cluster(struct replica *replica)
{
    uint64_t index;
    if (replica->cluster_number != 0)
        return replica->cluster_number; /* it never changes */
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    if (index <= replica->commit_index)
        replica->cluster_number = now->cluster;
    return replica->cluster_number;
}

/*
 * Whether what the state lacks was not there when this storage joined. A voter has, or had, all
 * that was committed then. Any other member has it once it has applied the record that made it one:
 * a storage that takes the place of a lost one begins with nothing.
 */
static bool has_joined(const struct replica *replica)
{
    switch (replica_membership(replica)) {
    case WIRE_VOTER:
        return true;
    case WIRE_LEARNER:
    case WIRE_INCOMING:
    case WIRE_OUTGOING:
        return engine_applied_index(replica->engine) >= replica->configuration_index;
    default:
        return false;
    }
}

static void refresh_view(struct replica *replica)
{
    const struct raft_status *status = &replica->status;
    struct medium *medium = log_medium(replica->log);
    struct record_room room = {0};
    if (status->role == RAFT_LEADER)
        room = replica_admissible_room(replica);
    replica->view = (struct engine_view){
        .now_ns = replica->shared->now_ns,
        .is_leader = status->role == RAFT_LEADER,
        .has_own_commit = status->has_own_commit,
        .has_fresh_quorum = raft_has_fresh_quorum(replica->raft, replica->shared->now_ns),
        .is_transferring = status->is_transferring,
        .transfer_to = status->transfer_to,
        .leader = replica_is_out(replica) ? 0 : status->leader,
        .term = status->term,
        .commit_index = replica->commit_index,
        .last_index = status->last_index,
        .contact_age_ns = contact_age_ns(replica),
        .log_room_bytes = room.log_bytes,
        .data_room_bytes = room.data_bytes,
        .append_room_bytes = append_room_bytes(replica),
        .record_bytes_max = replica_record_bytes_max(replica),
        .is_suspect = status->is_tail_suspect,
        .granularity = (uint8_t)medium_granularity(medium),
        .is_emulated = medium_is_emulated(medium),
        .role = (uint8_t)status->role,
        .membership = replica_membership(replica),
        .is_removed = replica_is_removed(replica),
        .leaves = replica_leaves(replica),
        .are_entries_named = replica->formats.in_force >= FORMAT_PENDING_NAMES,
        .is_settled = has_joined(replica),
        .are_rights_old = replica_has_old_rights(replica),
        .node_count = replica->room_voters.count,
        .cluster = note_cluster(replica),
        .configuration_index = replica->configuration_index,
        .era = cluster_membership_era(&replica->cluster),
    };
}

void replica_refresh_status(struct replica *replica)
{
    bool was_suspect = replica->status.is_tail_suspect;
    raft_status(replica->raft, &replica->status);
    /* What a quorum has settled need not be asked again after the next start. */
    if (was_suspect && !replica->status.is_tail_suspect)
        log_settle(replica->log);
    refresh_view(replica);
}

/* What this start has set aside was not there when the node looked. */
static void add_kept_counters(struct wire_writer *writer, const struct replica *replica)
{
    struct replica_kept kept = replica->options.kept;
    const struct replica_aside *aside = &replica->recovery.aside;
    if (aside->writes > 0) {
        kept.journals++;
        kept.writes += aside->writes;
        kept.series = aside->series;
    }
    wire_counter_add(writer, "journals_aside", kept.journals);
    wire_counter_add(writer, "journals_aside_writes", kept.writes);
    wire_counter_add(writer, "journals_aside_series", kept.series);
}

/* Since the last pass ended, or the first one began. */
static uint64_t scrub_age_s(const struct replica *replica)
{
    const struct replica_scrub *scrub = &replica->scrub;
    uint64_t since_ns = scrub->ended_ns != 0 ? scrub->ended_ns : scrub->begun_ns;
    bool is_off = replica->options.scrub_rate == 0 || since_ns == 0;
    return is_off ? 0 : (replica->shared->now_ns - since_ns) / UINT64_C(1000000000);
}

static void add_replica_counters(struct wire_writer *writer, const struct replica *replica)
{
    const struct replica_counters *counters = &replica->counters;
    wire_counter_add(writer, "raft_rx", counters->raft_rx);
    wire_counter_add(writer, "raft_tx", counters->raft_tx);
    wire_counter_add(writer, "log_records_appended", counters->records_appended);
    wire_counter_add(writer, "log_bytes_appended", counters->bytes_appended);
    wire_counter_add(writer, "log_persists", counters->persists);
    wire_counter_add(writer, "log_room_bytes", log_room_bytes(replica->log));
    wire_counter_add(writer, "log_data_room_bytes", replica_own_room(replica).data_bytes);
    wire_counter_add(writer, "journal_appended", counters->journal_appended);
    if (replica->journal != NULL)
        wire_counter_add(writer, "journal_room_bytes", journal_room_bytes(replica->journal));
    add_kept_counters(writer, replica);
    wire_counter_add(writer, "elections_won", counters->elections_won);
    wire_counter_add(writer, "leader_changes", counters->leader_changes);
    wire_counter_add(writer, "transfers_to_preferred", counters->transfers_to_preferred);
    wire_counter_add(writer, "transfers_refused", counters->transfers_refused);
    wire_counter_add(writer, "log_first_index", log_first_index(replica->log));
    wire_counter_add(writer, "snapshots_taken", counters->snapshots_taken);
    wire_counter_add(writer, "snapshots_installed", counters->snapshots_installed);
    wire_counter_add(writer, "members_changed", counters->members_changed);
    wire_counter_add(writer, "members_without_room", counters->members_without_room);
    wire_counter_add(writer, "peers_set_back", counters->peers_set_back);
    wire_counter_add(writer, "is_set_back", replica->set_back.node != 0);
    wire_counter_add(writer, "newer_era", replica->newer_era);
    wire_counter_add(writer, "is_voter", replica->status.membership == RAFT_VOTER);
    wire_counter_add(writer, "looks_for_cluster",
                     !replica->status.is_formed && replica->options.raft.forms_none);
    wire_counter_add(writer, "snapshots_failed", counters->snapshots_failed);
    wire_counter_add(writer, "records_rotten", counters->records_rotten);
    wire_counter_add(writer, "records_mended", counters->records_mended);
    wire_counter_add(writer, "blocks_rotten", counters->blocks_rotten);
    wire_counter_add(writer, "blocks_mended", counters->blocks_mended);
    wire_counter_add(writer, "entries_rotten", counters->entries_rotten);
    wire_counter_add(writer, "entries_mended", replica_entries_mended(replica));
    wire_counter_add(writer, "heads_rotten", counters->heads_rotten);
    wire_counter_add(writer, "scrub_passes", counters->scrub_passes);
    wire_counter_add(writer, "scrub_bytes", counters->scrub_bytes);
    wire_counter_add(writer, "scrub_age_s", scrub_age_s(replica));
    wire_counter_add(writer, "snapshot_blocks_tx", counters->snapshot_blocks_tx);
    wire_counter_add(writer, "snapshot_blocks_rx", counters->snapshot_blocks_rx);
    wire_counter_add(writer, "backup_parts_tx", counters->backup_parts_tx);
    wire_counter_add(writer, "backup_snapshots", counters->backup_snapshots);
    wire_counter_add(writer, "backup_snapshots_refused", counters->backup_snapshots_refused);
    wire_counter_add(writer, "format", replica->formats.in_force);
    wire_counter_add(writer, "format_known", replica->options.raft.format_max);
    wire_counter_add(writer, "lacks_capacity", replica_lacks_capacity(replica));
#define X(name) wire_counter_add(writer, "drop_" #name, counters->drop_##name);
    REPLICA_DROP_LIST(X)
#undef X
}

/* Zeros where packets are not sealed. */
static void add_security_counters(struct wire_writer *writer, const struct replica *replica)
{
    static const struct peer_seals_counters none;
    const struct peer_seals_counters *counters =
        replica->seals == NULL ? &none : peer_seals_counters(replica->seals);
    wire_counter_add(writer, "security_mode", replica->options.security.mode);
    wire_counter_add(writer, "security_exposed", replica->options.security.is_exposed);
#define X(name) wire_counter_add(writer, "security_" #name, counters->name);
    PEER_SEALS_COUNTER_LIST(X)
#undef X
    static const struct client_seals_counters no_clients;
    const struct client_seals_counters *clients =
        replica->client_seals == NULL ? &no_clients : client_seals_counters(replica->client_seals);
    wire_counter_add(writer, "clients_security", replica->options.security.clients);
#define X(name) wire_counter_add(writer, "clients_" #name, clients->name);
    CLIENT_SEALS_COUNTER_LIST(X)
#undef X
    const struct lane_rights *rights = &replica->shared->rights;
    wire_counter_add(writer, "rights_state", rights->state);
    wire_counter_add(writer, "rights_version", rights->version);
    wire_counter_add(writer, "rights_principals", rights->table.principal_count);
    wire_counter_add(writer, "rights_drops", replica_told_drops(replica));
}

static void add_engine_counters(struct wire_writer *writer, const struct engine_counters *counters)
{
#define X(name) wire_counter_add(writer, "engine_" #name, counters->name);
    ENGINE_COUNTER_LIST(X)
#undef X
}

/* Digests of the state at a few indexes, for comparing nodes. */
static void add_digests(struct wire_writer *writer, const struct engine *engine)
{
    for (uint32_t i = 0; i < STATE_MARKS_MAX; i++) {
        uint64_t index;
        uint64_t digest;
        char name[32];
        if (!engine_digest_kept(engine, i, &index, &digest))
            continue;
        snprintf(name, sizeof(name), "state_index_%u", i);
        wire_counter_add(writer, name, index);
        snprintf(name, sizeof(name), "state_digest_%u", i);
        wire_counter_add(writer, name, digest);
    }
}

void replica_add_status_head(const struct replica *replica, struct wire_writer *writer)
{
    struct wire_hello_reply reply;
    engine_hello(replica->engine, 0, &reply);
    wire_hello_reply_encode(writer, &reply);
}

void replica_add_status(const struct replica *replica, struct wire_writer *writer)
{
    add_replica_counters(writer, replica);
    add_security_counters(writer, replica);
    add_engine_counters(writer, engine_counters(replica->engine));
    add_digests(writer, replica->engine);
}
