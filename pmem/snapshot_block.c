/*
 * One block of a snapshot, and the completion record, as bytes.
 *
 * A slot, offset, size and meaning of each field:
 *    0  u32  crc32c of what follows, up to the end of the stored bytes. Seeded with identity,
 *            generation, id and number
 *    4  u32  number of the block
 *    8  u64  generation
 *   16  u64  id
 *   24  u32  size of the block
 *   28  u32  size of the stored bytes; less than the block's: they are compressed (LZ4 block
 *            format)
 *   32  u32  crc32c of the block before compression, with no seed
 *   36  [28] zero
 *   64       stored bytes, then zero up to the end of the page
 *
 * The completion record:
 *    0  u32  crc32c of what follows, seeded with the identity
 *    4  u32  blocks
 *    8  u64  generation
 *   16  u64  id
 *   24  u64  index
 *   32  u64  term
 *   40  u64  bytes of the stream
 *   48  u32  crc32c of the checksums (offset 32) of all blocks, in order
 *   52  [12] zero
 */
#include "base/crc32c.h"
#include "base/le.h"
#include "pmem/snapshots_internal.h"

#include <lz4.h>

#define PAGE_BYTES      4096u
#define SLOT_NUMBER     4
#define SLOT_GENERATION 8
#define SLOT_ID         16
#define SLOT_RAW        24
#define SLOT_STORED     28
#define SLOT_RAW_CRC    32
#define SAVED_PART      8 /* compressed where that saves at least one part of so many */
#define ACCELERATION    4 /* of LZ4: a fifth less time for a little less effect */

static_assert(SNAPSHOT_SLOT_BYTES % PAGE_BYTES == 0, "a full slot has no page left over");
static_assert(SNAPSHOT_BLOCK_BYTES <= LZ4_MAX_INPUT_SIZE, "LZ4 takes a block");

uint32_t snapshot_block_count(uint64_t stream_bytes)
{
    CHECK(stream_bytes <= SNAPSHOT_STREAM_BYTES_MAX);
    return (uint32_t)((stream_bytes + SNAPSHOT_BLOCK_BYTES - 1) / SNAPSHOT_BLOCK_BYTES);
}

uint32_t snapshot_block_size_bytes(const struct snapshot_info *info, uint32_t number)
{
    CHECK(number < info->block_count);
    uint64_t before_bytes = (uint64_t)number * SNAPSHOT_BLOCK_BYTES;
    uint64_t rest_bytes = info->stream_bytes - before_bytes;
    return rest_bytes < SNAPSHOT_BLOCK_BYTES ? (uint32_t)rest_bytes : SNAPSHOT_BLOCK_BYTES;
}

static uint32_t slot_crc(uint32_t seed, const struct snapshot_info *info, const uint8_t *slot,
                         uint32_t number)
{
    uint8_t place[20];
    uint32_t stored_bytes = le32_load(slot + SLOT_STORED);
    le64_store(place, info->generation);
    le64_store(place + 8, info->label.id);
    le32_store(place + 16, number);
    return crc32c(crc32c(seed, place, sizeof(place)), slot + SLOT_NUMBER,
                  SNAPSHOT_BLOCK_HEADER_BYTES - SLOT_NUMBER + stored_bytes);
}

/* Persistent memory takes bytes faster than LZ4 shortens them. Returns 0: it does not pay. */
static uint32_t block_compress(const struct snapshots *snapshots,
                               const struct snapshot_handover *block, uint8_t *stored)
{
    const struct medium *medium = snapshots->files[snapshots->job.file].medium;
    int size_bytes = (int)block->size_bytes;
    if (medium_granularity(medium) != MEDIUM_PAGE)
        return 0;
    int stored_bytes = LZ4_compress_fast_extState(
        snapshots->worker.lz4_state, (const char *)block->bytes, (char *)stored, size_bytes,
        size_bytes - size_bytes / SAVED_PART, ACCELERATION);
    return stored_bytes > 0 && stored_bytes < size_bytes ? (uint32_t)stored_bytes : 0;
}

/* Leaves the stored bytes behind the header; returns their size. */
static uint32_t block_store(const struct snapshots *snapshots,
                            const struct snapshot_handover *block)
{
    uint8_t *stored = snapshots->worker.slot + SNAPSHOT_BLOCK_HEADER_BYTES;
    uint32_t stored_bytes = block_compress(snapshots, block, stored);
    if (stored_bytes > 0)
        return stored_bytes;
    memcpy(stored, block->bytes, block->size_bytes);
    return block->size_bytes;
}

size_t snapshot_block_encode(const struct snapshots *snapshots,
                             const struct snapshot_handover *block)
{
    const struct snapshot_worker *worker = &snapshots->worker;
    uint8_t *slot = worker->slot;
    CHECK(block->size_bytes > 0 && block->size_bytes <= SNAPSHOT_BLOCK_BYTES);
    uint32_t stored_bytes = block_store(snapshots, block);
    size_t used_bytes = SNAPSHOT_BLOCK_HEADER_BYTES + stored_bytes;
    size_t written_bytes = (used_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;

    memset(slot, 0, SNAPSHOT_BLOCK_HEADER_BYTES);
    memset(slot + used_bytes, 0, written_bytes - used_bytes);
    le32_store(slot + SLOT_NUMBER, block->number);
    le64_store(slot + SLOT_GENERATION, worker->info.generation);
    le64_store(slot + SLOT_ID, worker->info.label.id);
    le32_store(slot + SLOT_RAW, block->size_bytes);
    le32_store(slot + SLOT_STORED, stored_bytes);
    le32_store(slot + SLOT_RAW_CRC, crc32c(0, block->bytes, block->size_bytes));
    le32_store(slot, slot_crc(snapshots->seed, &worker->info, slot, block->number));
    return written_bytes;
}

uint32_t snapshot_block_crc(const uint8_t *slot)
{
    return le32_load(slot + SLOT_RAW_CRC);
}

uint32_t snapshot_block_stored_bytes(const uint8_t *slot)
{
    return le32_load(slot + SLOT_STORED);
}

/* The header says what the completion record says. */
static bool slot_is_of(const struct snapshot_info *info, const uint8_t *slot, uint32_t number)
{
    uint32_t size_bytes = snapshot_block_size_bytes(info, number);
    return le32_load(slot + SLOT_NUMBER) == number &&
           le64_load(slot + SLOT_GENERATION) == info->generation &&
           le64_load(slot + SLOT_ID) == info->label.id &&
           le32_load(slot + SLOT_RAW) == size_bytes && le32_load(slot + SLOT_STORED) <= size_bytes;
}

enum error snapshot_block_decode(uint32_t seed, const struct snapshot_info *info,
                                 const uint8_t *slot, uint32_t number, uint8_t *buffer)
{
    if (!slot_is_of(info, slot, number) || le32_load(slot) != slot_crc(seed, info, slot, number))
        return ERR_CHECKSUM;
    uint32_t size_bytes = le32_load(slot + SLOT_RAW);
    uint32_t stored_bytes = le32_load(slot + SLOT_STORED);
    const uint8_t *stored = slot + SNAPSHOT_BLOCK_HEADER_BYTES;
    if (stored_bytes == size_bytes)
        memcpy(buffer, stored, size_bytes);
    else if (LZ4_decompress_safe((const char *)stored, (char *)buffer, (int)stored_bytes,
                                 (int)size_bytes) != (int)size_bytes)
        return ERR_CHECKSUM;
    return crc32c(0, buffer, size_bytes) == snapshot_block_crc(slot) ? OK : ERR_CHECKSUM;
}

static uint32_t completion_crc(uint32_t seed, const uint8_t *record)
{
    return crc32c(seed, record + 4, SNAPSHOT_COMPLETION_BYTES - 4);
}

void snapshot_completion_encode(uint32_t seed, const struct snapshot_info *info, uint8_t *record)
{
    memset(record, 0, SNAPSHOT_COMPLETION_BYTES);
    le32_store(record + 4, info->block_count);
    le64_store(record + 8, info->generation);
    le64_store(record + 16, info->label.id);
    le64_store(record + 24, info->label.index);
    le64_store(record + 32, info->label.term);
    le64_store(record + 40, info->stream_bytes);
    le32_store(record + 48, info->content_crc);
    le32_store(record, completion_crc(seed, record));
}

bool snapshot_completion_decode(uint32_t seed, const uint8_t *record, uint32_t slots,
                                struct snapshot_info *ret_info)
{
    const struct snapshot_info info = {.label = {.id = le64_load(record + 16),
                                                 .index = le64_load(record + 24),
                                                 .term = le64_load(record + 32)},
                                       .generation = le64_load(record + 8),
                                       .stream_bytes = le64_load(record + 40),
                                       .block_count = le32_load(record + 4),
                                       .content_crc = le32_load(record + 48)};
    if (info.generation == 0 || le32_load(record) != completion_crc(seed, record))
        return false;
    if (info.generation > INDEX_MAX || info.label.index > INDEX_MAX || info.label.term > TERM_MAX)
        return false;
    if (info.stream_bytes > SNAPSHOT_STREAM_BYTES_MAX || info.block_count > slots ||
        info.block_count != snapshot_block_count(info.stream_bytes))
        return false;
    *ret_info = info;
    return true;
}
