/* See tools/restore/restore_fill.h. */
#include "tools/restore/restore_fill.h"

#include "tools/backup/backup_file.h"

#include <stdio.h>
#include <unistd.h>

struct filling {
    const struct restore_target *targets;
    char *text;
    uint64_t shard_offsets[SHARDS_MAX]; /* of the frame that counts */
    uint32_t block_counts[SHARDS_MAX];
    uint64_t end_offset;
    struct restore_shard shard;
};

static enum error begin_reading(int fd, struct backup_reader *reader)
{
    return lseek(fd, 0, SEEK_SET) == 0 ? backup_read_begin(reader, fd) : ERR_IO;
}

static enum error note_frame(struct filling *filling, const struct backup_frame *frame,
                             uint64_t offset)
{
    struct backup_shard described;
    if (frame->kind == BACKUP_END)
        filling->end_offset = offset;
    if (frame->kind != BACKUP_SHARD)
        return OK;
    enum error error = backup_shard_decode(frame->body, &described);
    if (error != OK || frame->shard >= SHARDS_MAX)
        return error != OK ? error : ERR_RANGE;
    filling->shard_offsets[frame->shard] = offset;
    filling->block_counts[frame->shard] = described.block_count;
    return OK;
}

/* The frames are told apart by their offsets when they are read again. */
static enum error note_frames(struct filling *filling, int fd)
{
    struct backup_reader reader;
    struct backup_frame frame;
    enum error error = begin_reading(fd, &reader);
    if (error != OK)
        return error;
    while (error == OK) { /* a frame each */
        error = backup_read_frame(&reader, &frame);
        if (error == OK)
            error = note_frame(filling, &frame, reader.offset);
    }
    backup_read_deinit(&reader);
    return error == ERR_NOT_FOUND ? OK : error;
}

static enum error take_frame(struct filling *filling, const struct backup_frame *frame,
                             uint64_t offset)
{
    if ((frame->kind != BACKUP_SHARD && frame->kind != BACKUP_BLOCK) ||
        offset < filling->shard_offsets[frame->shard])
        return OK; /* of no shard, or of one that was dropped */
    enum error error = OK;
    if (frame->kind == BACKUP_SHARD)
        error = restore_shard_begin(&filling->shard, &filling->targets[frame->shard]);
    else
        error = restore_shard_read(&filling->shard, frame->body);
    if (error == OK && frame->kind == BACKUP_BLOCK &&
        frame->block + 1 == filling->block_counts[frame->shard])
        error = restore_shard_end(&filling->shard);
    if (error != OK)
        snprintf(filling->text, RESTORE_FILL_TEXT_BYTES, "shard %u: %s: %.400s", frame->shard,
                 error_text(error), filling->shard.note);
    return error;
}

static enum error take_frames(struct filling *filling, int fd)
{
    struct backup_reader reader;
    struct backup_frame frame;
    enum error error = begin_reading(fd, &reader);
    if (error != OK)
        return error;
    while (error == OK && reader.next_offset < filling->end_offset) { /* a frame each */
        error = backup_read_frame(&reader, &frame);
        if (error == OK)
            error = take_frame(filling, &frame, reader.offset);
    }
    backup_read_deinit(&reader);
    return error;
}

enum error restore_fill(int fd, const struct restore_target *targets, char *ret_text)
{
    struct filling filling = {.targets = targets, .text = ret_text};
    enum error error = note_frames(&filling, fd);
    if (error == OK)
        error = take_frames(&filling, fd);
    restore_shard_deinit(&filling.shard);
    return error;
}
