/* Taking snapshots, and loading them: see replica_snapshot.h. */
#include "base/check.h"
#include "engine/state/snapshot_sink.h"
#include "server/replica_internal.h"

#include <inttypes.h>
#include <stdio.h>

/* A snapshot is due when the log has grown by this part of its size: the log has room for what two
 * of them leave behind, and for what comes while one is taken. */
#define LOG_PARTS 4u
/* The engine's slice of a turn. */
#define STEP_BYTES (16u * 1024)
/* Entries that are given up, and sessions that are put in order, in one turn. */
#define VISITS_MAX 512u
/* Nobody's copy is overwritten while it is being fetched, unless the log runs out of room. */
#define SERVED_RECENTLY_NS UINT64_C(1000000000)
/* One that has failed is not tried again at once: it says so, and mostly fails again. */
#define AFTER_FAILURE_NS UINT64_C(1000000000)

size_t replica_snapshot_arena_bytes(const struct replica *sized)
{
    if (sized->options.snapshots.size_bytes == 0)
        return 0;
    return snapshots_arena_bytes(&sized->options.snapshots) + SNAPSHOT_BLOCK_BYTES + 2 * 64;
}

/* True when every block of it can be read. */
static bool is_readable(struct replica_snapshot *snapshot, const struct snapshot_info *info)
{
    for (uint32_t number = 0; number < info->block_count; number++) {
        struct span raw;
        if (snapshots_read_block(snapshot->files, info->generation, number, snapshot->block,
                                 &raw) != OK)
            return false;
    }
    return true;
}

enum error replica_snapshot_open(struct replica *replica, struct snapshot_info *ret_info,
                                 char *ret_reason, size_t reason_size)
{
    struct replica_snapshot *snapshot = &replica->snapshot;
    struct snapshots_recovery *recovery = &replica->recovery.snapshots;
    *ret_info = (struct snapshot_info){0};
    if (replica->options.snapshots.size_bytes == 0)
        return OK;
    enum error error = snapshots_open(&replica->options.snapshots, &replica->shared->arena,
                                      &snapshot->files, recovery);
    if (error != OK) {
        snprintf(ret_reason, reason_size, "%s", recovery->note);
        return error;
    }
    snapshot->block = arena_take(&replica->shared->arena, SNAPSHOT_BLOCK_BYTES, 64);
    struct snapshot_info info;
    while (
        snapshots_newest(snapshot->files, &info)) { /* both files at most: a rotten one is gone */
        if (is_readable(snapshot, &info)) {
            *ret_info = info;
            return OK;
        }
        snprintf(recovery->note, sizeof(recovery->note),
                 "%.160s: the snapshot at record %" PRIu64
                 " is damaged; the older one, or a peer's, "
                 "takes its place; check the medium",
                 replica->options.snapshots.path, info.label.index);
    }
    return OK;
}

void replica_snapshot_configuration(struct replica *replica, const struct snapshot_info *info,
                                    struct raft_configuration *ret_configuration,
                                    uint64_t *ret_index)
{
    struct replica_snapshot *snapshot = &replica->snapshot;
    struct span raw;
    if (info->label.index == 0 || info->block_count == 0 ||
        snapshots_read_block(snapshot->files, info->generation, 0, snapshot->block, &raw) != OK)
        return;
    (void)engine_snapshot_configuration(raw, ret_index, ret_configuration);
}

enum error replica_snapshot_restore(struct replica *replica, const struct snapshot_info *info,
                                    char *ret_reason, size_t reason_size)
{
    struct replica_snapshot *snapshot = &replica->snapshot;
    if (info->label.index == 0)
        return OK;
    enum error error = replica_check_snapshot(replica, info);
    if (error == ERR_FULL) {
        replica_describe_lack(replica, ret_reason, reason_size);
        return error;
    }
    engine_install_begin(replica->engine);
    while (engine_install_clear(replica->engine, UINT32_MAX)) {
    }
    for (uint32_t number = 0; number < info->block_count && error == OK; number++) {
        struct span raw;
        error =
            snapshots_read_block(snapshot->files, info->generation, number, snapshot->block, &raw);
        if (error == OK)
            error = engine_install_read(replica->engine, raw);
    }
    if (error == OK)
        error = engine_install_end(replica->engine, UINT32_MAX);
    if (error != OK)
        snprintf(ret_reason, reason_size,
                 "%.160s: the snapshot at record %" PRIu64 " cannot be loaded: %s; are keys_max, "
                 "store_size and sessions_max lower than they were?",
                 replica->options.snapshots.path, info->label.index, error_text(error));
    return error;
}

void replica_snapshot_close(struct replica *replica)
{
    if (replica->snapshot.files != NULL)
        snapshots_close(replica->snapshot.files);
}

void replica_snapshot_note_append(struct replica *replica, size_t size_bytes)
{
    replica->snapshot.appended_bytes += size_bytes;
}

/* ---- taking ---- */

static size_t sink_room_bytes(void *context)
{
    return snapshots_room_bytes(context);
}

/* A stream that is too long is given up by the files; replica_snapshot_turn learns of it. */
static void sink_write(void *context, struct span bytes)
{
    (void)!snapshots_write(context, bytes);
}

/* Another snapshot would hold nothing new. A log that runs out of room wants both to be of now: it
 * keeps what follows the older one, and no record comes to a full log that would make one due. */
static bool has_both(const struct replica *replica, bool is_short)
{
    const struct snapshots *files = replica->snapshot.files;
    uint64_t applied_index = engine_applied_index(replica->engine);
    struct snapshot_info info;
    bool is_held = is_short ? snapshots_older(files, &info) : snapshots_newest(files, &info);
    return applied_index == 0 || (is_held && info.label.index >= applied_index);
}

static bool is_due(const struct replica *replica)
{
    const struct replica_snapshot *snapshot = &replica->snapshot;
    size_t capacity_bytes = log_capacity_bytes(replica->log);
    bool is_rotten = replica_wants_snapshots(replica) || snapshot->is_gap;
    bool is_short = is_rotten || replica_is_short_of_room(replica) ||
                    replica_snapshot_is_short_of_terms(replica);
    if ((snapshot->appended_bytes < capacity_bytes / LOG_PARTS && !is_short &&
         !replica_backup_is_wanted(replica)) ||
        engine_snapshot_is_running(replica->engine) || replica_lacks_capacity(replica))
        return false;
    /* What takes the place of something rotten may hold nothing new. */
    bool is_needed =
        is_rotten ? engine_applied_index(replica->engine) != 0 : !has_both(replica, is_short);
    if (!is_needed || replica_snapshot_is_offered(replica))
        return false;
    if (snapshot->failed_ns != 0 &&
        replica->shared->now_ns - snapshot->failed_ns < AFTER_FAILURE_NS)
        return false;
    bool is_served = snapshot->served_ns != 0 &&
                     replica->shared->now_ns - snapshot->served_ns < SERVED_RECENTLY_NS;
    return !is_served || is_short;
}

static enum error take_begin(struct replica *replica)
{
    struct replica_snapshot *snapshot = &replica->snapshot;
    uint64_t index = engine_applied_index(replica->engine);
    const struct snapshot_label label = {
        .id = replica->options.engine.incarnation + snapshot->begun_count++,
        .index = index,
        .term = raft_term_at(replica->raft, index),
    };
    CHECK(label.term != 0);
    enum error error = snapshots_write_begin(snapshot->files, &label);
    if (error != OK)
        return error == ERR_NOT_YET ? OK : error;
    const struct snapshot_sink sink = {
        .room_bytes = sink_room_bytes, .write = sink_write, .context = snapshot->files};
    engine_snapshot_begin(replica->engine, &sink);
    replica_backup_note_begun(replica);
    snapshot->appended_bytes = 0;
    snapshot->is_polled = true;
    snapshot->phase = REPLICA_SNAPSHOT_TAKING;
    return OK;
}

static void take_step(struct replica *replica)
{
    if (engine_snapshot_step(replica->engine, STEP_BYTES))
        return;
    snapshots_write_end(replica->snapshot.files);
    replica->snapshot.phase = REPLICA_SNAPSHOT_SAVING;
}

bool replica_snapshot_is_short_of_terms(const struct replica *replica)
{
    return raft_terms_room(replica->raft) < replica->options.raft.trail_runs_max / LOG_PARTS;
}

/* The log keeps what follows the older snapshot, and the rest of the segment before. Raft forgets
 * that rest when it runs out of room for terms: a segment may hold the no-ops of more leaders. */
static void log_shorten(struct replica *replica)
{
    struct snapshot_info older;
    if (!snapshots_older(replica->snapshot.files, &older) ||
        older.label.index > log_last_index(replica->log))
        return;
    log_drop(replica->log, older.label.index);
    raft_log_dropped(replica->raft, log_first_index(replica->log));
    if (replica_snapshot_is_short_of_terms(replica))
        raft_log_dropped(replica->raft, older.label.index + 1);
}

/* ---- loading a copy ---- */

/* Raft takes the copy in place of the log; if the log has all of it, the log is enough. */
static void install(struct replica *replica)
{
    struct replica_snapshot *snapshot = &replica->snapshot;
    const struct snapshot_label *label = &snapshot->wanted.label;
    if (!log_can_reset(replica->log))
        return;
    snapshot->phase = REPLICA_SNAPSHOT_NONE;
    /* Once raft has it there is no way back. One that rots before is fetched anew. */
    if (replica_check_snapshot(replica, &snapshot->wanted) != OK)
        return;
    struct raft_configuration configuration = {0};
    uint64_t configuration_index = 0;
    replica_snapshot_configuration(replica, &snapshot->wanted, &configuration,
                                   &configuration_index);
    if (configuration_index == 0 || configuration.format > replica->options.raft.format_max)
        return; /* it has rotted since: every snapshot of a cluster says who is a member */
    struct raft_event event = {.type = RAFT_EVENT_INSTALLED,
                               .now_ns = replica->shared->now_ns,
                               .installed = {.index = label->index,
                                             .term = label->term,
                                             .configuration = &configuration,
                                             .configuration_index = configuration_index}};
    if (replica_step(replica, &event, (struct span){0}) != OK ||
        !replica->shared->effects.is_log_reset)
        return;
    replica->counters.snapshots_installed++;
    engine_install_begin(replica->engine);
    snapshot->next_block = 0;
    snapshot->phase = REPLICA_SNAPSHOT_CLEARING;
}

static enum error load_block(struct replica *replica)
{
    struct replica_snapshot *snapshot = &replica->snapshot;
    struct span raw;
    if (snapshot->next_block == snapshot->wanted.block_count) {
        snapshot->phase = REPLICA_SNAPSHOT_ENDING;
        return OK;
    }
    uint32_t file = snapshots_file_of(snapshot->files, snapshot->wanted.generation);
    enum error error = snapshots_read_block(snapshot->files, snapshot->wanted.generation,
                                            snapshot->next_block++, snapshot->block, &raw);
    if (error == OK)
        return engine_install_read(replica->engine, raw);
    /* The log made way for it. The next start begins without either, and fetches it anew. */
    replica_note_block_rot(replica, file, snapshot->next_block - 1);
    return error;
}

static enum error load_end(struct replica *replica)
{
    enum error error = engine_install_end(replica->engine, VISITS_MAX);
    if (error == ERR_NOT_YET)
        return OK;
    if (error == OK)
        replica->snapshot.phase = REPLICA_SNAPSHOT_NONE;
    return error;
}

bool replica_snapshot_is_loading(const struct replica *replica)
{
    return replica->snapshot.phase >= REPLICA_SNAPSHOT_CLEARING;
}

/* ---- the turn ---- */

/* Both files have a good one again. */
static void gap_close(struct replica *replica)
{
    struct snapshot_info older;
    if (!replica->snapshot.is_gap || !snapshots_older(replica->snapshot.files, &older))
        return;
    replica->snapshot.is_gap = false;
    replica->counters.blocks_mended++;
}

static void become_good(struct replica *replica, const struct snapshots_progress *progress)
{
    struct replica_snapshot *snapshot = &replica->snapshot;
    if (snapshot->phase == REPLICA_SNAPSHOT_COPIED) {
        snapshot->wanted = progress->info;
        snapshot->phase = REPLICA_SNAPSHOT_GOOD;
        return;
    }
    snapshot->phase = REPLICA_SNAPSHOT_NONE;
    replica->counters.snapshots_taken++;
    gap_close(replica);
    log_shorten(replica);
}

static enum error follow_files(struct replica *replica)
{
    struct replica_snapshot *snapshot = &replica->snapshot;
    struct snapshots_progress progress;
    snapshots_poll(snapshot->files, &progress);
    snapshot->is_polled = progress.state == SNAPSHOTS_BUSY;
    switch (progress.state) {
    case SNAPSHOTS_IDLE:
    case SNAPSHOTS_BUSY:
        return OK;
    case SNAPSHOTS_GOOD:
        become_good(replica, &progress);
        return OK;
    case SNAPSHOTS_FAILED:
        break;
    }
    if (progress.error == ERR_SYNC)
        return ERR_SYNC;
    replica->counters.snapshots_failed++;
    snapshot->failed_ns = replica->shared->now_ns;
    if (snapshot->phase == REPLICA_SNAPSHOT_TAKING)
        engine_snapshot_abandon(replica->engine);
    snapshot->phase = REPLICA_SNAPSHOT_NONE;
    return OK;
}

static enum error phase_step(struct replica *replica)
{
    struct replica_snapshot *snapshot = &replica->snapshot;
    switch (snapshot->phase) {
    case REPLICA_SNAPSHOT_NONE:
        if (engine_snapshot_is_running(replica->engine)) /* one that was abandoned */
            (void)!engine_snapshot_step(replica->engine, STEP_BYTES);
        return is_due(replica) ? take_begin(replica) : OK;
    case REPLICA_SNAPSHOT_TAKING:
        take_step(replica);
        return OK;
    case REPLICA_SNAPSHOT_FETCHING:
        replica_fetch_step(replica);
        return OK;
    case REPLICA_SNAPSHOT_SAVING:
    case REPLICA_SNAPSHOT_COPIED:
        return OK;
    case REPLICA_SNAPSHOT_GOOD:
        install(replica);
        return OK;
    case REPLICA_SNAPSHOT_CLEARING:
        if (!engine_install_clear(replica->engine, VISITS_MAX))
            snapshot->phase = REPLICA_SNAPSHOT_LOADING;
        return OK;
    case REPLICA_SNAPSHOT_LOADING:
        return load_block(replica);
    case REPLICA_SNAPSHOT_ENDING:
        return load_end(replica);
    }
    return OK;
}

enum error replica_snapshot_turn(struct replica *replica)
{
    if (replica->snapshot.files == NULL)
        return OK;
    enum error error = replica->snapshot.is_polled ? follow_files(replica) : OK;
    return error == OK ? phase_step(replica) : error;
}

bool replica_snapshot_is_quiet(const struct replica *replica)
{
    const struct replica_snapshot *snapshot = &replica->snapshot;
    bool is_waiting = snapshot->phase == REPLICA_SNAPSHOT_NONE ||
                      snapshot->phase == REPLICA_SNAPSHOT_FETCHING; /* with a deadline */
    return snapshot->files == NULL || (is_waiting && !engine_snapshot_is_running(replica->engine));
}
