/*
 * Bytes of strangers (keys, values, lines, names) as text that a terminal can be trusted with.
 *
 * A byte that a terminal would not print as it is becomes \xNN: control characters, DEL, the
 * controls of ISO 6429 beyond ASCII (U+0080 to U+009F), and what is no UTF-8 (RFC 3629). All other
 * UTF-8 stays as it is.
 *
 * Pure, but for the stream that is written to.
 */
#ifndef POLLUX_TOOLS_CONSOLE_ESCAPE_H
#define POLLUX_TOOLS_CONSOLE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Of what one character or byte becomes. */
#define ESCAPE_UNIT_BYTES_MAX 4

#define ESCAPE_BASE64_BYTES(size_bytes) (((size_bytes) + 2) / 3 * 4 + 1)

enum escape_how {
    ESCAPE_FIELD, /* newline, tab and backslash, too: one field; escape_parse reads it */
    ESCAPE_LINES, /* lines for people: newline, tab and backslash stay */
};

/* Bytes in the sequence of UTF-8 that begins here; 0: none. left_bytes is not 0. */
size_t escape_utf8_length(const uint8_t *at, size_t left_bytes);
bool escape_is_utf8(const void *bytes, size_t size_bytes);
/* What is here may be the begin of a sequence whose rest is to come. */
bool escape_is_cut(const uint8_t *at, size_t left_bytes);

/* The first character or byte as text. Returns how many bytes it took; left_bytes is not 0. */
size_t escape_next(enum escape_how how, const uint8_t *at, size_t left_bytes,
                   char ret_text[ESCAPE_UNIT_BYTES_MAX], size_t *ret_size_bytes);

/* All bytes as one field; `to` has room for ESCAPE_UNIT_BYTES_MAX for each. Returns its size. */
size_t escape_write(const void *bytes, size_t size_bytes, char *to);
/* The same, written to a stream. */
void escape_print(FILE *to, const void *bytes, size_t size_bytes);

/*
 * Takes a field back, in place: \xNN, and \n, \t, \r and \\ . False: what begins at
 * ret_fault is none of these.
 */
bool escape_parse(char *text, size_t size_bytes, size_t *ret_size_bytes, size_t *ret_fault);

/* RFC 4648, with padding; `to` has ESCAPE_BASE64_BYTES, with the zero byte at the end. */
void escape_base64(const void *bytes, size_t size_bytes, char *to);

#endif
