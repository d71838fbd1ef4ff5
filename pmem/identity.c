/* See identity.h. */
#include "pmem/identity.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/le.h"
#include "pmem/medium.h"

#include <stdio.h>
#include <string.h>

#define IDENTITY_MAGIC      UINT64_C(0x4f485758554c4c50) /* "PLLUXWHO" */
#define IDENTITY_FILE_BYTES 4096u
#define IDENTITY_COPY_STEP  2048u
#define IDENTITY_BYTES      1960u
#define IDENTITY_CRC        12
#define IDENTITY_CLUSTER    16
#define IDENTITY_NODE       24
#define IDENTITY_SHARD      26
#define IDENTITY_COUNT      28
#define IDENTITY_BIRTHS     32
#define IDENTITY_FORMED     (IDENTITY_BIRTHS + 8 * IDENTITY_BIRTHS_MAX)

static_assert(IDENTITY_FORMED + 8 == IDENTITY_BYTES && IDENTITY_BYTES <= IDENTITY_COPY_STEP,
              "the births fit a copy");

struct identity_file {
    const char *path;
    const struct log_identity *owner;
    struct medium *medium;
    uint64_t births[IDENTITY_BIRTHS_MAX];
    uint64_t formed;
    uint32_t count;
    uint32_t newest; /* copy that holds them */
    char *note;
    size_t note_size;
};

static void compose(const struct identity_file *file, uint8_t *copy)
{
    memset(copy, 0, IDENTITY_BYTES);
    le64_store(copy, IDENTITY_MAGIC);
    le32_store(copy + 8, IDENTITY_VERSION);
    le64_store(copy + IDENTITY_CLUSTER, file->owner->cluster_id);
    le16_store(copy + IDENTITY_NODE, file->owner->node);
    le16_store(copy + IDENTITY_SHARD, file->owner->shard);
    le32_store(copy + IDENTITY_COUNT, file->count);
    for (uint32_t i = 0; i < IDENTITY_BIRTHS_MAX; i++)
        le64_store(copy + IDENTITY_BIRTHS + (size_t)8 * i, file->births[i]);
    le64_store(copy + IDENTITY_FORMED, file->formed);
    le32_store(copy + IDENTITY_CRC, crc32c_around(copy, IDENTITY_BYTES, IDENTITY_CRC));
}

static enum error check_owner(const struct identity_file *file, const uint8_t *copy)
{
    uint64_t cluster_id = le64_load(copy + IDENTITY_CLUSTER);
    uint16_t node = le16_load(copy + IDENTITY_NODE);
    uint16_t shard = le16_load(copy + IDENTITY_SHARD);
    enum error error = OK;
    if (le32_load(copy + 8) != IDENTITY_VERSION)
        error = ERR_VERSION;
    else if (cluster_id != file->owner->cluster_id)
        error = ERR_CLUSTER;
    else if (node != file->owner->node)
        error = ERR_NODE;
    else if (shard != file->owner->shard)
        error = ERR_SHARD;
    if (error != OK)
        snprintf(file->note, file->note_size,
                 "%.160s: the identity of node %u, shard %u, is %s; correct node, cluster or "
                 "directory in the configuration",
                 file->path, node, shard, error_text(error));
    return error;
}

static bool is_zero(const uint8_t *bytes, size_t size_bytes)
{
    while (size_bytes > 0 && bytes[size_bytes - 1] == 0)
        size_bytes--;
    return size_bytes == 0;
}

static bool is_copy_whole(const uint8_t *copy)
{
    return le64_load(copy) == IDENTITY_MAGIC &&
           le32_load(copy + IDENTITY_CRC) == crc32c_around(copy, IDENTITY_BYTES, IDENTITY_CRC);
}

static enum error check_copy_of(const uint8_t *file, size_t size_bytes, uint32_t number)
{
    size_t begin = (size_t)number * IDENTITY_COPY_STEP;
    const uint8_t *copy = file + begin;
    if (size_bytes < begin + IDENTITY_BYTES)
        return ERR_SHORT;
    if (is_zero(copy, IDENTITY_BYTES))
        return ERR_NOT_FOUND;
    if (le64_load(copy) != IDENTITY_MAGIC)
        return ERR_MAGIC;
    if (is_copy_whole(copy))
        return le32_load(copy + 8) == IDENTITY_VERSION ? OK : ERR_VERSION;
    /* Another version may have another size, so its checksum cannot be told. */
    return le32_load(copy + 8) == IDENTITY_VERSION ? ERR_CHECKSUM : ERR_VERSION;
}

static void take_copy(const uint8_t *copy, struct identity_contents *contents)
{
    uint64_t formed = le64_load(copy + IDENTITY_FORMED);
    contents->version = le32_load(copy + 8);
    if (formed != 0) /* as load */
        contents->births.formed = formed;
    if (contents->owner.node != 0 && le32_load(copy + IDENTITY_COUNT) <= contents->count)
        return;
    contents->owner = (struct log_identity){.cluster_id = le64_load(copy + IDENTITY_CLUSTER),
                                            .node = le16_load(copy + IDENTITY_NODE),
                                            .shard = le16_load(copy + IDENTITY_SHARD)};
    contents->count = le32_load(copy + IDENTITY_COUNT);
    for (uint32_t i = 0; i < IDENTITY_BIRTHS_MAX; i++)
        contents->births.births[i] = le64_load(copy + IDENTITY_BIRTHS + (size_t)8 * i);
}

uint32_t identity_copy_offset(uint32_t copy)
{
    CHECK(copy < IDENTITY_COPIES);
    return copy * IDENTITY_COPY_STEP;
}

/* What the errors of both copies mean for the file. */
static enum error error_of(const enum error copies[IDENTITY_COPIES])
{
    if (copies[0] == OK || copies[1] == OK)
        return OK;
    if (copies[0] == copies[1])
        return copies[0] == ERR_NOT_FOUND ? OK : copies[0];
    return copies[0] == ERR_SHORT || copies[1] == ERR_SHORT ? ERR_SHORT : ERR_CHECKSUM;
}

enum error identity_decode(const uint8_t *file, size_t size_bytes,
                           struct identity_contents *ret_contents)
{
    struct identity_contents contents = {0};
    for (uint32_t i = 0; i < IDENTITY_COPIES; i++) {
        const uint8_t *copy = file + (size_t)i * IDENTITY_COPY_STEP;
        contents.copies[i] = check_copy_of(file, size_bytes, i);
        if (contents.copies[i] == OK)
            take_copy(copy, &contents);
        else if (contents.copies[i] == ERR_VERSION && contents.version == 0)
            contents.version = le32_load(copy + 8);
    }
    *ret_contents = contents;
    return error_of(contents.copies);
}

/* A file of zeros, or with half of one copy, is one whose making a power loss cut short: it may be
 * made again. */
static enum error load(struct identity_file *file, bool is_made)
{
    const uint8_t *data = medium_data(file->medium);
    bool has_both =
        !is_zero(data, IDENTITY_BYTES) && !is_zero(data + IDENTITY_COPY_STEP, IDENTITY_BYTES);
    bool is_found = false;
    for (uint32_t i = 0; i < IDENTITY_COPIES; i++) {
        const uint8_t *copy = data + (size_t)i * IDENTITY_COPY_STEP;
        if (!is_copy_whole(copy))
            continue;
        enum error error = check_owner(file, copy);
        if (error != OK)
            return error;
        uint64_t formed = le64_load(copy + IDENTITY_FORMED);
        if (formed != 0) /* noted once, and never taken back */
            file->formed = formed;
        if (is_found && le32_load(copy + IDENTITY_COUNT) <= file->count)
            continue;
        is_found = true;
        file->count = le32_load(copy + IDENTITY_COUNT);
        file->newest = i;
        for (uint32_t j = 0; j < IDENTITY_BIRTHS_MAX; j++)
            file->births[j] = le64_load(copy + IDENTITY_BIRTHS + (size_t)8 * j);
    }
    if (is_found || (is_made && !has_both))
        return OK;
    snprintf(file->note, file->note_size,
             "%.160s: offsets 0 and %u: both copies of the identity are damaged; bring back a copy "
             "of this file, or take the node's storage for lost: move the directory away, make a "
             "new one with polluxd --init, and run pollux member replace",
             file->path, IDENTITY_COPY_STEP);
    return ERR_CHECKSUM;
}

static enum error open_file(struct identity_file *file, bool is_made)
{
    const struct medium_options options = {
        .path = file->path, .size_bytes = IDENTITY_FILE_BYTES, .is_created = is_made};
    enum error error = medium_open(&options, &file->medium, file->note, file->note_size);
    if (error == ERR_NOT_FOUND && !is_made)
        snprintf(file->note, file->note_size,
                 "%.160s: the identity of this storage is missing; bring it back, or take the "
                 "node's storage for lost: move the directory away, make a new one with polluxd "
                 "--init, and run pollux member replace",
                 file->path);
    if (error != OK)
        return error;
    error = load(file, is_made);
    if (error != OK)
        medium_close(file->medium);
    return error;
}

enum error identity_read(const char *path, const struct log_identity *owner,
                         struct identity_births *ret_births, char *ret_note, size_t note_size)
{
    struct identity_file file = {
        .path = path, .owner = owner, .note = ret_note, .note_size = note_size};
    enum error error = open_file(&file, false);
    if (error != OK)
        return error;
    medium_close(file.medium);
    memcpy(ret_births->births, file.births, sizeof(file.births));
    ret_births->formed = file.formed;
    return OK;
}

static enum error write_copy(const struct identity_file *file, uint32_t number)
{
    uint8_t copy[IDENTITY_BYTES];
    compose(file, copy);
    medium_write(file->medium, (size_t)number * IDENTITY_COPY_STEP, copy, sizeof(copy));
    return medium_persist_wait(file->medium);
}

enum error identity_mend(const char *path, const struct log_identity *owner, bool *ret_is_mended,
                         char *ret_note, size_t note_size)
{
    struct identity_file file = {
        .path = path, .owner = owner, .note = ret_note, .note_size = note_size};
    enum error error = open_file(&file, false);
    if (error != OK)
        return error;
    uint32_t damaged = IDENTITY_COPIES;
    for (uint32_t i = 0; i < IDENTITY_COPIES; i++)
        if (!is_copy_whole(medium_data(file.medium) + (size_t)i * IDENTITY_COPY_STEP))
            damaged = i;
    if (damaged != IDENTITY_COPIES)
        error = write_copy(&file, damaged);
    medium_close(file.medium);
    if (error == OK)
        *ret_is_mended = damaged != IDENTITY_COPIES;
    else
        snprintf(ret_note, note_size, "%.160s: the sync of the identity failed; check the medium",
                 path);
    return error;
}

/* The other copy, and then this one. */
static enum error write_copies(const struct identity_file *file, uint32_t last)
{
    enum error error = write_copy(file, 1 - last);
    if (error == OK)
        error = write_copy(file, last);
    if (error != OK)
        snprintf(file->note, file->note_size,
                 "%.160s: the sync of the identity failed; check the medium", file->path);
    return error;
}

enum error identity_make(const char *path, const struct log_identity *owner, char *ret_note,
                         size_t note_size)
{
    struct identity_file file = {
        .path = path, .owner = owner, .note = ret_note, .note_size = note_size};
    enum error error = open_file(&file, true);
    if (error != OK)
        return error;
    if (file.count > 0) {
        snprintf(ret_note, note_size, "%.160s: the identity of a storage is there already", path);
        error = ERR_EXISTS;
    }
    if (error == OK)
        error = write_copies(&file, 0);
    medium_close(file.medium);
    return error;
}

/* Opens the file to note something. What was found may be in a cache only, where a killed process
 * left it. */
static enum error begin_note(struct identity_file *file)
{
    enum error error = open_file(file, false);
    if (error != OK || file->count == 0)
        return error;
    error = write_copy(file, file->newest);
    if (error != OK)
        medium_close(file->medium);
    return error;
}

enum error identity_note(const char *path, const struct log_identity *owner, uint64_t birth,
                         char *ret_note, size_t note_size)
{
    CHECK(birth != 0);
    struct identity_file file = {
        .path = path, .owner = owner, .note = ret_note, .note_size = note_size};
    enum error error = begin_note(&file);
    if (error != OK)
        return error;
    memmove(file.births + 1, file.births, sizeof(file.births) - sizeof(file.births[0]));
    file.births[0] = birth;
    file.count++;
    error = write_copies(&file, file.newest);
    medium_close(file.medium);
    return error;
}

enum error identity_note_formed(const char *path, const struct log_identity *owner, uint64_t formed,
                                char *ret_note, size_t note_size)
{
    struct identity_file file = {
        .path = path, .owner = owner, .note = ret_note, .note_size = note_size};
    enum error error = begin_note(&file);
    if (error != OK)
        return error;
    file.formed = formed;
    error = write_copies(&file, file.newest);
    medium_close(file.medium);
    return error;
}
