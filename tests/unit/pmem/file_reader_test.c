/* The reader of real files: beside an owner that has the file locked, and private copies of it. */
#include "pmem/file_copy.h"
#include "pmem/medium.h"

#include <errno.h>
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
    assert_true(reader.wait(0)); /* for the owner, a while */
    assert_false(reader.wait(3));
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

/* The medium cannot read this place. */
static uint64_t bad_offset;

ssize_t __real_pread64(int fd, void *to, size_t size_bytes, off_t offset);
ssize_t __wrap_pread64(int fd, void *to, size_t size_bytes, off_t offset);

ssize_t __wrap_pread64(int fd, void *to, size_t size_bytes, off_t offset)
{
    uint64_t begin = (uint64_t)offset;
    if (bad_offset != 0 && begin <= bad_offset && bad_offset < begin + size_bytes) {
        errno = EIO;
        return -1;
    }
    return __real_pread64(fd, to, size_bytes, offset);
}

static void take_finding(void *context, const struct finding *finding)
{
    *(struct finding *)context = *finding;
}

static void test_file_reader_names_what_the_medium_cannot_read(void **state)
{
    char reason[256];
    struct file_reader reader;
    struct file_copy copy;
    struct finding found = {0};
    const struct finding_sink sink = {.take = take_finding, .context = &found};
    (void)state;
    assert_int_equal(file_reader_open(path, &reader, reason, sizeof(reason)), OK);
    assert_int_equal(file_copy_init(&reader, FILE_BYTES, &copy), OK);
    bad_offset = 5 * 4096 + 77;
    (void)file_copy_read(&copy, 0, FILE_BYTES);
    bad_offset = 0;
    assert_int_equal(copy.error_number, EIO);
    assert_true(file_copy_is_read(&copy, 0, (size_t)5 * 4096));
    assert_true(file_copy_is_read(&copy, (size_t)6 * 4096, FILE_BYTES));
    file_copy_tell(&copy, "a file", &sink);
    assert_int_equal(found.kind, FINDING_UNREADABLE);
    assert_int_equal(found.offset, 5 * 4096);
    assert_int_equal(found.size_bytes, 4096);
    file_copy_deinit(&copy);
    file_reader_close(&reader);
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
        cmocka_unit_test(test_file_reader_names_what_the_medium_cannot_read),
        cmocka_unit_test(test_file_reader_refuses_what_is_no_file),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
