/* JSON as the commands print it: no byte is lost, and none reaches a terminal as a control. */
#ifndef POLLUX_TOOLS_CLI_CLI_JSON_H
#define POLLUX_TOOLS_CLI_CLI_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* "name": text where the bytes are UTF-8, else "name_base64". */
void cli_json_add_bytes(json_t *object, const char *name, const void *bytes, size_t size_bytes);

/* A line as a string; bytes that are not UTF-8 as an object with line_base64. The caller's. */
json_t *cli_json_line(const char *bytes, size_t size_bytes);

/* JSON has no unsigned integers of 64 bits: what does not fit, "never" above all, is null. */
json_t *cli_json_count(uint64_t value);

/* As text: the flags of json_dumps(3), and DEL and U+0080 to U+009F as \u00xx. The caller's to
 * free; NULL: no memory, and the console knows that output is lost. */
char *cli_json_text(const json_t *value, size_t flags);

/* Prints a value and a newline, and gives the value up. */
void cli_json_print(json_t *value);

#endif
