/*
 * Files of `pollux export`. Keys and values are fields (tools/console/escape.h): no byte is lost,
 * and a line is a line. A file:
 *     pollux-export 1
 *     KEY<TAB>VALUE          one line for each key, in the order of the keys
 *     end COUNT CRC          the number of keys, and the crc32c of all bytes before this line, in
 *                            8 hexadecimal digits; nothing comes behind it
 *
 * A file that was cut lacks its end.
 *
 * Pure.
 */
#ifndef POLLUX_TOOLS_CLI_EXPORT_TEXT_H
#define POLLUX_TOOLS_CLI_EXPORT_TEXT_H

#include "base/limits.h"
#include "tools/console/escape.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT_HEADER    "pollux-export 1\n"
#define EXPORT_END_BYTES 64
/* A line with its newline. */
#define EXPORT_LINE_BYTES_MAX                                                                      \
    ((size_t)ESCAPE_UNIT_BYTES_MAX * (KEY_SIZE_BYTES_MAX + VALUE_SIZE_BYTES_MAX) + 2)

/* Of a file that is written or read. All zero: at its begin. */
struct export_state {
    uint64_t line; /* the last one */
    uint64_t count;
    uint32_t crc;
    bool has_end;
    uint8_t last[KEY_SIZE_BYTES_MAX];
    size_t last_bytes;
};

/* One key with its value. */
struct export_pair {
    const uint8_t *key; /* NULL: the line is none */
    size_t key_size_bytes;
    const uint8_t *value;
    size_t value_size_bytes;
};

/* These bytes, header or pairs, are written. */
void export_note(struct export_state *state, const char *bytes, size_t size_bytes);
/* Writes the end; returns its size. */
size_t export_end_write(const struct export_state *state, char to[EXPORT_END_BYTES]);

/*
 * Takes the next line of a file, with its newline. A pair lies in the place of the line. NULL, or
 * what is wrong with the line of number state->line.
 */
const char *export_line_take(struct export_state *state, char *line, size_t size,
                             struct export_pair *ret_pair);
/* There are no more lines. NULL, or what is wrong. */
const char *export_lines_end(const struct export_state *state);

#endif
