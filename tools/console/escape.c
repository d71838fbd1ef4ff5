/* See escape.h. */
#include "tools/console/escape.h"

#include <string.h>

#define DEL 0x7f

static size_t length_of_first(uint8_t byte)
{
    return byte < 0x80   ? 1
           : byte < 0xc2 ? 0
           : byte < 0xe0 ? 2
           : byte < 0xf0 ? 3
           : byte < 0xf5 ? 4
                         : 0;
}

/* Overlong, a surrogate, or beyond U+10FFFF: by the first two bytes. */
static bool is_forbidden(uint8_t first, uint8_t second)
{
    bool is_overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    bool is_beyond = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
    return is_overlong || is_beyond;
}

size_t escape_utf8_length(const uint8_t *at, size_t left_bytes)
{
    size_t length = length_of_first(at[0]);
    if (length > left_bytes)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return length > 1 && is_forbidden(at[0], at[1]) ? 0 : length;
}

bool escape_is_utf8(const void *bytes, size_t size_bytes)
{
    for (size_t at = 0; at < size_bytes;) {
        size_t length = escape_utf8_length((const uint8_t *)bytes + at, size_bytes - at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

bool escape_is_cut(const uint8_t *at, size_t left_bytes)
{
    if (length_of_first(at[0]) <= left_bytes)
        return false;
    for (size_t i = 1; i < left_bytes; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return false;
    }
    return left_bytes < 2 || !is_forbidden(at[0], at[1]);
}

static bool is_control(enum escape_how how, const uint8_t *at, size_t length)
{
    if (length == 2)
        return at[0] == 0xc2 && at[1] < 0xa0;
    if (length != 1)
        return false;
    if (how == ESCAPE_LINES)
        return (at[0] < 0x20 && at[0] != '\n' && at[0] != '\t') || at[0] == DEL;
    return at[0] < 0x20 || at[0] == DEL || at[0] == '\\';
}

size_t escape_next(enum escape_how how, const uint8_t *at, size_t left_bytes,
                   char ret_text[ESCAPE_UNIT_BYTES_MAX], size_t *ret_size_bytes)
{
    static const char digits[] = "0123456789abcdef";
    size_t length = escape_utf8_length(at, left_bytes);
    if (length == 0 || is_control(how, at, length)) {
        const char text[ESCAPE_UNIT_BYTES_MAX] = {'\\', 'x', digits[at[0] >> 4],
                                                  digits[at[0] & 15]};
        memcpy(ret_text, text, sizeof(text));
        *ret_size_bytes = sizeof(text);
        return 1;
    }
    memcpy(ret_text, at, length);
    *ret_size_bytes = length;
    return length;
}

size_t escape_write(const void *bytes, size_t size_bytes, char *to)
{
    size_t used = 0;
    for (size_t at = 0; at < size_bytes;) {
        size_t text_bytes;
        at += escape_next(ESCAPE_FIELD, (const uint8_t *)bytes + at, size_bytes - at, to + used,
                          &text_bytes);
        used += text_bytes;
    }
    return used;
}

void escape_print(FILE *to, const void *bytes, size_t size_bytes)
{
    for (size_t at = 0; at < size_bytes;) {
        char text[ESCAPE_UNIT_BYTES_MAX];
        size_t text_bytes;
        at += escape_next(ESCAPE_FIELD, (const uint8_t *)bytes + at, size_bytes - at, text,
                          &text_bytes);
        fwrite(text, 1, text_bytes, to);
    }
}

static int digit_of(char character)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = character == '\0' ? NULL : strchr(digits, character);
    return found == NULL ? -1 : (int)((found - digits) & 15);
}

/* The byte that an escape stands for; -1: none. `at` is behind the backslash. */
static int escaped_byte(const char *at, size_t left_bytes, size_t *ret_length)
{
    static const char names[] = "ntr\\";
    static const char bytes[] = "\n\t\r\\";
    *ret_length = 1;
    const char *found = left_bytes == 0 || at[0] == '\0' ? NULL : strchr(names, at[0]);
    if (found != NULL)
        return bytes[found - names];
    if (left_bytes < 3 || at[0] != 'x' || digit_of(at[1]) < 0 || digit_of(at[2]) < 0)
        return -1;
    *ret_length = 3;
    return digit_of(at[1]) << 4 | digit_of(at[2]);
}

bool escape_parse(char *text, size_t size_bytes, size_t *ret_size_bytes, size_t *ret_fault)
{
    size_t used = 0;
    for (size_t at = 0; at < size_bytes;) {
        size_t length = 0;
        int byte = (uint8_t)text[at];
        if (text[at] == '\\')
            byte = escaped_byte(text + at + 1, size_bytes - at - 1, &length);
        if (byte < 0) {
            *ret_fault = at;
            return false;
        }
        text[used++] = (char)byte;
        at += 1 + length;
    }
    *ret_size_bytes = used;
    return true;
}

void escape_base64(const void *bytes, size_t size_bytes, char *to)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = bytes;
    for (size_t i = 0; i < size_bytes; i += 3) {
        size_t left = size_bytes - i;
        uint32_t bits = (uint32_t)from[i] << 16;
        bits |= left > 1 ? (uint32_t)from[i + 1] << 8 : 0;
        bits |= left > 2 ? from[i + 2] : 0;
        *to++ = alphabet[bits >> 18 & 63];
        *to++ = alphabet[bits >> 12 & 63];
        *to++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        *to++ = left > 2 ? alphabet[bits & 63] : '=';
    }
    *to = '\0';
}
