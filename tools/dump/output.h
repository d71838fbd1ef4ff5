/*
 * What pollux-dump prints: objects with fields, and lists of rows, as text, as one JSON value, or
 * as lines of JSON. The caller says once what there is; the format decides how it looks.
 *
 *   text    an object is a heading and a line for each field; a row is one line
 *   json    one object
 *   lines   one JSON object a line for each object and each row, without what it contains. `type`
 *           is its name, and `shard` and `file` say whose it is
 *
 * The fields of an object or a row come before what it contains. Nothing is kept, so a list may be
 * of any length.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_TOOLS_DUMP_OUTPUT_H
#define POLLUX_TOOLS_DUMP_OUTPUT_H

#include "base/span.h"

#include <stdio.h>

#define OUTPUT_DEPTH_MAX 16u
#define OUTPUT_NO_SHARD  UINT32_MAX

enum output_format { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_LINES };

enum output_sort { OUTPUT_OBJECT, OUTPUT_LIST, OUTPUT_ROW };

struct output {
    FILE *to;
    enum output_format format;
    uint32_t muted; /* while it is not 0 nothing is printed */
    uint32_t shard; /* of the lines to come; OUTPUT_NO_SHARD: none */
    const char *file;
    bool is_line_open;
    uint32_t depth; /* level 0 is the whole */
    struct {
        enum output_sort sort;
        uint32_t fields;
        bool has_child;
    } levels[OUTPUT_DEPTH_MAX];
};

void output_init(struct output *output, FILE *to, enum output_format format);
/* Prints what is open to its end. */
void output_deinit(struct output *output);

/* Begins an object, a list of rows, or one row; each has a name. */
void output_object(struct output *output, const char *name);
void output_list(struct output *output, const char *name);
void output_row(struct output *output, const char *name);
/* Ends what was begun last. */
void output_end(struct output *output);

/* Fields. A number that signed integers do not hold is a string in JSON: readers disagree on it. */
void output_number(struct output *output, const char *name, uint64_t value);
/* 16 hexadecimal digits: births, series, ids. */
void output_name(struct output *output, const char *name, uint64_t value);
/* 8 hexadecimal digits. */
void output_crc(struct output *output, const char *name, uint32_t value);
void output_text(struct output *output, const char *name, const char *text);
void output_flag(struct output *output, const char *name, bool value);
/* Any bytes. In text what is not printable is escaped; in JSON bytes that are no UTF-8 are in
 * base64, and the name of the field ends with _base64. */
void output_bytes(struct output *output, const char *name, struct span bytes);

#endif
