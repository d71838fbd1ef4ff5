/* See rights_edit.h. */
#include "tools/cli/rights_edit.h"

#include "base/check.h"

static const struct {
    const char *name;
    uint8_t right;
} names[] = {
    {"read", RIGHT_READ},   {"relaxed-read", RIGHT_RELAXED_READ},
    {"write", RIGHT_WRITE}, {"relaxed-write", RIGHT_RELAXED_WRITE},
    {"logs", RIGHT_LOGS},   {"admin", RIGHT_ADMIN},
};
#define NAME_COUNT (sizeof(names) / sizeof(names[0]))

const char *right_name(uint8_t right)
{
    for (size_t i = 0; i < NAME_COUNT; i++) {
        if (names[i].right == right)
            return names[i].name;
    }
    return "?";
}

/* 0: none of that name. */
static uint8_t right_named(const char *text, size_t size)
{
    for (size_t i = 0; i < NAME_COUNT; i++) {
        if (strlen(names[i].name) == size && memcmp(names[i].name, text, size) == 0)
            return names[i].right;
    }
    return 0;
}

bool rights_parse(const char *text, uint8_t *ret_rights)
{
    uint8_t rights = 0;
    for (;;) {
        size_t size = strcspn(text, ",");
        uint8_t right = right_named(text, size);
        if (right == 0)
            return false;
        rights |= right;
        if (text[size] == '\0')
            break;
        text += size + 1;
    }
    *ret_rights = rights;
    return true;
}

static int order_of(struct span a, struct span b)
{
    size_t common = a.size_bytes < b.size_bytes ? a.size_bytes : b.size_bytes;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0)
        return order;
    return a.size_bytes < b.size_bytes ? -1 : a.size_bytes > b.size_bytes;
}

/* What a line is to be; 0: it goes. */
static uint8_t line_after(const struct rights_edit *edit, const struct rights_line *line)
{
    if (edit->action == RIGHTS_REVOKE_ALL)
        return 0;
    if (!span_is_equal(line->prefix, edit->prefix))
        return line->rights;
    if (edit->action == RIGHTS_GRANT)
        return line->rights | edit->rights;
    return (uint8_t)(edit->action == RIGHTS_REVOKE ? line->rights & ~edit->rights : line->rights);
}

/* The lines of the principal that is changed. True: something has changed. */
static bool lines_write(const struct rights_edit *edit, const struct rights_principal *principal,
                        struct rights_builder *builder)
{
    struct rights_line line;
    size_t cursor = 0;
    bool is_due = edit->action == RIGHTS_GRANT; /* a line of its own */
    bool has_changed = edit->action == RIGHTS_REVOKE_ALL;
    while (rights_line_next(principal, &cursor, &line)) { /* RIGHTS_LINES_MAX */
        int order = order_of(edit->prefix, line.prefix);
        if (is_due && order < 0) {
            rights_builder_line(builder, edit->rights, edit->prefix);
            has_changed = true;
        }
        is_due = is_due && order > 0;
        uint8_t after = line_after(edit, &line);
        has_changed = has_changed || after != line.rights;
        if (after != 0)
            rights_builder_line(builder, after, line.prefix);
    }
    if (is_due)
        rights_builder_line(builder, edit->rights, edit->prefix);
    return has_changed || is_due;
}

static enum error principal_change(const struct rights_edit *edit,
                                   const struct rights_principal *principal,
                                   struct rights_builder *builder)
{
    uint32_t generation = principal->generation;
    if (edit->action == RIGHTS_ADD)
        return ERR_EXISTS;
    if (edit->action == RIGHTS_REMOVE)
        return OK;
    if (edit->action == RIGHTS_REVOKE_ALL) {
        uint32_t next = generation < UINT32_MAX ? generation + 1 : generation;
        generation = edit->generation != 0 ? edit->generation : next;
        if (generation < principal->generation)
            return ERR_OUTDATED;
    }
    rights_builder_principal(builder, principal->name, generation);
    if (lines_write(edit, principal, builder))
        return OK;
    return edit->action == RIGHTS_GRANT ? ERR_EXISTS : ERR_NOT_FOUND;
}

static void principal_copy(const struct rights_principal *principal, struct rights_builder *builder)
{
    struct rights_line line;
    size_t cursor = 0;
    rights_builder_principal(builder, principal->name, principal->generation);
    while (rights_line_next(principal, &cursor, &line))
        rights_builder_line(builder, line.rights, line.prefix);
}

static enum error principals_write(const struct rights_table *before,
                                   const struct rights_edit *edit, struct rights_builder *builder)
{
    struct rights_principal principal;
    size_t cursor = 0;
    bool is_found = false;
    bool is_due = edit->action == RIGHTS_ADD;
    enum error error = OK;
    while (error == OK && rights_table_next(before, &cursor, &principal)) {
        int order = order_of(edit->name, principal.name);
        if (is_due && order < 0) {
            rights_builder_principal(builder, edit->name, edit->generation);
            is_due = false;
        }
        is_found = is_found || order == 0;
        if (order == 0)
            error = principal_change(edit, &principal, builder);
        else
            principal_copy(&principal, builder);
    }
    if (error == OK && is_due)
        rights_builder_principal(builder, edit->name, edit->generation);
    if (error == OK && !is_found && edit->action != RIGHTS_ADD)
        error = ERR_NOT_FOUND;
    return error;
}

enum error rights_edit(struct span before, const struct rights_edit *edit, uint8_t *to,
                       struct span *ret_after)
{
    struct rights_table table = {.principal_count = 0};
    struct rights_builder builder;
    enum error error = before.size_bytes == 0 ? OK : rights_table_decode(before, &table);
    if (error != OK)
        return error;
    rights_builder_begin(&builder, to);
    error = principals_write(&table, edit, &builder);
    return error == OK ? rights_builder_end(&builder, ret_after) : error;
}
