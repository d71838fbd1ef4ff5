/*
 * Installing a snapshot of another node: its blocks come in any order, each is taken once, and the
 * worker writes them as it writes a stream. What is here is known until the process ends: after a
 * restart the installing begins anew.
 *
 * The label tells a piece of another snapshot. Two snapshots with one label and different bytes
 * cannot be told apart by it; content_crc shows them when everything is read back.
 */
#include "pmem/snapshots_internal.h"

static const struct snapshot_info *installed(const struct snapshots *snapshots)
{
    return &snapshots->job.info;
}

static bool is_here(const struct snapshots *snapshots, uint32_t number)
{
    return (snapshots->here[number / 64] >> (number % 64) & 1) != 0;
}

static bool label_is_equal(const struct snapshot_label *a, const struct snapshot_label *b)
{
    return a->id == b->id && a->index == b->index && a->term == b->term;
}

enum error snapshots_install_begin(struct snapshots *snapshots, const struct snapshot_info *info)
{
    if (info->label.index > INDEX_MAX || info->label.term > TERM_MAX ||
        info->stream_bytes > SNAPSHOT_STREAM_BYTES_MAX ||
        info->block_count != snapshot_block_count(info->stream_bytes))
        return ERR_RANGE;
    if (!snapshots->has_sync_failed && snapshots->phase != SNAPSHOT_LANE_IDLE)
        return ERR_NOT_YET;
    if (info->block_count > snapshots->files[snapshots_target(snapshots)].slots_writable)
        return ERR_TOO_LARGE;
    enum error error = snapshots_begin(snapshots, info, true);
    if (error != OK)
        return error;
    snapshots->blocks_here = 0;
    memset(snapshots->here, 0, ((size_t)info->block_count + 63) / 64 * sizeof(*snapshots->here));
    return OK;
}

static enum error block_check(const struct snapshots *snapshots, const struct snapshot_label *label,
                              uint32_t number, struct span raw)
{
    if (snapshots->phase != SNAPSHOT_LANE_INSTALLING ||
        !label_is_equal(label, &installed(snapshots)->label))
        return ERR_SNAPSHOT;
    if (number >= installed(snapshots)->block_count)
        return ERR_RANGE;
    uint32_t size_bytes = snapshot_block_size_bytes(installed(snapshots), number);
    if (raw.size_bytes != size_bytes)
        return raw.size_bytes < size_bytes ? ERR_SHORT : ERR_TRAILING;
    if (is_here(snapshots, number))
        return ERR_EXISTS;
    return snapshots_ring_room(snapshots) == 0 ? ERR_FULL : OK;
}

enum error snapshots_install_block(struct snapshots *snapshots, const struct snapshot_label *label,
                                   uint32_t number, struct span raw)
{
    enum error error = block_check(snapshots, label, number, raw);
    if (error != OK)
        return error;
    memcpy(snapshots_ring_next(snapshots)->bytes, raw.data, raw.size_bytes);
    snapshots_ring_push(snapshots, number, (uint32_t)raw.size_bytes);
    snapshots->here[number / 64] |= UINT64_C(1) << (number % 64);
    snapshots->blocks_here++;
    return OK;
}

uint32_t snapshots_install_missing(const struct snapshots *snapshots, uint32_t number)
{
    CHECK(snapshots->phase == SNAPSHOT_LANE_INSTALLING);
    uint32_t count = installed(snapshots)->block_count;
    while (number < count && is_here(snapshots, number))
        number++;
    return number < count ? number : count;
}

uint32_t snapshots_install_room(const struct snapshots *snapshots)
{
    return snapshots->phase == SNAPSHOT_LANE_INSTALLING ? snapshots_ring_room(snapshots) : 0;
}

enum error snapshots_install_end(struct snapshots *snapshots)
{
    CHECK(snapshots->phase == SNAPSHOT_LANE_INSTALLING);
    if (snapshots->blocks_here < installed(snapshots)->block_count)
        return ERR_NOT_YET;
    snapshots_end(snapshots, installed(snapshots));
    return OK;
}
