/* See view_reader.h. */
#include "tests/sim/view_reader.h"

#include "base/check.h"

#include <errno.h>
#include <string.h>

static ssize_t read_some(void *context, void *to, size_t size_bytes, uint64_t offset)
{
    struct view_reader *reader = context;
    reader->reads++;
    if (reader->before_read != NULL)
        reader->before_read(reader->context);
    if (offset >= reader->size_bytes)
        return 0;
    if (size_bytes > reader->size_bytes - offset)
        size_bytes = reader->size_bytes - (size_t)offset;
    if (offset < reader->bad_offset + reader->bad_bytes && offset + size_bytes > reader->bad_offset)
        return -EIO;
    memcpy(to, reader->data + offset, size_bytes);
    return (ssize_t)size_bytes;
}

void view_reader_init_bytes(struct view_reader *reader, const uint8_t *data, size_t size_bytes)
{
    memset(reader, 0, sizeof(*reader));
    reader->data = data;
    reader->size_bytes = size_bytes;
    reader->reader = (struct file_reader){
        .read = read_some, .context = reader, .size_bytes = reader->size_bytes, .fd = -1};
}

void view_reader_init(struct view_reader *reader, const struct medium *medium)
{
    view_reader_init_bytes(reader, medium_data(medium), medium_size_bytes(medium));
}

void view_reader_cut(struct view_reader *reader, size_t size_bytes)
{
    reader->size_bytes = size_bytes;
    reader->reader.size_bytes = size_bytes;
}

static void take(void *context, const struct finding *finding)
{
    struct view_findings *findings = context;
    CHECK(findings->count < VIEW_FINDINGS_MAX);
    findings->findings[findings->count++] = *finding;
}

void view_findings_init(struct view_findings *findings)
{
    memset(findings, 0, sizeof(*findings));
    findings->sink = (struct finding_sink){.take = take, .context = findings};
}

uint32_t view_findings_damage(const struct view_findings *findings)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < findings->count; i++)
        count += finding_is_damage(findings->findings[i].kind);
    return count;
}

const struct finding *view_findings_of(const struct view_findings *findings, enum finding_kind kind)
{
    for (uint32_t i = 0; i < findings->count; i++) {
        if (findings->findings[i].kind == kind)
            return &findings->findings[i];
    }
    return NULL;
}
