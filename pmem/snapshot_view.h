/*
 * One of the two snapshot files of a shard, read and not opened (pmem/file_reader.h): the header,
 * the completion record, and block by block the stream, of which nothing is kept. What the stream
 * says is engine/state/snapshot_format.h.
 *
 * A node that is running may begin to write the next snapshot over this one. It first makes the
 * completion record zero. So a block that is not the snapshot's is damage only where the completion
 * record is still the same afterwards: ERR_NOT_YET tells the other case.
 *
 * Owner: one thread. For tools.
 */
#ifndef POLLUX_PMEM_SNAPSHOT_VIEW_H
#define POLLUX_PMEM_SNAPSHOT_VIEW_H

#include "pmem/log_view.h"
#include "pmem/snapshots.h"

struct snapshot_view {
    const char *path;
    const struct file_reader *reader;
    uint32_t version;
    struct log_identity identity;
    uint32_t slots;          /* that the file has */
    bool is_header_lost;     /* both copies; identity and slots are assumed */
    bool is_complete;        /* it holds a snapshot, which `info` names */
    bool is_completion_torn; /* not zero, and not whole: half written, or rotten */
    struct snapshot_info info;
    uint32_t seed;
    enum error header_errors[2]; /* of either copy */
};

/*
 * Reads header and completion record. `identity` as in log_view_options. Errors as log_view_open;
 * `ret_note` (VIEW_NOTE_BYTES) explains.
 */
MUST_USE enum error snapshot_view_open(const char *path, const struct file_reader *reader,
                                       const struct log_identity *identity,
                                       struct snapshot_view *ret_view, char *ret_note);

/* Tells what is wrong with header and completion record, and whether the file is cut off. */
void snapshot_view_findings(const struct snapshot_view *view, const struct finding_sink *sink);

/* Where block `number` lies, and how much of the stream it holds (CHECK: there is such a block). */
uint64_t snapshot_view_offset(uint32_t number);
uint32_t snapshot_view_block_bytes(const struct snapshot_view *view, uint32_t number);

/*
 * Reads block `number` of the snapshot into `buffer` (SNAPSHOT_BLOCK_BYTES); *ret_stored_bytes is
 * what it takes in the file. ERR_RANGE: there is no such block. ERR_CHECKSUM: it has rotted.
 * ERR_IO: the medium cannot read it. ERR_SHORT: the file ends before. ERR_NOT_YET: the node has
 * begun to write another snapshot into this file.
 */
MUST_USE enum error snapshot_view_block(const struct snapshot_view *view, uint32_t number,
                                        uint8_t *buffer, struct span *ret_raw,
                                        uint32_t *ret_stored_bytes);

/* After all blocks, with the checksum over theirs (begin with 0; snapshot_view_crc adds one):
 * whether they are those of the completion record. */
uint32_t snapshot_view_crc(uint32_t crc, struct span raw);
bool snapshot_view_is_whole(const struct snapshot_view *view, uint32_t crc);

#endif
