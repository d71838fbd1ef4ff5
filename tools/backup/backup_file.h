/*
 * Writing and reading the file of a backup, and the one judge of what was read: whether the frames
 * make up whole shards. backup_format.h has the layout.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_TOOLS_BACKUP_BACKUP_FILE_H
#define POLLUX_TOOLS_BACKUP_BACKUP_FILE_H

#include "tools/backup/backup_format.h"
#include "tools/backup/backup_stream.h"

/* ---- writing ---- */

struct backup_writer {
    int fd;
    bool is_file; /* of its own: what was written can be taken back */
    uint64_t id;
    struct backup_totals totals; /* of what was written */
};

/* Where a writer was: to begin a shard anew. */
struct backup_mark {
    struct backup_totals totals;
};

/* Errors of all: ERR_NO_SPACE, ERR_IO; errno says more. */
MUST_USE enum error backup_write_head(struct backup_writer *writer, const struct backup_head *head);
MUST_USE enum error backup_write_frame(struct backup_writer *writer,
                                       const struct backup_frame *frame);
/* The end, with these keys in all. */
MUST_USE enum error backup_write_end(struct backup_writer *writer, uint64_t keys);
/* Goes back to what was written then. ERR_UNSUPPORTED: not is_file. */
MUST_USE enum error backup_write_back(struct backup_writer *writer, const struct backup_mark *mark);

/* ---- reading ---- */

struct backup_reader {
    int fd;
    uint64_t offset; /* of the frame that was read last, or that could not be read */
    uint64_t next_offset;
    struct backup_head head;
    struct backup_totals totals; /* of what was read */
    uint8_t *body;               /* BACKUP_BODY_BYTES_MAX */
};

/* Reads the head. ERR_NO_MEMORY, ERR_IO, ERR_SHORT, and backup_head_decode's. */
MUST_USE enum error backup_read_begin(struct backup_reader *reader, int fd);
/* The next frame; its body is borrowed until the next call. ERR_NOT_FOUND: the file ends here.
 * ERR_SHORT: it ends within a frame. ERR_IO, and those of backup_frame_size and
 * backup_frame_decode. */
MUST_USE enum error backup_read_frame(struct backup_reader *reader, struct backup_frame *ret_frame);
void backup_read_deinit(struct backup_reader *reader);

/* ---- judging ---- */

struct backup_judge {
    struct backup_stream stream; /* of the shard that is being read */
    struct backup_shard shards[SHARDS_MAX];
    uint32_t blocks[SHARDS_MAX]; /* that have come, in order */
    uint32_t content_crc;        /* of the blocks of the shard that is being read */
    uint16_t shard_count;
    int32_t current; /* shard; -1: none */
    uint64_t pending;
    uint64_t pending_nodes; /* that had some, each shard counted by itself */
    uint64_t silent_nodes;
    bool is_ended;
};

/* False: no memory. `visitor` sees the items of all shards; it may be NULL. */
bool backup_judge_init(struct backup_judge *judge, uint16_t shard_count,
                       const struct backup_visitor *visitor);
void backup_judge_deinit(struct backup_judge *judge);
/* Whether the next frame fits those before it. `read`: of what lies before the frame. ERR_SHARD: it
 * is of another one than it must be; ERR_CORRUPT; ERR_TRAILING: behind the end; and those of the
 * bodies and of the stream. */
MUST_USE enum error backup_judge_frame(struct backup_judge *judge, const struct backup_frame *frame,
                                       const struct backup_totals *read);
bool backup_judge_is_whole(const struct backup_judge *judge, uint16_t shard);
uint64_t backup_judge_keys(const struct backup_judge *judge);

/* Reads the whole file, and judges it. `ret_text` says what is wrong, and at which offset. The
 * reader has begun. */
MUST_USE enum error backup_verify(struct backup_reader *reader, struct backup_judge *judge,
                                  char *ret_text, size_t text_size);

#endif
