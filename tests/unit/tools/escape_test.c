/* Any bytes as text for a terminal, and back (tools/console/escape.h). */
#include "tools/console/escape.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static char printed[8192];

static const char *print_field(const void *bytes, size_t size_bytes)
{
    printed[0] = '\0';
    FILE *to = fmemopen(printed, sizeof(printed), "w");
    assert_non_null(to);
    escape_print(to, bytes, size_bytes);
    assert_int_equal(fclose(to), 0);
    return printed;
}

static void test_escape_shows_what_a_terminal_would_obey(void **state)
{
    (void)state;
    assert_string_equal(print_field("a\0b", 3), "a\\x00b");
    assert_string_equal(print_field("\x1b[31m\r\n\t\x7f", 9), "\\x1b[31m\\x0d\\x0a\\x09\\x7f");
    assert_string_equal(print_field("caf\xc3\xa9 \xe2\x82\xac", 9), "caf\xc3\xa9 \xe2\x82\xac");
    assert_string_equal(print_field("\xc2\x9b"
                                    "31m",
                                    5),
                        "\\xc2\\x9b31m");
    assert_string_equal(print_field("\xff\xc3", 2), "\\xff\\xc3");
    assert_string_equal(print_field("\\x1b", 4), "\\x5cx1b");
    assert_string_equal(print_field("", 0), "");
}

/* Every byte, alone and between others, comes back as it was. */
static void test_escape_takes_back_every_byte(void **state)
{
    (void)state;
    uint8_t all[256 * 3];
    for (unsigned i = 0; i < 256; i++) {
        all[3 * i] = (uint8_t)i;
        all[3 * i + 1] = 'x';
        all[3 * i + 2] = (uint8_t)(255 - i);
    }
    char *text = strdup(print_field(all, sizeof(all)));
    size_t size;
    size_t fault;
    assert_non_null(text);
    for (const char *at = text; *at != '\0'; at++)
        assert_true((uint8_t)*at >= 0x20 && (uint8_t)*at != 0x7f);
    assert_true(escape_parse(text, strlen(text), &size, &fault));
    assert_int_equal(size, sizeof(all));
    assert_memory_equal(text, all, size);
    free(text);
}

static void test_escape_names_the_place_of_what_is_no_escape(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t fault;
    } cases[] = {{"a\\q", 1}, {"ab\\x1", 2}, {"\\x1g", 0}, {"abc\\", 3}, {"\\X41", 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[16];
        size_t size = 99;
        size_t fault = 99;
        snprintf(text, sizeof(text), "%s", cases[i].text);
        assert_false(escape_parse(text, strlen(text), &size, &fault));
        assert_int_equal(fault, cases[i].fault);
        assert_int_equal(size, 99);
    }
}

static void test_escape_encodes_base64(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[ESCAPE_BASE64_BYTES(8)];
        escape_base64(cases[i][0], strlen(cases[i][0]), text);
        assert_string_equal(text, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape_shows_what_a_terminal_would_obey),
        cmocka_unit_test(test_escape_takes_back_every_byte),
        cmocka_unit_test(test_escape_names_the_place_of_what_is_no_escape),
        cmocka_unit_test(test_escape_encodes_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
