/*
 * Journals of earlier storages of this node, which a start has set aside (pmem/journal.h). They lie
 * beside the journal of the shard until an operator moves them away, and are told until then.
 *
 * Main thread, at start.
 */
#ifndef POLLUX_SERVER_JOURNAL_ASIDE_H
#define POLLUX_SERVER_JOURNAL_ASIDE_H

#include "server/node_files.h"

/* More than these are not told. */
#define JOURNAL_ASIDES_MAX       16u
#define JOURNAL_ASIDE_NAME_BYTES (NODE_NUMBERED_NAME_BYTES + 64)

struct journal_aside {
    uint64_t series;
    uint64_t writes;                     /* relaxed writes in it, those that the log has too */
    char file[JOURNAL_ASIDE_NAME_BYTES]; /* one of its banks */
};

/* Finds those of the journal whose banks' names begin with `journal_name`, each series once, and
 * none without a write. Returns how many. */
uint32_t journal_asides_find(const char *journal_name,
                             struct journal_aside ret_asides[JOURNAL_ASIDES_MAX]);

#endif
