/* What the log_view*.c files share. */
#ifndef POLLUX_PMEM_LOG_VIEW_INTERNAL_H
#define POLLUX_PMEM_LOG_VIEW_INTERNAL_H

#include "pmem/file_copy.h"
#include "pmem/log_internal.h"
#include "pmem/log_view.h"

struct log_view {
    struct log_view_options options;
    struct log_view_state state;
    struct file_copy copy;
    struct log log; /* without a medium; reads the copy */
    struct recovery_scan scan;
};

/* In which segment of the row a position lies. */
static inline uint64_t view_sequence_of(const struct log *log, uint64_t position)
{
    return (position - log->records_offset) / log->segment_bytes + 1;
}

/* log_view_table.c: the segments and the row, from the copy of the table. Reads the begin of a
 * segment where its word is lost. */
void view_table_take(struct log_view *view);
/* Tells which words are damaged. */
void view_table_tell(const struct log_view *view, const struct finding_sink *sink);

#endif
