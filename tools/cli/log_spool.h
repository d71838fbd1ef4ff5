/*
 * Bytes that are kept until it is certain whose they are: a little in memory, more of them in a
 * file without a name ($TMPDIR, else /tmp).
 */
#ifndef POLLUX_TOOLS_CLI_LOG_SPOOL_H
#define POLLUX_TOOLS_CLI_LOG_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LOG_SPOOL_MEMORY_BYTES ((size_t)1 << 20)

struct log_spool {
    char *bytes;
    size_t size_bytes; /* in memory */
    FILE *file;        /* what goes before; NULL: nothing */
};

/* False: a message is on standard error. */
bool log_spool_init(struct log_spool *spool);
void log_spool_deinit(struct log_spool *spool);
void log_spool_clear(struct log_spool *spool);
/* False: a message is on standard error. */
bool log_spool_add(struct log_spool *spool, const void *bytes, size_t size_bytes);

/* A file without a name; NULL: a message is on standard error. */
FILE *log_spool_file(void);

/* Gives the first size_bytes to `use`, piece by piece, until it returns false. False: so, or a
 * message is on standard error. */
bool log_spool_each(struct log_spool *spool, uint64_t size_bytes,
                    bool (*use)(void *context, const char *bytes, size_t size_bytes),
                    void *context);

#endif
