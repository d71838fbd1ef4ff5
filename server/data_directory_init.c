/* Making a data directory: see data_directory.h. The identity comes last, whole. */
#include "server/data_directory_internal.h"

#include "pmem/identity.h"
#include "server/mount_point.h"
#include "server/node_files.h"
#include "server/restore_marker.h"
#include "wire/wire_packet.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum error sync_folder(const char *path, char *text)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = fd < 0 ? -1 : fsync(fd);
    enum error error = status == 0 ? OK : data_directory_refuse(path, "sync", text);
    if (fd >= 0)
        close(fd);
    return error;
}

/* Only the last folder of the path is made: the others are a mount, or a mistake. */
static enum error make_folder(const char *path, char *text)
{
    char copy[CONFIG_TEXT_MAX];
    char place[512];
    if (mkdir(path, 0750) == 0) {
        snprintf(copy, sizeof(copy), "%s", path);
        return sync_folder(dirname(copy), text);
    }
    if (errno == EEXIST)
        return OK;
    enum error error = data_directory_refuse(path, "make the directory", text);
    mount_point_describe(path, place, sizeof(place));
    size_t length = strlen(text);
    snprintf(text + length, DATA_DIRECTORY_TEXT_BYTES - length, ". %.460s", place);
    return error;
}

/* Writes a file under another name, durably, and then gives it its own. */
static enum error write_file(const char *path, const void *bytes, size_t size_bytes,
                             bool is_replaced, char *text)
{
    char temporary[NODE_FILE_NAME_BYTES + 32];
    snprintf(temporary, sizeof(temporary), "%s.tmp-%ld", path, (long)getpid());
    (void)unlink(temporary); /* of one that was cut short, whatever it is */
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    bool is_good = fd >= 0 && write(fd, bytes, size_bytes) == (ssize_t)size_bytes && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    if (is_good && is_replaced)
        is_good = rename(temporary, path) == 0;
    else if (is_good)
        is_good = link(temporary, path) == 0 || errno == EEXIST;
    enum error error = is_good ? OK : data_directory_refuse(path, "write", text);
    (void)unlink(temporary);
    return error;
}

static enum error write_readme(const struct config *config, char *text)
{
    char path[NODE_FILE_NAME_BYTES];
    char readme[2048];
    snprintf(path, sizeof(path), "%s/" NODE_README_NAME, config->directory);
    int length = snprintf(
        readme, sizeof(readme),
        "This is the data directory of node %u of the Pollux cluster \"%s\".\n"
        "\n"
        "The files are the node's memory of what it has promised to others. Do not delete, edit,\n"
        "copy back or exchange any of them, and start one polluxd on them at a time.\n"
        "\n"
        "identity            whose directory this is; polluxd does not start without it\n"
        "shard-N.identity    which storages the node has had for shard N\n"
        "shard-N.raft        the replicated log\n"
        "shard-N.journal-*   relaxed writes that may be on this node only\n"
        "shard-N.snapshot-*  the state of the shard, so that the log can be short\n"
        "\n"
        "What to do when files are lost or damaged: docs/operating.md of Pollux.\n",
        config->id, config->cluster);
    return write_file(path, readme, (size_t)length, true, text);
}

static enum error refuse_medium(const struct config *config, enum medium_kind found, char *text)
{
    char place[512];
    mount_point_describe(config->directory, place, sizeof(place));
    snprintf(text, DATA_DIRECTORY_TEXT_BYTES,
             "%.160s: lies on the medium %s, and [node] medium is %s: %.460s. Is the right file "
             "system mounted, with its options (dax)?",
             config->directory, medium_kind_name(found), medium_kind_name(config->medium), place);
    return ERR_ARGUMENT;
}

static enum error make_files(const struct config *config, char *text)
{
    enum error error = write_readme(config, text);
    for (uint16_t shard = 0; shard < config->shard_count && error == OK; shard++) {
        char path[NODE_FILE_NAME_BYTES];
        const struct log_identity owner = data_directory_owner(config, shard);
        node_identity_name(config, shard, path);
        error = identity_make(path, &owner, text, DATA_DIRECTORY_TEXT_BYTES);
    }
    return error;
}

static void fill_identity(const struct config *config, enum medium_kind medium,
                          struct node_identity *ret_identity)
{
    *ret_identity = (struct node_identity){.cluster_id = wire_cluster_id(config->cluster),
                                           .node = config->id,
                                           .shard_count = config->shard_count,
                                           .medium = medium};
    snprintf(ret_identity->cluster, sizeof(ret_identity->cluster), "%s", config->cluster);
}

static enum error write_identity(const struct config *config, const struct node_identity *identity,
                                 bool is_replaced, char *text)
{
    char path[NODE_FILE_NAME_BYTES];
    uint8_t file[NODE_IDENTITY_FILE_BYTES];
    node_identity_encode(identity, file);
    data_directory_identity_path(config, path, sizeof(path));
    enum error error = write_file(path, file, sizeof(file), is_replaced, text);
    return error == OK ? sync_folder(config->directory, text) : error;
}

static void describe(const char *what, const struct config *config,
                     const struct node_identity *identity, char *text)
{
    snprintf(text, DATA_DIRECTORY_TEXT_BYTES,
             "%.200s: %s: node %u of cluster %.160s, shards %u, medium %s", config->directory, what,
             identity->node, identity->cluster, identity->shard_count,
             medium_kind_name(identity->medium));
}

/* The folder, on the right medium. */
static enum error make_place(const struct config *config, enum medium_kind *ret_medium, char *text)
{
    struct data_directory_probe probe;
    enum error error = make_folder(config->directory, text);
    if (error == OK)
        error = data_directory_probe(config, &probe, text);
    if (error == OK && config->medium != 0 && config->medium != probe.medium)
        error = refuse_medium(config, probe.medium, text);
    if (error == OK)
        *ret_medium = probe.medium;
    return error;
}

static enum error make(const struct config *config, enum medium_kind medium,
                       const struct data_directory_filler *filler, char *text)
{
    struct node_identity identity;
    enum error error = make_files(config, text);
    if (error == OK && filler != NULL)
        error = filler->fill(filler->context, text);
    if (error != OK)
        return error;
    fill_identity(config, medium, &identity);
    error = write_identity(config, &identity, false, text);
    if (error == OK)
        describe("made", config, &identity, text);
    return error;
}

/* The identity is there: is the rest? */
static enum error check_whole(const struct config *config, const struct node_identity *identity,
                              char *text)
{
    enum error error = data_directory_check_medium(config, identity, text);
    if (error == OK)
        error = data_directory_check_shards(config, text);
    if (error == OK)
        describe("is there already, and whole", config, identity, text);
    return error;
}

/* Somebody else's files are there, or those of a directory without its identity. */
static bool is_taken(const struct config *config)
{
    struct data_directory_contents contents;
    data_directory_look(config->directory, &contents);
    return contents.storage[0] != '\0' || contents.old[0] != '\0' || contents.other[0] != '\0' ||
           (contents.is_there && !contents.is_directory);
}

enum error data_directory_init(const struct config *config, bool *ret_is_made,
                               char ret_text[DATA_DIRECTORY_TEXT_BYTES])
{
    struct node_identity identity;
    *ret_is_made = false;
    enum error error = data_directory_read(config, &identity, ret_text);
    if (error == OK)
        return check_whole(config, &identity, ret_text);
    if (error != ERR_NOT_FOUND)
        return error;
    if (is_taken(config))
        return ERR_EXISTS; /* what is there was told */
    enum medium_kind medium;
    error = make_place(config, &medium, ret_text);
    if (error == OK)
        error = make(config, medium, NULL, ret_text);
    *ret_is_made = error == OK;
    return error;
}

/* Whether there is nothing where the directory is to be. */
static enum error check_free(const struct config *config, char *text)
{
    struct node_identity identity;
    enum error error = data_directory_read(config, &identity, text);
    if (error == OK) {
        describe("is there already", config, &identity, text);
        return ERR_EXISTS;
    }
    if (error != ERR_NOT_FOUND)
        return error;
    return is_taken(config) ? ERR_EXISTS : OK; /* what is there was told */
}

/* Whether a restore that was cut short can have made the file. */
static bool is_of_restore(const char *name)
{
    return strncmp(name, NODE_SHARD_PREFIX, strlen(NODE_SHARD_PREFIX)) == 0 ||
           strcmp(name, NODE_IDENTITY_NAME) == 0 || strcmp(name, NODE_README_NAME) == 0 ||
           strstr(name, ".tmp-") != NULL;
}

/* Removes what a restore that was cut short has made; nothing else may be there. */
static enum error clear_folder(const struct config *config, char *text)
{
    DIR *directory = opendir(config->directory);
    enum error error = OK;
    if (directory == NULL)
        return data_directory_refuse(config->directory, "read", text);
    for (uint32_t i = 0; i < DATA_DIRECTORY_ENTRIES_MAX && error == OK; i++) {
        const struct dirent *entry = readdir(directory);
        if (entry == NULL)
            break;
        if (is_of_restore(entry->d_name) && unlinkat(dirfd(directory), entry->d_name, 0) != 0)
            error = data_directory_refuse(config->directory, "remove what is there", text);
    }
    closedir(directory);
    return error;
}

/* Files of somebody else in a directory where a restore was cut short. */
static enum error check_no_others(const struct config *config, char *text)
{
    struct data_directory_contents contents;
    data_directory_look(config->directory, &contents);
    const char *other = contents.old[0] != '\0' ? contents.old : contents.other;
    if (other[0] == '\0' || is_of_restore(other))
        return OK;
    snprintf(text, DATA_DIRECTORY_TEXT_BYTES,
             "%.160s: a restore was cut short here, and %.200s is there, too, which it has not "
             "made: move that away, and run pollux restore again",
             config->directory, other);
    return ERR_EXISTS;
}

/* Whether the directory is to be made: it is not there, or a restore was cut short there. */
static enum error check_place(const struct config *config, char *text)
{
    enum error error = restore_marker_check(config->directory, text, DATA_DIRECTORY_TEXT_BYTES);
    if (error == OK)
        return check_free(config, text);
    return error == ERR_SHORT ? OK : error;
}

/* The marker is there. ERR_EXISTS: nothing was changed. */
static enum error clear_place(const struct config *config, const struct restore_marker *marker,
                              char *text)
{
    if (marker->is_found) {
        enum error error = check_no_others(config, text);
        return error == OK ? clear_folder(config, text) : error;
    }
    if (!is_taken(config))
        return OK;
    snprintf(text, DATA_DIRECTORY_TEXT_BYTES,
             "%.200s: another pollux restore has filled this directory meanwhile",
             config->directory);
    return ERR_EXISTS;
}

enum error data_directory_make(const struct config *config,
                               const struct data_directory_filler *filler,
                               char ret_text[DATA_DIRECTORY_TEXT_BYTES])
{
    struct restore_marker marker;
    enum medium_kind medium;
    const size_t text_size = DATA_DIRECTORY_TEXT_BYTES;
    enum error error = check_place(config, ret_text);
    if (error == OK)
        error = make_place(config, &medium, ret_text);
    if (error == OK)
        error =
            restore_marker_begin(config->directory, filler->backup, &marker, ret_text, text_size);
    if (error != OK)
        return error;
    error = clear_place(config, &marker, ret_text);
    bool is_untouched = error == ERR_EXISTS && !marker.is_found;
    if (error == OK)
        error = make(config, medium, filler, ret_text);
    if (error != OK && !is_untouched) {
        restore_marker_leave(&marker);
        return error;
    }
    enum error of_end = restore_marker_end(config->directory, &marker, ret_text, text_size);
    return error == OK ? of_end : error;
}

enum error data_directory_move(const struct config *config,
                               char ret_text[DATA_DIRECTORY_TEXT_BYTES])
{
    struct config before = *config;
    struct data_directory directory;
    struct data_directory_probe probe;
    before.medium = 0;
    if (config->medium == 0) {
        snprintf(ret_text, DATA_DIRECTORY_TEXT_BYTES,
                 "%.200s: say in [node] medium what the directory was moved to", config->directory);
        return ERR_ARGUMENT;
    }
    enum error error = data_directory_lock(&before, &directory, ret_text);
    if (error != OK)
        return error;
    error = data_directory_probe(config, &probe, ret_text);
    if (error == OK && probe.medium != config->medium)
        error = refuse_medium(config, probe.medium, ret_text);
    directory.identity.medium = config->medium;
    if (error == OK)
        error = write_identity(config, &directory.identity, true, ret_text);
    if (error == OK)
        error = check_whole(config, &directory.identity, ret_text);
    data_directory_close(&directory);
    return error;
}
