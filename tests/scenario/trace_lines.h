/*
 * The transitions of cores (raft/trace.h) as JSON lines in a file. README.md beside this file holds
 * the schema.
 */
#ifndef POLLUX_TESTS_SCENARIO_TRACE_LINES_H
#define POLLUX_TESTS_SCENARIO_TRACE_LINES_H

#include "raft/trace.h"

#include <stdio.h>

const char *trace_lines_role_name(enum raft_role role);
const char *trace_lines_message_name(enum raft_message_type message);

/* For raft_options.trace; `file` is the FILE that the lines go to. */
void trace_lines_write(void *file, const struct raft_transition *transition);

/* A node starts with this state, or starts again: event "start", which is no step of the core. */
void trace_lines_start(FILE *file, const struct raft_transition *state);

#endif
