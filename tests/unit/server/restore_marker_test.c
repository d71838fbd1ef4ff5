/* The marker of a restore: durable first, told to whoever comes, locked while the restore runs. */
#include "server/restore_marker.h"

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

static char folder[] = "/tmp/pollux-marker-XXXXXX";
static char path[64];
static char text[1024];

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/restoring", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void expect_marker(enum error expected, const char *told)
{
    text[0] = '\0';
    assert_int_equal(restore_marker_check(folder, text, sizeof(text)), expected);
    if (strstr(text, told) == NULL)
        fail_msg("%s", text);
}

static struct restore_marker begun(const char *backup)
{
    struct restore_marker marker;
    enum error error = restore_marker_begin(folder, backup, &marker, text, sizeof(text));
    if (error != OK)
        fail_msg("%s: %s", error_name(error), text);
    return marker;
}

static void test_restore_marker_is_there_until_the_end(void **state)
{
    (void)state;
    expect_marker(OK, "");
    struct restore_marker marker = begun("monday");
    assert_false(marker.is_found);
    if (access("/proc/locks", R_OK) == 0)
        expect_marker(ERR_BUSY, "fills this directory: wait until it has ended");
    restore_marker_leave(&marker);
    expect_marker(ERR_SHORT, "a restore was cut short here, from monday: what");
    assert_non_null(strstr(text, "Run pollux restore again"));
    marker = begun("tuesday");
    assert_true(marker.is_found);
    restore_marker_leave(&marker);
    expect_marker(ERR_SHORT, "from tuesday: what");
    marker = begun("tuesday");
    assert_int_equal(restore_marker_end(folder, &marker, text, sizeof(text)), OK);
    expect_marker(OK, "");
}

static void test_restore_marker_has_one_owner(void **state)
{
    struct restore_marker other;
    (void)state;
    struct restore_marker marker = begun("monday");
    assert_int_equal(restore_marker_begin(folder, "tuesday", &other, text, sizeof(text)), ERR_BUSY);
    assert_non_null(strstr(text, "fills this directory: wait until it has ended"));
    restore_marker_leave(&marker);
    expect_marker(ERR_SHORT, "from monday: what");
    assert_int_equal(unlink(path), 0);
}

/* Whatever the file is, and whatever is in it. */
static void test_restore_marker_counts_whatever_it_holds(void **state)
{
    struct restore_marker marker;
    (void)state;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    expect_marker(ERR_SHORT, "from a backup that it does not name");
    assert_int_equal(write(fd, "from \033[2Jmonday\nx", 17), 17);
    close(fd);
    expect_marker(ERR_SHORT, "from ?[2Jmonday: what");
    assert_int_equal(unlink(path), 0);
    alarm(10);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_marker(ERR_SHORT, "a backup that cannot be told (restoring: not a regular file)");
    assert_int_equal(restore_marker_begin(folder, "x", &marker, text, sizeof(text)), ERR_IO);
    alarm(0);
    assert_int_equal(unlink(path), 0);
    marker = begun("two\nlines");
    restore_marker_leave(&marker);
    expect_marker(ERR_SHORT, "from two?lines: what");
    assert_int_equal(unlink(path), 0);
}

static void test_restore_marker_needs_its_directory(void **state)
{
    struct restore_marker marker;
    (void)state;
    assert_int_equal(restore_marker_begin("/nowhere/at/all", "x", &marker, text, sizeof(text)),
                     ERR_IO);
    assert_non_null(strstr(text, "/nowhere/at/all/restoring: cannot make: No such file"));
    marker = begun("monday");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(restore_marker_end(folder, &marker, text, sizeof(text)), ERR_IO);
    assert_non_null(strstr(text, "restoring: cannot remove"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restore_marker_is_there_until_the_end),
        cmocka_unit_test(test_restore_marker_has_one_owner),
        cmocka_unit_test(test_restore_marker_counts_whatever_it_holds),
        cmocka_unit_test(test_restore_marker_needs_its_directory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
