/*
 * The file header: magic, version and identity, in two copies within page 0, so that rot in one is
 * repaired from the other. Place and meaning of magic, version and checksum hold for every version.
 *
 * Offset, size and meaning of each field:
 *    0  u64  magic
 *    8  u32  version: of the format in force (base/format.h)
 *   12  u32  crc32c of the 64 bytes with this field zero
 *   16  u64  cluster
 *   24  u16  node
 *   26  u16  shard
 *   28  u32  record alignment
 *   32  u64  file size
 *   40  u32  segment size in pages of 4096 bytes; 0: one segment, no table
 *   44  u32  zero
 *   48  u64  birth of this storage: random, drawn when the file was made
 *   56  u64  zero
 *
 * A new format raises the version in place. Version and checksum are one aligned word, which a
 * power loss never leaves half written: each copy is of the old version or of the new one. Where
 * the copies differ, the higher version counts.
 *
 * The file appears under its name zeroed; the header follows. A power loss in between leaves zeros
 * and words of our own header and nothing else: that is a fresh file, begun again.
 */
#include "base/crc32c.h"
#include "base/format.h"
#include "base/le.h"
#include "pmem/log_internal.h"

#include <inttypes.h>
#include <stdio.h>

#define HEADER_MAGIC   UINT64_C(0x474f4c58554c4c50) /* "PLLUXLOG" */
#define HEADER_VERSION 8
#define HEADER_CRC     12
#define HEADER_CLUSTER 16
#define HEADER_NODE    24
#define HEADER_SHARD   26
#define HEADER_ALIGN   28
#define HEADER_FILE    32
#define HEADER_SEGMENT 40
#define HEADER_BIRTH   48
#define HEADER_PAGE    4096u

static void file_header_compose(const struct log_identity *identity,
                                const struct log_header_found *found, uint8_t *header)
{
    memset(header, 0, LOG_HEADER_SIZE_BYTES);
    le64_store(header, HEADER_MAGIC);
    le32_store(header + HEADER_VERSION, format_versions(found->format)->log);
    le64_store(header + HEADER_CLUSTER, identity->cluster_id);
    le16_store(header + HEADER_NODE, identity->node);
    le16_store(header + HEADER_SHARD, identity->shard);
    le32_store(header + HEADER_ALIGN, RECORD_ALIGN_BYTES);
    le64_store(header + HEADER_FILE, found->file_bytes);
    le32_store(header + HEADER_SEGMENT, (uint32_t)(found->segment_bytes / HEADER_PAGE));
    le64_store(header + HEADER_BIRTH, found->birth);
    le32_store(header + HEADER_CRC, crc32c_around(header, LOG_HEADER_SIZE_BYTES, HEADER_CRC));
}

uint32_t log_header_seed(const struct log_identity *identity)
{
    uint8_t bytes[12];
    le64_store(bytes, identity->cluster_id);
    le16_store(bytes + 8, identity->node);
    le16_store(bytes + 10, identity->shard);
    return crc32c(0, bytes, sizeof(bytes));
}

void log_header_write(struct medium *medium, const struct log_identity *identity,
                      const struct log_header_found *found)
{
    uint8_t header[LOG_HEADER_SIZE_BYTES];
    file_header_compose(identity, found, header);
    medium_write(medium, 0, header, sizeof(header));
    medium_write(medium, LOG_HEADER_COPY_OFFSET, header, sizeof(header));
}

static bool header_is_whole(const uint8_t *header)
{
    return le64_load(header) == HEADER_MAGIC &&
           le32_load(header + HEADER_CRC) ==
               crc32c_around(header, LOG_HEADER_SIZE_BYTES, HEADER_CRC);
}

/* Of the copies that are whole, the one of the highest version; NULL: none is whole. */
static const uint8_t *header_newest(const uint8_t *data)
{
    const uint8_t *copy = data + LOG_HEADER_COPY_OFFSET;
    if (!header_is_whole(data))
        return header_is_whole(copy) ? copy : NULL;
    bool is_copy_newer = header_is_whole(copy) &&
                         le32_load(copy + HEADER_VERSION) > le32_load(data + HEADER_VERSION);
    return is_copy_newer ? copy : data;
}

void log_header_raise(struct log *log, uint32_t format)
{
    uint8_t header[LOG_HEADER_SIZE_BYTES];
    const uint8_t *newest = header_newest(log->data);
    if (newest == NULL)
        return; /* both have rotted since the start; the next one tells */
    memcpy(header, newest, sizeof(header));
    le32_store(header + HEADER_VERSION, format_versions(format)->log);
    le32_store(header + HEADER_CRC, crc32c_around(header, sizeof(header), HEADER_CRC));
    for (size_t at = 0; at <= LOG_HEADER_COPY_OFFSET; at += LOG_HEADER_COPY_OFFSET) {
        if (header_is_whole(log->data + at))
            log_head_write_word(log, at + HEADER_VERSION, le64_load(header + HEADER_VERSION));
    }
}

enum error log_header_decode(const uint8_t *header, struct log_header *ret_header)
{
    size_t segment_bytes = (size_t)le32_load(header + HEADER_SEGMENT) * HEADER_PAGE;
    uint64_t file_bytes = le64_load(header + HEADER_FILE);
    *ret_header = (struct log_header){
        .version = le32_load(header + HEADER_VERSION),
        .identity = {.cluster_id = le64_load(header + HEADER_CLUSTER),
                     .node = le16_load(header + HEADER_NODE),
                     .shard = le16_load(header + HEADER_SHARD)},
        .file_bytes = (size_t)file_bytes,
        .segment_bytes = segment_bytes,
        .birth = le64_load(header + HEADER_BIRTH),
    };
    if (le64_load(header) != HEADER_MAGIC)
        return ERR_MAGIC;
    if (!header_is_whole(header))
        return ERR_CHECKSUM;
    if (!format_of(FORMAT_LOG, ret_header->version, FORMAT_KNOWN, &ret_header->format) ||
        le32_load(header + HEADER_ALIGN) != RECORD_ALIGN_BYTES)
        return ERR_VERSION;
    bool is_divided = segment_bytes == 0 || log_segments_fit(file_bytes, segment_bytes);
    bool has_size = file_bytes >= LOG_FILE_BYTES_MIN && file_bytes <= LOG_FILE_BYTES_MAX &&
                    file_bytes % HEADER_PAGE == 0;
    return is_divided && has_size ? OK : ERR_RANGE;
}

/* Only zeros and words of the header that we would write: a creation that power loss cut short. */
static bool header_is_unfinished(const struct medium *medium, const struct log_options *options,
                                 const struct log_header_found *fresh)
{
    const uint8_t *data = medium_data(medium);
    uint8_t ours[LOG_STATE_OFFSET] = {0};

    file_header_compose(&options->identity, fresh, ours);
    memcpy(ours + LOG_HEADER_COPY_OFFSET, ours, LOG_HEADER_SIZE_BYTES);
    for (size_t i = 0; i < LOG_STATE_OFFSET; i += 8) {
        uint64_t word = le64_load(data + i);
        uint64_t our_word = le64_load(ours + i);
        if (i % LOG_HEADER_COPY_OFFSET == HEADER_BIRTH)
            continue;                                       /* drawn anew */
        if (i % LOG_HEADER_COPY_OFFSET == HEADER_VERSION) { /* the checksum has the birth in it */
            word &= UINT32_MAX;
            our_word &= UINT32_MAX;
        }
        if (word != 0 && word != our_word)
            return false;
    }
    return recovery_is_zero(data, LOG_STATE_OFFSET, fresh->file_bytes);
}

static enum error header_refuse_rotten(const uint8_t *data, const char *path, char *note,
                                       size_t note_size)
{
    if (le64_load(data) != HEADER_MAGIC &&
        le64_load(data + LOG_HEADER_COPY_OFFSET) != HEADER_MAGIC) {
        snprintf(note, note_size, "%.120s: offset 0: not a Pollux log, or its header is damaged",
                 path);
        return ERR_MAGIC;
    }
    snprintf(note, note_size, "%.120s: offsets 0 and %u: both copies of the header are damaged",
             path, LOG_HEADER_COPY_OFFSET);
    return ERR_CHECKSUM;
}

static enum error header_check_identity(const uint8_t *header, const struct log_options *options,
                                        char *note, size_t note_size)
{
    uint64_t cluster_id = le64_load(header + HEADER_CLUSTER);
    uint16_t node = le16_load(header + HEADER_NODE);
    uint16_t shard = le16_load(header + HEADER_SHARD);
    const char *path = options->path;

    if (cluster_id != options->identity.cluster_id) {
        snprintf(note, note_size,
                 "%.120s: offset %d: belongs to cluster %" PRIx64 ", not %" PRIx64
                 "; correct cluster or file in the configuration",
                 path, HEADER_CLUSTER, cluster_id, options->identity.cluster_id);
        return ERR_CLUSTER;
    }
    if (node != options->identity.node) {
        snprintf(note, note_size,
                 "%.120s: offset %d: belongs to node %u, not %u; correct node or file in the "
                 "configuration",
                 path, HEADER_NODE, node, options->identity.node);
        return ERR_NODE;
    }
    if (shard != options->identity.shard) {
        snprintf(note, note_size,
                 "%.120s: offset %d: belongs to shard %u, not %u; correct shard or file in the "
                 "configuration",
                 path, HEADER_SHARD, shard, options->identity.shard);
        return ERR_SHARD;
    }
    return OK;
}

static enum error header_check_version(const uint8_t *header, const struct log_options *options,
                                       uint32_t *ret_format, char *note, size_t note_size)
{
    uint32_t version = le32_load(header + HEADER_VERSION);
    if (format_of(FORMAT_LOG, version, options->format_max, ret_format) &&
        le32_load(header + HEADER_ALIGN) == RECORD_ALIGN_BYTES)
        return OK;
    snprintf(note, note_size,
             "%.120s: offset %d: format version %u, this program knows %u to %u; start the newer "
             "program: the format was raised (pollux upgrade finish), and no older one reads it",
             options->path, HEADER_VERSION, version, format_versions(0)->log,
             format_versions(options->format_max)->log);
    return ERR_VERSION;
}

static enum error header_check_layout(const uint8_t *header, size_t medium_bytes, const char *path,
                                      char *note, size_t note_size)
{
    uint64_t file_bytes = le64_load(header + HEADER_FILE);

    size_t segment_bytes = (size_t)le32_load(header + HEADER_SEGMENT) * HEADER_PAGE;
    if (segment_bytes != 0 && !log_segments_fit(file_bytes, segment_bytes)) {
        snprintf(note, note_size,
                 "%.120s: offset %d: %" PRIu64 " bytes do not divide into segments of %zu; start "
                 "the newer program",
                 path, HEADER_SEGMENT, file_bytes, segment_bytes);
        return ERR_VERSION;
    }
    if (file_bytes > medium_bytes || file_bytes < LOG_FILE_BYTES_MIN || file_bytes % 4096 != 0) {
        snprintf(note, note_size,
                 "%.120s: offset %d: the header says %" PRIu64
                 " bytes, the file has %zu; it was cut off",
                 path, HEADER_FILE, file_bytes, medium_bytes);
        return ERR_SHORT;
    }
    return OK;
}

enum error log_header_check(const struct medium *medium, const struct log_options *options,
                            struct log_header_found *ret_found, char *note, size_t note_size)
{
    const uint8_t *data = medium_data(medium);
    size_t medium_bytes = medium_size_bytes(medium);
    bool is_first_whole = false;
    bool is_second_whole = false;

    if (medium_bytes < LOG_STATE_OFFSET) {
        snprintf(note, note_size, "%.120s: only %zu bytes, not even a header", options->path,
                 medium_bytes);
        return ERR_SHORT;
    }
    is_first_whole = header_is_whole(data);
    is_second_whole = header_is_whole(data + LOG_HEADER_COPY_OFFSET);
    if (!is_first_whole && !is_second_whole) {
        const struct log_header_found fresh = {.state = LOG_HEADER_FRESH,
                                               .file_bytes = medium_bytes,
                                               .segment_bytes = options->segment_size_bytes,
                                               .birth = options->birth,
                                               .format = options->format};
        if (medium_bytes < LOG_FILE_BYTES_MIN || !options->is_created ||
            !header_is_unfinished(medium, options, &fresh))
            return header_refuse_rotten(data, options->path, note, note_size);
        /* A file is made as a whole. Zeros of another size are what a cut has left. */
        if (fresh.segment_bytes != 0 && !log_segments_fit(medium_bytes, fresh.segment_bytes)) {
            snprintf(note, note_size, "%.120s: %zu bytes of zeros: it was cut off", options->path,
                     medium_bytes);
            return ERR_SHORT;
        }
        *ret_found = fresh;
        return OK;
    }
    const uint8_t *header = header_newest(data);
    enum error error = header_check_version(header, options, &ret_found->format, note, note_size);
    if (error == OK)
        error = header_check_layout(header, medium_bytes, options->path, note, note_size);
    if (error == OK)
        error = header_check_identity(header, options, note, note_size);
    if (error != OK)
        return error;
    ret_found->state =
        is_first_whole && is_second_whole ? LOG_HEADER_GOOD : LOG_HEADER_DAMAGED_COPY;
    ret_found->file_bytes = le64_load(header + HEADER_FILE);
    ret_found->segment_bytes = (size_t)le32_load(header + HEADER_SEGMENT) * HEADER_PAGE;
    ret_found->birth = le64_load(header + HEADER_BIRTH);
    return OK;
}
