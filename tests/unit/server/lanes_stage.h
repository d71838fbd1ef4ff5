/*
 * Three real lanes and a client on real ports, the network in one thread (bench/gauge_cluster.h);
 * their files lie in a folder of the test, and no write waits for a medium. One stage a process.
 */
#ifndef POLLUX_TESTS_UNIT_SERVER_LANES_STAGE_H
#define POLLUX_TESTS_UNIT_SERVER_LANES_STAGE_H

#include "bench/gauge_cluster.h"

struct lanes_stage {
    char folder[64];
    struct gauge_cluster cluster;
};

/* `options`: but for the folder, and the counts of nodes and sessions. */
void lanes_stage_open(struct lanes_stage *stage, const struct gauge_options *options);
void lanes_stage_close(struct lanes_stage *stage);

#endif
