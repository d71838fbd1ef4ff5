/* See tools/restore/restore_shard.h. */
#include "tools/restore/restore_shard.h"

#include "base/check.h"
#include "base/le.h"
#include "pmem/identity.h"
#include "pmem/snapshots.h"
#include "raft/configuration.h"
#include "wire/wire.h"

#include <stdio.h>
#include <string.h>

#define ARENA_SLACK_BYTES 4096

uint64_t restore_version(uint64_t index)
{
    uint64_t version = ((index >> RESTORE_STEP_BITS) + 1) << RESTORE_STEP_BITS;
    return version > INDEX_MAX - (UINT64_C(1) << RESTORE_STEP_BITS) ? 0 : version;
}

/* ---- writing the stream ---- */

/* Waits until the files' thread has something to tell, or room. */
static enum error wait_for_room(struct restore_shard *shard)
{
    struct snapshots_progress progress;
    while (snapshots_room_bytes(shard->snapshots) == 0) { /* until the thread has written some */
        snapshots_poll(shard->snapshots, &progress);
        if (progress.state == SNAPSHOTS_FAILED)
            return progress.error;
        restore_yield();
    }
    return OK;
}

static enum error write_bytes(struct restore_shard *shard, const void *data, size_t size_bytes)
{
    const uint8_t *from = data;
    size_t done = 0;
    enum error error = OK;
    while (done < size_bytes && error == OK) { /* each round writes some */
        error = wait_for_room(shard);
        if (error != OK)
            break;
        size_t size = snapshots_room_bytes(shard->snapshots);
        if (size > size_bytes - done)
            size = size_bytes - done;
        error = snapshots_write(shard->snapshots, span_of(from + done, size));
        done += size;
    }
    shard->bytes += size_bytes;
    return error;
}

static enum error write_item(struct restore_shard *shard, enum snapshot_item type, struct span body)
{
    uint8_t header[SNAPSHOT_ITEM_HEADER_BYTES];
    le32_store(header, (uint32_t)type);
    le32_store(header + 4, (uint32_t)body.size_bytes);
    enum error error = write_bytes(shard, header, sizeof(header));
    if (error == OK)
        error = write_bytes(shard, body.data, body.size_bytes);
    shard->items++;
    return error;
}

/* ---- what is changed ---- */

/* This storage alone. */
static size_t encode_configuration(const struct restore_shard *shard, uint8_t *to)
{
    struct raft_configuration configuration = {.cluster = shard->cluster, .slot_count = 1};
    struct raft_member *member = &configuration.members[0];
    member->storage = (struct raft_storage){.birth = shard->birth, .id = shard->self->id};
    member->membership = RAFT_VOTER;
    memcpy(member->address, shard->self->address.ip, sizeof(member->address));
    member->port = shard->self->address.port;
    CHECK(raft_configuration_check(&configuration) == OK);
    le64_store(to, shard->version);
    return SNAPSHOT_CHANGE_BYTES +
           raft_configuration_encode(&configuration, to + SNAPSHOT_CHANGE_BYTES);
}

/* That of the only member is open, as by a record with this configuration: what the node accepts
 * relaxed takes its place in the log. */
static enum error write_series(struct restore_shard *shard)
{
    uint8_t node[SNAPSHOT_NODE_BYTES] = {0};
    le16_store(node, shard->self->id);
    node[2] = 1;
    le64_store(node + 16, wire_series(shard->birth));
    le64_store(node + 24, 1); /* rank */
    return write_item(shard, SNAPSHOT_NODE, span_of(node, sizeof(node)));
}

static enum error write_head(struct restore_shard *shard, struct span body)
{
    uint8_t head[SNAPSHOT_HEAD_BYTES];
    uint8_t change[SNAPSHOT_CHANGE_BYTES_MAX];
    memcpy(head, body.data, sizeof(head));
    le64_store(head + 16, shard->version); /* index */
    le32_store(head + 60, 0);              /* sessions */
    enum error error = write_item(shard, SNAPSHOT_HEAD, span_of(head, sizeof(head)));
    if (error != OK)
        return error;
    size_t size = encode_configuration(shard, change);
    error = write_item(shard, SNAPSHOT_CONFIGURATION, span_of(change, size));
    return error == OK ? write_series(shard) : error;
}

static enum error write_entry(struct restore_shard *shard, struct span body)
{
    uint8_t header[SNAPSHOT_ITEM_HEADER_BYTES];
    uint8_t version[8];
    le32_store(header, SNAPSHOT_ENTRY);
    le32_store(header + 4, (uint32_t)body.size_bytes);
    le64_store(version, shard->version);
    enum error error = write_bytes(shard, header, sizeof(header));
    if (error == OK)
        error = write_bytes(shard, version, sizeof(version));
    if (error == OK)
        error = write_bytes(shard, body.data + 8, body.size_bytes - 8);
    shard->items++;
    return error;
}

static enum error write_end(struct restore_shard *shard)
{
    uint8_t end[SNAPSHOT_END_BYTES];
    le64_store(end, shard->bytes);
    le64_store(end + 8, shard->items);
    return write_item(shard, SNAPSHOT_END, span_of(end, sizeof(end)));
}

static enum error visit(void *context, enum snapshot_item type, struct span body)
{
    struct restore_shard *shard = context;
    switch (type) {
    case SNAPSHOT_HEAD:
        return write_head(shard, body);
    case SNAPSHOT_ENTRY:
        return write_entry(shard, body);
    case SNAPSHOT_END:
        return write_end(shard);
    case SNAPSHOT_CONFIGURATION:
    case SNAPSHOT_NODE:
    case SNAPSHOT_SESSION:
        return OK; /* of the old cluster */
    }
    return ERR_TYPE;
}

/* ---- files ---- */

static enum error open_snapshots(struct restore_shard *shard)
{
    struct snapshots_recovery recovery;
    struct snapshots_options options = shard->options->snapshots;
    options.identity = shard->options->log.identity;
    enum error error =
        arena_init(&shard->arena, snapshots_arena_bytes(&options) + ARENA_SLACK_BYTES);
    if (error != OK)
        return error;
    error = snapshots_open(&options, &shard->arena, &shard->snapshots, &recovery);
    if (error != OK) {
        memcpy(shard->note, recovery.note, sizeof(shard->note));
        shard->snapshots = NULL;
        arena_deinit(&shard->arena);
        return error;
    }
    const struct snapshot_label label = {
        .id = shard->birth, .index = shard->version, .term = RESTORE_TERM};
    return snapshots_write_begin(shard->snapshots, &label);
}

static void close_snapshots(struct restore_shard *shard)
{
    if (shard->snapshots == NULL)
        return;
    snapshots_close(shard->snapshots);
    shard->snapshots = NULL;
    arena_deinit(&shard->arena);
}

/* The snapshot counts from here on. */
static enum error complete_snapshot(struct restore_shard *shard)
{
    struct snapshots_progress progress;
    snapshots_write_end(shard->snapshots);
    snapshots_poll(shard->snapshots, &progress);
    while (progress.state == SNAPSHOTS_BUSY) { /* the files' thread ends it */
        restore_yield();
        snapshots_poll(shard->snapshots, &progress);
    }
    return progress.state == SNAPSHOTS_GOOD ? OK : progress.error;
}

/* An empty log behind the snapshot, of the birth that the configuration names. */
static enum error make_log(struct restore_shard *shard)
{
    struct log_options options = shard->options->log;
    struct log_recovery recovery;
    struct arena arena;
    struct log *log;
    options.birth = shard->birth;
    options.start = 0; /* the node has not started */
    options.snapshot_index = shard->version;
    options.snapshot_term = RESTORE_TERM;
    enum error error = arena_init(&arena, log_arena_bytes(options.size_bytes));
    if (error != OK)
        return error;
    error = log_open(&options, &arena, &log, &recovery);
    if (error == OK)
        log_close(log);
    else
        memcpy(shard->note, recovery.note, sizeof(shard->note));
    arena_deinit(&arena);
    return error;
}

static enum error note_identity(struct restore_shard *shard)
{
    const struct replica_options *options = shard->options;
    enum error error = identity_note(options->identity_path, &options->log.identity, shard->birth,
                                     shard->note, sizeof(shard->note));
    return error == OK ? identity_note_formed(options->identity_path, &options->log.identity,
                                              shard->cluster, shard->note, sizeof(shard->note))
                       : error;
}

/* ---- the shard ---- */

enum error restore_shard_begin(struct restore_shard *shard, const struct restore_target *target)
{
    CHECK(shard->snapshots == NULL);
    *shard = (struct restore_shard){.options = target->options,
                                    .self = target->self,
                                    .version = target->version,
                                    .birth = target->birth,
                                    .cluster = target->cluster};
    const struct backup_visitor visitor = {.visit = visit, .context = shard};
    return backup_stream_init(&shard->stream, &visitor) ? open_snapshots(shard) : ERR_NO_MEMORY;
}

enum error restore_shard_read(struct restore_shard *shard, struct span chunk)
{
    return backup_stream_read(&shard->stream, chunk);
}

enum error restore_shard_end(struct restore_shard *shard)
{
    enum error error = backup_stream_end(&shard->stream);
    if (error == OK)
        error = complete_snapshot(shard);
    if (error == OK)
        error = make_log(shard);
    if (error == OK)
        error = note_identity(shard);
    restore_shard_deinit(shard);
    return error;
}

void restore_shard_deinit(struct restore_shard *shard)
{
    close_snapshots(shard);
    backup_stream_deinit(&shard->stream);
}
