/* The reader of real files: beside an owner that has the file locked, and private copies of it. */
#include "pmem/file_copy.h"
#include "pmem/medium.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_BYTES ((size_t)40 * 4096)

static char path[] = "/var/tmp/pollux-reader-XXXXXX";

static int setup(void **state)
{
    int fd = mkstemp(path);
    (void)state;
    return fd >= 0 && ftruncate(fd, (off_t)FILE_BYTES) == 0 && close(fd) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static void test_file_reader_reads_beside_the_owner(void **state)
{
    const struct medium_options options = {.path = path};
    char reason[256];
    struct medium *medium;
    struct file_reader reader;
    struct file_copy copy;
    (void)state;
    assert_int_equal(medium_open(&options, &medium, reason, sizeof(reason)), OK);
    medium_write(medium, 5000, "first", 5);
    assert_int_equal(file_reader_open(path, &reader, reason, sizeof(reason)), OK);
    assert_int_equal(reader.size_bytes, FILE_BYTES);
    assert_int_equal(file_copy_init(&reader, FILE_BYTES, &copy), OK);
    assert_true(file_copy_read(&copy, 5000, 5005));
    assert_memory_equal(copy.data + 5000, "first", 5);
    assert_false(file_copy_read(&copy, 0, FILE_BYTES)); /* the rest is zero */
    assert_true(file_copy_is_read(&copy, 0, FILE_BYTES));
    medium_write(medium, 5000, "again", 5);
    assert_memory_equal(copy.data + 5000, "first", 5);
    assert_true(file_copy_read(&copy, 0, FILE_BYTES));
    assert_memory_equal(copy.data + 5000, "again", 5);
    file_copy_deinit(&copy);
    file_reader_close(&reader);
    medium_close(medium);
}

static void test_file_reader_keeps_nobody_from_opening(void **state)
{
    const struct medium_options options = {.path = path};
    char reason[256];
    struct medium *medium;
    struct file_reader reader;
    (void)state;
    assert_int_equal(file_reader_open(path, &reader, reason, sizeof(reason)), OK);
    assert_int_equal(medium_open(&options, &medium, reason, sizeof(reason)), OK);
    medium_close(medium);
    file_reader_close(&reader);
}

static void test_file_reader_leaves_the_time_of_access(void **state)
{
    const struct timespec old_times[2] = {{.tv_sec = 1000}, {.tv_nsec = UTIME_OMIT}};
    char reason[256];
    char bytes[100];
    struct file_reader reader;
    struct stat status;
    (void)state;
    assert_int_equal(utimensat(AT_FDCWD, path, old_times, 0), 0);
    assert_int_equal(file_reader_open(path, &reader, reason, sizeof(reason)), OK);
    assert_int_equal(file_reader_fill(&reader, bytes, sizeof(bytes), 0), sizeof(bytes));
    file_reader_close(&reader);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_atim.tv_sec, 1000);
}

static void test_file_reader_survives_a_file_that_is_cut(void **state)
{
    char reason[256];
    struct file_reader reader;
    struct file_copy copy;
    (void)state;
    assert_int_equal(file_reader_open(path, &reader, reason, sizeof(reason)), OK);
    assert_int_equal(file_copy_init(&reader, FILE_BYTES, &copy), OK);
    assert_int_equal(truncate(path, 10000), 0);
    (void)file_copy_read(&copy, 0, FILE_BYTES);
    assert_true(file_copy_is_read(&copy, 0, 8192));
    assert_false(file_copy_is_read(&copy, 0, 8193));
    assert_int_equal(copy.error_number, 0);
    file_copy_deinit(&copy);
    file_reader_close(&reader);
    assert_int_equal(truncate(path, FILE_BYTES), 0);
}

static void test_file_reader_refuses_what_is_no_file(void **state)
{
    char reason[256] = "";
    struct file_reader reader;
    (void)state;
    assert_int_equal(file_reader_open("/var/tmp", &reader, reason, sizeof(reason)), ERR_IO);
    assert_non_null(strstr(reason, "not a regular file"));
    assert_int_equal(file_reader_open("/var/tmp/no/such", &reader, reason, sizeof(reason)),
                     ERR_NOT_FOUND);
    assert_non_null(strstr(reason, "/var/tmp/no/such"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_reader_reads_beside_the_owner),
        cmocka_unit_test(test_file_reader_keeps_nobody_from_opening),
        cmocka_unit_test(test_file_reader_leaves_the_time_of_access),
        cmocka_unit_test(test_file_reader_survives_a_file_that_is_cut),
        cmocka_unit_test(test_file_reader_refuses_what_is_no_file),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
