/*
 * What the files of one shard in one data directory have. Reads only: the node may run.
 *
 * Owner: the main thread. Asks the system for memory.
 */
#ifndef POLLUX_TOOLS_RESCUE_LOOK_H
#define POLLUX_TOOLS_RESCUE_LOOK_H

#include "pmem/journal.h"
#include "pmem/snapshots.h"
#include "server/data_directory.h"
#include "server/node_files.h"
#include "tools/rescue/plan.h"

#define RESCUE_TEXT_BYTES DATA_DIRECTORY_TEXT_BYTES

struct rescue_files {
    char log[NODE_FILE_NAME_BYTES];
    char identity[NODE_FILE_NAME_BYTES];
    char snapshots[SNAPSHOT_FILES][NODE_NUMBERED_NAME_BYTES];
    char journals[JOURNAL_BANKS][NODE_NUMBERED_NAME_BYTES];
};

struct rescue_find {
    struct rescue_storage storage;
    struct snapshot_label snapshot; /* the newest whole one; index 0: none */
    uint64_t pending;               /* relaxed writes that its journal has and the log may lack */
    char note[RESCUE_TEXT_BYTES];   /* what is wrong; empty: nothing */
};

/* A file that is not there, or cannot be read, holds nothing. */
void rescue_look(const struct rescue_files *files, const struct log_identity *owner,
                 struct rescue_find *ret_find);

#endif
