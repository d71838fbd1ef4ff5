/*
 * Opening the snapshot files: whose they are, and which of them hold a complete snapshot.
 *
 * Both files are checked before anything is written to either; one that is damaged is set aside
 * first. What is found is stored again and made durable: stores of a process that was killed, or
 * whose sync failed, may be visible and yet out of reach of any later sync (see log_open.c). Of the
 * blocks that is not needed: a completion record is written only when they are durable.
 */
#include "base/le.h"
#include "pmem/log_internal.h"
#include "pmem/snapshots_internal.h"

#include <inttypes.h>
#include <stdio.h>

static uint32_t slots_of(size_t file_bytes)
{
    return file_bytes < SNAPSHOT_SLOTS_OFFSET
               ? 0
               : (uint32_t)((file_bytes - SNAPSHOT_SLOTS_OFFSET) / SNAPSHOT_SLOT_BYTES);
}

size_t snapshots_file_bytes(uint64_t stream_bytes_max)
{
    return snapshot_slot_offset(snapshot_block_count(stream_bytes_max));
}

static size_t here_bytes(const struct snapshots_options *options)
{
    return ((size_t)slots_of(options->size_bytes) + 63) / 64 * sizeof(uint64_t);
}

size_t snapshots_arena_bytes(const struct snapshots_options *options)
{
    return sizeof(struct snapshots) + (size_t)SNAPSHOT_RING_BLOCKS * SNAPSHOT_SLOT_BYTES +
           snapshot_worker_arena_bytes() + here_bytes(options) + 512;
}

bool snapshots_file_path(const char *path, uint32_t file, char ret_path[SNAPSHOT_PATH_SIZE])
{
    CHECK(file < SNAPSHOT_FILES);
    int length = snprintf(ret_path, SNAPSHOT_PATH_SIZE, "%s-%u", path, file);
    return length >= 0 && length < (int)SNAPSHOT_PATH_SIZE;
}

static enum error snapshots_options_check(const struct snapshots_options *options, char *note,
                                          size_t note_size)
{
    char path[SNAPSHOT_PATH_SIZE];
    if (!snapshots_file_path(options->path, 0, path)) {
        snprintf(note, note_size, "%.120s...: the path of the snapshots is too long",
                 options->path);
        return ERR_ARGUMENT;
    }
    if (options->size_bytes % 4096 != 0 || slots_of(options->size_bytes) == 0 ||
        options->size_bytes > snapshots_file_bytes(SNAPSHOT_STREAM_BYTES_MAX)) {
        snprintf(note, note_size,
                 "size of snapshots %zu: must be a multiple of 4096 and have room for a block",
                 options->size_bytes);
        return ERR_ARGUMENT;
    }
    return OK;
}

static enum error snapshot_file_open(const struct snapshots_options *options, uint32_t number,
                                     struct snapshot_file *file, char *note, size_t note_size)
{
    CHECK(snapshots_file_path(options->path, number, file->path));
    const struct medium_options medium_options = {.path = file->path,
                                                  .size_bytes = options->size_bytes,
                                                  .is_created = true,
                                                  .is_unwritten = true};
    enum error error = medium_open(&medium_options, &file->medium, note, note_size);
    if (error != OK)
        return error;
    file->data = medium_data(file->medium);
    file->slots = slots_of(medium_size_bytes(file->medium));
    if (file->slots == 0) {
        snprintf(note, note_size, "%.160s: only %zu bytes, no room for a block", file->path,
                 medium_size_bytes(file->medium));
        return ERR_SHORT;
    }
    return OK;
}

/* Of two files of one name that were damaged one after the other the later one is kept. */
static enum error damaged_set_aside(const struct snapshot_file *file, char *note, size_t note_size)
{
    char aside[SNAPSHOT_PATH_SIZE + 16];
    char found[160];
    snprintf(found, sizeof(found), "%s", note);
    snprintf(aside, sizeof(aside), "%s.damaged", file->path);
    enum error error = medium_move(file->path, aside, note, note_size);
    if (error == OK)
        snprintf(
            note, note_size,
            "%.159s. It is now called *.damaged; the node does without the snapshot in it; check "
            "the medium",
            found);
    return error;
}

/* What a start must know of a file: the headers. The completion record may be damaged, but its page
 * must be one that the device can read, for the next one is written there. */
static enum error file_check(struct snapshot_file *file, const struct snapshots_options *options,
                             bool *ret_is_fresh, char *note, size_t note_size)
{
    size_t offset;
    enum error error = snapshot_header_check(file, options, ret_is_fresh, note, note_size);
    (void)recovery_is_zero(file->data, SNAPSHOT_COMPLETION_OFFSET, SNAPSHOT_SLOTS_OFFSET);
    if (!medium_is_unreadable(file->medium, &offset))
        return error;
    snprintf(note, note_size, "%.120s: offset %zu: the device cannot read this page", file->path,
             offset);
    return ERR_IO;
}

/* Damage of a file costs the snapshot in it, and no more: it is set aside, and a new one takes its
 * place. */
static enum error file_begin(const struct snapshots_options *options, uint32_t number,
                             struct snapshot_file *file, bool *ret_is_fresh,
                             struct snapshots_recovery *ret_recovery)
{
    char note[sizeof(ret_recovery->note)] = "";
    enum error error = snapshot_file_open(options, number, file, note, sizeof(note));
    if (error == OK)
        error = file_check(file, options, ret_is_fresh, note, sizeof(note));
    bool is_damaged = file->medium != NULL && (error == ERR_MAGIC || error == ERR_CHECKSUM ||
                                               error == ERR_SHORT || error == ERR_IO);
    if (is_damaged || error == ERR_SHORT) {
        if (file->medium != NULL)
            medium_close(file->medium);
        file->medium = NULL;
        char why[sizeof(note)] = "";
        error = damaged_set_aside(file, note, sizeof(note));
        if (error == OK)
            error = snapshot_file_open(options, number, file, why, sizeof(why));
        if (error == OK)
            error = file_check(file, options, ret_is_fresh, why, sizeof(why));
        if (error != OK && why[0] != '\0')
            memcpy(note, why, sizeof(note));
        ret_recovery->is_damaged = true;
    }
    if (note[0] != '\0')
        memcpy(ret_recovery->note, note, sizeof(note));
    return error;
}

/* Tells about a file that is smaller than the configuration wants. */
static void size_describe(const struct snapshots_options *options, const struct snapshot_file *file,
                          char *note, size_t note_size)
{
    if (file->slots < slots_of(options->size_bytes) && note[0] == '\0')
        snprintf(note, note_size,
                 "%.160s: has room for %u blocks, the configuration wants %u: a larger snapshot "
                 "cannot be kept; stop the node, remove the file, start the node",
                 file->path, file->slots, slots_of(options->size_bytes));
}

/* Takes the snapshot that is complete, if there is one, and makes sure of its record. */
static void completion_recover(struct snapshots *snapshots, struct snapshot_file *file, char *note,
                               size_t note_size)
{
    const uint8_t *record = file->data + SNAPSHOT_COMPLETION_OFFSET;
    uint8_t again[SNAPSHOT_COMPLETION_BYTES];
    if (snapshot_completion_decode(snapshots->seed, record, file->slots, &file->info)) {
        memcpy(again, record, sizeof(again));
        medium_write(file->medium, SNAPSHOT_COMPLETION_OFFSET, again, sizeof(again));
        if (file->info.generation > snapshots->generation_last)
            snapshots->generation_last = file->info.generation;
        return;
    }
    if (!recovery_is_zero(record, 0, SNAPSHOT_COMPLETION_BYTES))
        snprintf(note, note_size,
                 "%.160s: offset %u: the completion record is not whole: power was lost while it "
                 "was written, or it has rotted; the snapshot in this file is not used",
                 file->path, SNAPSHOT_COMPLETION_OFFSET);
}

static enum error files_recover(struct snapshots *snapshots,
                                const struct snapshots_options *options,
                                struct snapshots_recovery *ret_recovery)
{
    char *note = ret_recovery->note;
    size_t note_size = sizeof(ret_recovery->note);
    for (uint32_t i = 0; i < SNAPSHOT_FILES; i++) {
        struct snapshot_file *file = &snapshots->files[i];
        uint32_t slots_max = slots_of(options->size_bytes);
        file->slots_writable = file->slots < slots_max ? file->slots : slots_max;
        snapshot_header_write(file, &options->identity);
        completion_recover(snapshots, file, note, note_size);
        enum error error = medium_persist_wait(file->medium);
        if (error != OK) {
            snprintf(note, note_size, "%.160s: the sync at the start failed; check the medium",
                     file->path);
            return error;
        }
    }
    const bool is_first_empty = snapshots->files[0].info.generation == 0;
    const bool is_second_empty = snapshots->files[1].info.generation == 0;
    if (is_first_empty != is_second_empty && note[0] == '\0')
        ret_recovery->empty = is_first_empty ? 1 : 2;
    return OK;
}

static enum error files_open(struct snapshots *snapshots, const struct snapshots_options *options,
                             struct snapshots_recovery *ret_recovery)
{
    enum error error = OK;
    for (uint32_t i = 0; i < SNAPSHOT_FILES && error == OK; i++) {
        bool is_fresh = false;
        error = file_begin(options, i, &snapshots->files[i], &is_fresh, ret_recovery);
        if (error != OK)
            return error;
        ret_recovery->is_created = ret_recovery->is_created || is_fresh;
        size_describe(options, &snapshots->files[i], ret_recovery->note,
                      sizeof(ret_recovery->note));
    }
    return error == OK ? files_recover(snapshots, options, ret_recovery) : error;
}

static void files_close(struct snapshots *snapshots)
{
    for (uint32_t i = 0; i < SNAPSHOT_FILES; i++)
        if (snapshots->files[i].medium != NULL)
            medium_close(snapshots->files[i].medium);
}

static enum error thread_start(struct snapshots *snapshots, struct snapshots_recovery *ret_recovery)
{
    const struct snapshot_work work = {.step = snapshot_worker_step, .context = snapshots};
    enum error error = snapshot_thread_open(work, &snapshots->thread);
    if (error != OK)
        snprintf(ret_recovery->note, sizeof(ret_recovery->note),
                 "%.160s: cannot start the thread that writes snapshots", snapshots->files[0].path);
    return error;
}

enum error snapshots_open(const struct snapshots_options *options, struct arena *arena,
                          struct snapshots **ret_snapshots, struct snapshots_recovery *ret_recovery)
{
    memset(ret_recovery, 0, sizeof(*ret_recovery));
    enum error error =
        snapshots_options_check(options, ret_recovery->note, sizeof(ret_recovery->note));
    if (error != OK)
        return error;
    struct snapshots *snapshots = arena_take(arena, sizeof(*snapshots), 64);
    snapshots->seed = log_header_seed(&options->identity);
    snapshots->identity = options->identity;
    snapshots->here = arena_take(arena, here_bytes(options), 64);
    for (uint32_t i = 0; i < SNAPSHOT_RING_BLOCKS; i++)
        snapshots->ring[i].bytes = arena_take(arena, SNAPSHOT_BLOCK_BYTES, 64);
    snapshot_worker_init(&snapshots->worker, arena);
    error = files_open(snapshots, options, ret_recovery);
    if (error == OK)
        error = thread_start(snapshots, ret_recovery);
    if (error != OK) {
        files_close(snapshots);
        return error;
    }
    *ret_snapshots = snapshots;
    return OK;
}

void snapshots_close(struct snapshots *snapshots)
{
    snapshot_thread_close(snapshots->thread);
    files_close(snapshots);
}
