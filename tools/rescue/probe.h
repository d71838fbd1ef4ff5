/*
 * Whether the voters of which no directory is here answer.
 *
 * Owner: the main thread.
 */
#ifndef POLLUX_TOOLS_RESCUE_PROBE_H
#define POLLUX_TOOLS_RESCUE_PROBE_H

#include "base/error.h"
#include "raft/configuration.h"

#define RESCUE_PROBE_SHARDS_MAX SHARDS_MAX
#define RESCUE_ABSENT_MAX       (2 * RAFT_MEMBERS_MAX) /* nodes, of all shards together */

struct rescue_absent {
    uint16_t node;
    char address[64]; /* ip:port; empty: not known */
    bool does_answer;
    uint64_t births[RESCUE_PROBE_SHARDS_MAX]; /* of the storages that it has; 0: not told */
};

/* Nodes of which no directory is here. */
struct rescue_absentees {
    uint32_t count;
    struct rescue_absent nodes[RESCUE_ABSENT_MAX];
};

/* Adds the members of `configuration` whose nodes are not in `here` (count of them), each node
 * once. Shards may have different members: call it for each. ERR_FULL: there are too many. */
MUST_USE enum error rescue_absent_add(const struct raft_configuration *configuration,
                                      const uint16_t *here, uint32_t count,
                                      struct rescue_absentees *absentees);

struct rescue_asked {
    const char *cluster;
    const char *key_file;  /* NULL: packets are not sealed */
    const char *endpoints; /* where they may answer, too: HOST:PORT,...; NULL: nowhere else */
    uint16_t shard_count;
};

/* Asks each of them, in each shard, as a client does. ERR_IO: `ret_text` (RESCUE_TEXT_BYTES)
 * explains. */
MUST_USE enum error rescue_probe(const struct rescue_asked *asked, struct rescue_absent *absent,
                                 uint32_t count, char *ret_text);

#endif
