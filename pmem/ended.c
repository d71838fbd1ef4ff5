/*
 * The end of a storage that was set back to an earlier state: a word in the file says that it
 * counts no more, and the next start gives the file another name. It is never deleted: what it has,
 * nobody else may have.
 */
#include "base/crc32c.h"
#include "base/le.h"
#include "pmem/log_internal.h"

#include <inttypes.h>
#include <stdio.h>

#define ENDED_TEXT "set back"

static uint64_t ended_encode(uint32_t seed)
{
    return (uint64_t)1 << 32 | crc32c(seed, ENDED_TEXT, sizeof(ENDED_TEXT) - 1);
}

void log_end(struct log *log)
{
    medium_write_word(log->medium, LOG_ENDED_OFFSET, ended_encode(log->seed));
}

/* A file that cannot be read, or is of somebody else, is left to log_open. */
static uint64_t ended_birth(const struct medium *medium, const struct log_options *options)
{
    struct log_header_found header;
    char note[384];
    const uint8_t *data = medium_data(medium);
    if (log_header_check(medium, options, &header, note, sizeof(note)) != OK ||
        header.state == LOG_HEADER_FRESH)
        return 0;
    uint64_t word = le64_load(data + LOG_ENDED_OFFSET);
    return word == ended_encode(log_header_seed(&options->identity)) ? header.birth : 0;
}

enum error log_set_aside(const struct log_options *options, char *ret_name, size_t name_size,
                         char *ret_note, size_t note_size)
{
    struct medium *medium;
    const struct medium_options found = {.path = options->path};
    ret_name[0] = '\0';
    if (medium_file_size_bytes(options->path) == 0)
        return OK;
    enum error error = medium_open(&found, &medium, ret_note, note_size);
    if (error != OK)
        return error;
    uint64_t birth = ended_birth(medium, options);
    medium_close(medium);
    if (birth == 0)
        return OK;
    int length = snprintf(ret_name, name_size, "%s.set-back.%016" PRIx64, options->path, birth);
    if (length < 0 || (size_t)length >= name_size) {
        snprintf(ret_note, note_size,
                 "%.160s: was set back to an earlier state, and its name is "
                 "too long to give it another one; move it away",
                 options->path);
        return ERR_IO;
    }
    return medium_move(options->path, ret_name, ret_note, note_size);
}
