/* See rights_table.h. */
#include "base/rights_table.h"

#include "base/check.h"
#include "base/le.h"
#include "base/reserved_key.h"

#define VERSION         1
#define HEAD_BYTES      16
#define PRINCIPAL_BYTES 8
#define LINE_BYTES      4
#define MARK_BYTES      4
#define FLAG_MARK       1u
#define FLAG_REMOVED    2u

static const char magic[4] = "PLXR";

static_assert(KEY_NAME_BYTES_MAX <= UINT8_MAX, "the size of a name is a byte");
static_assert(RIGHTS_LINES_MAX <= UINT8_MAX, "a count of lines is a byte");
static_assert(KEY_SIZE_BYTES_MAX <= UINT16_MAX, "the size of a prefix is 16 bits");
static_assert(sizeof(RIGHTS_KEY) - 1 <= KEY_SIZE_BYTES_MAX, "the reserved key is a key");

struct span rights_key(void)
{
    return span_of(RIGHTS_KEY, sizeof(RIGHTS_KEY) - 1);
}

bool rights_name_is_valid(struct span name)
{
    if (name.size_bytes < 1 || name.size_bytes > KEY_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.size_bytes; i++) {
        char c = (char)name.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

/* ---- decoding ---- */

static enum error line_decode(struct span bytes, size_t *cursor, struct rights_line *ret_line)
{
    const uint8_t *from = bytes.data + *cursor;
    size_t left = bytes.size_bytes - *cursor;
    if (left < LINE_BYTES)
        return ERR_SHORT;
    size_t size = le16_load(from + 2);
    if (from[1] != 0)
        return ERR_RESERVED;
    if (from[0] == 0 || from[0] > RIGHTS_EVERY || size > KEY_SIZE_BYTES_MAX ||
        ((from[0] & RIGHT_ADMIN) != 0 && size > 0))
        return ERR_RANGE;
    if (left - LINE_BYTES < size)
        return ERR_SHORT;
    *ret_line = (struct rights_line){from[0], span_of(from + LINE_BYTES, size)};
    *cursor += LINE_BYTES + size;
    return OK;
}

/* The lines that begin at the cursor, each behind the one before. */
static enum error lines_decode(struct span bytes, size_t *cursor, uint32_t count)
{
    struct rights_line before = {0};
    for (uint32_t i = 0; i < count; i++) {
        struct rights_line line;
        enum error error = line_decode(bytes, cursor, &line);
        if (error != OK)
            return error;
        if (i > 0 && span_compare(before.prefix, line.prefix) >= 0)
            return ERR_SYNTAX;
        before = line;
    }
    return OK;
}

/* What stands behind the name; *end is there. */
static enum error mark_decode(struct span bytes, size_t *end, uint32_t flags,
                              struct rights_principal *principal)
{
    principal->is_removed = (flags & FLAG_REMOVED) != 0;
    if ((flags & FLAG_MARK) == 0)
        return principal->is_removed ? ERR_RANGE : OK;
    if (bytes.size_bytes - *end < MARK_BYTES)
        return ERR_SHORT;
    principal->drop_below = le32_load(bytes.data + *end);
    *end += MARK_BYTES;
    if (principal->drop_below == 0 || principal->drop_below > principal->generation ||
        (principal->is_removed && principal->line_count > 0))
        return ERR_RANGE;
    return OK;
}

static enum error principal_decode(struct span bytes, size_t *cursor,
                                   struct rights_principal *ret_principal)
{
    const uint8_t *from = bytes.data + *cursor;
    size_t left = bytes.size_bytes - *cursor;
    if (left < PRINCIPAL_BYTES)
        return ERR_SHORT;
    size_t name_bytes = from[0];
    uint32_t line_count = from[1];
    uint32_t flags = le16_load(from + 2);
    if ((flags & ~(FLAG_MARK | FLAG_REMOVED)) != 0)
        return ERR_RESERVED;
    if (left - PRINCIPAL_BYTES < name_bytes)
        return ERR_SHORT;
    struct span name = span_of(from + PRINCIPAL_BYTES, name_bytes);
    if (line_count > RIGHTS_LINES_MAX || !rights_name_is_valid(name))
        return ERR_RANGE;
    struct rights_principal principal = {
        .name = name, .generation = le32_load(from + 4), .line_count = line_count};
    size_t end = *cursor + PRINCIPAL_BYTES + name_bytes;
    enum error error = mark_decode(bytes, &end, flags, &principal);
    if (error != OK)
        return error;
    size_t begin = end;
    error = lines_decode(bytes, &end, line_count);
    if (error != OK)
        return error;
    principal.lines = span_of(bytes.data + begin, end - begin);
    *ret_principal = principal;
    *cursor = end;
    return OK;
}

static enum error head_decode(struct span bytes)
{
    if (bytes.size_bytes < HEAD_BYTES)
        return ERR_SHORT;
    if (bytes.size_bytes > VALUE_SIZE_BYTES_MAX)
        return ERR_TOO_LARGE;
    if (memcmp(bytes.data, magic, sizeof(magic)) != 0)
        return ERR_MAGIC;
    if (le16_load(bytes.data + 4) != VERSION)
        return ERR_VERSION;
    if (le32_load(bytes.data + 12) >= RIGHTS_DROPS_MAX)
        return ERR_RANGE;
    return le16_load(bytes.data + 6) == 0 ? OK : ERR_RESERVED;
}

enum error rights_table_decode(struct span bytes, struct rights_table *ret_table)
{
    enum error error = head_decode(bytes);
    if (error != OK)
        return error;
    uint32_t count = le32_load(bytes.data + 8);
    uint32_t drops = le32_load(bytes.data + 12);
    size_t cursor = HEAD_BYTES;
    struct rights_principal before = {0};
    /* Each takes bytes, so the value's limit bounds them. */
    for (uint32_t i = 0; i < count; i++) {
        struct rights_principal principal;
        error = principal_decode(bytes, &cursor, &principal);
        if (error != OK)
            return error;
        if (i > 0 && span_compare(before.name, principal.name) >= 0)
            return ERR_SYNTAX;
        if (principal.drop_below > 0 && drops == 0)
            return ERR_RANGE;
        before = principal;
    }
    if (cursor != bytes.size_bytes)
        return ERR_TRAILING;
    *ret_table = (struct rights_table){bytes, count, drops};
    return OK;
}

bool rights_table_next(const struct rights_table *table, size_t *cursor,
                       struct rights_principal *ret_principal)
{
    if (*cursor == 0)
        *cursor = HEAD_BYTES;
    if (table->principal_count == 0 || *cursor == table->bytes.size_bytes)
        return false;
    CHECK(principal_decode(table->bytes, cursor, ret_principal) == OK);
    return true;
}

bool rights_line_next(const struct rights_principal *principal, size_t *cursor,
                      struct rights_line *ret_line)
{
    if (*cursor == principal->lines.size_bytes)
        return false;
    CHECK(line_decode(principal->lines, cursor, ret_line) == OK);
    return true;
}

bool rights_table_find(const struct rights_table *table, struct span name,
                       struct rights_principal *ret_principal)
{
    size_t cursor = 0;
    struct rights_principal principal;
    while (rights_table_next(table, &cursor, &principal)) {
        if (!span_is_equal(principal.name, name))
            continue;
        *ret_principal = principal;
        return true;
    }
    return false;
}

/* ---- building ---- */

static uint8_t *grow(struct rights_builder *builder, size_t size_bytes)
{
    if (builder->is_overflow || VALUE_SIZE_BYTES_MAX - builder->size_bytes < size_bytes) {
        builder->is_overflow = true;
        return NULL;
    }
    uint8_t *to = builder->data + builder->size_bytes;
    builder->size_bytes += size_bytes;
    return to;
}

void rights_builder_begin(struct rights_builder *builder, uint8_t *data)
{
    *builder = (struct rights_builder){.data = data};
    uint8_t *to = grow(builder, HEAD_BYTES);
    memset(to, 0, HEAD_BYTES);
    memcpy(to, magic, sizeof(magic));
    le16_store(to + 4, VERSION);
}

void rights_builder_principal(struct rights_builder *builder, struct span name, uint32_t generation)
{
    CHECK(rights_name_is_valid(name));
    size_t begin = builder->size_bytes;
    uint8_t *to = grow(builder, PRINCIPAL_BYTES + name.size_bytes);
    if (to == NULL)
        return;
    memset(to, 0, PRINCIPAL_BYTES);
    to[0] = (uint8_t)name.size_bytes;
    le32_store(to + 4, generation);
    memcpy(to + PRINCIPAL_BYTES, name.data, name.size_bytes);
    builder->principal = begin;
    le32_store(builder->data + 8, le32_load(builder->data + 8) + 1);
}

void rights_builder_mark(struct rights_builder *builder, uint32_t drop_below, bool is_removed)
{
    if (builder->is_overflow)
        return;
    CHECK(builder->principal != 0 && drop_below > 0);
    uint8_t *head = builder->data + builder->principal;
    CHECK(head[1] == 0 && le16_load(head + 2) == 0);
    uint8_t *to = grow(builder, MARK_BYTES);
    if (to == NULL)
        return;
    le32_store(to, drop_below);
    le16_store(head + 2, (uint16_t)(FLAG_MARK | (is_removed ? FLAG_REMOVED : 0)));
}

void rights_builder_drops(struct rights_builder *builder, uint32_t drops)
{
    le32_store(builder->data + 12, drops);
}

void rights_builder_line(struct rights_builder *builder, uint8_t rights, struct span prefix)
{
    uint8_t *to = NULL;
    if (!builder->is_overflow) {
        CHECK(builder->principal != 0 && prefix.size_bytes <= KEY_SIZE_BYTES_MAX);
        to = grow(builder, LINE_BYTES + prefix.size_bytes);
    }
    if (to == NULL)
        return;
    uint8_t *count = builder->data + builder->principal + 1;
    if (*count == RIGHTS_LINES_MAX) {
        builder->is_overflow = true;
        return;
    }
    (*count)++;
    to[0] = rights;
    to[1] = 0;
    le16_store(to + 2, (uint16_t)prefix.size_bytes);
    if (prefix.size_bytes > 0)
        memcpy(to + LINE_BYTES, prefix.data, prefix.size_bytes);
}

enum error rights_builder_end(struct rights_builder *builder, struct span *ret_bytes)
{
    struct rights_table table;
    struct span bytes = span_of(builder->data, builder->size_bytes);
    if (builder->is_overflow)
        return ERR_FULL;
    enum error error = rights_table_decode(bytes, &table);
    if (error == OK)
        *ret_bytes = bytes;
    return error;
}

/* ---- what somebody may do ---- */

/* Those of one line, as far as they are of this key. */
static uint8_t line_rights(const struct rights_line *line, struct span key)
{
    uint8_t rights = line->rights;
    if (!span_begins_with(key, line->prefix))
        return 0;
    bool is_log =
        span_begins_with(key, span_of(RIGHTS_LOGS_PREFIX, sizeof(RIGHTS_LOGS_PREFIX) - 1));
    if (is_log && (rights & RIGHT_LOGS) != 0)
        rights |= RIGHT_READ | RIGHT_WRITE;
    if ((rights & RIGHT_ADMIN) != 0)
        rights |= RIGHT_READ | RIGHT_RELAXED_READ;
    return rights;
}

static uint8_t union_of(const struct rights *rights, struct span key, bool is_any_key)
{
    const struct rights_principal principal = {.lines = rights->lines};
    struct rights_line line;
    size_t cursor = 0;
    uint8_t all = 0;
    while (rights_line_next(&principal, &cursor, &line)) /* RIGHTS_LINES_MAX */
        all |= is_any_key ? line.rights : line_rights(&line, key);
    return all;
}

bool rights_allow(const struct rights *rights, uint8_t wanted, struct span key)
{
    if (rights->is_all)
        return true;
    bool is_reserved = key_is_reserved(key);
    if (rights->is_free)
        return !is_reserved;
    if (is_reserved) {
        wanted = RIGHT_ADMIN;
        key = (struct span){0};
    }
    return (union_of(rights, key, false) & wanted) == wanted;
}

bool rights_have_any(const struct rights *rights, uint8_t wanted)
{
    if (rights->is_all || rights->is_free)
        return true;
    return (union_of(rights, (struct span){0}, true) & wanted) != 0;
}
