/*
 * What a configuration makes of a node: the options of each of its lanes and replicas. Sizes that
 * the configuration gives for the node are divided among its shards here.
 */
#ifndef POLLUX_SERVER_NODE_OPTIONS_H
#define POLLUX_SERVER_NODE_OPTIONS_H

#include "server/lane.h"
#include "server/membership_board.h"
#include "server/node_files.h"

struct node_options {
    uint16_t lane_count;
    struct shard_directory directory;
    struct membership_board board;
    struct lane_options lanes[LANES_MAX];
    /* Those of a lane lie beside each other, shards rising. */
    struct replica_options replicas[SHARDS_MAX];
    char log_names[SHARDS_MAX][NODE_FILE_NAME_BYTES]; /* by shard */
    char journal_names[SHARDS_MAX][NODE_FILE_NAME_BYTES];
    char snapshot_names[SHARDS_MAX][NODE_FILE_NAME_BYTES];
    char identity_names[SHARDS_MAX][NODE_FILE_NAME_BYTES];
};

/* What differs from start to start. */
struct node_start {
    uint64_t incarnation;        /* random, not 0 */
    uint64_t seed;               /* random */
    struct siphash_key hash_key; /* random; not drawn from the seed, which others may guess */
    struct secret cookie_seed;   /* likewise */
    struct dp_frame_port *frames;
    const struct security_options *security; /* copied; NULL: packets are not sealed */
};

/* Fills ret_options, which points into itself: it must not be moved. Pure. */
void node_options_fill(const struct config *config, const struct node_start *start,
                       struct node_options *ret_options);

#endif
