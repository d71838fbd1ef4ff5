/*
 * Tables of rights, as anybody may have stored them. One that decodes is walked to its end and
 * built again from what it says: byte by byte the same. Each principal is found under its name, and
 * may do no more than its lines say; without lines, nothing.
 */
#include "base/check.h"
#include "base/reserved_key.h"
#include "base/rights_table.h"
#include "tests/fuzz/canary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static uint8_t again[VALUE_SIZE_BYTES_MAX];

/* What a line gives to a key that is just its prefix. */
static void check_line(const struct rights_principal *principal, const struct rights_line *line)
{
    const struct rights rights = {.lines = principal->lines};
    const struct rights nothing = {.is_all = false};
    CHECK(line->rights != 0 && line->rights <= RIGHTS_EVERY);
    if (key_is_reserved(line->prefix))
        return;
    CHECK(rights_allow(&rights, line->rights, line->prefix));
    CHECK(rights_have_any(&rights, line->rights));
    CHECK(!rights_allow(&nothing, line->rights, line->prefix));
}

static void copy_principal(struct rights_builder *builder, const struct rights_principal *principal)
{
    struct rights_line line;
    size_t cursor = 0;
    uint32_t count = 0;
    rights_builder_principal(builder, principal->name, principal->generation);
    while (rights_line_next(principal, &cursor, &line)) {
        check_line(principal, &line);
        /* A right is lost. */
        CANARY(line.rights &= (uint8_t)~RIGHT_READ);
        rights_builder_line(builder, line.rights, line.prefix);
        count++;
    }
    CHECK(count == principal->line_count && count <= RIGHTS_LINES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct span bytes = span_of(data, size_bytes);
    struct span built;
    struct rights_table table;
    struct rights_principal principal;
    struct rights_principal found;
    struct rights_builder builder;
    size_t cursor = 0;
    uint32_t count = 0;
    if (rights_table_decode(bytes, &table) != OK)
        return 0;
    rights_builder_begin(&builder, again);
    while (rights_table_next(&table, &cursor, &principal)) {
        CHECK(rights_table_find(&table, principal.name, &found));
        CHECK(found.lines.data == principal.lines.data);
        copy_principal(&builder, &principal);
        count++;
    }
    CHECK(count == table.principal_count);
    CHECK(rights_builder_end(&builder, &built) == OK);
    CHECK(span_is_equal(built, bytes));
    return 0;
}
