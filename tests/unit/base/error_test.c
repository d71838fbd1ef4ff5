/* Names and texts of the error enum: complete, distinct, and safe outside the enum. */
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_error_names_every_value_once(void **state)
{
    (void)state;
    for (int i = 0; i < ERROR_COUNT; i++) {
        const char *name = error_name((enum error)i);
        assert_true(i == OK ? strcmp(name, "OK") == 0 : strncmp(name, "ERR_", 4) == 0);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(name, error_name((enum error)j));
            assert_string_not_equal(error_text((enum error)i), error_text((enum error)j));
        }
    }
    assert_string_equal(error_name(ERR_FULL), "ERR_FULL");
    assert_string_equal(error_text(ERR_FULL), "no room");
}

static void test_error_texts_fit_a_sentence(void **state)
{
    (void)state;
    for (int i = 0; i < ERROR_COUNT; i++) {
        const char *text = error_text((enum error)i);
        size_t length = strlen(text);
        assert_in_range(length, 4, 60);
        assert_true(text[length - 1] != '.');
    }
}

static void test_error_outside_the_enum_is_named_too(void **state)
{
    (void)state;
    assert_string_equal(error_name(ERROR_COUNT), "ERR_?");
    assert_string_equal(error_text((enum error)(ERROR_COUNT + 1000)), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_names_every_value_once),
        cmocka_unit_test(test_error_texts_fit_a_sentence),
        cmocka_unit_test(test_error_outside_the_enum_is_named_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
