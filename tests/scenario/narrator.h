/*
 * Tells in words what the cores of a cluster do: one line for each change of a node's state and for
 * each message. The words are the golden text of the scenarios, so they hold nothing that differs
 * from run to run.
 */
#ifndef POLLUX_TESTS_SCENARIO_NARRATOR_H
#define POLLUX_TESTS_SCENARIO_NARRATOR_H

#include "tests/unit/raft/cluster.h"

#include <stdio.h>

struct narrator_view { /* a node as the last line left it */
    enum raft_role role;
    struct raft_hard_state hard_state;
    uint16_t leader;
    uint64_t commit_index;
    uint64_t durable_index;
    uint64_t read_released_id;
    bool is_tail_suspect;
    bool is_transferring;
};

struct narrator {
    FILE *out;
    struct cluster *cluster;
    bool is_brief; /* changes of role, term, log and commitment only: no messages */
    struct narrator_view views[NODES_MAX + 1];
    uint32_t lines; /* since the caller last set it to 0 */
};

/* Takes the node as it is for what has been told. */
void narrator_forget(struct narrator *narrator, uint16_t id);
/* What one step changed and sent. For cluster.watch. */
void narrator_watch(void *narrator, uint16_t id, const struct raft_event *event);

void narrator_message(FILE *out, const struct raft_message *message);
/* Every message that is on its way. */
void narrator_network(struct narrator *narrator);
void narrator_status(struct narrator *narrator);
/* The members that each node knows: +incoming, -outgoing, ?learner. */
void narrator_members(struct narrator *narrator);
void narrator_logs(struct narrator *narrator);

#endif
