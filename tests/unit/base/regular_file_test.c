/* What is opened by its name is a regular file, and nobody waits for anything else. */
#include "base/regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* A test that waits is killed. */
#define PATIENCE_S 10

static char folder[] = "/tmp/pollux-regular-XXXXXX";
static char path[64];

static int setup(void **state)
{
    (void)state;
    alarm(PATIENCE_S);
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/thing", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void expect_refused(int flags, int error_number, const char *expected)
{
    const char *why = "";
    errno = 0;
    assert_int_equal(regular_file_open(path, flags, &why), -1);
    assert_int_equal(errno, error_number);
    assert_string_equal(why, expected);
}

static void test_regular_file_is_opened(void **state)
{
    const char *why;
    (void)state;
    int fd = regular_file_open(path, O_RDWR | O_CREAT, &why);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    close(fd);
    fd = regular_file_open(path, O_RDONLY, &why);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(unlink(path), 0);
    expect_refused(O_RDONLY, ENOENT, "No such file or directory");
}

/* Nobody has the other end. */
static void test_regular_file_open_waits_at_no_fifo(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_refused(O_RDONLY, EINVAL, "not a regular file");
    expect_refused(O_WRONLY, EINVAL, "not a regular file");
    expect_refused(O_RDWR, EINVAL, "not a regular file");
    expect_refused(O_RDWR | O_CREAT, EINVAL, "not a regular file");
    assert_int_equal(unlink(path), 0);
}

static void test_regular_file_open_refuses_a_socket_and_a_directory(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)state;
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    expect_refused(O_RDONLY, EINVAL, "not a regular file");
    close(fd);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_refused(O_RDONLY, EINVAL, "not a regular file");
    expect_refused(O_RDWR, EISDIR, "Is a directory");
    assert_int_equal(rmdir(path), 0);
}

/* A link may lead to a fifo. */
static void test_regular_file_open_follows_a_link_unless_told(void **state)
{
    const char *why;
    char target[80];
    (void)state;
    snprintf(target, sizeof(target), "%s.target", path);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(mkfifo(target, 0600), 0);
    expect_refused(O_RDONLY, EINVAL, "not a regular file");
    assert_int_equal(unlink(target), 0);
    int fd = open(target, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    close(fd);
    fd = regular_file_open(path, O_RDONLY, &why);
    assert_true(fd >= 0);
    close(fd);
    expect_refused(O_RDONLY | O_NOFOLLOW, ELOOP, "Too many levels of symbolic links");
    assert_int_equal(unlink(target), 0);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regular_file_is_opened),
        cmocka_unit_test(test_regular_file_open_waits_at_no_fifo),
        cmocka_unit_test(test_regular_file_open_refuses_a_socket_and_a_directory),
        cmocka_unit_test(test_regular_file_open_follows_a_link_unless_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
