/* Files of pollux export. */
#include "tools/cli/export_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A file with "a" = "one" and "b" = "". */
static size_t file_write(char *to)
{
    struct export_state state = {.line = 0};
    static const char *const lines[] = {EXPORT_HEADER, "a\tone\n", "b\\x00\t\n"};
    size_t size = 0;
    for (size_t i = 0; i < 3; i++) {
        export_note(&state, lines[i], strlen(lines[i]));
        memcpy(to + size, lines[i], strlen(lines[i]));
        size += strlen(lines[i]);
    }
    return size + export_end_write(&state, to + size);
}

/* Reads a file; NULL, or what is wrong, and the line. */
static const char *file_read(char *bytes, size_t size, struct export_state *state)
{
    struct export_pair pair;
    *state = (struct export_state){.line = 0};
    for (size_t at = 0; at < size;) {
        const char *newline = memchr(bytes + at, '\n', size - at);
        size_t line = newline == NULL ? size - at : (size_t)(newline - bytes) + 1 - at;
        const char *fault = export_line_take(state, bytes + at, line, &pair);
        if (fault != NULL)
            return fault;
        at += line;
    }
    return export_lines_end(state);
}

static void test_export_file_is_read_back(void **state)
{
    (void)state;
    char file[256];
    struct export_state read;
    size_t size = file_write(file);
    assert_null(file_read(file, size, &read));
    assert_int_equal(read.count, 2);
    assert_int_equal(read.line, 4);
    assert_memory_equal(read.last, "b\0", 2);
}

static void test_export_file_that_was_cut_is_seen(void **state)
{
    (void)state;
    char whole[256];
    char file[256];
    struct export_state read;
    size_t size = file_write(whole);
    for (size_t cut = 0; cut < size; cut++) {
        memcpy(file, whole, cut);
        assert_non_null(file_read(file, cut, &read));
        assert_in_range(read.line, 0, 4);
    }
}

static void test_export_file_with_another_byte_is_seen(void **state)
{
    (void)state;
    char whole[256];
    char file[256];
    struct export_state read;
    size_t size = file_write(whole);
    for (size_t at = 0; at < size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            memcpy(file, whole, size);
            file[at] = (char)(file[at] ^ 1 << bit);
            assert_non_null(file_read(file, size, &read));
        }
    }
}

static void expect_fault(const char *text, uint64_t line, const char *fault)
{
    char file[128];
    struct export_state read;
    snprintf(file, sizeof(file), "%s", text);
    const char *found = file_read(file, strlen(file), &read);
    assert_non_null(found);
    assert_non_null(strstr(found, fault));
    assert_int_equal(read.line, line);
}

static void test_export_names_the_line(void **state)
{
    (void)state;
    char file[128];
    struct export_state read;
    expect_fault("", 0, "the end is missing");
    expect_fault("pollux-export 2\n", 1, "not a file of pollux export");
    expect_fault(EXPORT_HEADER "a\t1\nno tab\n", 3, "no tab");
    expect_fault(EXPORT_HEADER "a\t\\q\n", 2, "a backslash that begins nothing");
    expect_fault(EXPORT_HEADER "\t1\n", 2, "a key of no bytes");
    expect_fault(EXPORT_HEADER "b\t1\na\t1\n", 3, "does not come behind");
    expect_fault(EXPORT_HEADER "a\t1\na\t1\n", 3, "does not come behind");
    expect_fault(EXPORT_HEADER "a\t1\nend 2 00000000\n", 3, "damaged");
    expect_fault(EXPORT_HEADER "a\t1", 2, "cut within the line");
    size_t size = file_write(file);
    memcpy(file + size, "c\t1\n", 5);
    assert_string_equal(file_read(file, size + 4, &read), "a line behind the end");
    assert_int_equal(read.line, 5);
}

static void test_export_refuses_what_is_too_large(void **state)
{
    (void)state;
    static char line[EXPORT_LINE_BYTES_MAX];
    struct export_pair pair;
    struct export_state at = {.line = 1};
    memset(line, 'k', 513);
    memcpy(line + 513, "\tv\n", 3);
    assert_non_null(strstr(export_line_take(&at, line, 516, &pair), "more than 512"));
    memset(line, 'v', VALUE_SIZE_BYTES_MAX + 3);
    memcpy(line, "k\t", 2);
    line[VALUE_SIZE_BYTES_MAX + 3] = '\n';
    const char *fault = export_line_take(&at, line, VALUE_SIZE_BYTES_MAX + 4, &pair);
    assert_non_null(strstr(fault, "more than 1 MiB"));
    assert_null(pair.key);
    memmove(line + 2, line + 3, VALUE_SIZE_BYTES_MAX + 1);
    assert_null(export_line_take(&at, line, VALUE_SIZE_BYTES_MAX + 3, &pair));
    assert_int_equal(pair.value_size_bytes, VALUE_SIZE_BYTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_export_file_is_read_back),
        cmocka_unit_test(test_export_file_that_was_cut_is_seen),
        cmocka_unit_test(test_export_file_with_another_byte_is_seen),
        cmocka_unit_test(test_export_names_the_line),
        cmocka_unit_test(test_export_refuses_what_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
