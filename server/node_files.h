/*
 * The names of the files in a node's data directory, `[node] directory`:
 *
 *   identity                       whose the directory is: pmem/node_identity.h
 *   shard-3.identity               the births of the storage of shard 3: pmem/identity.h
 *   shard-3.raft                   its log
 *   shard-3.journal-0 and -1       its relaxed journal: pmem/journal.h puts the number behind
 *   shard-3.snapshot-0 and -1      its snapshots: pmem/snapshots.h puts the number behind
 *   README                         for whoever finds the directory
 *   restoring                      as long as pollux restore has not ended: restore_marker.h
 */
#ifndef POLLUX_SERVER_NODE_FILES_H
#define POLLUX_SERVER_NODE_FILES_H

#include "server/config.h"

#define NODE_SHARD_PREFIX        "shard-"
#define NODE_LOG_SUFFIX          "raft"
#define NODE_JOURNAL_SUFFIX      "journal"
#define NODE_SNAPSHOT_SUFFIX     "snapshot"
#define NODE_IDENTITY_SUFFIX     "identity"
#define NODE_IDENTITY_NAME       "identity"
#define NODE_README_NAME         "README"
#define NODE_RESTORING_NAME      "restoring"
#define NODE_NUMBERED_NAME_BYTES (NODE_FILE_NAME_BYTES + 16)
#define NODE_FILE_NAME_BYTES     (CONFIG_TEXT_MAX + 32) /* "/shard-63.snapshot-0" and the end */

/* The file of the log of a shard (from 0). Any thread. */
void node_log_name(const struct config *config, uint16_t shard,
                   char ret_name[NODE_FILE_NAME_BYTES]);

/* The name that the banks of the journal of a shard begin with. Any thread. */
void node_journal_name(const struct config *config, uint16_t shard,
                       char ret_name[NODE_FILE_NAME_BYTES]);

/* The file of the identity of a shard's storage. Any thread. */
void node_identity_name(const struct config *config, uint16_t shard,
                        char ret_name[NODE_FILE_NAME_BYTES]);

/* The name that the two snapshots of a shard begin with. Any thread. */
void node_snapshot_name(const struct config *config, uint16_t shard,
                        char ret_name[NODE_FILE_NAME_BYTES]);

/* A bank of the journal, or a snapshot: the name that it begins with, and its number. Any
 * thread. */
void node_numbered_name(const char *name, uint32_t number, char ret_name[NODE_NUMBERED_NAME_BYTES]);

#endif
