/*
 * The header of a snapshot file: magic, version and identity, in two copies within page 0, so that
 * rot in one is repaired from the other. Place and meaning of magic, version and checksum hold for
 * every version.
 *
 * Offset, size and meaning of each field:
 *    0  u64  magic
 *    8  u32  version: of a format (base/format.h); raised in place as that of a log (header.c)
 *   12  u32  crc32c of the 64 bytes with this field zero
 *   16  u64  cluster
 *   24  u16  node
 *   26  u16  shard
 *   28  u32  size of a slot
 *   32  u64  slots
 *   40  [24] zero
 *
 * The file appears under its name zeroed; the header follows. A power loss in between leaves zeros
 * and words of our own header: that is a fresh file, begun again.
 */
#include "base/crc32c.h"
#include "base/format.h"
#include "base/le.h"
#include "pmem/snapshots_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAGIC UINT64_C(0x504e5358554c4c50) /* "PLLUXSNP" */

#define AT_VERSION 8
#define AT_CRC     12
#define AT_CLUSTER 16
#define AT_NODE    24
#define AT_SHARD   26
#define AT_SLOT    28
#define AT_SLOTS   32

struct whose {
    const char *what;
    int offset;
    enum error error;
    uint64_t found;
    uint64_t wanted;
};

static void header_compose(const struct log_identity *identity, const struct snapshot_file *file,
                           uint8_t *header)
{
    memset(header, 0, SNAPSHOT_HEADER_SIZE_BYTES);
    le64_store(header, MAGIC);
    le32_store(header + AT_VERSION, format_versions(file->format)->snapshot);
    le64_store(header + AT_CLUSTER, identity->cluster_id);
    le16_store(header + AT_NODE, identity->node);
    le16_store(header + AT_SHARD, identity->shard);
    le32_store(header + AT_SLOT, SNAPSHOT_SLOT_BYTES);
    le64_store(header + AT_SLOTS, file->slots);
    le32_store(header + AT_CRC, crc32c_around(header, SNAPSHOT_HEADER_SIZE_BYTES, AT_CRC));
}

static bool is_whole(const uint8_t *header)
{
    return le64_load(header) == MAGIC &&
           le32_load(header + AT_CRC) == crc32c_around(header, SNAPSHOT_HEADER_SIZE_BYTES, AT_CRC);
}

enum error snapshot_header_decode(const uint8_t *header, struct snapshot_header *ret_header)
{
    *ret_header = (struct snapshot_header){
        .version = le32_load(header + AT_VERSION),
        .identity = {.cluster_id = le64_load(header + AT_CLUSTER),
                     .node = le16_load(header + AT_NODE),
                     .shard = le16_load(header + AT_SHARD)},
        .slots = le64_load(header + AT_SLOTS),
    };
    if (le64_load(header) != MAGIC)
        return ERR_MAGIC;
    if (!is_whole(header))
        return ERR_CHECKSUM;
    bool is_known =
        format_of(FORMAT_SNAPSHOT, ret_header->version, FORMAT_KNOWN, &ret_header->format) &&
        le32_load(header + AT_SLOT) == SNAPSHOT_SLOT_BYTES;
    return is_known ? OK : ERR_VERSION;
}

/* There is no completion record. */
static bool is_absent(const uint8_t *record)
{
    static const uint8_t zeros[SNAPSHOT_COMPLETION_BYTES];
    return memcmp(record, zeros, sizeof(zeros)) == 0;
}

/* Only zeros and words of the header that we would write. */
static bool is_unfinished(const struct snapshot_file *file, const struct log_identity *identity)
{
    uint8_t ours[SNAPSHOT_COMPLETION_OFFSET] = {0};
    header_compose(identity, file, ours);
    memcpy(ours + SNAPSHOT_HEADER_COPY_OFFSET, ours, SNAPSHOT_HEADER_SIZE_BYTES);
    for (size_t i = 0; i < sizeof(ours); i += 8) {
        uint64_t word = le64_load(file->data + i);
        if (word != 0 && word != le64_load(ours + i))
            return false;
    }
    return true;
}

static enum error refuse_rotten(const struct snapshot_file *file, char *note, size_t note_size)
{
    if (le64_load(file->data) != MAGIC &&
        le64_load(file->data + SNAPSHOT_HEADER_COPY_OFFSET) != MAGIC) {
        snprintf(note, note_size,
                 "%.160s: offset 0: not a snapshot file of Pollux, or its header is damaged",
                 file->path);
        return ERR_MAGIC;
    }
    snprintf(note, note_size, "%.160s: offsets 0 and %u: both copies of the header are damaged",
             file->path, SNAPSHOT_HEADER_COPY_OFFSET);
    return ERR_CHECKSUM;
}

static enum error check_identity(const uint8_t *header, const struct snapshot_file *file,
                                 const struct log_identity *identity, char *note, size_t note_size)
{
    const struct whose parts[] = {
        {"cluster", AT_CLUSTER, ERR_CLUSTER, le64_load(header + AT_CLUSTER), identity->cluster_id},
        {"node", AT_NODE, ERR_NODE, le16_load(header + AT_NODE), identity->node},
        {"shard", AT_SHARD, ERR_SHARD, le16_load(header + AT_SHARD), identity->shard},
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const struct whose *part = &parts[i];
        if (part->found == part->wanted)
            continue;
        snprintf(note, note_size,
                 "%.160s: offset %d: belongs to %s %" PRIx64 ", not %" PRIx64
                 " (both hexadecimal); correct %s or file in the configuration",
                 file->path, part->offset, part->what, part->found, part->wanted, part->what);
        return part->error;
    }
    return OK;
}

static enum error check_version(const uint8_t *header, struct snapshot_file *file,
                                uint32_t format_max, char *note, size_t note_size)
{
    uint32_t version = le32_load(header + AT_VERSION);
    if (format_of(FORMAT_SNAPSHOT, version, format_max, &file->format) &&
        le32_load(header + AT_SLOT) == SNAPSHOT_SLOT_BYTES)
        return OK;
    snprintf(note, note_size,
             "%.160s: offset %d: format version %u, this program knows %u to %u; start the newer "
             "program: the format was raised (pollux upgrade finish), and no older one reads it",
             file->path, AT_VERSION, version, format_versions(0)->snapshot,
             format_versions(format_max)->snapshot);
    return ERR_VERSION;
}

static enum error check_layout(const uint8_t *header, const struct snapshot_file *file, char *note,
                               size_t note_size)
{
    uint64_t slots = le64_load(header + AT_SLOTS);
    if (slots > file->slots) {
        snprintf(note, note_size,
                 "%.160s: offset %d: the header says %" PRIu64 " blocks, the file has room for %u; "
                 "it was cut off",
                 file->path, AT_SLOTS, slots, file->slots);
        return ERR_SHORT;
    }
    return OK;
}

void snapshot_header_encode(const struct snapshot_file *file, const struct log_identity *identity,
                            uint8_t ret_header[SNAPSHOT_HEADER_SIZE_BYTES])
{
    header_compose(identity, file, ret_header);
}

void snapshot_header_write(const struct snapshot_file *file, const struct log_identity *identity)
{
    uint8_t header[SNAPSHOT_HEADER_SIZE_BYTES];
    header_compose(identity, file, header);
    medium_write(file->medium, 0, header, sizeof(header));
    medium_write(file->medium, SNAPSHOT_HEADER_COPY_OFFSET, header, sizeof(header));
}

/* Of the copies that are whole, the one of the higher version; else any. */
static const uint8_t *newest_copy(const uint8_t *data)
{
    const uint8_t *copy = data + SNAPSHOT_HEADER_COPY_OFFSET;
    if (!is_whole(data))
        return copy;
    bool is_newer = is_whole(copy) && le32_load(copy + AT_VERSION) > le32_load(data + AT_VERSION);
    return is_newer ? copy : data;
}

void snapshot_header_raise(struct snapshot_file *file, uint32_t format)
{
    uint8_t header[SNAPSHOT_HEADER_SIZE_BYTES];
    memcpy(header, newest_copy(file->data), sizeof(header));
    if (format <= file->format || !is_whole(header))
        return; /* or both copies have rotted since the start: the next one tells */
    file->format = format;
    le32_store(header + AT_VERSION, format_versions(format)->snapshot);
    le32_store(header + AT_CRC, crc32c_around(header, sizeof(header), AT_CRC));
    for (size_t at = 0; at <= SNAPSHOT_HEADER_COPY_OFFSET; at += SNAPSHOT_HEADER_COPY_OFFSET) {
        if (is_whole(file->data + at))
            medium_write_word(file->medium, at + AT_VERSION, le64_load(header + AT_VERSION));
    }
}

enum error snapshot_header_check(struct snapshot_file *file,
                                 const struct snapshots_options *options, bool *ret_is_fresh,
                                 char *note, size_t note_size)
{
    const struct log_identity *identity = &options->identity;
    const uint8_t *copy = file->data + SNAPSHOT_HEADER_COPY_OFFSET;
    const uint8_t *header = newest_copy(file->data);

    if (!is_whole(header) && !is_unfinished(file, identity))
        return refuse_rotten(file, note, note_size);
    *ret_is_fresh = !is_whole(header);
    if (!is_whole(header) && !is_absent(file->data + SNAPSHOT_COMPLETION_OFFSET))
        snprintf(note, note_size,
                 "%.160s: offsets 0 and %u: the header is lost in both copies, and is written "
                 "again; check the medium",
                 file->path, SNAPSHOT_HEADER_COPY_OFFSET);
    if (!is_whole(header))
        return OK;
    enum error error = check_version(header, file, options->format_max, note, note_size);
    if (error == OK)
        error = check_layout(header, file, note, note_size);
    if (error == OK)
        error = check_identity(header, file, identity, note, note_size);
    if (error != OK)
        return error;
    if (is_whole(file->data) != is_whole(copy))
        snprintf(note, note_size,
                 "%.160s: offsets 0 and %u: a damaged copy of the header was repaired from the "
                 "other; check the medium",
                 file->path, SNAPSHOT_HEADER_COPY_OFFSET);
    file->slots = (uint32_t)le64_load(header + AT_SLOTS);
    return OK;
}
