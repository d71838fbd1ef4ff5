/*
 * The snapshots of one shard on one node: taken when the log has grown by a part of its size, so
 * that the log's begin can be dropped; copied from the leader when this node needs records that the
 * leader has dropped; loaded at the start.
 *
 * Taking. The engine writes the stream in slices of a turn; the files' own thread makes it good
 * (pmem/snapshots.h). Then the log keeps what follows the older of the two snapshots, so either one
 * and the log together are the whole state.
 *
 * Copying. Raft finds a peer behind the log's begin; the leader offers it its newest snapshot
 * (wire/wire_snapshot.h). The peer asks for a few blocks at a time, and again for those that do not
 * come. When the copy is good, raft takes it in place of the log, and the engine loads it, a block
 * a turn.
 *
 * Owner: the lane's thread. Only for the replica_*.c files.
 */
#ifndef POLLUX_SERVER_REPLICA_SNAPSHOT_H
#define POLLUX_SERVER_REPLICA_SNAPSHOT_H

#include "base/address.h"
#include "server/backup_allowance.h"
#include "server/fetch_pace.h"
#include "pmem/snapshots.h"
#include "raft/configuration.h"

struct replica;

enum replica_snapshot_phase {
    REPLICA_SNAPSHOT_NONE,
    REPLICA_SNAPSHOT_TAKING,   /* the engine writes */
    REPLICA_SNAPSHOT_SAVING,   /* all is written; the files make it good */
    REPLICA_SNAPSHOT_FETCHING, /* blocks come from the leader */
    REPLICA_SNAPSHOT_COPIED,   /* all are here; the files make it good */
    REPLICA_SNAPSHOT_GOOD,     /* a good copy waits until the log can begin behind it */
    REPLICA_SNAPSHOT_CLEARING, /* the engine gives up its old state */
    REPLICA_SNAPSHOT_LOADING,  /* and reads the new one */
    REPLICA_SNAPSHOT_ENDING,
};

struct replica_snapshot {
    struct snapshots *files; /* NULL: this replica keeps none */
    enum replica_snapshot_phase phase;
    bool is_polled;              /* the files are not idle */
    bool is_gap;                 /* one has rotted, and no other has taken its place yet */
    uint64_t begun_count;        /* since the start: two of one index are two snapshots */
    uint64_t appended_bytes;     /* to the log since the last one was begun */
    uint64_t served_ns;          /* when a block of one was last asked for; 0: never */
    uint64_t failed_ns;          /* when the last one was given up; 0: none was */
    struct snapshot_info wanted; /* being fetched, or loaded */
    uint16_t from;               /* node id */
    struct fetch_pace pace;
    uint64_t block_ns;   /* when the last block came */
    uint64_t offered_ns; /* when one that this node needs was offered last; 0: never */
    uint32_t next_block; /* to be loaded */
    uint8_t *block;      /* SNAPSHOT_BLOCK_BYTES */
};

/* replica_backup.c: what clients have asked for. */
struct replica_backup {
    uint64_t wanted_index; /* a snapshot of this record or a later one is to be taken; 0: none */
    struct backup_allowance allowance;
    uint64_t next_part_ns; /* at the configured rate */
    /* The block that was read last; none: raw is empty. */
    uint64_t id;
    uint32_t number;
    struct span raw;
    uint8_t *block; /* SNAPSHOT_BLOCK_BYTES */
};

size_t replica_snapshot_arena_bytes(const struct replica *sized);
/* Opens the files and finds the snapshot to begin with: *ret_info, index 0: none. */
MUST_USE enum error replica_snapshot_open(struct replica *replica, struct snapshot_info *ret_info,
                                          char *ret_reason, size_t reason_size);
/* The configuration in it: *ret_configuration stays as it is if there is none. */
void replica_snapshot_configuration(struct replica *replica, const struct snapshot_info *info,
                                    struct raft_configuration *ret_configuration,
                                    uint64_t *ret_index);
/* Loads it into the engine, which is new. */
MUST_USE enum error replica_snapshot_restore(struct replica *replica,
                                             const struct snapshot_info *info, char *ret_reason,
                                             size_t reason_size);
void replica_snapshot_close(struct replica *replica);

/* The log has grown. */
void replica_snapshot_note_append(struct replica *replica, size_t size_bytes);
/* One turn's part. ERR_SYNC: a sync failed. ERR_CHECKSUM: a good snapshot cannot be read. */
MUST_USE enum error replica_snapshot_turn(struct replica *replica);
/* True while the engine has no state to apply records to. */
bool replica_snapshot_is_loading(const struct replica *replica);
/* Raft has little room for the terms of more leaders (raft_terms_room): snapshots make some. */
bool replica_snapshot_is_short_of_terms(const struct replica *replica);
bool replica_snapshot_is_quiet(const struct replica *replica);
uint64_t replica_snapshot_deadline_ns(const struct replica *replica);

/* Offers the newest one to a peer that needs what the log no longer has. */
void replica_snapshot_offer(struct replica *replica, uint16_t peer);
/* The snapshot with this id, if it is still here. */
bool replica_snapshot_find(const struct replica *replica, uint64_t id,
                           struct snapshot_info *ret_info);
/* A message of that kind from a peer. */
void replica_snapshot_receive(struct replica *replica, uint16_t sender, struct span body);
/* A leader has lately offered a snapshot that this node needs: none of its own is begun. */
bool replica_snapshot_is_offered(const struct replica *replica);

#endif
