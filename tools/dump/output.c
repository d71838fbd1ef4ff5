/* See output.h. */
#include "tools/dump/output.h"

#include "base/check.h"
#include "tools/console/escape.h"

#include <inttypes.h>
#include <string.h>

void output_init(struct output *output, FILE *to, enum output_format format)
{
    *output = (struct output){.to = to, .format = format, .shard = OUTPUT_NO_SHARD, .depth = 1};
    if (format == OUTPUT_JSON)
        fputc('{', to);
}

/* One character of a JSON string, or its escape. */
static void put_json_byte(FILE *to, uint8_t byte)
{
    static const char names[] = "btnvfr"; /* from 8 on; there is no escape for 11 */
    if (byte == '"' || byte == '\\')
        fprintf(to, "\\%c", byte);
    else if (byte >= 8 && byte <= 13 && byte != 11)
        fprintf(to, "\\%c", names[byte - 8]);
    else if (byte < 0x20 || byte == 0x7f)
        fprintf(to, "\\u%04x", byte);
    else
        fputc(byte, to);
}

static void put_json_text(FILE *to, struct span bytes)
{
    fputc('"', to);
    for (size_t i = 0; i < bytes.size_bytes; i++) {
        bool is_control = bytes.data[i] == 0xc2 && i + 1 < bytes.size_bytes &&
                          bytes.data[i + 1] < 0xa0; /* U+0080 to U+009F */
        if (is_control)
            fprintf(to, "\\u%04x", bytes.data[++i]);
        else
            put_json_byte(to, bytes.data[i]);
    }
    fputc('"', to);
}

static void put_json_name(FILE *to, const char *name)
{
    put_json_text(to, span_of(name, strlen(name)));
}

/* In text a name is words. */
static void put_words(FILE *to, const char *name)
{
    for (; *name != '\0'; name++)
        fputc(*name == '_' ? ' ' : *name, to);
}

static void close_line(struct output *output)
{
    if (output->is_line_open)
        fputs("}\n", output->to);
    output->is_line_open = false;
}

static void begin_line(struct output *output, const char *name)
{
    close_line(output);
    output->is_line_open = true;
    fputs("{\"type\": ", output->to);
    put_json_name(output->to, name);
    if (output->shard != OUTPUT_NO_SHARD)
        fprintf(output->to, ", \"shard\": %" PRIu32, output->shard);
    if (output->file != NULL) {
        fputs(", \"file\": ", output->to);
        put_json_name(output->to, output->file);
    }
}

static bool is_in(const struct output *output, enum output_sort sort)
{
    return output->levels[output->depth - 1].sort == sort;
}

/* Whether nothing was printed yet of what is open. */
static bool is_first(const struct output *output)
{
    return output->levels[output->depth - 1].fields == 0 &&
           !output->levels[output->depth - 1].has_child;
}

static void begin_json(struct output *output, enum output_sort sort, const char *name)
{
    fputs(is_first(output) ? "" : ",", output->to);
    fprintf(output->to, "\n%*s", (int)(2 * output->depth), "");
    if (!is_in(output, OUTPUT_LIST)) {
        put_json_name(output->to, name);
        fputs(": ", output->to);
    }
    fputc(sort == OUTPUT_LIST ? '[' : '{', output->to);
}

static void put_text_line(const struct output *output)
{
    bool is_begin = output->depth == 1 && is_first(output);
    fprintf(output->to, "%s%*s", is_begin ? "" : "\n", (int)(2 * (output->depth - 1)), "");
}

/* A list in a row has no heading: its rows stand below that row. */
static void begin_text(struct output *output, enum output_sort sort, const char *name)
{
    if (sort == OUTPUT_LIST && is_in(output, OUTPUT_ROW))
        return;
    put_text_line(output);
    if (sort != OUTPUT_ROW || !is_in(output, OUTPUT_LIST))
        put_words(output->to, name);
}

static void begin(struct output *output, enum output_sort sort, const char *name)
{
    if (output->muted > 0)
        return;
    CHECK(output->depth < OUTPUT_DEPTH_MAX);
    if (output->format == OUTPUT_JSON)
        begin_json(output, sort, name);
    else if (output->format == OUTPUT_TEXT)
        begin_text(output, sort, name);
    else if (sort != OUTPUT_LIST)
        begin_line(output, name);
    output->levels[output->depth - 1].has_child = true;
    output->levels[output->depth].sort = sort;
    output->levels[output->depth].fields = 0;
    output->levels[output->depth].has_child = false;
    output->depth++;
}

void output_object(struct output *output, const char *name)
{
    begin(output, OUTPUT_OBJECT, name);
}

void output_list(struct output *output, const char *name)
{
    begin(output, OUTPUT_LIST, name);
}

void output_row(struct output *output, const char *name)
{
    begin(output, OUTPUT_ROW, name);
}

static void end_json(const struct output *output)
{
    if (output->levels[output->depth].has_child)
        fprintf(output->to, "\n%*s", (int)(2 * output->depth), "");
    fputc(output->levels[output->depth].sort == OUTPUT_LIST ? ']' : '}', output->to);
}

void output_end(struct output *output)
{
    if (output->muted > 0)
        return;
    CHECK(output->depth > 1);
    output->depth--;
    if (output->format == OUTPUT_JSON)
        end_json(output);
    else if (output->format == OUTPUT_LINES)
        close_line(output);
    else if (output->levels[output->depth].sort == OUTPUT_LIST &&
             !output->levels[output->depth].has_child && !is_in(output, OUTPUT_ROW))
        fputs(": none", output->to);
}

void output_deinit(struct output *output)
{
    CHECK(output->muted == 0);
    while (output->depth > 1) /* levels */
        output_end(output);
    if (output->format == OUTPUT_JSON)
        fputs("\n}\n", output->to);
    else if (output->format == OUTPUT_TEXT && !is_first(output))
        fputc('\n', output->to);
}

/* Up to where the value of a field stands. False: nothing is printed. */
static bool begin_field(struct output *output, const char *name)
{
    if (output->muted > 0)
        return false;
    bool is_of_row = is_in(output, OUTPUT_ROW);
    CHECK(!is_in(output, OUTPUT_LIST));
    CHECK(!output->levels[output->depth - 1].has_child || output->format == OUTPUT_TEXT);
    if (output->format == OUTPUT_LINES && !output->is_line_open)
        begin_line(output, "dump");
    if (output->format != OUTPUT_TEXT) {
        bool is_begin = output->format == OUTPUT_JSON && is_first(output);
        fputs(is_begin ? "" : ", ", output->to);
        put_json_name(output->to, name);
        fputs(": ", output->to);
    } else if (is_of_row) {
        fputs(is_first(output) ? "" : ", ", output->to);
        put_words(output->to, name);
        fputc(' ', output->to);
    } else {
        put_text_line(output);
        put_words(output->to, name);
        fputs(": ", output->to);
    }
    output->levels[output->depth - 1].fields++;
    return true;
}

static const char *quote_of(const struct output *output)
{
    return output->format == OUTPUT_TEXT ? "" : "\"";
}

void output_number(struct output *output, const char *name, uint64_t value)
{
    const char *quote = value > INT64_MAX ? quote_of(output) : "";
    if (begin_field(output, name))
        fprintf(output->to, "%s%" PRIu64 "%s", quote, value, quote);
}

void output_name(struct output *output, const char *name, uint64_t value)
{
    if (begin_field(output, name))
        fprintf(output->to, "%s%016" PRIx64 "%s", quote_of(output), value, quote_of(output));
}

void output_crc(struct output *output, const char *name, uint32_t value)
{
    if (begin_field(output, name))
        fprintf(output->to, "%s%08" PRIx32 "%s", quote_of(output), value, quote_of(output));
}

void output_flag(struct output *output, const char *name, bool value)
{
    if (!begin_field(output, name))
        return;
    if (output->format == OUTPUT_TEXT)
        fputs(value ? "yes" : "no", output->to);
    else
        fputs(value ? "true" : "false", output->to);
}

static void put_base64(FILE *to, struct span bytes)
{
    enum { GROUP = 3 * 256 };
    char text[ESCAPE_BASE64_BYTES(GROUP)];
    for (size_t at = 0; at < bytes.size_bytes; at += GROUP) {
        size_t left = bytes.size_bytes - at;
        escape_base64(bytes.data + at, left < GROUP ? left : GROUP, text);
        fputs(text, to);
    }
}

void output_bytes(struct output *output, const char *name, struct span bytes)
{
    char encoded_name[64];
    if (output->format == OUTPUT_TEXT) {
        if (begin_field(output, name))
            escape_print(output->to, bytes.data, bytes.size_bytes);
    } else if (escape_is_utf8(bytes.data, bytes.size_bytes)) {
        if (begin_field(output, name))
            put_json_text(output->to, bytes);
    } else {
        snprintf(encoded_name, sizeof(encoded_name), "%s_base64", name);
        if (!begin_field(output, encoded_name))
            return;
        fputc('"', output->to);
        put_base64(output->to, bytes);
        fputc('"', output->to);
    }
}

void output_text(struct output *output, const char *name, const char *text)
{
    output_bytes(output, name, span_of(text, strlen(text)));
}
