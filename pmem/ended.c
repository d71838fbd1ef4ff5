/*
 * The end of a storage. One that was set back to an earlier state, or whose era is over: a word in
 * the file says that it counts no more, and the next start gives the file another name. One that is
 * damaged beyond repair: the start that finds it does so. The file is never deleted: what it has,
 * nobody else may have.
 */
#include "base/crc32c.h"
#include "base/le.h"
#include "pmem/log_internal.h"
#include "pmem/snapshots_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* As in the name of the file that is put aside. */
static const char *const reasons[] = {
    [LOG_END_SET_BACK] = "set-back", [LOG_END_ERA_OVER] = "era-over"};

/* Damaged files of one name that are kept. */
#define DAMAGED_MAX 100u

static uint64_t ended_encode(uint32_t seed, enum log_end_reason reason)
{
    return (uint64_t)reason << 32 | crc32c(seed, reasons[reason], strlen(reasons[reason]));
}

enum log_end_reason ended_reason(const uint8_t *data, uint32_t seed)
{
    uint64_t word = le64_load(data + LOG_ENDED_OFFSET);
    for (enum log_end_reason reason = LOG_END_SET_BACK; reason <= LOG_END_ERA_OVER; reason++) {
        if (word == ended_encode(seed, reason))
            return reason;
    }
    return LOG_END_NONE;
}

void log_end(struct log *log, enum log_end_reason reason)
{
    log_head_write_word(log, LOG_ENDED_OFFSET, ended_encode(log->seed, reason));
}

/* A file that cannot be read, or is of somebody else, is left to log_open. */
static enum log_end_reason find_reason(const struct medium *medium,
                                       const struct log_options *options, uint64_t *ret_birth)
{
    struct log_header_found header;
    char note[384];
    if (log_header_check(medium, options, &header, note, sizeof(note)) != OK ||
        header.state == LOG_HEADER_FRESH)
        return LOG_END_NONE;
    *ret_birth = header.birth;
    return ended_reason(medium_data(medium), log_header_seed(&options->identity));
}

/* Whether and why the file at the path counts no more. */
static enum error look(const struct log_options *options, enum log_end_reason *ret_reason,
                       uint64_t *ret_birth, char *ret_note, size_t note_size)
{
    struct medium *medium;
    const struct medium_options found = {.path = options->path};
    *ret_reason = LOG_END_NONE;
    if (medium_file_size_bytes(options->path) == 0)
        return OK;
    enum error error = medium_open(&found, &medium, ret_note, note_size);
    if (error != OK)
        return error == ERR_SHORT ? OK : error; /* log_open says so, too */
    *ret_reason = find_reason(medium, options, ret_birth);
    medium_close(medium);
    return OK;
}

/* `aside`: its reason is given, and its name is filled in. */
static enum error move_aside(const char *path, uint64_t birth, struct log_aside *aside,
                             char *ret_note, size_t note_size)
{
    int length = snprintf(aside->name, sizeof(aside->name), "%s.%s.%016" PRIx64, path,
                          reasons[aside->reason], birth);
    if (length < 0 || (size_t)length >= sizeof(aside->name)) {
        snprintf(ret_note, note_size,
                 "%.160s: counts no more (%s), and its name is too long to give it another one; "
                 "move it away",
                 path, reasons[aside->reason]);
        return ERR_IO;
    }
    return medium_move(path, aside->name, ret_note, note_size);
}

enum error log_set_snapshots_aside(const struct log_options *options, const char *path,
                                   char *ret_note, size_t note_size)
{
    struct log_aside aside;
    uint64_t birth = 0;
    enum error error = look(options, &aside.reason, &birth, ret_note, note_size);
    if (error != OK || aside.reason != LOG_END_ERA_OVER)
        return error;
    for (uint32_t file = 0; file < SNAPSHOT_FILES && error == OK; file++) {
        char name[SNAPSHOT_PATH_SIZE];
        if (snapshots_file_path(path, file, name) && medium_file_size_bytes(name) != 0)
            error = move_aside(name, birth, &aside, ret_note, note_size);
    }
    return error;
}

enum error log_set_aside(const struct log_options *options, struct log_aside *ret_aside,
                         char *ret_note, size_t note_size)
{
    uint64_t birth = 0;
    enum error error = look(options, &ret_aside->reason, &birth, ret_note, note_size);
    if (error != OK || ret_aside->reason == LOG_END_NONE)
        return error;
    return move_aside(options->path, birth, ret_aside, ret_note, note_size);
}

enum error log_set_damaged_aside(const char *path, char *ret_name, size_t name_size, char *ret_note,
                                 size_t note_size)
{
    for (uint32_t number = 1; number <= DAMAGED_MAX; number++) {
        int length = snprintf(ret_name, name_size, "%s.damaged-%u", path, number);
        if (length < 0 || (size_t)length >= name_size)
            break;
        if (medium_file_size_bytes(ret_name) == 0)
            return medium_move(path, ret_name, ret_note, note_size);
    }
    snprintf(ret_note, note_size,
             "%.160s: is damaged, and so were %u files of this name before: replace the medium, "
             "and move the files *.damaged-* away",
             path, DAMAGED_MAX);
    return ERR_FULL;
}
