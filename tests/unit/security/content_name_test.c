/* Names of contents: a known value, which Python's hashlib.blake2b gives for the same label and
 * parts; and each input counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "security/content_name.h"

static void test_content_name_is_that_of_others(void **state)
{
    (void)state;
    static const uint8_t known[CONTENT_NAME_SIZE_BYTES] = {
        0x4f, 0xdb, 0x89, 0xc9, 0xbc, 0x7c, 0x54, 0x5b, 0x7c, 0xbd, 0xbe,
        0xdb, 0x76, 0x95, 0xc9, 0xed, 0x80, 0x96, 0x79, 0xf4, 0xde, 0xff,
        0x56, 0x3e, 0x2c, 0x0d, 0x33, 0x6a, 0xb9, 0x4d, 0x6c, 0x7b};
    const struct span parts[] = {span_of("abc", 3), span_of(NULL, 0), span_of("d", 1)};
    uint8_t name[CONTENT_NAME_SIZE_BYTES];
    content_name("a label", parts, 3, name);
    assert_memory_equal(name, known, sizeof(known));
}

static void test_content_name_depends_on_all(void **state)
{
    (void)state;
    const struct span lists[][2] = {{span_of("ab", 2), span_of("c", 1)},
                                    {span_of("a", 1), span_of("bc", 2)},
                                    {span_of("ab", 2), span_of("d", 1)},
                                    {span_of("abc", 3), span_of(NULL, 0)}};
    uint8_t names[6][CONTENT_NAME_SIZE_BYTES];
    for (uint32_t i = 0; i < 4; i++)
        content_name("one", lists[i], 2, names[i]);
    content_name("other", lists[0], 2, names[4]);
    content_name("one", lists[3], 1, names[5]);
    for (uint32_t i = 0; i < 6; i++) {
        for (uint32_t j = 0; j < i; j++)
            assert_memory_not_equal(names[i], names[j], sizeof(names[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_name_is_that_of_others),
        cmocka_unit_test(test_content_name_depends_on_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
