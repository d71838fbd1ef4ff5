/* See look.h. */
#include "tools/rescue/look.h"

#include "engine/engine.h"
#include "pmem/identity.h"
#include "pmem/journal_view.h"
#include "pmem/log_view.h"
#include "pmem/snapshot_view.h"
#include "raft/raft.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- snapshots: the newest whole one, and the configuration that it has ---- */

struct snapshot_find {
    struct snapshot_info info;
    struct raft_configuration configuration;
};

/* Every block is read: one that has rotted is not there. */
static bool read_blocks(const struct snapshot_view *view, struct snapshot_find *find,
                        uint8_t *buffer)
{
    uint32_t crc = 0;
    for (uint32_t number = 0; number < view->info.block_count; number++) {
        struct span raw;
        uint32_t stored_bytes;
        uint64_t index;
        if (snapshot_view_block(view, number, buffer, &raw, &stored_bytes) != OK)
            return false;
        if (number == 0 && !engine_snapshot_configuration(raw, &index, &find->configuration))
            return false;
        crc = snapshot_view_crc(crc, raw);
    }
    return snapshot_view_is_whole(view, crc);
}

static void look_at_snapshot(const char *path, const struct log_identity *owner,
                             struct snapshot_find *best, uint8_t *buffer)
{
    struct file_reader reader;
    struct snapshot_view view;
    struct snapshot_find find = {0};
    char note[VIEW_NOTE_BYTES];
    if (file_reader_open(path, &reader, note, sizeof(note)) != OK)
        return;
    if (snapshot_view_open(path, &reader, owner, &view, note) == OK && view.is_complete &&
        view.info.label.index > best->info.label.index) {
        find.info = view.info;
        if (read_blocks(&view, &find, buffer))
            *best = find;
    }
    file_reader_close(&reader);
}

static void look_at_snapshots(const struct rescue_files *files, const struct log_identity *owner,
                              struct snapshot_find *ret_find)
{
    uint8_t *buffer = malloc(SNAPSHOT_BLOCK_BYTES);
    *ret_find = (struct snapshot_find){0};
    if (buffer == NULL)
        return;
    for (uint32_t file = 0; file < SNAPSHOT_FILES; file++)
        look_at_snapshot(files->snapshots[file], owner, ret_find, buffer);
    free(buffer);
}

/* ---- the log ---- */

/* The newest configuration in the log, else the one of the snapshot. */
static void find_configuration(const struct log *log, struct rescue_storage *storage)
{
    for (uint64_t index = log_last_index(log); index >= log_first_index(log); index--) {
        struct log_record record;
        log_read(log, index, &record);
        if (record.kind != RAFT_ENTRY_CONFIGURATION)
            continue;
        if (raft_configuration_decode(record.payload.data, record.payload.size_bytes,
                                      &storage->configuration) != OK)
            storage->is_usable = false;
        return;
    }
}

/* A log that does not go on from its snapshot begins anew behind it, as at a start. */
static void take_log(const struct log_view *view, const struct snapshot_find *snapshot,
                     struct rescue_storage *storage)
{
    const struct log_view_state *state = log_view_state(view);
    const struct snapshot_label *label = &snapshot->info.label;
    bool has_records = state->last_index >= state->first_index;
    storage->storage.birth = state->birth;
    storage->is_ended = state->ended != LOG_END_NONE;
    storage->is_suspect = state->is_suspect;
    storage->term = state->term;
    storage->commit_index = state->commit_index;
    storage->configuration = snapshot->configuration;
    storage->is_usable = !state->is_header_lost && state->birth != 0 &&
                         (!has_records || state->first_index <= label->index + 1);
    storage->last_index = label->index;
    storage->last_term = label->term;
    if (storage->commit_index < label->index)
        storage->commit_index = label->index;
    if (!storage->is_usable || !has_records || state->last_index < label->index)
        return;
    struct log_record last;
    log_read(log_view_log(view), state->last_index, &last);
    storage->last_index = last.index;
    storage->last_term = last.term;
    find_configuration(log_view_log(view), storage);
}

static void look_at_log(const char *path, const struct log_identity *owner,
                        const struct snapshot_find *snapshot, struct rescue_find *find)
{
    struct file_reader reader;
    struct log_view *view;
    if (file_reader_open(path, &reader, find->note, sizeof(find->note)) != OK)
        return;
    const struct log_view_options options = {.path = path, .reader = &reader, .identity = owner};
    if (log_view_open(&options, &view, find->note) == OK) {
        take_log(view, snapshot, &find->storage);
        if (find->storage.is_suspect)
            snprintf(find->note, sizeof(find->note),
                     "its log may lack records that it acknowledged");
        log_view_close(view);
    }
    file_reader_close(&reader);
}

/* ---- the journal ---- */

static uint64_t count_entries(const struct journal_view *view)
{
    uint32_t bank = journal_view_active(view);
    return bank < JOURNAL_BANKS ? journal_view_bank(view, bank)->entries : 0;
}

static uint64_t look_at_journal(const struct rescue_files *files, const struct log_identity *owner)
{
    char note[VIEW_NOTE_BYTES];
    struct file_reader readers[JOURNAL_BANKS];
    struct journal_view_options options = {.identity = owner};
    struct journal_view *view;
    uint64_t pending = 0;
    for (uint32_t bank = 0; bank < JOURNAL_BANKS; bank++) {
        options.paths[bank] = files->journals[bank];
        if (file_reader_open(files->journals[bank], &readers[bank], note, sizeof(note)) == OK)
            options.readers[bank] = &readers[bank];
    }
    if (journal_view_open(&options, &view) == OK) {
        pending = count_entries(view);
        journal_view_close(view);
    }
    for (uint32_t bank = 0; bank < JOURNAL_BANKS; bank++) {
        if (options.readers[bank] != NULL)
            file_reader_close(&readers[bank]);
    }
    return pending;
}

/* ---- all of it ---- */

/* A log that its identity does not name has come back from somewhere, and counts for nothing. */
static void look_at_identity(const char *path, const struct log_identity *owner,
                             struct rescue_find *find)
{
    struct identity_births births;
    if (!find->storage.is_usable)
        return;
    if (identity_read(path, owner, &births, find->note, sizeof(find->note)) != OK) {
        find->storage.is_usable = false;
    } else if (births.births[0] != find->storage.storage.birth) {
        find->storage.is_usable = false;
        snprintf(find->note, sizeof(find->note), "its log is not the newest one of this node");
    }
}

void rescue_look(const struct rescue_files *files, const struct log_identity *owner,
                 struct rescue_find *ret_find)
{
    struct snapshot_find snapshot;
    *ret_find = (struct rescue_find){.storage.storage.id = owner->node};
    look_at_snapshots(files, owner, &snapshot);
    look_at_log(files->log, owner, &snapshot, ret_find);
    look_at_identity(files->identity, owner, ret_find);
    ret_find->snapshot = snapshot.info.label;
    ret_find->pending = look_at_journal(files, owner);
}
