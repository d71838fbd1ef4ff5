/* See tools/cli/export_text.h. */
#include "tools/cli/export_text.h"

#include "base/crc32c.h"
#include "base/span.h"
#include "tools/console/escape.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Whether there is a byte in it that is never written as it is. */
static bool has_control(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (byte < ' ' || byte == 0x7f)
            return true;
    }
    return false;
}

static bool field_read(char *text, size_t size, size_t *ret_size_bytes)
{
    size_t fault;
    return !has_control(text, size) && escape_parse(text, size, ret_size_bytes, &fault);
}

void export_note(struct export_state *state, const char *bytes, size_t size_bytes)
{
    state->crc = crc32c(state->crc, bytes, size_bytes);
    state->count += state->line > 0;
    state->line++;
}

size_t export_end_write(const struct export_state *state, char to[EXPORT_END_BYTES])
{
    return (size_t)snprintf(to, EXPORT_END_BYTES, "end %" PRIu64 " %08" PRIx32 "\n", state->count,
                            state->crc);
}

static const char *pair_take(struct export_state *state, char *line, size_t size,
                             struct export_pair *ret_pair)
{
    char *tab = memchr(line, '\t', size);
    size_t key_bytes;
    size_t value_bytes;
    if (tab == NULL)
        return "no tab, so no key with a value, and not the end";
    char *value = tab + 1;
    if (!field_read(line, (size_t)(tab - line), &key_bytes) ||
        !field_read(value, size - (size_t)(value - line), &value_bytes))
        return "a control character, which is written as \\x and two digits, or a backslash that "
               "begins nothing";
    if (key_bytes == 0 || key_bytes > KEY_SIZE_BYTES_MAX)
        return "a key of no bytes, or of more than 512";
    if (value_bytes > VALUE_SIZE_BYTES_MAX)
        return "a value of more than 1 MiB";
    struct span key = span_of(line, key_bytes);
    if (span_compare(span_of(state->last, state->last_bytes), key) >= 0)
        return "its key does not come behind that of the line before";
    memcpy(state->last, key.data, key_bytes);
    state->last_bytes = key_bytes;
    *ret_pair = (struct export_pair){.key = key.data,
                                     .key_size_bytes = key_bytes,
                                     .value = (const uint8_t *)value,
                                     .value_size_bytes = value_bytes};
    return NULL;
}

const char *export_line_take(struct export_state *state, char *line, size_t size,
                             struct export_pair *ret_pair)
{
    char end[EXPORT_END_BYTES];
    *ret_pair = (struct export_pair){.key = NULL};
    if (state->line == 0) {
        export_note(state, line, size);
        bool is_header =
            size == sizeof(EXPORT_HEADER) - 1 && memcmp(line, EXPORT_HEADER, size) == 0;
        return is_header ? NULL : "not a file of pollux export, or of a later version of it";
    }
    if (state->has_end) {
        state->line++;
        return "a line behind the end";
    }
    if (size == 0 || line[size - 1] != '\n') {
        state->line++;
        return "cut within the line";
    }
    if (size >= 4 && memcmp(line, "end ", 4) == 0 && memchr(line, '\t', size) == NULL) {
        size_t end_size = export_end_write(state, end);
        state->line++;
        state->has_end = true;
        bool is_whole = size == end_size && memcmp(line, end, size) == 0;
        return is_whole ? NULL
                        : "the number of keys, or the checksum, is another one: the file is "
                          "damaged";
    }
    export_note(state, line, size);
    return pair_take(state, line, size - 1, ret_pair);
}

const char *export_lines_end(const struct export_state *state)
{
    return state->has_end ? NULL : "cut: the end is missing";
}
