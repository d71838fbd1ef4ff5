/* See format.h. */
#include "base/format.h"

#include "base/check.h"

static const struct format_versions table[] = {
#define X(format, packet, log, snapshot, configuration)                                            \
    [format] = {packet, log, snapshot, configuration},
    FORMAT_LIST(X)
#undef X
};

static_assert(sizeof(table) / sizeof(table[0]) == FORMAT_KNOWN + 1, "a line for each format");

const struct format_versions *format_versions(uint32_t format)
{
    CHECK(format <= FORMAT_KNOWN);
    return &table[format];
}

bool format_of(enum format_file file, uint32_t version, uint32_t format_max, uint32_t *ret_format)
{
    for (uint32_t format = 0; format <= format_max && format <= FORMAT_KNOWN; format++) {
        const struct format_versions *versions = &table[format];
        if ((file == FORMAT_LOG ? versions->log : versions->snapshot) != version)
            continue;
        *ret_format = format;
        return true;
    }
    return false;
}
