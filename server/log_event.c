/* Log lines on standard error. */
#include "server/log_event.h"

#include "raft/raft.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

void log_event_line(const char *level, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    struct timespec now;
    struct tm utc;
    char stamp[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
    fprintf(stderr, "%s.%06ldZ %s %s\n", stamp, now.tv_nsec / 1000, level, text);
}

static const char *role_name(uint8_t role)
{
    static const char *const names[] = {"follower", "pre-candidate", "candidate", "leader"};
    return role < sizeof(names) / sizeof(names[0]) ? names[role] : "?";
}

void log_event_write(const struct log_event *report, uint16_t node)
{
    unsigned long term = (unsigned long)report->term;
    unsigned long value = (unsigned long)report->value;
    switch (report->kind) {
    case LOG_EVENT_ROLE:
        log_event_line("info", "role node=%u role=%s term=%lu last=%lu", node,
                       role_name(report->role), term, value);
        return;
    case LOG_EVENT_LEADER:
        log_event_line("info", "leader node=%u leader=%u term=%lu commit=%lu", node, report->leader,
                       term, value);
        return;
    case LOG_EVENT_SUSPECT:
        log_event_line(
            "warning",
            "suspect node=%u last=%lu: acknowledged records may be missing behind the last; "
            "its vote alone decides nothing until a quorum has settled its log",
            node, value);
        return;
    case LOG_EVENT_SETTLED:
        log_event_line("info", "settled node=%u last=%lu: a quorum has settled this node's log",
                       node, value);
        return;
    case LOG_EVENT_SYNC_FAILED:
        log_event_line("error",
                       "sync failed node=%u: the medium lost writes; nothing more is acknowledged. "
                       "Replace or check the medium, then start again",
                       node);
        return;
    case LOG_EVENT_LOG_EXHAUSTED:
        log_event_line("error", "log exhausted node=%u: not even a leader's entry fits", node);
        return;
    }
}
