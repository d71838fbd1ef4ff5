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

/* The lowest generation that is to count. */
static uint32_t generation_after(const struct rights_edit *edit,
                                 const struct rights_principal *principal)
{
    uint32_t now = principal->generation;
    uint32_t next = now < UINT32_MAX ? now + 1 : now;
    switch (edit->action) {
    case RIGHTS_ADD: /* it was removed: its old keys stay worthless */
        return edit->generation != 0 ? edit->generation : now;
    case RIGHTS_REVOKE_ALL:
        return edit->generation != 0 ? edit->generation : next;
    case RIGHTS_REMOVE:
        return edit->drops_pending ? next : now;
    case RIGHTS_GRANT:
    case RIGHTS_REVOKE:
        break;
    }
    return now;
}

/* Begins what is left of the principal: everything but its lines. */
static void head_write(const struct rights_edit *edit, const struct rights_principal *principal,
                       uint32_t generation, struct rights_builder *builder)
{
    uint32_t drop_below = edit->drops_pending ? generation : principal->drop_below;
    rights_builder_principal(builder, principal->name, generation);
    if (drop_below > 0)
        rights_builder_mark(builder, drop_below, edit->action == RIGHTS_REMOVE);
}

static enum error principal_change(const struct rights_edit *edit,
                                   const struct rights_principal *principal,
                                   struct rights_builder *builder)
{
    uint32_t generation = generation_after(edit, principal);
    bool is_back = edit->action == RIGHTS_ADD && principal->is_removed;
    if (edit->action == RIGHTS_ADD && !is_back)
        return ERR_EXISTS;
    if (edit->action != RIGHTS_ADD && principal->is_removed)
        return ERR_NOT_FOUND;
    if (edit->action == RIGHTS_REMOVE && !edit->drops_pending && principal->drop_below == 0)
        return OK;
    if (generation < principal->generation)
        return ERR_OUTDATED;
    head_write(edit, principal, generation, builder);
    if (is_back || edit->action == RIGHTS_REMOVE || lines_write(edit, principal, builder))
        return OK;
    return edit->action == RIGHTS_GRANT ? ERR_EXISTS : ERR_NOT_FOUND;
}

static void principal_copy(const struct rights_principal *principal, struct rights_builder *builder)
{
    struct rights_line line;
    size_t cursor = 0;
    rights_builder_principal(builder, principal->name, principal->generation);
    if (principal->drop_below > 0)
        rights_builder_mark(builder, principal->drop_below, principal->is_removed);
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
        is_due = is_due && order != 0;
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
    if (edit->drops_pending && table.drops + 1 >= RIGHTS_DROPS_MAX)
        return ERR_FULL;
    rights_builder_begin(&builder, to);
    rights_builder_drops(&builder, table.drops + edit->drops_pending);
    error = principals_write(&table, edit, &builder);
    return error == OK ? rights_builder_end(&builder, ret_after) : error;
}
