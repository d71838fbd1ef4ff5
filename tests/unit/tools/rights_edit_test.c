/* Changes of a table of rights: each action, in each place of the order, and each refusal. */
#include "tools/cli/rights_edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint8_t data[2][VALUE_SIZE_BYTES_MAX];
static struct span now;
static uint32_t turn;

static struct span text(const char *string)
{
    return span_of(string, strlen(string));
}

static enum error edit_as(const struct rights_edit *edit)
{
    struct span before = now;
    enum error error = rights_edit(now, edit, data[turn % 2], &now);
    assert_true(error == OK || span_is_equal(before, now));
    turn += error == OK;
    return error;
}

static enum error edit(enum rights_action action, const char *name, uint8_t rights,
                       const char *prefix)
{
    const struct rights_edit wanted = {
        .action = action, .name = text(name), .rights = rights, .prefix = text(prefix)};
    return edit_as(&wanted);
}

/* "name generation rights:prefix ... " of each principal. */
static void expect(const char *expected)
{
    char told[1024] = "";
    size_t size = 0;
    struct rights_table table;
    struct rights_principal principal;
    struct rights_line line;
    size_t cursor = 0;
    assert_int_equal(rights_table_decode(now, &table), OK);
    while (rights_table_next(&table, &cursor, &principal)) {
        size_t at = 0;
        size += (size_t)snprintf(told + size, sizeof(told) - size, "%.*s %u ",
                                 (int)principal.name.size_bytes, (const char *)principal.name.data,
                                 principal.generation);
        if (principal.drop_below > 0)
            size += (size_t)snprintf(told + size, sizeof(told) - size, "%s%u ",
                                     principal.is_removed ? "removed<" : "<", principal.drop_below);
        while (rights_line_next(&principal, &at, &line))
            size += (size_t)snprintf(told + size, sizeof(told) - size, "%u:%.*s ", line.rights,
                                     (int)line.prefix.size_bytes, (const char *)line.prefix.data);
    }
    assert_string_equal(told, expected);
}

static int setup(void **state)
{
    (void)state;
    now = (struct span){0};
    return 0;
}

static void test_rights_edit_adds_in_order(void **state)
{
    (void)state;
    const struct rights_edit third = {.action = RIGHTS_ADD, .name = text("m"), .generation = 3};
    assert_int_equal(edit(RIGHTS_ADD, "p", 0, ""), OK);
    assert_int_equal(edit(RIGHTS_ADD, "a", 0, ""), OK);
    assert_int_equal(edit_as(&third), OK);
    assert_int_equal(edit(RIGHTS_ADD, "z", 0, ""), OK);
    assert_int_equal(edit(RIGHTS_ADD, "m", 0, ""), ERR_EXISTS);
    expect("a 0 m 3 p 0 z 0 ");
}

static void test_rights_edit_grants_in_order(void **state)
{
    (void)state;
    assert_int_equal(edit(RIGHTS_ADD, "ann", 0, ""), OK);
    assert_int_equal(edit(RIGHTS_ADD, "bob", 0, ""), OK);
    assert_int_equal(edit(RIGHTS_GRANT, "ann", RIGHT_READ, "m"), OK);
    assert_int_equal(edit(RIGHTS_GRANT, "ann", RIGHT_READ, "a"), OK);
    assert_int_equal(edit(RIGHTS_GRANT, "ann", RIGHT_READ, "z"), OK);
    assert_int_equal(edit(RIGHTS_GRANT, "ann", RIGHT_READ, "mm"), OK);
    assert_int_equal(edit(RIGHTS_GRANT, "ann", RIGHT_READ | RIGHT_WRITE, "m"), OK);
    assert_int_equal(edit(RIGHTS_GRANT, "ann", RIGHT_WRITE, "m"), ERR_EXISTS);
    assert_int_equal(edit(RIGHTS_GRANT, "carl", RIGHT_WRITE, "m"), ERR_NOT_FOUND);
    assert_int_equal(edit(RIGHTS_GRANT, "bob", RIGHT_ADMIN, ""), OK);
    expect("ann 0 1:a 5:m 1:mm 1:z bob 0 32: ");
}

static void test_rights_edit_revokes(void **state)
{
    (void)state;
    const struct rights_edit lower = {
        .action = RIGHTS_REVOKE_ALL, .name = text("ann"), .generation = 1};
    const struct rights_edit higher = {
        .action = RIGHTS_REVOKE_ALL, .name = text("ann"), .generation = 7};
    assert_int_equal(edit(RIGHTS_ADD, "ann", 0, ""), OK);
    assert_int_equal(edit(RIGHTS_ADD, "bob", 0, ""), OK);
    assert_int_equal(edit(RIGHTS_GRANT, "ann", RIGHT_READ | RIGHT_WRITE, "m"), OK);
    assert_int_equal(edit(RIGHTS_GRANT, "ann", RIGHT_READ, ""), OK);
    assert_int_equal(edit(RIGHTS_GRANT, "bob", RIGHT_READ, "m"), OK);
    assert_int_equal(edit(RIGHTS_REVOKE, "ann", RIGHT_LOGS, "m"), ERR_NOT_FOUND);
    assert_int_equal(edit(RIGHTS_REVOKE, "ann", RIGHT_READ, "mm"), ERR_NOT_FOUND);
    assert_int_equal(edit(RIGHTS_REVOKE, "ann", RIGHT_READ | RIGHT_LOGS, "m"), OK);
    expect("ann 0 1: 4:m bob 0 1:m ");
    assert_int_equal(edit(RIGHTS_REVOKE, "ann", RIGHT_WRITE, "m"), OK);
    expect("ann 0 1: bob 0 1:m ");
    assert_int_equal(edit(RIGHTS_REVOKE_ALL, "ann", 0, ""), OK);
    expect("ann 1 bob 0 1:m ");
    assert_int_equal(edit_as(&higher), OK);
    expect("ann 7 bob 0 1:m ");
    assert_int_equal(edit_as(&lower), ERR_OUTDATED);
    assert_int_equal(edit(RIGHTS_REVOKE_ALL, "carl", 0, ""), ERR_NOT_FOUND);
    assert_int_equal(edit(RIGHTS_REMOVE, "ann", 0, ""), OK);
    assert_int_equal(edit(RIGHTS_REMOVE, "ann", 0, ""), ERR_NOT_FOUND);
    expect("bob 0 1:m ");
}

static void test_rights_edit_knows_its_bounds(void **state)
{
    (void)state;
    const struct rights_edit add = {.action = RIGHTS_ADD, .name = text("ann")};
    char prefix[8];
    assert_int_equal(edit_as(&add), OK);
    for (uint32_t i = 0; i < RIGHTS_LINES_MAX; i++) {
        snprintf(prefix, sizeof(prefix), "%u", i);
        assert_int_equal(edit(RIGHTS_GRANT, "ann", RIGHT_READ, prefix), OK);
    }
    assert_int_equal(edit(RIGHTS_GRANT, "ann", RIGHT_READ, "x"), ERR_FULL);
    now = text("no table");
    assert_int_equal(edit_as(&add), ERR_SHORT);
}

static void test_rights_parse_names_each(void **state)
{
    (void)state;
    uint8_t rights = 0;
    assert_true(rights_parse("read", &rights));
    assert_int_equal(rights, RIGHT_READ);
    assert_true(rights_parse("read,relaxed-read,write,relaxed-write,logs,admin", &rights));
    assert_int_equal(rights, RIGHTS_EVERY);
    assert_false(rights_parse("", &rights));
    assert_false(rights_parse("read,", &rights));
    assert_false(rights_parse("reads", &rights));
    assert_false(rights_parse("rea", &rights));
    assert_int_equal(rights, RIGHTS_EVERY);
    assert_string_equal(right_name(RIGHT_RELAXED_WRITE), "relaxed-write");
}

#define EDIT_TEST(test) cmocka_unit_test_setup(test, setup)

static enum error drop(enum rights_action action, const char *name, uint32_t generation)
{
    const struct rights_edit wanted = {
        .action = action, .name = text(name), .generation = generation, .drops_pending = true};
    return edit_as(&wanted);
}

static uint32_t drops(void)
{
    struct rights_table table;
    assert_int_equal(rights_table_decode(now, &table), OK);
    return table.drops;
}

static void test_rights_edit_marks_whose_pending_writes_are_dropped(void **state)
{
    (void)state;
    assert_int_equal(edit(RIGHTS_ADD, "a", 0, ""), OK);
    assert_int_equal(edit(RIGHTS_ADD, "b", 0, ""), OK);
    assert_int_equal(edit(RIGHTS_GRANT, "a", RIGHT_READ, ""), OK);
    assert_int_equal(drop(RIGHTS_REVOKE_ALL, "a", 0), OK);
    expect("a 1 <1 b 0 ");
    assert_int_equal(drops(), 1);
    /* What the key of generation 1 has written is carried out, also if that one is revoked. */
    assert_int_equal(edit(RIGHTS_GRANT, "a", RIGHT_WRITE, ""), OK);
    assert_int_equal(edit(RIGHTS_REVOKE_ALL, "a", 0, ""), OK);
    assert_int_equal(edit(RIGHTS_GRANT, "b", RIGHT_WRITE, ""), OK);
    expect("a 2 <1 b 0 4: ");
    assert_int_equal(drops(), 1);
    assert_int_equal(drop(RIGHTS_REVOKE_ALL, "a", 9), OK);
    expect("a 9 <9 b 0 4: ");
    assert_int_equal(drop(RIGHTS_REVOKE_ALL, "a", 8), ERR_OUTDATED);
    assert_int_equal(drop(RIGHTS_REVOKE_ALL, "c", 0), ERR_NOT_FOUND);
    assert_int_equal(drops(), 2);
}

/* Who has a mark is kept for nodes that are away, and comes back with it. */
static void test_rights_edit_keeps_marks_of_who_is_removed(void **state)
{
    (void)state;
    assert_int_equal(edit(RIGHTS_ADD, "a", 0, ""), OK);
    assert_int_equal(edit(RIGHTS_ADD, "b", 0, ""), OK);
    assert_int_equal(edit(RIGHTS_GRANT, "a", RIGHT_READ, ""), OK);
    assert_int_equal(drop(RIGHTS_REMOVE, "a", 0), OK);
    expect("a 1 removed<1 b 0 ");
    assert_int_equal(edit(RIGHTS_REMOVE, "b", 0, ""), OK);
    expect("a 1 removed<1 ");
    assert_int_equal(drops(), 1);
    assert_int_equal(edit(RIGHTS_REMOVE, "a", 0, ""), ERR_NOT_FOUND);
    assert_int_equal(edit(RIGHTS_GRANT, "a", RIGHT_READ, ""), ERR_NOT_FOUND);
    assert_int_equal(drop(RIGHTS_REVOKE_ALL, "a", 0), ERR_NOT_FOUND);
    assert_int_equal(edit(RIGHTS_ADD, "a", 0, ""), OK);
    expect("a 1 <1 ");
    assert_int_equal(edit(RIGHTS_ADD, "a", 0, ""), ERR_EXISTS);
    assert_int_equal(edit(RIGHTS_REMOVE, "a", 0, ""), OK);
    const struct rights_edit older = {.action = RIGHTS_ADD, .name = text("a"), .generation = 5};
    assert_int_equal(edit_as(&older), OK);
    expect("a 5 <1 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EDIT_TEST(test_rights_edit_adds_in_order),
        EDIT_TEST(test_rights_edit_grants_in_order),
        EDIT_TEST(test_rights_edit_revokes),
        EDIT_TEST(test_rights_edit_knows_its_bounds),
        EDIT_TEST(test_rights_parse_names_each),
        cmocka_unit_test_setup(test_rights_edit_marks_whose_pending_writes_are_dropped, setup),
        cmocka_unit_test_setup(test_rights_edit_keeps_marks_of_who_is_removed, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
