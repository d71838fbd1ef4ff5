/*
 * The parser. A command's shape has a letter for each argument: F and T ports (from, to), G one or
 * more groups, % a share, d a delay, j a jitter, r a hold-back time, p a path or "off", m
 * mebibytes, b bytes of an MTU; after ? all are optional together.
 */
#include "tools/switch/command.h"

#include "base/check.h"
#include "base/limits.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    const char *name; /* of the command */
    uint32_t port_count;
    char *words[COMMAND_WORDS_MAX];
    uint32_t word_count;
    char *reason;
    size_t reason_size;
};

static const struct {
    const char *name;
    const char *shape;
    const char *usage;
} syntaxes[COMMAND_COUNT] = {
#define X(name, shape, usage) {#name, shape, #name " " usage},
    COMMAND_LIST(X)
#undef X
};

const char *command_usage(enum command_kind kind)
{
    CHECK((unsigned)kind < COMMAND_COUNT);
    return syntaxes[kind].usage;
}

static enum error refuse(const struct parser *parser, const char *argument, const char *word,
                         const char *expected)
{
    snprintf(parser->reason, parser->reason_size, "%s: %s '%s' is not %s", parser->name, argument,
             word, expected);
    return ERR_ARGUMENT;
}

/* One port list into a mask. */
static enum error parse_ports(const struct parser *parser, const char *argument, const char *word,
                              uint32_t *ret_mask)
{
    uint32_t mask = 0;
    const char *at = word;
    if (strcmp(word, "*") == 0) {
        *ret_mask = (1U << parser->port_count) - 1;
        return OK;
    }
    for (uint32_t count = 0; count < COMMAND_LINE_BYTES_MAX; count++) {
        char *end = NULL;
        unsigned long port = *at >= '0' && *at <= '9' ? strtoul(at, &end, 10) : ULONG_MAX;
        if (port >= parser->port_count || end == NULL || (*end != ',' && *end != '\0')) {
            return refuse(parser, argument, word, "a port, a list of ports or *");
        }
        mask |= 1U << port;
        if (*end == '\0') {
            break;
        }
        at = end + 1;
    }
    *ret_mask = mask;
    return OK;
}

/* A decimal number of `unit`s, at most `max`, with up to six digits after the point. */
static enum error parse_decimal(const char *word, uint64_t unit, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    uint64_t scale = unit;
    bool has_point = false;
    if (*word == '\0' || *word == '.' || strlen(word) > 16) {
        return ERR_ARGUMENT;
    }
    for (const char *at = word; *at != '\0'; at++) {
        if (*at == '.' && !has_point) {
            has_point = true;
        } else if (*at < '0' || *at > '9') {
            return ERR_ARGUMENT;
        } else if (has_point) {
            scale /= 10;
            value += (uint64_t)(*at - '0') * scale;
        } else if (value > max) {
            return ERR_RANGE;
        } else {
            value = value * 10 + (uint64_t)(*at - '0') * unit;
        }
    }
    if (value > max) {
        return ERR_RANGE;
    }
    *ret_value = value;
    return OK;
}

static enum error parse_time(const struct parser *parser, const char *argument, const char *word,
                             uint64_t *ret_ns)
{
    if (parse_decimal(word, 1000 * 1000, FAULT_DELAY_NS_MAX, ret_ns) != OK) {
        return refuse(parser, argument, word, "a number of milliseconds from 0 to 10000");
    }
    return OK;
}

static enum error parse_share(const struct parser *parser, const char *word,
                              struct fault_link *ret_link)
{
    uint64_t ppm = 0;
    if (parse_decimal(word, 10000, FAULT_PPM_MAX, &ppm) != OK) {
        return refuse(parser, "PERCENT", word, "a number from 0 to 100");
    }
    ret_link->loss_ppm = (uint32_t)ppm;
    ret_link->duplicate_ppm = (uint32_t)ppm;
    ret_link->corrupt_ppm = (uint32_t)ppm;
    ret_link->reorder_ppm = (uint32_t)ppm;
    return OK;
}

static enum error parse_path(const struct parser *parser, const char *word, struct command *command)
{
    if (strlen(word) >= sizeof(command->path)) {
        return refuse(parser, "FILE", word, "short enough");
    }
    command->is_off = strcmp(word, "off") == 0;
    memcpy(command->path, word, strlen(word) + 1);
    return OK;
}

static enum error parse_mebibytes(const struct parser *parser, const char *word,
                                  uint64_t *ret_bytes)
{
    uint64_t mebibyte = 1024 * 1024;
    if (parse_decimal(word, mebibyte, 1024 * 1024 * mebibyte, ret_bytes) != OK) {
        return refuse(parser, "MIB", word, "a number of mebibytes");
    }
    return OK;
}

static enum error parse_mtu(const struct parser *parser, const char *word, uint64_t *ret_bytes)
{
    uint64_t bytes = 0;
    if (parse_decimal(word, 1, MTU_MAX, &bytes) != OK || bytes < MTU_MIN) {
        return refuse(parser, "BYTES", word, "an MTU from 1280 to 9000");
    }
    *ret_bytes = bytes;
    return OK;
}

/* Each group is a list; a port may be in one only. */
static enum error parse_groups(const struct parser *parser, struct command *command)
{
    uint32_t seen = 0;
    for (uint32_t i = 1; i < parser->word_count; i++) {
        uint32_t mask = 0;
        enum error error = parse_ports(parser, "GROUP", parser->words[i], &mask);
        if (error != OK) {
            return error;
        }
        if ((mask & seen) != 0) {
            return refuse(parser, "GROUP", parser->words[i], "free of ports of an earlier group");
        }
        seen |= mask;
        command->groups[command->group_count++] = mask;
    }
    return OK;
}

static enum error parse_argument(const struct parser *parser, char shape, const char *word,
                                 struct command *command)
{
    switch (shape) {
    case 'F':
        return parse_ports(parser, "FROM", word, &command->from_mask);
    case 'T':
        return parse_ports(parser, "TO", word, &command->to_mask);
    case '%':
        return parse_share(parser, word, &command->link);
    case 'd':
        return parse_time(parser, "MS", word, &command->link.delay_ns);
    case 'r':
        return parse_time(parser, "MS", word, &command->link.reorder_ns);
    case 'j':
        return parse_time(parser, "JITTER_MS", word, &command->link.jitter_ns);
    case 'b':
        return parse_mtu(parser, word, &command->limit_bytes);
    case 'm':
        return parse_mebibytes(parser, word, &command->limit_bytes);
    default:
        CHECK(shape == 'p');
        return parse_path(parser, word, command);
    }
}

static enum error parse_arguments(const struct parser *parser, const char *shape,
                                  struct command *command)
{
    uint32_t word = 1;
    bool is_optional = false;
    if (*shape == 'G' && parser->word_count >= 3) {
        return parse_groups(parser, command);
    }
    for (; *shape != '\0' && *shape != 'G'; shape++) {
        if (*shape == '?') {
            is_optional = true;
            if (word == parser->word_count) {
                return OK;
            }
            continue;
        }
        if (word == parser->word_count) {
            break;
        }
        enum error error = parse_argument(parser, *shape, parser->words[word++], command);
        if (error != OK) {
            return error;
        }
    }
    if (*shape != '\0' || word != parser->word_count) {
        snprintf(parser->reason, parser->reason_size, "%s: wrong number of arguments%s; usage: %s",
                 parser->name, is_optional ? " (optional ones go together)" : "",
                 command_usage(command->kind));
        return ERR_SYNTAX;
    }
    return OK;
}

/* Cuts the line into words in place; false: too many. */
static bool split_words(char *line, struct parser *parser)
{
    char *rest = NULL;
    for (char *word = strtok_r(line, " \t\r\n", &rest); word != NULL;
         word = strtok_r(NULL, " \t\r\n", &rest)) {
        if (parser->word_count == COMMAND_WORDS_MAX) {
            return false;
        }
        parser->words[parser->word_count++] = word;
    }
    return parser->word_count > 0;
}

enum error command_parse(const char *line, uint32_t port_count, struct command *ret_command,
                         char *ret_reason, size_t reason_size)
{
    CHECK(port_count > 0 && port_count <= SWITCH_PORTS_MAX);
    char text[COMMAND_LINE_BYTES_MAX];
    struct parser parser = {
        .port_count = port_count, .reason = ret_reason, .reason_size = reason_size};
    if (strlen(line) >= sizeof(text)) {
        snprintf(ret_reason, reason_size, "line longer than %d bytes", COMMAND_LINE_BYTES_MAX - 1);
        return ERR_SYNTAX;
    }
    memcpy(text, line, strlen(line) + 1);
    if (!split_words(text, &parser)) {
        snprintf(ret_reason, reason_size, "line empty or of more than %d words; try help",
                 COMMAND_WORDS_MAX);
        return ERR_SYNTAX;
    }
    for (uint32_t kind = 0; kind < COMMAND_COUNT; kind++) {
        if (strcmp(parser.words[0], syntaxes[kind].name) == 0) {
            struct command command = {.kind = (enum command_kind)kind,
                                      .from_mask = (1U << port_count) - 1,
                                      .to_mask = (1U << port_count) - 1,
                                      .limit_bytes = COMMAND_CAPTURE_BYTES,
                                      .link = {.reorder_ns = COMMAND_REORDER_NS, .is_cut = true}};
            parser.name = syntaxes[kind].name;
            enum error error = parse_arguments(&parser, syntaxes[kind].shape, &command);
            if (error == OK) {
                *ret_command = command;
            }
            return error;
        }
    }
    snprintf(ret_reason, reason_size, "unknown command '%s'; try help", parser.words[0]);
    return ERR_SYNTAX;
}
