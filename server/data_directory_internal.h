/* What a data directory holds, for the data_directory*.c files only. */
#ifndef POLLUX_SERVER_DATA_DIRECTORY_INTERNAL_H
#define POLLUX_SERVER_DATA_DIRECTORY_INTERNAL_H

#include "pmem/identity.h"
#include "server/data_directory.h"

#include <dirent.h>

/* Files of a directory that are looked at. */
#define DATA_DIRECTORY_ENTRIES_MAX 65536

/* The first name of each sort; empty: there is none. */
struct data_directory_contents {
    bool is_there;
    bool is_directory;
    char storage[NAME_MAX + 1]; /* of a shard: log, journal, snapshot */
    char old[NAME_MAX + 1];     /* of a version whose files had no directory of their own */
    char other[NAME_MAX + 1];   /* neither, nor what an init that was cut short leaves */
};

/* Looks at what is there. */
void data_directory_look(const char *path, struct data_directory_contents *ret_contents);

/* Says what errno says of a file. */
enum error data_directory_refuse(const char *path, const char *what, char *text);

/* Locks the directory, on whatever medium it lies. As data_directory_open. */
MUST_USE enum error data_directory_lock(const struct config *config,
                                        struct data_directory *ret_directory, char *text);

/* Whether the directory lies on the medium that it was made on. */
MUST_USE enum error data_directory_check_medium(const struct config *config,
                                                const struct node_identity *identity, char *text);

/* Whether each shard has the identity of its storage. */
MUST_USE enum error data_directory_check_shards(const struct config *config, char *text);

/* The file `identity`. */
void data_directory_identity_path(const struct config *config, char *ret_path, size_t path_size);

#endif
