/*
 * The names of a node's files, all derived from `[node] log`. With one shard the log is that file;
 * with several, shard s has the file LOG.s. The relaxed journal of a log lies beside the log, in
 * two banks, and so do the two snapshots and the identity: pmem/journal.h and pmem/snapshots.h put
 * .0 and .1 behind the names here.
 */
#ifndef POLLUX_SERVER_NODE_FILES_H
#define POLLUX_SERVER_NODE_FILES_H

#include "server/config.h"

#define NODE_JOURNAL_SUFFIX  ".relaxed"
#define NODE_SNAPSHOT_SUFFIX ".snapshot"
#define NODE_IDENTITY_SUFFIX ".identity"
#define NODE_FILE_NAME_BYTES (CONFIG_TEXT_MAX + 24) /* ".63", ".snapshot", ".0" and the end */

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

#endif
