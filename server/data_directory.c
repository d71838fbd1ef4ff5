/* See data_directory.h. */
#include "server/data_directory_internal.h"

#include "base/regular_file.h"
#include "pmem/lock_holder.h"
#include "server/mount_point.h"
#include "server/node_files.h"
#include "server/restore_marker.h"
#include "wire/wire_packet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void data_directory_identity_path(const struct config *config, char *ret_path, size_t path_size)
{
    snprintf(ret_path, path_size, "%s/" NODE_IDENTITY_NAME, config->directory);
}

static bool has_ending(const char *name, const char *ending)
{
    size_t length = strlen(name);
    size_t of_ending = strlen(ending);
    return length >= of_ending && strcmp(name + length - of_ending, ending) == 0;
}

/* What an init that was cut short leaves, and what a new file system has. */
static bool is_harmless(const char *name)
{
    bool is_shards = strncmp(name, NODE_SHARD_PREFIX, strlen(NODE_SHARD_PREFIX)) == 0;
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0 ||
           strcmp(name, NODE_README_NAME) == 0 || strcmp(name, NODE_RESTORING_NAME) == 0 ||
           strstr(name, ".tmp-") != NULL ||
           (is_shards && has_ending(name, "." NODE_IDENTITY_SUFFIX));
}

static char *sort_of(struct data_directory_contents *contents, const char *name)
{
    if (strncmp(name, NODE_SHARD_PREFIX, strlen(NODE_SHARD_PREFIX)) == 0)
        return contents->storage;
    if (has_ending(name, ".identity") || has_ending(name, ".relaxed.0"))
        return contents->old;
    return contents->other;
}

void data_directory_look(const char *path, struct data_directory_contents *ret_contents)
{
    struct stat status;
    *ret_contents = (struct data_directory_contents){.is_there = stat(path, &status) == 0};
    DIR *directory = ret_contents->is_there ? opendir(path) : NULL;
    if (directory == NULL)
        return;
    ret_contents->is_directory = true;
    for (uint32_t i = 0; i < DATA_DIRECTORY_ENTRIES_MAX; i++) {
        const struct dirent *entry = readdir(directory);
        if (entry == NULL)
            break;
        if (is_harmless(entry->d_name))
            continue;
        snprintf(sort_of(ret_contents, entry->d_name), NAME_MAX + 1, "%s", entry->d_name);
    }
    closedir(directory);
}

/* There is no identity: what is there instead, and what to do. */
static void describe_missing(const struct config *config, char text[DATA_DIRECTORY_TEXT_BYTES])
{
    struct data_directory_contents contents;
    char place[512];
    char found[320];
    data_directory_look(config->directory, &contents);
    mount_point_describe(config->directory, place, sizeof(place));
    if (contents.storage[0] != '\0') {
        snprintf(text, DATA_DIRECTORY_TEXT_BYTES,
                 "%.160s: the file " NODE_IDENTITY_NAME " is lost, and %.64s is there: bring the "
                 "file back. If you cannot, take the node's storage for lost: move the directory "
                 "away, make a new one with polluxd --init, start the node, and run pollux member "
                 "replace %u",
                 config->directory, contents.storage, config->id);
        return;
    }
    if (!contents.is_there)
        snprintf(found, sizeof(found), "it does not exist");
    else if (!contents.is_directory)
        snprintf(found, sizeof(found), "it is no directory, or cannot be read");
    else if (contents.old[0] != '\0')
        snprintf(found, sizeof(found),
                 "it holds %.64s, of a version of Pollux whose files this version does not read",
                 contents.old);
    else if (contents.other[0] != '\0')
        snprintf(found, sizeof(found), "it holds other files, like %.64s", contents.other);
    else
        snprintf(found, sizeof(found), "it is empty");
    snprintf(text, DATA_DIRECTORY_TEXT_BYTES,
             "%.160s: no file " NODE_IDENTITY_NAME ", so this is not a node's data directory: %s. "
             "%.460s. Is a file system not mounted? Then mount it. Is the path wrong? Then correct "
             "[node] directory. Is the node new? Then make its directory: polluxd --init",
             config->directory, found, place);
}

enum error data_directory_refuse(const char *path, const char *what, char *text)
{
    int error_number = errno;
    snprintf(text, DATA_DIRECTORY_TEXT_BYTES, "%.200s: cannot %s: %s", path, what,
             strerror(error_number));
    if (error_number == ENOSPC || error_number == EDQUOT)
        return ERR_NO_SPACE;
    bool is_denied = error_number == EACCES || error_number == EPERM || error_number == EROFS;
    return is_denied ? ERR_PERMISSION : ERR_IO;
}

/* Reads the open file. */
static enum error read_identity(int fd, const char *path, struct node_identity *ret_identity,
                                char *text)
{
    uint8_t bytes[NODE_IDENTITY_FILE_BYTES];
    ssize_t got_bytes = pread(fd, bytes, sizeof(bytes), 0);
    if (got_bytes < 0)
        return data_directory_refuse(path, "read", text);
    enum error error = node_identity_decode(bytes, (size_t)got_bytes, ret_identity);
    if (error != OK)
        snprintf(text, DATA_DIRECTORY_TEXT_BYTES,
                 "%.200s: %s: bring back a copy of this file, made for this directory. If there is "
                 "none, take the node's storage for lost: move the directory away, make a new one "
                 "with polluxd --init, and run pollux member replace",
                 path, error_text(error));
    return error;
}

/* Each difference with both values. */
static enum error compare(const struct config *config, const struct node_identity *identity,
                          char *text)
{
    const char *path = config->directory;
    size_t size = DATA_DIRECTORY_TEXT_BYTES;
    if (identity->node != config->id) {
        snprintf(text, size,
                 "%.160s: this directory is of node %u, and [node] id is %u: correct [node] "
                 "directory or [node] id. Never give one node the directory of another",
                 path, identity->node, config->id);
        return ERR_NODE;
    }
    if (strcmp(identity->cluster, config->cluster) != 0) {
        snprintf(text, size,
                 "%.160s: this directory is of the cluster %.160s, and [cluster] name is %.160s: "
                 "correct [node] directory or [cluster] name",
                 path, identity->cluster, config->cluster);
        return ERR_CLUSTER;
    }
    if (identity->shard_count != config->shard_count) {
        snprintf(text, size,
                 "%.160s: this directory was made for %u shards, and [cluster] shards is %u: the "
                 "number of shards never changes; correct it",
                 path, identity->shard_count, config->shard_count);
        return ERR_SHARD;
    }
    if (config->medium != 0 && identity->medium != config->medium) {
        snprintf(text, size,
                 "%.160s: this directory was made on the medium %s, and [node] medium is %s: is "
                 "the right file system mounted? If the directory was moved on purpose, see "
                 "\"Another medium\" in docs/operating.md",
                 path, medium_kind_name(identity->medium), medium_kind_name(config->medium));
        return ERR_ARGUMENT;
    }
    return OK;
}

/* Opens the file and reads it; the descriptor stays open. */
static enum error open_identity(const struct config *config, int flags, int *ret_fd,
                                struct node_identity *ret_identity, char *text)
{
    char path[PATH_MAX];
    const char *why;
    enum error error = restore_marker_check(config->directory, text, DATA_DIRECTORY_TEXT_BYTES);
    if (error != OK)
        return error;
    data_directory_identity_path(config, path, sizeof(path));
    int fd = regular_file_open(path, flags, &why);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        describe_missing(config, text);
        return ERR_NOT_FOUND;
    }
    if (fd < 0 && errno == EINVAL) {
        snprintf(text, DATA_DIRECTORY_TEXT_BYTES,
                 "%.200s: %s: move it away, and bring back a copy of the file that was there", path,
                 why);
        return ERR_IO;
    }
    if (fd < 0)
        return data_directory_refuse(path, "open", text);
    error = read_identity(fd, path, ret_identity, text);
    if (error != OK)
        close(fd);
    else
        *ret_fd = fd;
    return error;
}

/* The same, and compares it. */
static enum error open_own(const struct config *config, int flags, int *ret_fd,
                           struct node_identity *ret_identity, char *text)
{
    struct node_identity identity;
    int fd;
    enum error error = open_identity(config, flags, &fd, &identity, text);
    if (error != OK)
        return error;
    error = compare(config, &identity, text);
    if (error != OK) {
        close(fd);
        return error;
    }
    *ret_fd = fd;
    *ret_identity = identity;
    return OK;
}

enum error data_directory_read(const struct config *config, struct node_identity *ret_identity,
                               char ret_text[DATA_DIRECTORY_TEXT_BYTES])
{
    int fd;
    enum error error = open_own(config, O_RDONLY, &fd, ret_identity, ret_text);
    if (error == OK)
        close(fd);
    return error;
}

enum error data_directory_recall(const char *path, struct config *ret_config,
                                 char ret_text[DATA_DIRECTORY_TEXT_BYTES])
{
    struct config config = {0};
    struct node_identity identity;
    int fd;
    if (strlen(path) >= sizeof(config.directory)) {
        snprintf(ret_text, DATA_DIRECTORY_TEXT_BYTES, "%.300s: the path is too long", path);
        return ERR_NOT_FOUND;
    }
    memcpy(config.directory, path, strlen(path) + 1);
    enum error error = open_identity(&config, O_RDONLY, &fd, &identity, ret_text);
    if (error != OK)
        return error;
    close(fd);
    config.id = identity.node;
    config.shard_count = identity.shard_count;
    config.medium = identity.medium;
    snprintf(config.cluster, sizeof(config.cluster), "%s", identity.cluster);
    *ret_config = config;
    return OK;
}

static enum error lock(const struct config *config, int fd, char *text)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return OK;
    if (errno != EWOULDBLOCK)
        return data_directory_refuse(config->directory, "lock", text);
    char holder[64] = "";
    long pid = lock_holder(fd);
    if (pid > 0)
        snprintf(holder, sizeof(holder), ", process %ld,", pid);
    snprintf(text, DATA_DIRECTORY_TEXT_BYTES,
             "%.200s: another polluxd%s runs on this directory: stop that one, or correct [node] "
             "directory",
             config->directory, holder);
    return ERR_BUSY;
}

/* A start looks at a file that is there anyway. */
enum error data_directory_check_medium(const struct config *config,
                                       const struct node_identity *identity, char *text)
{
    char path[NODE_FILE_NAME_BYTES];
    char place[512];
    struct medium *medium;
    node_identity_name(config, 0, path);
    const struct medium_options options = {.path = path, .size_bytes = NODE_IDENTITY_FILE_BYTES};
    enum error error = medium_open(&options, &medium, text, DATA_DIRECTORY_TEXT_BYTES);
    if (error == ERR_NOT_FOUND)
        return OK; /* what the shards lack is told elsewhere */
    if (error != OK)
        return error;
    enum medium_kind found = medium_kind(medium);
    medium_close(medium);
    if (found == identity->medium)
        return OK;
    mount_point_describe(config->directory, place, sizeof(place));
    snprintf(text, DATA_DIRECTORY_TEXT_BYTES,
             "%.160s: this directory was made on the medium %s, and now lies on %s: %.460s. Is the "
             "right file system mounted, with its options (dax)? If the directory was moved on "
             "purpose, see \"Another medium\" in docs/operating.md",
             config->directory, medium_kind_name(identity->medium), medium_kind_name(found), place);
    return ERR_ARGUMENT;
}

struct log_identity data_directory_owner(const struct config *config, uint16_t shard)
{
    return (struct log_identity){
        .cluster_id = wire_cluster_id(config->cluster), .node = config->id, .shard = shard};
}

enum error data_directory_check_shards(const struct config *config, char *text)
{
    enum error error = OK;
    for (uint16_t shard = 0; shard < config->shard_count && error == OK; shard++) {
        char path[NODE_FILE_NAME_BYTES];
        struct identity_births births;
        const struct log_identity owner = data_directory_owner(config, shard);
        node_identity_name(config, shard, path);
        error = identity_read(path, &owner, &births, text, DATA_DIRECTORY_TEXT_BYTES);
    }
    return error;
}

enum error data_directory_lock(const struct config *config, struct data_directory *ret_directory,
                               char *text)
{
    struct data_directory directory;
    enum error error = open_own(config, O_RDWR, &directory.lock, &directory.identity, text);
    if (error != OK)
        return error;
    error = lock(config, directory.lock, text);
    if (error != OK) {
        close(directory.lock);
        return error;
    }
    *ret_directory = directory;
    return OK;
}

/* Writes a copy that is not whole again: the other one is, or the file would not be open. */
static enum error mend_identity(const struct config *config, struct data_directory *directory,
                                char *text)
{
    char path[PATH_MAX];
    uint8_t found[NODE_IDENTITY_FILE_BYTES];
    uint8_t whole[NODE_IDENTITY_FILE_BYTES];
    uint32_t version;
    data_directory_identity_path(config, path, sizeof(path));
    ssize_t got_bytes = pread(directory->lock, found, sizeof(found), 0);
    if (got_bytes < 0)
        return data_directory_refuse(path, "read", text);
    directory->is_mended = false;
    node_identity_encode(&directory->identity, whole);
    for (uint32_t i = 0; i < NODE_IDENTITY_COPIES; i++) {
        size_t begin = node_identity_copy_offset(i);
        size_t size_bytes = NODE_IDENTITY_FILE_BYTES / NODE_IDENTITY_COPIES;
        if (node_identity_check(found, (size_t)got_bytes, i, &version) == OK)
            continue;
        if (pwrite(directory->lock, whole + begin, size_bytes, (off_t)begin) !=
                (ssize_t)size_bytes ||
            fdatasync(directory->lock) != 0)
            return data_directory_refuse(path, "write", text);
        directory->is_mended = true;
    }
    return OK;
}

enum error data_directory_open(const struct config *config, struct data_directory *ret_directory,
                               char ret_text[DATA_DIRECTORY_TEXT_BYTES])
{
    struct data_directory directory;
    enum error error = data_directory_lock(config, &directory, ret_text);
    if (error != OK)
        return error;
    error = data_directory_check_medium(config, &directory.identity, ret_text);
    if (error == OK)
        error = data_directory_check_shards(config, ret_text);
    if (error == OK)
        error = mend_identity(config, &directory, ret_text);
    if (error != OK) {
        close(directory.lock);
        return error;
    }
    *ret_directory = directory;
    return OK;
}

void data_directory_close(struct data_directory *directory)
{
    close(directory->lock);
}
