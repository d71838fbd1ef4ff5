/* A lane's life: everything it will ever need is taken in lane_open, in layer order, then
 * sealed. */
#include "server/lane_internal.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static void sink_send(void *context, const struct address *to, uint8_t wire_type, struct span body)
{
    lane_send(context, to, wire_type, body);
}

static uint32_t record_size_bytes(const void *context, uint64_t index)
{
    const struct lane *lane = context;
    return log_payload_size_bytes(lane->log, index);
}

static void fill_options(struct lane *lane, const struct lane_options *options)
{
    lane->options = *options;
    lane->options.raft.sizes =
        (struct raft_record_sizes){.size_bytes = record_size_bytes, .context = lane};
    lane->options.engine.self = options->raft.self;
    lane->options.engine.node_count = (uint16_t)options->raft.voter_count;
    lane->options.engine.sink = (struct engine_sink){.send = sink_send, .context = lane};
    lane->next_message_id = options->engine.incarnation;
    lane_fill_journal_options(lane);
}

/* An existing file keeps its size, whatever the configuration says: memory follows the file. */
static size_t log_file_size_bytes(const struct log_options *options)
{
    struct stat status;
    if (stat(options->path, &status) == 0 && (size_t)status.st_size > options->size_bytes)
        return (size_t)status.st_size;
    return options->size_bytes;
}

static size_t arena_bytes(const struct lane *lane)
{
    return log_arena_bytes(log_file_size_bytes(&lane->options.log)) +
           lane_journal_arena_bytes(lane) + engine_arena_bytes(&lane->options.engine) +
           raft_size(&lane->options.raft) + reassembly_arena_bytes(LANE_PEER_SLOTS) +
           reassembly_arena_bytes(LANE_CLIENT_SLOTS) + MESSAGE_SIZE_BYTES_MAX +
           LANE_OUTBOX_MAX * sizeof(struct lane_outgoing) +
           (size_t)64 * 1024; /* alignment of the parts */
}

static enum error open_log(struct lane *lane, struct lane_report *report)
{
    enum error error = log_open(&lane->options.log, &lane->arena, &lane->log, &report->recovery);
    if (error != OK)
        snprintf(report->reason, sizeof(report->reason), "%s", report->recovery.note);
    return error;
}

/* Fills raft's trail from the recovered records. */
static enum error restore_trail(struct lane *lane, struct lane_report *report)
{
    for (uint64_t index = 1; index <= report->recovery.last_index; index++) {
        struct log_record record;
        log_read(lane->log, index, &record);
        enum error error = raft_restore_entry(lane->raft, index, record.term);
        if (error != OK) {
            snprintf(report->reason, sizeof(report->reason), "%s: record %lu: %s",
                     lane->options.log.path, (unsigned long)index, error_text(error));
            return error;
        }
    }
    return OK;
}

static enum error open_raft(struct lane *lane, uint64_t now_ns, struct lane_report *report)
{
    const struct log_recovery *recovery = &report->recovery;
    struct raft_restored restored = {
        .hard_state = {.term = recovery->term, .vote = recovery->vote},
        .commit_index = recovery->commit_index,
        .is_tail_suspect = recovery->is_suspect,
    };
    void *memory = arena_take(&lane->arena, raft_size(&lane->options.raft), 64);
    enum error error = raft_init(memory, &lane->options.raft, &restored, now_ns, &lane->raft);
    if (error != OK) {
        snprintf(report->reason, sizeof(report->reason), "raft: %s: check voters and timeouts",
                 error_text(error));
        return error;
    }
    lane->durable_index = recovery->last_index;
    lane->commit_index = recovery->commit_index;
    lane->commit_hint = recovery->commit_index;
    return restore_trail(lane, report);
}

static enum error open_parts(struct lane *lane, uint64_t now_ns, struct lane_report *report)
{
    enum error error = open_log(lane, report);
    if (error != OK)
        return error;
    error = open_raft(lane, now_ns, report);
    if (error != OK)
        return error;
    error = lane_open_journal(lane, report);
    if (error != OK)
        return error;
    error = engine_init(&lane->options.engine, &lane->arena, &lane->engine);
    if (error != OK) {
        snprintf(report->reason, sizeof(report->reason),
                 "engine: %s: check keys, memory and sessions", error_text(error));
        return error;
    }
    error = lane_restore_pending(lane, report);
    if (error != OK)
        return error;
    lane->fingerprint = engine_fingerprint(&lane->options.engine);
    lane->from_peers = reassembly_init(&lane->arena, LANE_PEER_SLOTS);
    lane->from_clients = reassembly_init(&lane->arena, LANE_CLIENT_SLOTS);
    lane->message_data = arena_take(&lane->arena, MESSAGE_SIZE_BYTES_MAX, 64);
    lane->outbox = arena_take(&lane->arena, LANE_OUTBOX_MAX * sizeof(struct lane_outgoing), 64);
    return dp_port_open(&lane->options.port, &lane->port, report->reason, sizeof(report->reason));
}

enum error lane_open(const struct lane_options *options, uint64_t now_ns, struct lane **ret_lane,
                     struct lane_report *ret_report)
{
    *ret_report = (struct lane_report){0};
    struct lane *lane = calloc(1, sizeof(*lane));
    if (lane == NULL) {
        snprintf(ret_report->reason, sizeof(ret_report->reason), "lane: out of memory");
        return ERR_NO_MEMORY;
    }
    fill_options(lane, options);
    enum error error = arena_init(&lane->arena, arena_bytes(lane));
    if (error != OK)
        snprintf(ret_report->reason, sizeof(ret_report->reason),
                 "lane: cannot map %zu MiB of memory", arena_bytes(lane) >> 20);
    else
        error = open_parts(lane, now_ns, ret_report);
    if (error != OK) {
        lane_close(lane);
        return error;
    }
    arena_seal(&lane->arena);
    lane->now_ns = now_ns;
    lane_refresh_status(lane);
    *ret_lane = lane;
    return OK;
}

void lane_close(struct lane *lane)
{
    if (lane->port != NULL)
        dp_port_close(lane->port);
    if (lane->engine != NULL)
        engine_deinit(lane->engine);
    if (lane->journal != NULL)
        journal_close(lane->journal);
    if (lane->log != NULL)
        log_close(lane->log);
    arena_deinit(&lane->arena);
    free(lane);
}

uint64_t lane_deadline_ns(const struct lane *lane)
{
    uint64_t deadline = raft_deadline_ns(lane->raft);
    uint64_t other = engine_deadline_ns(lane->engine);
    return deadline < other ? deadline : other;
}

void lane_raft_status(const struct lane *lane, struct raft_status *ret_status)
{
    raft_status(lane->raft, ret_status);
}

const struct raft *lane_raft(const struct lane *lane)
{
    return lane->raft;
}

struct engine *lane_engine(struct lane *lane)
{
    return lane->engine;
}

struct log *lane_log(struct lane *lane)
{
    return lane->log;
}

const struct lane_counters *lane_counters(const struct lane *lane)
{
    return &lane->counters;
}

const struct dp_counters *lane_port_counters(const struct lane *lane)
{
    return dp_port_counters(lane->port);
}
