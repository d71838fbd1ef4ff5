/*
 * A private copy of a file's bytes, as they were when they were read: part by part, and again where
 * they may have changed. So code that looks at bytes in memory can look at a file that a node is
 * writing to, and at one that the medium cannot read everywhere.
 *
 * What was not read, or cannot be read, is zero. Pages of zeros take no memory, so the copy of a
 * large file costs what was ever written to it.
 *
 * Owner: one thread. For tools: it asks the system for memory.
 */
#ifndef POLLUX_PMEM_FILE_COPY_H
#define POLLUX_PMEM_FILE_COPY_H

#include "pmem/file_reader.h"

struct file_copy {
    const struct file_reader *reader;
    uint8_t *data;     /* size_bytes */
    size_t size_bytes; /* whole pages; may be more than the file has */
    uint8_t *pages;    /* for each page of 4096 bytes, what became of it */
    int error_number;  /* of the first page that could not be read; 0: none */
};

/* Nothing is read yet. `reader` stays the caller's. ERR_NO_MEMORY. */
MUST_USE enum error file_copy_init(const struct file_reader *reader, size_t size_bytes,
                                   struct file_copy *ret_copy);
void file_copy_deinit(struct file_copy *copy);

/* Reads [from, to), widened to whole pages; at most size_bytes (CHECK). Returns whether any byte is
 * another one than before. */
bool file_copy_read(struct file_copy *copy, size_t from, size_t to);

/* Reads what was not asked for until now. */
void file_copy_read_rest(struct file_copy *copy);

/* Whether every page of [from, to) was read as it is. */
bool file_copy_is_read(const struct file_copy *copy, size_t from, size_t to);

/* Tells which of the parts asked for could not be read. */
void file_copy_tell(const struct file_copy *copy, const char *what,
                    const struct finding_sink *sink);

#endif
