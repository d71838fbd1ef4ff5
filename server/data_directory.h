/*
 * The data directory of a node: made once, on an operator's word; opened and locked at each start.
 * A start makes no directory. So a mount that is missing, or a wrong path, never gives a node a new
 * storage in passing.
 *
 * The directory is whole once it has the file `identity`, which comes last: pmem/node_identity.h.
 * Names of the files: server/node_files.h.
 *
 * Owner: the main thread.
 */
#ifndef POLLUX_SERVER_DATA_DIRECTORY_H
#define POLLUX_SERVER_DATA_DIRECTORY_H

#include "pmem/log.h"
#include "pmem/node_identity.h"
#include "server/config.h"

/* A message about a directory, with its end. */
#define DATA_DIRECTORY_TEXT_BYTES 1536

/* What lies under a directory. */
struct data_directory_probe {
    enum medium_kind medium;
    bool is_volatile; /* a file system in memory */
    uint64_t sync_ns; /* until a small write is durable: the shortest of a few */
};

struct data_directory {
    int lock; /* of the identity, as long as it is open */
    struct node_identity identity;
    bool is_mended; /* a copy of the identity was damaged, and is written again */
};

/*
 * Makes the directory that the configuration names, with an identity and without storage; durable
 * on return. If it is there already, whole, and fits the configuration, nothing is done, and
 * ret_is_made is false. `ret_text` says what was made or found, or why it is refused.
 * ERR_EXISTS: other files are there, and nothing is changed; others as data_directory_read, ERR_IO,
 * ERR_NO_SPACE, ERR_PERMISSION, ERR_SYNC.
 */
MUST_USE enum error data_directory_init(const struct config *config, bool *ret_is_made,
                                        char ret_text[DATA_DIRECTORY_TEXT_BYTES]);

/* Fills a directory that is being made: called when it has the identities of the shards' storages,
 * and not its own yet. `text` says why it failed. */
struct data_directory_filler {
    const char *backup; /* what it is filled from, for a person */
    enum error (*fill)(void *context, char *text);
    void *context;
};

/* As data_directory_init, of a directory that is not there yet (else ERR_EXISTS): it counts as made
 * only when the filler is done. Until then the file `restoring` is there (restore_marker.h), also
 * where this fails or is killed; the next call begins anew in that directory. ERR_BUSY: another
 * process fills it. */
MUST_USE enum error data_directory_make(const struct config *config,
                                        const struct data_directory_filler *filler,
                                        char ret_text[DATA_DIRECTORY_TEXT_BYTES]);

/*
 * Reads the identity, and compares it with the configuration. ERR_NOT_FOUND: there is none;
 * ERR_NODE, ERR_CLUSTER, ERR_SHARD, ERR_ARGUMENT (medium): the two differ; those of
 * node_identity_decode and of restore_marker_check; ERR_PERMISSION, ERR_IO. `ret_text` then
 * explains.
 */
MUST_USE enum error data_directory_read(const struct config *config,
                                        struct node_identity *ret_identity,
                                        char ret_text[DATA_DIRECTORY_TEXT_BYTES]);

/*
 * What the directory itself says: fills directory, id, cluster, shard_count and medium, and leaves
 * the rest zero. For tools that have directories and no configuration. Errors as
 * data_directory_read; ERR_NOT_FOUND also when the path is too long.
 */
MUST_USE enum error data_directory_recall(const char *path, struct config *ret_config,
                                          char ret_text[DATA_DIRECTORY_TEXT_BYTES]);

/* Asks the medium, with a file of its own that is gone on return. As medium_open, and ERR_SYNC. */
MUST_USE enum error data_directory_probe(const struct config *config,
                                         struct data_directory_probe *ret_probe,
                                         char ret_text[DATA_DIRECTORY_TEXT_BYTES]);

/*
 * Locks the directory for this process, and sees that it is this node's, on the medium that it was
 * made on, with an identity for the storage of each shard. As data_directory_read, and ERR_BUSY:
 * another process has it; ERR_ARGUMENT: the medium is another one; those of identity_read.
 */
MUST_USE enum error data_directory_open(const struct config *config,
                                        struct data_directory *ret_directory,
                                        char ret_text[DATA_DIRECTORY_TEXT_BYTES]);

/*
 * Notes that the directory was moved to another medium, which [node] medium must name and the files
 * must lie on. For an operator's command. As data_directory_open.
 */
MUST_USE enum error data_directory_move(const struct config *config,
                                        char ret_text[DATA_DIRECTORY_TEXT_BYTES]);

/* Whose the storage of a shard is. */
struct log_identity data_directory_owner(const struct config *config, uint16_t shard);

void data_directory_close(struct data_directory *directory);

#endif
