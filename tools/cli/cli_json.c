/* See cli_json.h. */
#include "tools/cli/cli_json.h"
#include "tools/console/console.h"
#include "tools/console/escape.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEL          0x7f
#define ESCAPE_BYTES 6 /* \u009b */

void cli_json_add_bytes(json_t *object, const char *name, const void *bytes, size_t size_bytes)
{
    json_t *text = json_stringn(bytes, size_bytes);
    if (text != NULL) {
        json_object_set_new(object, name, text);
        return;
    }
    char *encoded = malloc(ESCAPE_BASE64_BYTES(size_bytes));
    char encoded_name[64];
    if (encoded == NULL) {
        console_lost(ENOMEM);
        return;
    }
    escape_base64(bytes, size_bytes, encoded);
    snprintf(encoded_name, sizeof(encoded_name), "%s_base64", name);
    json_object_set_new(object, encoded_name, json_string(encoded));
    free(encoded);
}

json_t *cli_json_line(const char *bytes, size_t size_bytes)
{
    json_t *object = json_object();
    cli_json_add_bytes(object, "line", bytes, size_bytes);
    json_t *text = json_object_get(object, "line");
    if (text == NULL)
        return object;
    json_incref(text);
    json_decref(object);
    return text;
}

json_t *cli_json_count(uint64_t value)
{
    return value > INT64_MAX ? json_null() : json_integer((json_int_t)value);
}

/* Controls that JSON lets through; they can only stand in strings. */
static size_t control_length(const char *at)
{
    if ((uint8_t)at[0] == DEL)
        return 1;
    return (uint8_t)at[0] == 0xc2 && (uint8_t)at[1] < 0xa0 ? 2 : 0;
}

char *cli_json_text(const json_t *value, size_t flags)
{
    char *plain = json_dumps(value, flags);
    size_t size = 0;
    for (const char *at = plain; at != NULL && *at != '\0'; at++)
        size += control_length(at) > 0 ? ESCAPE_BYTES : 1;
    char *text = plain == NULL ? NULL : malloc(size + 1);
    if (text == NULL) {
        console_lost(ENOMEM);
        free(plain);
        return NULL;
    }
    char *to = text;
    for (const char *at = plain; *at != '\0'; at++) {
        size_t length = control_length(at);
        if (length == 0) {
            *to++ = *at;
            continue;
        }
        to += snprintf(to, ESCAPE_BYTES + 1, "\\u%04x", (unsigned)(uint8_t)at[length - 1]);
        at += length - 1;
    }
    *to = '\0';
    free(plain);
    return text;
}

void cli_json_print(json_t *value)
{
    char *text = cli_json_text(value, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    if (text != NULL)
        printf("%s\n", text);
    free(text);
    json_decref(value);
}
