/*
 * Damage of a replica's files that is met while the node runs: which file, and where. The rules are
 * in replica_damage.c, the names of the files in server/node_files.h.
 */
#ifndef POLLUX_SERVER_REPLICA_DAMAGE_H
#define POLLUX_SERVER_REPLICA_DAMAGE_H

#include <stdbool.h>
#include <stdint.h>

enum replica_file {
    REPLICA_FILE_NONE,
    REPLICA_FILE_LOG,
    REPLICA_FILE_JOURNAL, /* bank `number` */
    REPLICA_FILE_SNAPSHOT /* file `number` */
};

struct replica_damage {
    enum replica_file file;
    uint32_t number;
    bool is_unreadable;    /* the device cannot read the page at `offset` */
    bool is_written_again; /* and was mended by that */
    bool is_rotten;        /* the record or block `index`, at `offset`, is not what was written */
    uint64_t index;
    uint64_t offset;
};

#endif
