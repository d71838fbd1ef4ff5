/* Key files: a known text, read as written; each wrong line named; refused when others may read
 * them; never overwritten, and nothing left of one that could not be written. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "security/key_file.h"

static const char known[] = "pollux key 1\n"
                            "kind: client\n"
                            "name: web-1\n"
                            "id: 3\n"
                            "generation: 12\n"
                            "secret: 000102030405060708090a0b0c0d0e0f"
                            "101112131415161718191a1b1c1d1e1f\n"
                            "check: 42c267edb83e6e7d\n";
static char folder[] = "/tmp/pollux-key-XXXXXX";
static char path[64];
static char reason[KEY_FILE_REASON_BYTES];
static struct key key;
/* What the system calls are made to fail with; 0: they work. */
static int write_errno;
static int fsync_errno;
static int fstat_errno;
static int close_errno;
static uid_t other_user;

ssize_t __real_write(int fd, const void *from, size_t size);
ssize_t __wrap_write(int fd, const void *from, size_t size);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_fstat64(int fd, struct stat *status);
int __wrap_fstat64(int fd, struct stat *status);
int __real_close(int fd);
int __wrap_close(int fd);

static int fail_with(int number)
{
    errno = number;
    return -1;
}

ssize_t __wrap_write(int fd, const void *from, size_t size)
{
    return write_errno != 0 ? fail_with(write_errno) : __real_write(fd, from, size);
}

int __wrap_fsync(int fd)
{
    return fsync_errno != 0 ? fail_with(fsync_errno) : __real_fsync(fd);
}

int __wrap_fstat64(int fd, struct stat *status)
{
    int result = __real_fstat64(fd, status);
    if (other_user != 0)
        status->st_uid = other_user;
    return result == 0 && fstat_errno != 0 ? fail_with(fstat_errno) : result;
}

int __wrap_close(int fd)
{
    int result = __real_close(fd);
    return close_errno != 0 ? fail_with(close_errno) : result;
}

static int setup(void **state)
{
    (void)state;
    key = (struct key){.kind = KEY_OF_CLIENT, .id = 3, .generation = 12, .name = "web-1"};
    for (uint32_t i = 0; i < SECRET_SIZE_BYTES; i++)
        key.secret.bytes[i] = (uint8_t)i;
    snprintf(path, sizeof(path), "%s/key", folder);
    (void)unlink(path);
    return 0;
}

static int setup_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int teardown_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static void test_key_file_is_known(void **state)
{
    (void)state;
    char text[KEY_FILE_SIZE_BYTES_MAX];
    struct key read;
    uint32_t line = 0;
    size_t size = key_file_encode(&key, text);
    assert_int_equal(size, sizeof(known) - 1);
    assert_memory_equal(text, known, size);
    assert_int_equal(key_file_decode(span_of(known, sizeof(known) - 1), &read, &line), OK);
    assert_memory_equal(&read, &key, sizeof(key));
}

static void expect_text(const char *text, enum error error, uint32_t line)
{
    struct key read = {.id = 77};
    uint32_t line_read = 0;
    assert_int_equal(key_file_decode(span_of(text, strlen(text)), &read, &line_read), error);
    assert_int_equal(line_read, line);
    assert_int_equal(read.id, 77);
}

/* The known text with one text in place of another. */
static void expect_instead(const char *of, const char *with, enum error error, uint32_t line)
{
    char text[2 * sizeof(known)];
    const char *at = strstr(known, of);
    assert_non_null(at);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - known), known, with, at + strlen(of));
    expect_text(text, error, line);
}

static void test_key_file_names_what_is_wrong(void **state)
{
    (void)state;
    expect_text("", ERR_MAGIC, 0);
    expect_instead("pollux key 1", "pollux", ERR_MAGIC, 0);
    expect_instead("key 1", "key 2", ERR_VERSION, 0);
    expect_instead("client", "server", ERR_SYNTAX, 2);
    expect_instead("kind", "Kind", ERR_SYNTAX, 2);
    expect_instead("web-1", "", ERR_SYNTAX, 3);
    expect_instead("web-1", "web 1", ERR_SYNTAX, 3);
    expect_instead("web-1", "0123456789012345678901234567890123456789012345678901234567890123",
                   ERR_SYNTAX, 3);
    expect_instead("id: 3", "id: 0", ERR_SYNTAX, 4);
    expect_instead("id: 3", "id: 03", ERR_SYNTAX, 4);
    expect_instead("id: 3", "id: 256", ERR_SYNTAX, 4);
    expect_instead("id: 3", "id: ", ERR_SYNTAX, 4);
    expect_instead("12", "4294967296", ERR_SYNTAX, 5);
    expect_instead("12", "1x", ERR_SYNTAX, 5);
    expect_instead("client", "cluster", ERR_SYNTAX, 5); /* which has no generations */
    expect_instead("secret: 00", "secret: ", ERR_SYNTAX, 6);
    expect_instead("secret: 00", "secret: 0G", ERR_SYNTAX, 6);
    expect_instead("check: 4", "check: ", ERR_SYNTAX, 7);
    expect_instead("6e7d\n", "6e7d", ERR_SYNTAX, 7);
    expect_instead("6e7d\n", "6e7d\n\n", ERR_TRAILING, 0);
}

static void test_key_file_finds_what_was_changed(void **state)
{
    (void)state;
    expect_instead("client", "cluster", ERR_SYNTAX, 5);
    expect_instead("web-1", "web-2", ERR_CHECKSUM, 0);
    expect_instead("id: 3", "id: 4", ERR_CHECKSUM, 0);
    expect_instead("12", "13", ERR_CHECKSUM, 0);
    expect_instead("1e1f", "1e1e", ERR_CHECKSUM, 0);
    expect_instead("6e7d", "6e7e", ERR_CHECKSUM, 0);
}

static void test_key_file_cut_short_is_refused(void **state)
{
    (void)state;
    struct key read;
    uint32_t line;
    for (size_t size = 0; size < sizeof(known) - 1; size++)
        assert_int_not_equal(key_file_decode(span_of(known, size), &read, &line), OK);
}

static void test_key_file_is_for_its_owner(void **state)
{
    (void)state;
    struct stat status;
    struct key read;
    mode_t before = umask(0);
    assert_int_equal(key_file_write(path, &key, reason), OK);
    (void)umask(before);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(key_file_read(path, &read, reason), OK);
    assert_memory_equal(&read, &key, sizeof(key));
    static const mode_t open_to_others[] = {0640, 0604, 0620, 0601};
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(chmod(path, open_to_others[i]), 0);
        assert_int_equal(key_file_read(path, &read, reason), ERR_PERMISSION);
        assert_non_null(strstr(reason, "chmod 600"));
    }
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(key_file_read(path, &read, reason), OK);
    other_user = geteuid() + 12345;
    enum error error = key_file_read(path, &read, reason);
    other_user = 0;
    assert_int_equal(error, ERR_PERMISSION);
    assert_non_null(strstr(reason, "chown"));
}

static void test_key_file_is_never_overwritten(void **state)
{
    (void)state;
    struct key read;
    struct key other = key;
    other.secret.bytes[0] ^= 1;
    assert_int_equal(key_file_write(path, &key, reason), OK);
    assert_int_equal(key_file_write(path, &other, reason), ERR_EXISTS);
    assert_non_null(strstr(reason, path));
    assert_int_equal(key_file_read(path, &read, reason), OK);
    assert_memory_equal(&read, &key, sizeof(key));
}

static void expect_unwritten(int *errno_of_call, int number, enum error error)
{
    *errno_of_call = number;
    enum error given = key_file_write(path, &key, reason);
    *errno_of_call = 0;
    assert_int_equal(given, error);
    assert_non_null(strstr(reason, strerror(number)));
    assert_int_equal(access(path, F_OK), -1);
}

static void test_key_file_that_cannot_be_written_is_none(void **state)
{
    (void)state;
    expect_unwritten(&write_errno, ENOSPC, ERR_NO_SPACE);
    expect_unwritten(&write_errno, EIO, ERR_IO);
    expect_unwritten(&fsync_errno, EIO, ERR_IO);
    expect_unwritten(&close_errno, EDQUOT, ERR_NO_SPACE);
    assert_int_equal(key_file_write("/nowhere/at/all", &key, reason), ERR_NOT_FOUND);
}

static void test_key_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    struct key read;
    assert_int_equal(key_file_read(path, &read, reason), ERR_NOT_FOUND);
    assert_non_null(strstr(reason, path));
    assert_int_equal(key_file_read(folder, &read, reason), ERR_IO);
    assert_non_null(strstr(reason, "not a regular file"));
    assert_int_equal(key_file_write(path, &key, reason), OK);
    fstat_errno = EIO;
    enum error error = key_file_read(path, &read, reason);
    fstat_errno = 0;
    assert_int_not_equal(error, OK);
    int fd = open(path, O_WRONLY | O_APPEND);
    char more[KEY_FILE_SIZE_BYTES_MAX];
    memset(more, '\n', sizeof(more));
    assert_int_equal(write(fd, more, 1), 1);
    assert_int_equal(key_file_read(path, &read, reason), ERR_TRAILING);
    assert_int_equal(write(fd, more, sizeof(more)), sizeof(more));
    assert_int_equal(key_file_read(path, &read, reason), ERR_TOO_LARGE);
    assert_int_equal(ftruncate(fd, 100), 0);
    assert_int_equal(key_file_read(path, &read, reason), ERR_SYNTAX);
    assert_non_null(strstr(reason, "line 6"));
    assert_int_equal(ftruncate(fd, 5), 0);
    assert_int_equal(key_file_read(path, &read, reason), ERR_MAGIC);
    close(fd);
}

static void test_key_names_are_plain(void **state)
{
    (void)state;
    char name[KEY_NAME_BYTES_MAX + 2];
    memset(name, 'n', sizeof(name));
    name[KEY_NAME_BYTES_MAX + 1] = '\0';
    assert_false(key_name_is_valid(name));
    name[KEY_NAME_BYTES_MAX] = '\0';
    assert_true(key_name_is_valid(name));
    assert_true(key_name_is_valid("A.b_c-9"));
    assert_false(key_name_is_valid(""));
    assert_false(key_name_is_valid("a b"));
    assert_false(key_name_is_valid("a\n"));
    assert_false(key_name_is_valid("\"a\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_key_file_is_known, setup),
        cmocka_unit_test_setup(test_key_file_names_what_is_wrong, setup),
        cmocka_unit_test_setup(test_key_file_finds_what_was_changed, setup),
        cmocka_unit_test_setup(test_key_file_cut_short_is_refused, setup),
        cmocka_unit_test_setup(test_key_file_is_for_its_owner, setup),
        cmocka_unit_test_setup(test_key_file_is_never_overwritten, setup),
        cmocka_unit_test_setup(test_key_file_that_cannot_be_written_is_none, setup),
        cmocka_unit_test_setup(test_key_file_that_cannot_be_read_is_named, setup),
        cmocka_unit_test_setup(test_key_names_are_plain, setup),
    };
    return cmocka_run_group_tests(tests, setup_folder, teardown_folder);
}
