/*
 * Log lines: key=value text with a UTC time stamp on standard error. The lane only fills a struct
 * report and pushes it on a ring; the main thread writes the line.
 */
#ifndef POLLUX_TOOLS_REPORT_H
#define POLLUX_TOOLS_REPORT_H

#include <stdint.h>

enum report_kind {
    REPORT_ROLE,    /* this node's role; value: its last index */
    REPORT_LEADER,  /* the leader it follows; value: its commit index */
    REPORT_SUSPECT, /* its log may lack acknowledged records behind `value` */
    REPORT_SETTLED, /* a quorum has settled its log */
    REPORT_SYNC_FAILED,
    REPORT_LOG_EXHAUSTED,
};

struct report {
    enum report_kind kind;
    uint64_t term;
    uint64_t value;
    uint16_t leader;
    uint8_t role; /* enum raft_role */
};

/* One line at once. Main thread, or any thread at start and stop. */
__attribute__((format(printf, 2, 3))) void report_line(const char *level, const char *format, ...);

/* The line of a report of node `node`. Main thread. */
void report_write(const struct report *report, uint16_t node);

#endif
