/*
 * What keeps a peer, or this node, from taking part: seen by the lane and its replicas, written to
 * the log once and then rarely, and told by status as long as it lasts. Other events tell of a
 * storage that is set back (raft/peer_starts.h), and of another cluster or era
 * (server/cluster_identity.h).
 *
 * Pure. Owner: the lane.
 */
#ifndef POLLUX_SERVER_OBSTACLES_H
#define POLLUX_SERVER_OBSTACLES_H

#include "base/address.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(KIND, name, the setting, what it means). */
#define OBSTACLE_LIST(X)                                                                           \
    X(FINGERPRINT, "fingerprint",                                                                  \
      "[cluster] shards, keys_max, store_size, sessions_max, session_ttl, or the version of "      \
      "polluxd",                                                                                   \
      "the two would apply one log to different effect: nothing of the peer counts")               \
    X(VERSION, "version", "the version of polluxd",                                                \
      "the peer's packets are of a format that this program does not know, and are dropped")       \
    X(CLUSTER_NAME, "cluster_name", "[cluster] name",                                              \
      "the peer belongs to a cluster of another name (the values are checksums of the names)")     \
    X(ADDRESS, "address", "[peers]",                                                               \
      "packets of that peer come from another address than [peers] has, and are dropped")          \
    X(TWO_PROCESSES, "two_processes", "[node] id",                                                 \
      "two processes say in turn that they are that node (the values are their starts); stop one") \
    X(SLOW_MEDIUM, "slow_medium", "[cluster] election_timeout_min",                                \
      "this node's medium is too slow for the election timeout (milliseconds that are set, and "   \
      "that it needs)")                                                                            \
    X(DAMAGE, "damage", "the medium of [node] directory",                                          \
      "a record of this node's log has rotted, and is mended by two snapshots (the shard, and "    \
      "the "                                                                                       \
      "record)")

enum obstacle_kind {
#define X(kind, name, setting, meaning) OBSTACLE_##kind,
    OBSTACLE_LIST(X)
#undef X
        OBSTACLE_KINDS
};

#define OBSTACLES_MAX 32

struct obstacle {
    enum obstacle_kind kind;
    uint16_t node;       /* whom it concerns */
    uint64_t here;       /* this node's value */
    uint64_t there;      /* the other one */
    struct address from; /* of an address: where the packets come from */
    struct address at;   /* and where they should come from */
};

struct obstacles {
    uint32_t count;
    struct obstacle_entry {
        struct obstacle obstacle;
        bool is_lasting;
        uint64_t seen_ns;
        uint64_t told_ns; /* 0: not yet */
    } entries[OBSTACLES_MAX];
};

/* One was seen. What does not fit the table is not told. */
void obstacles_note(struct obstacles *obstacles, const struct obstacle *obstacle, uint64_t now_ns);
/* One was found at the start, and lasts until the node is started again. */
void obstacles_note_lasting(struct obstacles *obstacles, const struct obstacle *obstacle,
                            uint64_t now_ns);

/* One that is to be written to the log now: seen first, or again long after it was told. */
bool obstacles_next(struct obstacles *obstacles, uint64_t now_ns, struct obstacle *ret_obstacle);

/* How many nodes one kind concerns at present. */
uint32_t obstacles_present(const struct obstacles *obstacles, enum obstacle_kind kind,
                           uint64_t now_ns);

const char *obstacle_name(enum obstacle_kind kind);
const char *obstacle_setting(enum obstacle_kind kind);
const char *obstacle_meaning(enum obstacle_kind kind);

/* ---- two processes with one id ---- */

/* Starts that a peer was heard with. A restart is another start, once; two processes take turns. */
struct process_watch {
    struct {
        uint64_t newest;
        uint64_t before;
        uint64_t begun_ns; /* of the turns that are counted */
        uint32_t turns;    /* back to the start before */
    } peers[VOTER_ID_MAX + 1];
};

/* A message of `node` in this start, not 0. True: this start and *ret_other take turns. */
bool process_watch_note(struct process_watch *watch, uint16_t node, uint64_t start, uint64_t now_ns,
                        uint64_t *ret_other);

#endif
