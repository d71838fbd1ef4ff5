/*
 * Reading a file that somebody else may have open and write to: by position, as pread(2) does.
 *
 * No lock is taken, and nothing is written. The time of the last access stays as it is where the
 * system permits that (O_NOATIME, open(2)). There is no mapping: what the medium cannot read is an
 * error with a place, never a signal.
 *
 * What reads a whole file stands behind this: pmem/file_copy.h, log_view.h, journal_view.h,
 * snapshot_view.h, identity_view.h. Tools use these. A node does not: it has its files open.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_PMEM_FILE_READER_H
#define POLLUX_PMEM_FILE_READER_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct file_reader {
    /* Reads at most so many bytes. Returns how many, 0 behind the end of the file, or -errno. */
    ssize_t (*read)(void *context, void *to, size_t size_bytes, uint64_t offset);
    /* Whoever writes the file may have been interrupted in the middle of a record: gives it time,
     * longer in each turn, from 0, a third of a second in all. False: it had it. NULL: nobody
     * writes meanwhile. */
    bool (*wait)(uint32_t turn);
    void *context;
    uint64_t size_bytes; /* when it was opened */
    int fd;              /* file_reader_open's own */
};

/* Opens a regular file; the reader then stays where it is in memory. ERR_NOT_FOUND,
 * ERR_PERMISSION, ERR_IO; `ret_reason` then explains. */
MUST_USE enum error file_reader_open(const char *path, struct file_reader *ret_reader,
                                     char *ret_reason, size_t reason_size);
void file_reader_close(struct file_reader *reader);

/* Reads until there is as much as asked for, or the file ends. Returns how much, or -errno. */
ssize_t file_reader_fill(const struct file_reader *reader, void *to, size_t size_bytes,
                         uint64_t offset);

/* What is found in a file that is read. */
enum finding_kind {
    FINDING_DAMAGED,    /* it was whole once, and has rotted */
    FINDING_TORN,       /* an end that nobody vouches for: power loss may have torn it */
    FINDING_UNREADABLE, /* the medium cannot read it */
    FINDING_CUT_OFF,    /* the file ends before */
    FINDING_LEFT_OVER,  /* bytes that nothing needs; no damage */
    FINDING_CHANGING,   /* it changed while it was read, again and again; no damage */
    FINDING_KINDS
};

struct finding {
    enum finding_kind kind;
    uint64_t offset; /* in the file */
    uint64_t size_bytes;
    const char *what; /* for a person: "header, first copy"; static */
    uint64_t index;   /* of records: the first that may be lost; else 0 */
};

/* Is told what is found, in no order. */
struct finding_sink {
    void (*take)(void *context, const struct finding *finding);
    void *context;
};

/* "damaged" and so on; "?" outside the enum. */
const char *finding_kind_name(enum finding_kind kind);

/* Whether it is damage, or may be. */
bool finding_is_damage(enum finding_kind kind);

void finding_tell(const struct finding_sink *sink, const struct finding *finding);

#endif
