/* A replica's life: everything it will ever need is taken in replica_open, in layer order. */
#include "server/replica_internal.h"

#include <stdio.h>
#include <string.h>

static void sink_send(void *context, const struct address *to, uint8_t wire_type, struct span body)
{
    replica_send(context, to, wire_type, body);
}

static uint32_t record_size_bytes(const void *context, uint64_t index)
{
    const struct replica *replica = context;
    return log_payload_size_bytes(replica->log, index);
}

static void replica_fill_options(struct replica *replica, const struct replica_options *options)
{
    replica->options = *options;
    replica->options.raft.sizes =
        (struct raft_record_sizes){.size_bytes = record_size_bytes, .context = replica};
    replica->options.engine.self = options->raft.self.id;
    replica->options.engine.node_count = (uint16_t)options->raft.founder_count;
    replica->options.engine.sink = (struct engine_sink){.send = sink_send, .context = replica};
    replica->book.shard = options->shard;
    for (uint32_t i = 0; i < options->raft.founder_count && i < NODES_MAX; i++) {
        struct raft_place *place = &replica->options.raft.founder_places[i];
        place->port = options->peers[i].port;
        memcpy(place->address, options->peers[i].ip, sizeof(place->address));
        address_book_peer(&replica->book, options->raft.founders[i], &options->peers[i]);
    }
    leadership_init(&replica->leadership, &options->raft,
                    &(struct leadership_options){.shard = options->shard,
                                                 .shard_count = options->engine.shard_count,
                                                 .priority = options->priority,
                                                 .interval_ns = options->transfer_interval_ns});
    replica->next_message_id = options->engine.incarnation;
    replica->options.snapshots.identity = options->log.identity;
    replica->options.snapshots.format_max = options->raft.format_max;
    replica->options.log.format_max = options->raft.format_max;
    replica_fill_journal_options(replica);
}

/* An existing file keeps its size, whatever the configuration says: memory follows the file. */
static size_t log_file_size_bytes(const struct log_options *options)
{
    size_t found = medium_file_size_bytes(options->path);
    return found > options->size_bytes ? found : options->size_bytes;
}

size_t replica_arena_bytes(const struct replica_options *options)
{
    struct replica sized = {0}; /* for the options that a replica fills in */
    replica_fill_options(&sized, options);
    return sizeof(struct replica) + log_arena_bytes(log_file_size_bytes(&options->log)) +
           replica_snapshot_arena_bytes(&sized) + replica_backup_arena_bytes(&sized) +
           replica_journal_arena_bytes(options) + engine_arena_bytes(&sized.options.engine) +
           raft_size(&options->raft) + REPLICA_OUTBOX_MAX * sizeof(struct replica_outgoing) +
           sent_appends_arena_bytes(RAFT_MEMBERS_MAX) + replica_security_arena_bytes(options) +
           (size_t)64 * 1024; /* alignment of the parts */
}

/*
 * Where raft's log begins. It must know the term of the record before: of the snapshot's last
 * record, or of the log's own first one, which raft then takes for put away.
 */
static void restore_begin(const struct replica *replica, struct raft_restored *restored)
{
    const struct log_recovery *recovery = &replica->recovery.log;
    const struct log_options *options = &replica->options.log;
    restored->first_index = recovery->first_index;
    if (recovery->first_index == 1)
        return;
    restored->term_before = options->snapshot_term;
    if (recovery->first_index <= options->snapshot_index) {
        struct log_record record;
        log_read(replica->log, recovery->first_index, &record);
        restored->term_before = record.term;
        restored->first_index++;
    }
}

/* Raft begins later than the log where the log has records of too many terms: behind those that are
 * restored so far, at most behind the snapshot. */
static void forget_terms(struct replica *replica, uint64_t next_index)
{
    uint64_t index = replica->options.log.snapshot_index + 1;
    raft_log_dropped(replica->raft, index < next_index ? index : next_index);
}

/* Fills raft's trail from the recovered records. */
static enum error restore_trail(struct replica *replica, uint64_t first_index, char *ret_reason,
                                size_t reason_size)
{
    for (uint64_t index = first_index; index <= replica->recovery.log.last_index; index++) {
        struct log_record record;
        log_read(replica->log, index, &record);
        enum error error = raft_restore_entry(replica->raft, index, record.term);
        if (error == ERR_FULL) {
            forget_terms(replica, index);
            error = raft_restore_entry(replica->raft, index, record.term);
        }
        if (error == OK && record.kind == RAFT_ENTRY_CONFIGURATION)
            error = raft_restore_configuration(replica->raft, record.payload.data,
                                               record.payload.size_bytes);
        if (error != OK) {
            snprintf(ret_reason, reason_size, "%s: record %lu: %s", replica->options.log.path,
                     (unsigned long)index, error_text(error));
            return error;
        }
    }
    if (replica_snapshot_is_short_of_terms(replica))
        forget_terms(replica, replica->recovery.log.last_index + 1);
    return OK;
}

static enum error open_raft(struct replica *replica, const struct snapshot_info *snapshot,
                            char *ret_reason, size_t reason_size)
{
    const struct log_recovery *recovery = &replica->recovery.log;
    struct lane_shared *shared = replica->shared;
    struct raft_restored restored = {
        .hard_state = {.term = recovery->term, .vote = recovery->vote},
        .commit_index = recovery->commit_index,
        .is_tail_suspect = recovery->is_suspect,
    };
    restore_begin(replica, &restored);
    replica_snapshot_configuration(replica, snapshot, &restored.configuration,
                                   &restored.configuration_index);
    if (restored.configuration.format > replica->options.raft.format_max) {
        snprintf(
            ret_reason, reason_size,
            "%.160s: the snapshot is of format %u, this program knows %u; start the newer program",
            replica->options.snapshots.path, restored.configuration.format,
            replica->options.raft.format_max);
        return ERR_VERSION;
    }
    if (restored.hard_state.term < restored.term_before)
        restored.hard_state = (struct raft_hard_state){.term = restored.term_before};
    void *memory = arena_take(&shared->arena, raft_size(&replica->options.raft), 64);
    enum error error =
        raft_init(memory, &replica->options.raft, &restored, shared->now_ns, &replica->raft);
    if (error != OK) {
        snprintf(ret_reason, reason_size, "raft: %s: check [peers] and timeouts",
                 error_text(error));
        return error;
    }
    replica->durable_index = recovery->last_index;
    replica->commit_index = recovery->commit_index;
    replica->commit_hint = recovery->commit_index;
    return restore_trail(replica, restored.first_index, ret_reason, reason_size);
}

static enum error replica_open_parts(struct replica *replica, char *ret_reason, size_t reason_size)
{
    struct arena *arena = &replica->shared->arena;
    struct snapshot_info snapshot;
    enum error error = OK;
    if (replica->options.snapshots.size_bytes != 0)
        error = log_set_snapshots_aside(&replica->options.log, replica->options.snapshots.path,
                                        ret_reason, reason_size);
    if (error == OK)
        error = replica_snapshot_open(replica, &snapshot, ret_reason, reason_size);
    if (error == OK)
        error = replica_open_storage(replica, &snapshot, ret_reason, reason_size);
    if (error != OK)
        return error;
    replica_backup_init(replica);
    error = open_raft(replica, &snapshot, ret_reason, reason_size);
    if (error != OK)
        return error;
    replica_open_formats(replica);
    error = replica_open_journal(replica, ret_reason, reason_size);
    if (error != OK)
        return error;
    error = engine_init(&replica->options.engine, arena, &replica->engine);
    if (error != OK) {
        snprintf(ret_reason, reason_size, "engine: %s: check keys, memory and sessions",
                 error_text(error));
        return error;
    }
    replica->fingerprint = engine_fingerprint(&replica->options.engine);
    replica->outbox = arena_take(arena, REPLICA_OUTBOX_MAX * sizeof(struct replica_outgoing), 64);
    replica->sent_appends =
        sent_appends_init(arena, RAFT_MEMBERS_MAX, replica->options.raft.election_timeout_min_ns);
    error = replica_snapshot_restore(replica, &snapshot, ret_reason, reason_size);
    if (error != OK)
        return error;
    replica_snapshot_note_append(replica,
                                 log_capacity_bytes(replica->log) - log_room_bytes(replica->log));
    return replica_restore_pending(replica, ret_reason, reason_size);
}

enum error replica_open(const struct replica_options *options, struct lane_shared *shared,
                        struct replica **ret_replica, char *ret_reason, size_t reason_size)
{
    struct replica *replica = arena_take(&shared->arena, sizeof(*replica), 64);
    replica->shared = shared;
    replica_fill_options(replica, options);
    enum error error = replica_open_parts(replica, ret_reason, reason_size);
    if (error != OK) {
        replica_close(replica);
        return error;
    }
    replica_open_starts(replica);
    replica_follow_drain(replica);
    replica_follow_configuration(replica);
    replica_open_security(replica);
    replica_refresh_status(replica);
    replica_publish_drain(replica);
    *ret_replica = replica;
    return OK;
}

void replica_close(struct replica *replica)
{
    if (replica->engine != NULL)
        engine_deinit(replica->engine);
    replica_snapshot_close(replica);
    if (replica->journal != NULL)
        journal_close(replica->journal);
    if (replica->log != NULL)
        log_close(replica->log);
}

uint64_t replica_deadline_ns(const struct replica *replica)
{
    uint64_t deadline_ns = raft_deadline_ns(replica->raft);
    uint64_t other_ns = engine_deadline_ns(replica->engine);
    uint64_t snapshot_ns = replica_snapshot_deadline_ns(replica);
    if (snapshot_ns < other_ns)
        other_ns = snapshot_ns;
    uint64_t scrub_ns = replica_scrub_deadline_ns(replica);
    if (scrub_ns < other_ns)
        other_ns = scrub_ns;
    if (replica->tellings_left > 0 && replica->telling_ns < other_ns)
        other_ns = replica->telling_ns;
    if (replica_security_deadline_ns(replica) < other_ns)
        other_ns = replica_security_deadline_ns(replica);
    return deadline_ns < other_ns ? deadline_ns : other_ns;
}

uint16_t replica_shard(const struct replica *replica)
{
    return replica->options.shard;
}

const struct raft *replica_raft(const struct replica *replica)
{
    return replica->raft;
}

void replica_raft_status(const struct replica *replica, struct raft_status *ret_status)
{
    raft_status(replica->raft, ret_status);
}

struct engine *replica_engine(struct replica *replica)
{
    return replica->engine;
}

struct log *replica_log(struct replica *replica)
{
    return replica->log;
}

const struct journal *replica_journal(const struct replica *replica)
{
    return replica->journal;
}

const struct snapshots *replica_snapshots(const struct replica *replica)
{
    return replica->snapshot.files;
}

const struct replica_counters *replica_counters(const struct replica *replica)
{
    return &replica->counters;
}

const struct replica_recovery *replica_recovery(const struct replica *replica)
{
    return &replica->recovery;
}

const struct engine_lack *replica_lack(const struct replica *replica)
{
    return &replica->lack;
}
