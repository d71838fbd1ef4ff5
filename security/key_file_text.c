/* The text of a key file. See key_file.h. */
#include "security/key_file.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>

#define MAGIC       "pollux key "
#define CHECK_BYTES 16 /* the least that BLAKE2b gives; the file has the first 8 */

static const char digits[] = "0123456789abcdef";

bool key_name_is_valid(const char *name)
{
    size_t size = strnlen(name, KEY_NAME_BYTES_MAX + 1);
    if (size == 0 || size > KEY_NAME_BYTES_MAX)
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
           size;
}

static void hex_encode(const uint8_t *bytes, size_t size_bytes, char *to)
{
    for (size_t i = 0; i < size_bytes; i++) {
        to[2 * i] = digits[bytes[i] >> 4];
        to[2 * i + 1] = digits[bytes[i] & 15];
    }
    to[2 * size_bytes] = '\0';
}

/* The lines that the check is of, but for the secret; returns their size. */
static size_t encode_fields(const struct key *key, char *to)
{
    int size = snprintf(to, KEY_FILE_SIZE_BYTES_MAX,
                        MAGIC "1\nkind: %s\nname: %s\nid: %u\ngeneration: %" PRIu32 "\n",
                        key->kind == KEY_OF_CLUSTER ? "cluster" : "client", key->name, key->id,
                        key->generation);
    CHECK(size > 0 && size < KEY_FILE_SIZE_BYTES_MAX);
    return (size_t)size;
}

void key_check_text(const struct key *key, char ret_text[KEY_CHECK_SIZE_BYTES])
{
    char fields[KEY_FILE_SIZE_BYTES_MAX];
    uint8_t check[CHECK_BYTES];
    const struct span part = span_of(fields, encode_fields(key, fields));
    const struct secret_digest digest = {
        .secret = &key->secret, .label = "pollux key check", .parts = &part, .part_count = 1};
    secret_digest(&digest, check, sizeof(check));
    hex_encode(check, (KEY_CHECK_SIZE_BYTES - 1) / 2, ret_text);
}

size_t key_file_encode(const struct key *key, char ret_text[KEY_FILE_SIZE_BYTES_MAX])
{
    char secret[2 * SECRET_SIZE_BYTES + 1];
    char check[KEY_CHECK_SIZE_BYTES];
    CHECK(key->id != 0);
    CHECK(key_name_is_valid(key->name));
    hex_encode(key->secret.bytes, SECRET_SIZE_BYTES, secret);
    key_check_text(key, check);
    size_t size = encode_fields(key, ret_text);
    int rest = snprintf(ret_text + size, KEY_FILE_SIZE_BYTES_MAX - size, "secret: %s\ncheck: %s\n",
                        secret, check);
    CHECK(rest > 0 && (size_t)rest < KEY_FILE_SIZE_BYTES_MAX - size);
    secret_wipe(secret, sizeof(secret));
    return size + (size_t)rest;
}

/* Where a reader is in the text. */
struct lines {
    struct span text;
    size_t at;
    uint32_t number; /* of the line read last, from 1 */
};

/* Takes the next line, which begins with `prefix`; false: it does not, or has no end. */
static bool line_take(struct lines *lines, const char *prefix, struct span *ret_value)
{
    const uint8_t *from = lines->text.data + lines->at;
    size_t left = lines->text.size_bytes - lines->at;
    size_t prefix_bytes = strlen(prefix);
    lines->number++;
    const uint8_t *end = left == 0 ? NULL : memchr(from, '\n', left);
    if (end == NULL || (size_t)(end - from) < prefix_bytes ||
        memcmp(from, prefix, prefix_bytes) != 0)
        return false;
    *ret_value = span_of(from + prefix_bytes, (size_t)(end - from) - prefix_bytes);
    lines->at += (size_t)(end - from) + 1;
    return true;
}

/* Decimal digits as the encoder writes them. */
static bool number_decode(struct span text, uint64_t max, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (text.size_bytes == 0 || text.size_bytes > 10 ||
        (text.size_bytes > 1 && text.data[0] == '0'))
        return false;
    for (size_t i = 0; i < text.size_bytes; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret_number = number;
    return number <= max;
}

static bool hex_decode(struct span text, uint8_t *ret_bytes, size_t size_bytes)
{
    if (text.size_bytes != 2 * size_bytes)
        return false;
    for (size_t i = 0; i < text.size_bytes; i++) {
        const char *digit = text.data[i] == '\0' ? NULL : strchr(digits, text.data[i]);
        if (digit == NULL)
            return false;
        unsigned value = (unsigned)(digit - digits);
        ret_bytes[i / 2] = (uint8_t)(i % 2 == 0 ? value << 4 : ret_bytes[i / 2] | value);
    }
    return true;
}

static bool name_decode(struct span text, char ret_name[KEY_NAME_BYTES_MAX + 1])
{
    if (text.size_bytes > KEY_NAME_BYTES_MAX || memchr(text.data, '\0', text.size_bytes) != NULL)
        return false;
    memcpy(ret_name, text.data, text.size_bytes);
    ret_name[text.size_bytes] = '\0';
    return key_name_is_valid(ret_name);
}

static bool kind_decode(struct span text, enum key_kind *ret_kind)
{
    bool is_cluster = span_is_equal(text, span_of("cluster", 7));
    *ret_kind = is_cluster ? KEY_OF_CLUSTER : KEY_OF_CLIENT;
    return is_cluster || span_is_equal(text, span_of("client", 6));
}

static bool fields_decode(struct lines *lines, struct key *key, struct span *ret_check)
{
    struct span value;
    uint64_t id = 0;
    uint64_t generation = 0;
    bool is_good =
        line_take(lines, "kind: ", &value) && kind_decode(value, &key->kind) &&
        line_take(lines, "name: ", &value) && name_decode(value, key->name) &&
        line_take(lines, "id: ", &value) && number_decode(value, UINT8_MAX, &id) && id != 0 &&
        line_take(lines, "generation: ", &value) && number_decode(value, UINT32_MAX, &generation) &&
        (generation == 0 || key->kind == KEY_OF_CLIENT) && line_take(lines, "secret: ", &value) &&
        hex_decode(value, key->secret.bytes, SECRET_SIZE_BYTES) &&
        line_take(lines, "check: ", ret_check) && ret_check->size_bytes == KEY_CHECK_SIZE_BYTES - 1;
    key->id = (uint8_t)id;
    key->generation = (uint32_t)generation;
    return is_good;
}

enum error key_file_decode(struct span text, struct key *ret_key, uint32_t *ret_line)
{
    struct lines lines = {.text = text};
    struct key key = {.id = 0};
    struct span value;
    char check[KEY_CHECK_SIZE_BYTES];
    if (!line_take(&lines, MAGIC, &value))
        return ERR_MAGIC;
    if (!span_is_equal(value, span_of("1", 1)))
        return ERR_VERSION;
    if (!fields_decode(&lines, &key, &value)) {
        *ret_line = lines.number;
        return ERR_SYNTAX;
    }
    if (lines.at != text.size_bytes)
        return ERR_TRAILING;
    key_check_text(&key, check);
    if (!span_is_equal(value, span_of(check, sizeof(check) - 1)))
        return ERR_CHECKSUM;
    *ret_key = key;
    return OK;
}
