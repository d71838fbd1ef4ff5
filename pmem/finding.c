/* What is common to all readers of files: see file_reader.h. */
#include "pmem/file_reader.h"

#include "base/check.h"

ssize_t file_reader_fill(const struct file_reader *reader, void *to, size_t size_bytes,
                         uint64_t offset)
{
    uint8_t *bytes = (uint8_t *)to;
    size_t done_bytes = 0;
    while (done_bytes < size_bytes) {
        ssize_t got_bytes = reader->read(reader->context, bytes + done_bytes,
                                         size_bytes - done_bytes, offset + done_bytes);
        if (got_bytes < 0)
            return got_bytes;
        if (got_bytes == 0)
            break;
        CHECK((size_t)got_bytes <= size_bytes - done_bytes);
        done_bytes += (size_t)got_bytes;
    }
    return (ssize_t)done_bytes;
}

const char *finding_kind_name(enum finding_kind kind)
{
    static const char *const names[FINDING_KINDS] = {
        [FINDING_DAMAGED] = "damaged",       [FINDING_TORN] = "torn",
        [FINDING_UNREADABLE] = "unreadable", [FINDING_CUT_OFF] = "cut off",
        [FINDING_LEFT_OVER] = "left over",   [FINDING_CHANGING] = "changing",
    };
    return (uint32_t)kind < FINDING_KINDS ? names[kind] : "?";
}

bool finding_is_damage(enum finding_kind kind)
{
    return kind != FINDING_LEFT_OVER && kind != FINDING_CHANGING;
}

void finding_tell(const struct finding_sink *sink, const struct finding *finding)
{
    if (sink != NULL && sink->take != NULL)
        sink->take(sink->context, finding);
}
