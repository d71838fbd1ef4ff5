/* What is said of a limit above the capacity. */
#include "server/capacity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void expect(const struct engine_lack *lack, const char *limit, const char *advice)
{
    char text[CAPACITY_TEXT_SIZE];
    capacity_describe(lack, 1, 4, text);
    assert_non_null(strstr(text, limit));
    assert_non_null(strstr(text, advice));
}

static void test_capacity_names_limit_shard_and_setting(void **state)
{
    (void)state;
    expect(&(struct engine_lack){ENGINE_LIMIT_KEYS, 2000, 1000},
           "keys_max of shard 1 is now 2000, and this node's memory was made for 1000",
           "[node] keys_capacity = 8000,");
    expect(&(struct engine_lack){ENGINE_LIMIT_BLOCKS, 1 << 20, 1 << 10},
           "store_size of shard 1 is now 134217728B", "[node] store_capacity = 536870912B,");
    expect(&(struct engine_lack){ENGINE_LIMIT_SESSIONS, 20, 10},
           "sessions_max of shard 1 is now 20", "[node] sessions_capacity = 20,");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capacity_names_limit_shard_and_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
