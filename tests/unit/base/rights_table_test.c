/* Tables of rights: what is built is read, each fault has its error, and what a line covers. */
#include "base/rights_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/le.h"
#include "base/reserved_key.h"
#include "base/shard.h"

static uint8_t data[VALUE_SIZE_BYTES_MAX + 1];
static struct rights_builder builder;

static struct span text_of(const char *text)
{
    return span_of(text, strlen(text));
}

/* Two principals; the first has two lines. */
static struct span table_build(void)
{
    struct span bytes;
    rights_builder_begin(&builder, data);
    rights_builder_principal(&builder, text_of("ann"), 3);
    rights_builder_line(&builder, RIGHT_READ | RIGHT_RELAXED_READ, text_of(""));
    rights_builder_line(&builder, RIGHT_WRITE, text_of("a/"));
    rights_builder_principal(&builder, text_of("bob"), 0);
    assert_int_equal(rights_builder_end(&builder, &bytes), OK);
    return bytes;
}

static enum error decode(struct span bytes)
{
    struct rights_table table = {.principal_count = 999};
    enum error error = rights_table_decode(bytes, &table);
    assert_true(error == OK || table.principal_count == 999);
    return error;
}

/* With this byte of the table changed, and put back. */
static enum error decode_with(struct span bytes, size_t offset, uint8_t value)
{
    uint8_t before = data[offset];
    data[offset] = value;
    enum error error = decode(bytes);
    data[offset] = before;
    return error;
}

static struct rights rights_of(const char *name)
{
    struct rights_table table;
    struct rights_principal principal;
    assert_int_equal(rights_table_decode(table_build(), &table), OK);
    assert_true(rights_table_find(&table, text_of(name), &principal));
    return (struct rights){.lines = principal.lines};
}

static void test_rights_table_returns_what_was_built(void **state)
{
    (void)state;
    struct rights_table table;
    struct rights_principal principal;
    struct rights_line line;
    size_t cursor = 0;
    size_t at = 0;
    assert_int_equal(rights_table_decode(table_build(), &table), OK);
    assert_int_equal(table.principal_count, 2);
    assert_true(rights_table_next(&table, &cursor, &principal));
    assert_true(span_is_equal(principal.name, text_of("ann")));
    assert_int_equal(principal.generation, 3);
    assert_int_equal(principal.line_count, 2);
    assert_true(rights_line_next(&principal, &at, &line));
    assert_int_equal(line.rights, RIGHT_READ | RIGHT_RELAXED_READ);
    assert_int_equal(line.prefix.size_bytes, 0);
    assert_true(rights_line_next(&principal, &at, &line));
    assert_true(span_is_equal(line.prefix, text_of("a/")));
    assert_false(rights_line_next(&principal, &at, &line));
    assert_true(rights_table_next(&table, &cursor, &principal));
    assert_int_equal(principal.line_count, 0);
    assert_false(rights_table_next(&table, &cursor, &principal));
    assert_true(rights_table_find(&table, text_of("bob"), &principal));
    assert_false(rights_table_find(&table, text_of("bo"), &principal));
}

static void test_rights_table_of_nobody_is_one(void **state)
{
    (void)state;
    struct span bytes;
    struct rights_table table;
    struct rights_principal principal;
    size_t cursor = 0;
    rights_builder_begin(&builder, data);
    assert_int_equal(rights_builder_end(&builder, &bytes), OK);
    assert_int_equal(rights_table_decode(bytes, &table), OK);
    assert_false(rights_table_next(&table, &cursor, &principal));
}

static void test_rights_table_names_each_fault(void **state)
{
    (void)state;
    struct span bytes = table_build();
    for (size_t size = 0; size < bytes.size_bytes; size++)
        assert_int_equal(decode(span_of(data, size)), ERR_SHORT);
    assert_int_equal(decode(span_of(data, bytes.size_bytes + 1)), ERR_TRAILING);
    assert_int_equal(decode(span_of(data, VALUE_SIZE_BYTES_MAX + 1)), ERR_TOO_LARGE);
    assert_int_equal(decode_with(bytes, 0, 'p'), ERR_MAGIC);
    assert_int_equal(decode_with(bytes, 4, 2), ERR_VERSION);
    assert_int_equal(decode_with(bytes, 6, 1), ERR_RESERVED);
    assert_int_equal(decode_with(bytes, 18, 4), ERR_RESERVED); /* of a principal */
    assert_int_equal(decode_with(bytes, 18, 2), ERR_RANGE);    /* removed, and has no mark */
    assert_int_equal(decode_with(bytes, 16, 0), ERR_RANGE);    /* no name */
    assert_int_equal(decode_with(bytes, 24, '/'), ERR_RANGE);  /* no letter */
    assert_int_equal(decode_with(bytes, 17, RIGHTS_LINES_MAX + 1), ERR_RANGE);
    assert_int_equal(decode_with(bytes, 27, 0), ERR_RANGE); /* no right */
    assert_int_equal(decode_with(bytes, 27, RIGHTS_EVERY + 1), ERR_RANGE);
    assert_int_equal(decode_with(bytes, 28, 1), ERR_RESERVED);        /* of a line */
    assert_int_equal(decode_with(bytes, 31, RIGHT_ADMIN), ERR_RANGE); /* with a prefix */
    assert_int_equal(decode_with(bytes, 34, 3), ERR_RANGE);           /* 768 bytes of prefix */
    assert_int_equal(decode_with(bytes, 24, 'c'), ERR_SYNTAX);        /* "cnn", "bob" */
    assert_int_equal(decode_with(bytes, 8, 1), ERR_TRAILING);         /* a principal less */
    assert_int_equal(decode_with(bytes, 8, 3), ERR_SHORT);
    assert_int_equal(decode(bytes), OK);
}

/* One with a mark and rights, one that was removed. */
static struct span marked_build(void)
{
    struct span bytes;
    rights_builder_begin(&builder, data);
    rights_builder_drops(&builder, 7);
    rights_builder_principal(&builder, text_of("ann"), 3);
    rights_builder_mark(&builder, 2, false);
    rights_builder_line(&builder, RIGHT_WRITE, text_of("a/"));
    rights_builder_principal(&builder, text_of("bob"), 1);
    rights_builder_mark(&builder, 1, true);
    assert_int_equal(rights_builder_end(&builder, &bytes), OK);
    return bytes;
}

static void test_rights_table_has_marks(void **state)
{
    (void)state;
    struct rights_table table;
    struct rights_principal principal;
    struct rights_line line;
    size_t at = 0;
    struct span bytes = marked_build();
    assert_int_equal(rights_table_decode(bytes, &table), OK);
    assert_int_equal(table.drops, 7);
    assert_true(rights_table_find(&table, text_of("ann"), &principal));
    assert_int_equal(principal.drop_below, 2);
    assert_false(principal.is_removed);
    assert_true(rights_line_next(&principal, &at, &line));
    assert_int_equal(line.rights, RIGHT_WRITE);
    assert_true(rights_table_find(&table, text_of("bob"), &principal));
    assert_true(principal.is_removed && principal.drop_below == 1);
    for (size_t size = 0; size < bytes.size_bytes; size++)
        assert_int_equal(decode(span_of(data, size)), ERR_SHORT);
    assert_int_equal(decode_with(bytes, 12, 0), ERR_RANGE); /* a mark, and nothing was dropped */
    assert_int_equal(decode_with(bytes, 27, 0), ERR_RANGE); /* below generation 0 */
    assert_int_equal(decode_with(bytes, 27, 4), ERR_RANGE); /* above what counts */
    assert_int_equal(decode_with(bytes, 18, 3), ERR_RANGE); /* removed, and has a line */
    memset(data + 12, 0xff, 4);
    assert_int_equal(decode(bytes), ERR_RANGE); /* RIGHTS_DROPS_MAX */
}

static void test_rights_table_has_each_prefix_once(void **state)
{
    (void)state;
    struct span bytes;
    rights_builder_begin(&builder, data);
    rights_builder_principal(&builder, text_of("ann"), 0);
    rights_builder_line(&builder, RIGHT_READ, text_of("a"));
    rights_builder_line(&builder, RIGHT_WRITE, text_of("a"));
    assert_int_equal(rights_builder_end(&builder, &bytes), ERR_SYNTAX);
}

static void test_rights_builder_knows_its_bounds(void **state)
{
    (void)state;
    struct span bytes;
    char prefix[KEY_SIZE_BYTES_MAX] = {0};
    rights_builder_begin(&builder, data);
    rights_builder_principal(&builder, text_of("ann"), 0);
    for (uint32_t i = 0; i <= RIGHTS_LINES_MAX; i++) {
        prefix[0] = (char)(i + 1);
        rights_builder_line(&builder, RIGHT_READ, span_of(prefix, 1));
    }
    assert_int_equal(rights_builder_end(&builder, &bytes), ERR_FULL);
    rights_builder_begin(&builder, data);
    for (uint32_t i = 0; i < 10000; i++) {
        char name[KEY_NAME_BYTES_MAX + 1];
        memset(name, 'x', sizeof(name));
        for (uint32_t digit = 0, left = i; digit < 5; digit++, left /= 10)
            name[4 - digit] = (char)('0' + left % 10);
        rights_builder_principal(&builder, span_of(name, KEY_NAME_BYTES_MAX), 0);
        rights_builder_line(&builder, RIGHT_READ, span_of(prefix, sizeof(prefix)));
    }
    assert_int_equal(rights_builder_end(&builder, &bytes), ERR_FULL);
}

static void test_rights_allow_what_begins_with_the_prefix(void **state)
{
    (void)state;
    struct rights ann = rights_of("ann");
    assert_true(rights_allow(&ann, RIGHT_READ, text_of("b")));
    assert_false(rights_allow(&ann, RIGHT_WRITE, text_of("b")));
    assert_true(rights_allow(&ann, RIGHT_WRITE, text_of("a/")));
    assert_true(rights_allow(&ann, RIGHT_WRITE, text_of("a/b")));
    assert_false(rights_allow(&ann, RIGHT_WRITE, text_of("a")));
    assert_true(rights_allow(&ann, RIGHT_READ | RIGHT_WRITE, text_of("a/b"))); /* of two lines */
    assert_false(rights_allow(&ann, RIGHT_READ | RIGHT_WRITE, text_of("b")));
    assert_false(rights_allow(&ann, RIGHT_RELAXED_WRITE, text_of("a/b")));
    assert_false(rights_allow(&ann, RIGHT_ADMIN, (struct span){0}));
    assert_true(rights_have_any(&ann, RIGHT_WRITE | RIGHT_ADMIN));
    assert_false(rights_have_any(&ann, RIGHT_LOGS | RIGHT_ADMIN));
    struct rights bob = rights_of("bob");
    assert_false(rights_allow(&bob, RIGHT_READ, text_of("a/b")));
    assert_false(rights_have_any(&bob, RIGHTS_EVERY));
}

static void test_rights_to_logs_are_of_their_cursors(void **state)
{
    (void)state;
    struct span bytes;
    struct rights_table table;
    struct rights_principal principal;
    rights_builder_begin(&builder, data);
    rights_builder_principal(&builder, text_of("logger"), 0);
    rights_builder_line(&builder, RIGHT_LOGS, text_of(""));
    assert_int_equal(rights_builder_end(&builder, &bytes), OK);
    assert_int_equal(rights_table_decode(bytes, &table), OK);
    assert_true(rights_table_find(&table, text_of("logger"), &principal));
    struct rights rights = {.lines = principal.lines};
    assert_true(rights_allow(&rights, RIGHT_READ | RIGHT_WRITE, text_of("pollux/logs/web")));
    assert_false(rights_allow(&rights, RIGHT_RELAXED_WRITE, text_of("pollux/logs/web")));
    assert_false(rights_allow(&rights, RIGHT_READ, text_of("pollux/log")));
}

static void test_rights_keep_reserved_keys_for_administrators(void **state)
{
    (void)state;
    struct rights free = {.is_free = true};
    struct rights all = {.is_all = true};
    struct rights ann = rights_of("ann");
    assert_true(rights_allow(&free, RIGHTS_EVERY, text_of("key")));
    assert_true(rights_allow(&free, RIGHT_ADMIN, (struct span){0}));
    assert_false(rights_allow(&free, RIGHT_READ, rights_key()));
    assert_true(rights_allow(&all, RIGHTS_EVERY, rights_key()));
    assert_false(rights_allow(&ann, RIGHT_READ, rights_key()));
    struct span bytes;
    struct rights_table table;
    struct rights_principal principal;
    rights_builder_begin(&builder, data);
    rights_builder_principal(&builder, text_of("chief"), 0);
    rights_builder_line(&builder, RIGHT_ADMIN, text_of(""));
    assert_int_equal(rights_builder_end(&builder, &bytes), OK);
    assert_int_equal(rights_table_decode(bytes, &table), OK);
    assert_true(rights_table_find(&table, text_of("chief"), &principal));
    struct rights chief = {.lines = principal.lines};
    assert_true(rights_allow(&chief, RIGHT_READ | RIGHT_WRITE, rights_key()));
    assert_true(rights_allow(&chief, RIGHT_ADMIN, (struct span){0}));
    assert_true(rights_allow(&chief, RIGHT_READ | RIGHT_RELAXED_READ, text_of("key")));
    assert_false(rights_allow(&chief, RIGHT_WRITE, text_of("key")));
}

static void test_rights_key_lies_in_shard_0(void **state)
{
    (void)state;
    assert_true(key_is_reserved(rights_key()));
    assert_false(key_is_reserved(text_of("pollux/rights{as}")));
    for (uint16_t shards = 1; shards <= SHARDS_MAX; shards++)
        assert_int_equal(shard_of_key(rights_key(), shards), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rights_table_returns_what_was_built),
        cmocka_unit_test(test_rights_table_of_nobody_is_one),
        cmocka_unit_test(test_rights_table_names_each_fault),
        cmocka_unit_test(test_rights_table_has_marks),
        cmocka_unit_test(test_rights_table_has_each_prefix_once),
        cmocka_unit_test(test_rights_builder_knows_its_bounds),
        cmocka_unit_test(test_rights_allow_what_begins_with_the_prefix),
        cmocka_unit_test(test_rights_to_logs_are_of_their_cursors),
        cmocka_unit_test(test_rights_keep_reserved_keys_for_administrators),
        cmocka_unit_test(test_rights_key_lies_in_shard_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
