/* See trace_lines.h. */
#include "tests/scenario/trace_lines.h"

#include "base/check.h"

#include <inttypes.h>

static const char *event_name(enum raft_event_type event)
{
    static const char *const names[] = {"tick",     "receive",   "propose",   "durable",    "read",
                                        "transfer", "installed", "step_down", "reconfigure"};
    CHECK((unsigned)event < sizeof(names) / sizeof(names[0]));
    return names[event];
}

const char *trace_lines_message_name(enum raft_message_type message)
{
    static const char *const names[] = {"none",           "vote_request", "vote_reply",
                                        "append_request", "append_reply", "timeout_now"};
    CHECK((unsigned)message < sizeof(names) / sizeof(names[0]));
    return names[message];
}

const char *trace_lines_role_name(enum raft_role role)
{
    static const char *const names[] = {"follower", "pre_candidate", "candidate", "leader"};
    CHECK((unsigned)role < sizeof(names) / sizeof(names[0]));
    return names[role];
}

static void write_line(FILE *file, const char *event, const struct raft_transition *transition)
{
    fprintf(file,
            "{\"node\":%u,\"now_ns\":%" PRIu64 ",\"event\":\"%s\",\"message\":\"%s\",\"from\":%u,"
            "\"role\":\"%s\",\"term\":%" PRIu64 ",\"vote\":%" PRIu64 ",\"leader\":%u,"
            "\"last_index\":%" PRIu64 ",\"last_term\":%" PRIu64 ",\"commit_index\":%" PRIu64
            ",\"durable_index\":%" PRIu64 ",\"truncate_from\":%" PRIu64 ",\"append_count\":%u}\n",
            transition->node, transition->now_ns, event,
            trace_lines_message_name(transition->message), transition->from,
            trace_lines_role_name(transition->role), transition->term, transition->vote,
            transition->leader, transition->last_index, transition->last_term,
            transition->commit_index, transition->durable_index, transition->truncate_from,
            transition->append_count);
}

void trace_lines_write(void *file, const struct raft_transition *transition)
{
    write_line(file, event_name(transition->event), transition);
}

void trace_lines_start(FILE *file, const struct raft_transition *state)
{
    write_line(file, "start", state);
}
