/* Writing a backup: see tools/backup/backup_file.h. */
#include "tools/backup/backup_file.h"

#include "base/crc32c.h"

#include <errno.h>
#include <unistd.h>

static enum error write_all(struct backup_writer *writer, const void *data, size_t size_bytes)
{
    const uint8_t *from = data;
    size_t done = 0;
    while (done < size_bytes) { /* each round writes, or ends it */
        ssize_t size = write(writer->fd, from + done, size_bytes - done);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? ERR_NO_SPACE : ERR_IO;
        done += (size_t)size;
    }
    writer->totals.crc = crc32c(writer->totals.crc, data, size_bytes);
    writer->totals.bytes += size_bytes;
    return OK;
}

enum error backup_write_head(struct backup_writer *writer, const struct backup_head *head)
{
    uint8_t bytes[BACKUP_HEAD_BYTES];
    backup_head_encode(head, bytes);
    writer->id = head->id;
    writer->totals = (struct backup_totals){0};
    return write_all(writer, bytes, sizeof(bytes));
}

enum error backup_write_frame(struct backup_writer *writer, const struct backup_frame *frame)
{
    uint8_t bytes[BACKUP_FRAME_BYTES];
    backup_frame_encode(frame, writer->id, writer->totals.bytes, bytes);
    enum error error = write_all(writer, bytes, sizeof(bytes));
    if (error == OK && frame->body.size_bytes > 0)
        error = write_all(writer, frame->body.data, frame->body.size_bytes);
    writer->totals.frames++;
    return error;
}

enum error backup_write_end(struct backup_writer *writer, uint64_t keys)
{
    uint8_t body[BACKUP_FRAME_BYTES * 4];
    writer->totals.keys = keys;
    struct backup_frame frame = {.kind = BACKUP_END};
    frame.body = span_of(body, backup_totals_encode(&writer->totals, body));
    return backup_write_frame(writer, &frame);
}

enum error backup_write_back(struct backup_writer *writer, const struct backup_mark *mark)
{
    off_t offset = (off_t)mark->totals.bytes;
    if (!writer->is_file)
        return ERR_UNSUPPORTED;
    if (lseek(writer->fd, offset, SEEK_SET) < 0 || ftruncate(writer->fd, offset) != 0)
        return ERR_IO;
    writer->totals = mark->totals;
    return OK;
}
