/* The directory: what was published is found, and nothing that was withdrawn. */
#include "server/shard_directory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_shard_directory_finds_what_was_published(void **state)
{
    (void)state;
    static uint8_t first, last; /* the directory never looks inside */
    struct shard_directory directory;
    shard_directory_init(&directory);
    shard_directory_publish(&directory, 0, (struct engine *)(void *)&first);
    shard_directory_publish(&directory, SHARDS_MAX - 1, (struct engine *)(void *)&last);
    assert_ptr_equal(shard_directory_find(&directory, 0), &first);
    assert_ptr_equal(shard_directory_find(&directory, SHARDS_MAX - 1), &last);
    assert_null(shard_directory_find(&directory, 1));
    assert_null(shard_directory_find(&directory, SHARDS_MAX));
}

static void test_shard_directory_no_longer_finds_what_was_withdrawn(void **state)
{
    (void)state;
    static uint8_t engine;
    struct shard_directory directory;
    shard_directory_init(&directory);
    shard_directory_publish(&directory, 3, (struct engine *)(void *)&engine);
    shard_directory_withdraw(&directory, 3);
    assert_null(shard_directory_find(&directory, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shard_directory_finds_what_was_published),
        cmocka_unit_test(test_shard_directory_no_longer_finds_what_was_withdrawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
