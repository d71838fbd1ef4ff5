/* Which files there are, and what each is. See dump.h. */
#include "tools/dump/dump.h"

#include "base/le.h"
#include "server/node_files.h"
#include "server/restore_marker.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#define ENTRIES_MAX 65536

/* The first bytes of the files. */
#define MAGIC_LOG      UINT64_C(0x474f4c58554c4c50) /* "PLLUXLOG" */
#define MAGIC_SNAPSHOT UINT64_C(0x504e5358554c4c50) /* "PLLUXSNP" */
#define MAGIC_NODE     UINT64_C(0x52494458554c4c50) /* "PLLUXDIR" */
#define MAGIC_STORAGE  UINT64_C(0x4f485758554c4c50) /* "PLLUXWHO" */

/* What a directory holds, by the names of the files. */
struct contents {
    bool has_identity;
    bool has_any;
    bool shards[SHARDS_MAX];
};

/* Shard and suffix of "shard-3.raft". False: not such a name. */
static bool read_name(const char *name, uint32_t *ret_shard, const char **ret_suffix)
{
    unsigned int shard;
    int length = 0;
    if (sscanf(name, NODE_SHARD_PREFIX "%3u.%n", &shard, &length) != 1 || length == 0 ||
        shard >= SHARDS_MAX)
        return false;
    *ret_shard = shard;
    *ret_suffix = name + length;
    return true;
}

/* A file that a start has put aside, under a name with more behind the suffix. */
static bool is_aside(const char *suffix)
{
    return strstr(suffix, ".of.") != NULL || strstr(suffix, ".set-back.") != NULL ||
           strstr(suffix, ".era-over.") != NULL;
}

static void take_entry(struct contents *contents, const char *name)
{
    uint32_t shard;
    const char *suffix;
    if (strcmp(name, NODE_IDENTITY_NAME) == 0)
        contents->has_identity = true;
    else if (strcmp(name, NODE_RESTORING_NAME) == 0)
        contents->has_any = true;
    else if (!read_name(name, &shard, &suffix) || is_aside(suffix))
        return;
    else
        contents->shards[shard] = true;
    contents->has_any = true;
}

static bool look(const char *path, struct contents *ret_contents)
{
    *ret_contents = (struct contents){0};
    DIR *directory = opendir(path);
    if (directory == NULL)
        return false;
    for (uint32_t i = 0; i < ENTRIES_MAX; i++) {
        const struct dirent *entry = readdir(directory);
        if (entry == NULL)
            break;
        take_entry(ret_contents, entry->d_name);
    }
    closedir(directory);
    return true;
}

/* Files that a start has put aside are named, and shown when they are asked for by name. */
static void show_aside(struct dump *dump, const char *path)
{
    DIR *directory = opendir(path);
    output_list(&dump->output, "put_aside");
    for (uint32_t i = 0; directory != NULL && i < ENTRIES_MAX; i++) {
        uint32_t shard;
        const char *suffix;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL)
            break;
        if (!read_name(entry->d_name, &shard, &suffix) || !is_aside(suffix))
            continue;
        output_row(&dump->output, "file");
        output_text(&dump->output, "name", entry->d_name);
        output_end(&dump->output);
    }
    output_end(&dump->output);
    if (directory != NULL)
        closedir(directory);
}

static void name_file(char *path, const char *directory, uint32_t shard, const char *suffix)
{
    snprintf(path, DUMP_PATH_BYTES, "%.4096s/" NODE_SHARD_PREFIX "%u.%s", directory, shard, suffix);
}

/* What the identity of a storage says. False: it says nothing. */
static bool read_storage(const char *directory, uint32_t shard,
                         struct identity_contents *ret_contents)
{
    uint8_t page[NODE_IDENTITY_FILE_BYTES] = {0};
    char path[DUMP_PATH_BYTES];
    char note[VIEW_NOTE_BYTES];
    struct file_reader reader;
    name_file(path, directory, shard, NODE_IDENTITY_SUFFIX);
    if (file_reader_open(path, &reader, note, sizeof(note)) != OK)
        return false;
    ssize_t got_bytes = file_reader_fill(&reader, page, sizeof(page), 0);
    file_reader_close(&reader);
    return got_bytes >= 0 && identity_decode(page, (size_t)got_bytes, ret_contents) == OK;
}

static void show_shard(struct dump *dump, const char *directory, uint32_t number,
                       const struct log_identity *owner)
{
    struct dump_shard shard = {.owner = owner};
    struct identity_contents storage;
    char path[DUMP_PATH_BYTES];
    char banks[JOURNAL_BANKS][DUMP_PATH_BYTES];
    dump->output.shard = number;
    shard.is_unmade = read_storage(directory, number, &storage) && storage.count == 0;
    output_object(&dump->output, "shard");
    output_number(&dump->output, "number", number);
    if (dump_has(dump, DUMP_IDENTITY)) {
        name_file(path, directory, number, NODE_IDENTITY_SUFFIX);
        dump_storage_identity(dump, path, owner);
    }
    dump_mute_unless(dump, DUMP_SNAPSHOT | DUMP_CONFIGURATION);
    output_list(&dump->output, "snapshots");
    for (uint32_t i = 0; i < SNAPSHOT_FILES; i++) {
        name_file(path, directory, number,
                  i == 0 ? NODE_SNAPSHOT_SUFFIX "-0" : NODE_SNAPSHOT_SUFFIX "-1");
        dump_snapshot(dump, path, &shard);
    }
    output_end(&dump->output);
    dump_unmute_unless(dump, DUMP_SNAPSHOT | DUMP_CONFIGURATION);
    name_file(path, directory, number, NODE_LOG_SUFFIX);
    dump_log(dump, path, &shard);
    name_file(banks[0], directory, number, NODE_JOURNAL_SUFFIX "-0");
    name_file(banks[1], directory, number, NODE_JOURNAL_SUFFIX "-1");
    dump_journal(dump, (const char *const[JOURNAL_BANKS]){banks[0], banks[1]}, &shard);
    output_end(&dump->output);
    dump->output.shard = OUTPUT_NO_SHARD;
}

/* Without the identity of the node those of its storages say whose the files are. */
static bool find_owner(const char *directory, const struct contents *contents,
                       struct node_identity *ret_identity)
{
    for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
        struct identity_contents storage;
        if (!contents->shards[shard] || !read_storage(directory, shard, &storage) ||
            storage.owner.node == 0)
            continue;
        *ret_identity = (struct node_identity){.cluster_id = storage.owner.cluster_id,
                                               .node = storage.owner.node};
        return true;
    }
    return false;
}

/* Shards that the identity names, or whose files are there. */
static void show_shards(struct dump *dump, const char *path, const struct contents *contents,
                        const struct node_identity *identity)
{
    for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
        struct log_identity owner = {.shard = (uint16_t)shard};
        bool is_there = contents->shards[shard];
        if (identity != NULL) {
            owner.cluster_id = identity->cluster_id;
            owner.node = identity->node;
            is_there |= shard < identity->shard_count;
        }
        if (is_there && dump_options_has_shard(dump->options, shard))
            show_shard(dump, path, shard, identity != NULL ? &owner : NULL);
    }
}

/* A restore has not ended: what is there is shown, and is not a node's. */
static void show_restoring(struct dump *dump, const char *path)
{
    char text[1024];
    if (restore_marker_check(path, text, sizeof(text)) == OK)
        return;
    output_text(&dump->output, "restoring", text);
    fprintf(stderr, "pollux-dump: %s\n", text);
    dump->refused++;
}

static bool show_directory(struct dump *dump, const char *path, char *ret_reason,
                           size_t reason_size)
{
    struct contents contents;
    struct node_identity identity;
    char identity_path[DUMP_PATH_BYTES];
    if (!look(path, &contents) || !contents.has_any) {
        snprintf(ret_reason, reason_size, "%.200s: %s", path,
                 contents.has_any ? strerror(errno)
                                  : "no file of a node is here; name its data directory");
        return false;
    }
    snprintf(identity_path, sizeof(identity_path), "%.4096s/" NODE_IDENTITY_NAME, path);
    output_text(&dump->output, "directory", path);
    show_restoring(dump, path);
    dump_mute_unless(dump, DUMP_IDENTITY);
    bool has_identity = dump_node_identity(dump, identity_path, &identity) ||
                        find_owner(path, &contents, &identity);
    show_aside(dump, path);
    dump_unmute_unless(dump, DUMP_IDENTITY);
    output_list(&dump->output, "shards");
    show_shards(dump, path, &contents, has_identity ? &identity : NULL);
    output_end(&dump->output);
    return true;
}

/* The magic of either copy; 0: neither. */
static uint64_t magic_of(const char *path, char *ret_reason, size_t reason_size)
{
    static const uint64_t known[] = {MAGIC_LOG, MAGIC_SNAPSHOT, MAGIC_NODE, MAGIC_STORAGE};
    uint8_t page[NODE_IDENTITY_FILE_BYTES] = {0};
    struct file_reader reader;
    if (file_reader_open(path, &reader, ret_reason, reason_size) != OK)
        return 0;
    ssize_t got_bytes = file_reader_fill(&reader, page, sizeof(page), 0);
    file_reader_close(&reader);
    for (uint32_t copy = 0; got_bytes > 0 && copy < 2; copy++) {
        uint64_t magic = le64_load(page + (size_t)copy * node_identity_copy_offset(1));
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            if (magic == known[i])
                return magic;
        }
    }
    snprintf(ret_reason, reason_size,
             got_bytes < 0 ? "%.200s: offset 0: the medium cannot read the file"
                           : "%.200s: offset 0: not a file of Pollux, or both copies of its header "
                             "are damaged; name the data directory instead",
             path);
    return 0;
}

/* A bank of a journal is a log of one segment. */
static bool is_bank(const char *path)
{
    char note[VIEW_NOTE_BYTES];
    struct file_reader reader;
    struct log_view *view;
    bool is_found = false;
    if (file_reader_open(path, &reader, note, sizeof(note)) != OK)
        return false;
    const struct log_view_options options = {.path = path, .reader = &reader};
    if (log_view_open(&options, &view, note) == OK) {
        is_found = log_view_state(view)->segment_bytes == 0;
        log_view_close(view);
    }
    file_reader_close(&reader);
    return is_found;
}

static bool show_file(struct dump *dump, const char *path, char *ret_reason, size_t reason_size)
{
    struct dump_shard shard = {.owner = NULL};
    struct node_identity identity;
    uint64_t magic = magic_of(path, ret_reason, reason_size);
    if (magic == MAGIC_LOG && is_bank(path))
        dump_journal(dump, (const char *const[JOURNAL_BANKS]){path, NULL}, &shard);
    else if (magic == MAGIC_LOG)
        dump_log(dump, path, &shard);
    else if (magic == MAGIC_SNAPSHOT)
        dump_snapshot(dump, path, &shard);
    else if (magic == MAGIC_STORAGE)
        dump_storage_identity(dump, path, NULL);
    else if (magic == MAGIC_NODE)
        (void)dump_node_identity(dump, path, &identity);
    return magic != 0;
}

bool dump_path(struct dump *dump, const char *path, char *ret_reason, size_t reason_size)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        snprintf(ret_reason, reason_size, "%.200s: %s", path, strerror(errno));
        return false;
    }
    return S_ISDIR(status.st_mode) ? show_directory(dump, path, ret_reason, reason_size)
                                   : show_file(dump, path, ret_reason, reason_size);
}
