/* Whom a node becomes: by name, for good, with its files; everybody else is refused. Tests that
 * need root are skipped without it. */
#include "server/user_switch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Every Debian has this user and group. */
#define NOBODY     "nobody"
#define NOBODY_UID 65534

struct fixture {
    char folder[32];
    char file[64];
    char reason[512];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    snprintf(f->folder, sizeof(f->folder), "/tmp/pollux-user-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->file, sizeof(f->file), "%s/shard-0.raft", f->folder);
    int fd = open(f->file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(unlink(f->file), 0);
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

static uid_t owner_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_uid;
}

static void test_nobody_named(void **state)
{
    struct fixture *f = *state;
    struct user_switch user;
    assert_int_equal(user_switch_find("", &user, f->reason, sizeof(f->reason)), OK);
    assert_int_equal(user.uid, geteuid());
    assert_false(user.is_needed);
    assert_int_equal(user_switch_do(&user, f->reason, sizeof(f->reason)), OK);
    assert_int_equal(user_switch_give(&user, f->folder, f->reason, sizeof(f->reason)), OK);
    assert_int_equal(user_switch_check(&user, f->folder, f->reason, sizeof(f->reason)), OK);
    assert_int_equal(owner_of(f->file), geteuid());
}

static void test_no_such_user(void **state)
{
    struct fixture *f = *state;
    struct user_switch user;
    assert_int_equal(user_switch_find("no-such-user", &user, f->reason, sizeof(f->reason)),
                     ERR_NOT_FOUND);
    assert_non_null(strstr(f->reason, "no-such-user"));
}

static void test_files_of_somebody_else(void **state)
{
    struct fixture *f = *state;
    const struct user_switch user = {.uid = geteuid() + 1, .gid = getegid()};
    assert_int_equal(user_switch_check(&user, f->folder, f->reason, sizeof(f->reason)),
                     ERR_PERMISSION);
    assert_non_null(strstr(f->reason, "chown -R"));
    assert_int_equal(user_switch_check(&user, "/no/such/folder", f->reason, sizeof(f->reason)), OK);
}

static void test_give_without_a_folder(void **state)
{
    struct fixture *f = *state;
    const struct user_switch user = {.uid = NOBODY_UID, .gid = NOBODY_UID, .is_needed = true};
    assert_int_equal(user_switch_give(&user, "/no/such/folder", f->reason, sizeof(f->reason)),
                     ERR_IO);
    assert_non_null(strstr(f->reason, "/no/such/folder"));
}

/* In a process of its own: it is for good. */
static int become(struct fixture *f)
{
    struct user_switch user;
    gid_t groups[8];
    if (user_switch_find(NOBODY, &user, f->reason, sizeof(f->reason)) != OK || !user.is_needed)
        return 1;
    if (user_switch_give(&user, f->folder, f->reason, sizeof(f->reason)) != OK ||
        user_switch_do(&user, f->reason, sizeof(f->reason)) != OK)
        return 2;
    if (geteuid() != NOBODY_UID || getuid() != NOBODY_UID || getgroups(8, groups) != 0)
        return 3;
    if (setresuid(0, 0, 0) == 0)
        return 4; /* there is a way back */
    int fd = open(f->file, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return 5; /* the files are not the user's */
    close(fd);
    /* Another user cannot be named any more. */
    return user_switch_find("root", &user, f->reason, sizeof(f->reason)) == ERR_PERMISSION ? 0 : 6;
}

static void test_root_becomes_the_user(void **state)
{
    struct fixture *f = *state;
    int status;
    if (geteuid() != 0)
        skip();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(become(f));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(owner_of(f->file), NOBODY_UID);
    assert_int_equal(owner_of(f->folder), NOBODY_UID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nobody_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_such_user, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_of_somebody_else, setup, teardown),
        cmocka_unit_test_setup_teardown(test_give_without_a_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_root_becomes_the_user, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
