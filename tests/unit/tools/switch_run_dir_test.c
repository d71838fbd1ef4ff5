/* The run directory: made, locked, cleaned; each refusal names the path. */
#include "tools/switch/run_dir.h"

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

static char base[] = "/tmp/pollux-run-XXXXXX";
static char path[64];
static char reason[256];

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(base) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/run", base);
    return 0;
}

static int teardown(void **state)
{
    char lock[96];
    (void)state;
    snprintf(lock, sizeof(lock), "%s/switch.lock", path);
    (void)unlink(lock);
    (void)rmdir(path);
    return rmdir(base);
}

static void test_run_dir_is_made_and_locked(void **state)
{
    (void)state;
    struct run_dir one;
    struct run_dir two;
    struct stat status;
    assert_int_equal(run_dir_open(&one, path, reason, sizeof(reason)), OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(run_dir_open(&two, path, reason, sizeof(reason)), ERR_BUSY);
    assert_non_null(strstr(reason, path));
    run_dir_close(&one);
    assert_int_equal(run_dir_open(&two, path, reason, sizeof(reason)), OK);
    run_dir_close(&two);
}

static void test_run_dir_removes_stale_sockets(void **state)
{
    (void)state;
    struct run_dir dir;
    char file[RUN_PATH_BYTES_MAX];
    assert_int_equal(run_dir_open(&dir, path, reason, sizeof(reason)), OK);
    run_dir_close(&dir);
    run_dir_socket(path, "node", 3, file);
    assert_string_equal(file + strlen(path), "/node3.sock");
    close(open(file, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(run_dir_open(&dir, path, reason, sizeof(reason)), OK);
    assert_int_not_equal(access(file, F_OK), 0);
    run_dir_socket(path, "control", 0, file);
    assert_string_equal(file + strlen(path), "/control.sock");
    close(open(file, O_CREAT | O_WRONLY, 0600));
    run_dir_close(&dir);
    assert_int_not_equal(access(file, F_OK), 0);
}

static void test_run_dir_refuses_what_memif_cannot_name(void **state)
{
    (void)state;
    struct run_dir dir;
    char longer[RUN_DIR_BYTES_MAX + 1];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(run_dir_open(&dir, longer, reason, sizeof(reason)), ERR_ARGUMENT);
    assert_int_equal(run_dir_open(&dir, "a,b", reason, sizeof(reason)), ERR_ARGUMENT);
    assert_int_equal(run_dir_open(&dir, "", reason, sizeof(reason)), ERR_ARGUMENT);
    assert_non_null(strstr(reason, "RUN_DIR"));
}

static void test_run_dir_refuses_where_it_cannot_write(void **state)
{
    (void)state;
    struct run_dir dir;
    assert_int_equal(run_dir_open(&dir, "/nonexistent/run", reason, sizeof(reason)), ERR_IO);
    assert_non_null(strstr(reason, "/nonexistent/run"));
    enum error error = run_dir_open(&dir, "/proc/self", reason, sizeof(reason));
    assert_true(error == ERR_PERMISSION || error == ERR_IO);
    assert_non_null(strstr(reason, "/proc/self/switch.lock"));
}

static void test_run_dir_tells_missing_permission(void **state)
{
    (void)state;
    struct run_dir dir;
    if (geteuid() == 0) {
        skip(); /* root may write everywhere */
    }
    assert_int_equal(run_dir_open(&dir, "/etc", reason, sizeof(reason)), ERR_PERMISSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_dir_is_made_and_locked),
        cmocka_unit_test(test_run_dir_removes_stale_sockets),
        cmocka_unit_test(test_run_dir_refuses_what_memif_cannot_name),
        cmocka_unit_test(test_run_dir_refuses_where_it_cannot_write),
        cmocka_unit_test(test_run_dir_tells_missing_permission),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
