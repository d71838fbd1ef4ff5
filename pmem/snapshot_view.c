/* See snapshot_view.h. */
#include "pmem/snapshot_view.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/le.h"
#include "pmem/log_internal.h"
#include "pmem/snapshots_internal.h"

#include <inttypes.h>
#include <stdio.h>

#define HEAD_BYTES (SNAPSHOT_COMPLETION_OFFSET + SNAPSHOT_COMPLETION_BYTES)

static uint32_t slots_of_file(uint64_t size_bytes)
{
    uint64_t slots = size_bytes < SNAPSHOT_SLOTS_OFFSET
                         ? 0
                         : (size_bytes - SNAPSHOT_SLOTS_OFFSET) / SNAPSHOT_SLOT_BYTES;
    uint64_t slots_max = SNAPSHOT_STREAM_BYTES_MAX / SNAPSHOT_BLOCK_BYTES + 1;
    return (uint32_t)(slots < slots_max ? slots : slots_max);
}

static enum error snapshot_header_take(struct snapshot_view *view, const uint8_t *head,
                                       const struct log_identity *identity, char *ret_note)
{
    struct snapshot_header headers[2];
    for (uint32_t i = 0; i < 2; i++)
        view->header_errors[i] =
            snapshot_header_decode(head + (size_t)i * SNAPSHOT_HEADER_COPY_OFFSET, &headers[i]);
    for (uint32_t i = 0; i < 2; i++) {
        view->version = headers[i].version;
        view->identity = headers[i].identity;
        if (view->header_errors[i] == ERR_VERSION) {
            snprintf(ret_note, VIEW_NOTE_BYTES,
                     "%.200s: offset 8: format version %u, this program knows %u to %u; use the "
                     "program that belongs to the file",
                     view->path, headers[i].version, format_versions(0)->snapshot,
                     format_versions(FORMAT_KNOWN)->snapshot);
            return ERR_VERSION;
        }
        if (view->header_errors[i] == OK && headers[i].slots <= UINT32_MAX) {
            view->slots = (uint32_t)headers[i].slots;
            return OK;
        }
    }
    if (identity == NULL) {
        snprintf(ret_note, VIEW_NOTE_BYTES,
                 "%.200s: offsets 0 and %u: no copy of the header is whole, and nothing else says "
                 "whose the file is",
                 view->path, SNAPSHOT_HEADER_COPY_OFFSET);
        return view->header_errors[0];
    }
    view->is_header_lost = true;
    view->version = format_versions(FORMAT_KNOWN)->snapshot;
    view->identity = *identity;
    view->slots = slots_of_file(view->reader->size_bytes);
    return OK;
}

static enum error owner_check(const struct snapshot_view *view, const struct log_identity *identity,
                              char *ret_note)
{
    enum error error = OK;
    if (identity == NULL)
        return OK;
    if (view->identity.cluster_id != identity->cluster_id)
        error = ERR_CLUSTER;
    else if (view->identity.node != identity->node)
        error = ERR_NODE;
    else if (view->identity.shard != identity->shard)
        error = ERR_SHARD;
    if (error != OK)
        snprintf(ret_note, VIEW_NOTE_BYTES, "%.200s: cluster %016" PRIx64 ", node %u, shard %u: %s",
                 view->path, view->identity.cluster_id, view->identity.node, view->identity.shard,
                 error_text(error));
    return error;
}

static void completion_take(struct snapshot_view *view, const uint8_t *record)
{
    view->is_complete = snapshot_completion_decode(view->seed, record, view->slots, &view->info);
    view->is_completion_torn =
        !view->is_complete && !recovery_is_zero(record, 0, SNAPSHOT_COMPLETION_BYTES);
}

enum error snapshot_view_open(const char *path, const struct file_reader *reader,
                              const struct log_identity *identity, struct snapshot_view *ret_view,
                              char *ret_note)
{
    uint8_t head[HEAD_BYTES] = {0};
    struct snapshot_view view = {.path = path, .reader = reader};
    ssize_t got_bytes = file_reader_fill(reader, head, sizeof(head), 0);
    ret_note[0] = '\0';
    if (got_bytes < (ssize_t)SNAPSHOT_HEADER_SIZE_BYTES) {
        snprintf(ret_note, VIEW_NOTE_BYTES, "%.200s: offset 0: %s", path,
                 got_bytes < 0 ? "the medium cannot read the header" : "not even a header");
        return got_bytes < 0 ? ERR_IO : ERR_SHORT;
    }
    enum error error = snapshot_header_take(&view, head, identity, ret_note);
    if (error == OK)
        error = owner_check(&view, identity, ret_note);
    if (error != OK)
        return error;
    view.seed = log_header_seed(&view.identity);
    completion_take(&view, head + SNAPSHOT_COMPLETION_OFFSET);
    *ret_view = view;
    return OK;
}

static void snapshot_place_tell(const struct finding_sink *sink, enum finding_kind kind,
                                uint64_t offset, uint64_t size_bytes, const char *what)
{
    const struct finding finding = {
        .kind = kind, .offset = offset, .size_bytes = size_bytes, .what = what};
    finding_tell(sink, &finding);
}

void snapshot_view_findings(const struct snapshot_view *view, const struct finding_sink *sink)
{
    static const char *const names[] = {"header, first copy", "header, second copy"};
    uint64_t wanted_bytes = snapshot_view_offset(view->slots);
    for (uint32_t i = 0; i < 2; i++) {
        if (view->header_errors[i] != OK)
            snapshot_place_tell(sink, FINDING_DAMAGED, (uint64_t)i * SNAPSHOT_HEADER_COPY_OFFSET,
                                SNAPSHOT_HEADER_SIZE_BYTES, names[i]);
    }
    if (view->is_completion_torn)
        snapshot_place_tell(sink, FINDING_TORN, SNAPSHOT_COMPLETION_OFFSET,
                            SNAPSHOT_COMPLETION_BYTES, "completion record");
    if (view->reader->size_bytes < wanted_bytes)
        snapshot_place_tell(sink, FINDING_CUT_OFF, view->reader->size_bytes,
                            wanted_bytes - view->reader->size_bytes, "snapshot");
}

uint64_t snapshot_view_offset(uint32_t number)
{
    return snapshot_slot_offset(number);
}

uint32_t snapshot_view_block_bytes(const struct snapshot_view *view, uint32_t number)
{
    return snapshot_block_size_bytes(&view->info, number);
}

/* Whether the snapshot is still the one that the view was opened for. */
static bool is_still_there(const struct snapshot_view *view)
{
    uint8_t record[SNAPSHOT_COMPLETION_BYTES];
    struct snapshot_info info;
    ssize_t got_bytes =
        file_reader_fill(view->reader, record, sizeof(record), SNAPSHOT_COMPLETION_OFFSET);
    if (got_bytes != (ssize_t)sizeof(record))
        return true; /* which is damage, and no change */
    return snapshot_completion_decode(view->seed, record, view->slots, &info) &&
           info.generation == view->info.generation && info.label.id == view->info.label.id;
}

enum error snapshot_view_block(const struct snapshot_view *view, uint32_t number, uint8_t *buffer,
                               struct span *ret_raw, uint32_t *ret_stored_bytes)
{
    uint8_t slot[SNAPSHOT_SLOT_BYTES] = {0};
    if (!view->is_complete || number >= view->info.block_count)
        return ERR_RANGE;
    /* The last block may end before its slot does, and the file with it. */
    ssize_t got_bytes =
        file_reader_fill(view->reader, slot, sizeof(slot), snapshot_slot_offset(number));
    if (got_bytes < 0)
        return ERR_IO;
    enum error error = snapshot_block_decode(view->seed, &view->info, slot, number, buffer);
    if (error != OK && !is_still_there(view))
        return ERR_NOT_YET;
    if (error != OK)
        return got_bytes < (ssize_t)sizeof(slot) ? ERR_SHORT : error;
    *ret_raw = span_of(buffer, snapshot_block_size_bytes(&view->info, number));
    *ret_stored_bytes = snapshot_block_stored_bytes(slot);
    return OK;
}

uint32_t snapshot_view_crc(uint32_t crc, struct span raw)
{
    uint8_t bytes[4];
    le32_store(bytes, crc32c(0, raw.data, raw.size_bytes));
    return crc32c(crc, bytes, sizeof(bytes));
}

bool snapshot_view_is_whole(const struct snapshot_view *view, uint32_t crc)
{
    return view->is_complete && crc == view->info.content_crc;
}
