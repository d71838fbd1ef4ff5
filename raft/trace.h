/*
 * The trace of a core: one struct for each step, for validation against a specification from
 * outside (Cirstea et al., "Validating Traces of Distributed Programs Against TLA+ Specifications",
 * SEFM'24).
 *
 * raft_options.trace is called at the end of every step that returned OK, after the state has
 * changed and before the caller sees the effects; NULL (the default) costs one comparison a step.
 * The core formats nothing: whoever installs the callback writes the lines. The agreed form is one
 * JSON object a line, keys as the members below, in this order:
 *
 *   {"node":1,"now_ns":5000,"event":"receive","message":"append_request","from":2,
 *    "role":"follower","term":3,"vote":2,"leader":2,"last_index":7,"last_term":3,
 *    "commit_index":6,"durable_index":7,"truncate_from":0,"append_count":1}
 *
 * event: tick receive propose durable read transfer installed step_down reconfigure; message: none
 * vote_request vote_reply append_request append_reply timeout_now; role: follower pre_candidate
 * candidate leader. The lines of one node are in step order; those of several nodes are merged by
 * whoever orders them.
 */
#ifndef POLLUX_RAFT_TRACE_H
#define POLLUX_RAFT_TRACE_H

#include "raft/raft.h"

struct raft_transition {
    uint16_t node;
    uint64_t now_ns;
    enum raft_event_type event;
    enum raft_message_type message; /* 0: the event was no message */
    uint16_t from;                  /* 0: the event was no message */
    /* The state after the step. */
    enum raft_role role;
    uint64_t term;
    uint64_t vote;
    uint16_t leader;
    uint64_t last_index;
    uint64_t last_term;
    uint64_t commit_index;
    uint64_t durable_index;
    /* What the step did to the log. */
    uint64_t truncate_from;
    uint32_t append_count;
};

#endif
