/*
 * The files of a replica and their sizes: what the configuration wants, and what is there. A file
 * that is there keeps its size, whatever the configuration says.
 *
 * Main thread, at start.
 */
#ifndef POLLUX_SERVER_FILE_SIZES_H
#define POLLUX_SERVER_FILE_SIZES_H

#include "server/node_files.h"
#include "server/replica.h"

/* A log, two banks of a journal, two snapshots. */
#define FILES_OF_REPLICA 5u

struct file_size {
    char path[NODE_NUMBERED_NAME_BYTES];
    bool is_snapshot; /* the recovery tells of one that is too small */
    const char *setting;
    const char *way_out; /* how the file gets the wanted size */
    uint64_t wanted_bytes;
    uint64_t found_bytes; /* 0: there is none */
};

/* Returns how many files the replica has: without relaxed writes it has no journal. */
uint32_t file_sizes(const struct replica_options *replica,
                    struct file_size ret_sizes[FILES_OF_REPLICA]);

/* Whether the file overrules the setting. A snapshot that is larger than needed does not: it takes
 * all that there can be. */
bool file_size_is_overruling(const struct file_size *size);

#endif
