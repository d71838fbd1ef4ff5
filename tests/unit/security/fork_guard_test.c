/* A child is told from its parent, and the parent stays what it was; a kernel without the means, or
 * without memory, is an error. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "security/fork_guard.h"

static bool is_without_memory;
static bool is_without_wipe;

void *__real_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __real_madvise(void *at, size_t size, int advice);
int __wrap_madvise(void *at, size_t size, int advice);

void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return is_without_memory ? MAP_FAILED : __real_mmap64(at, size, protection, flags, fd, offset);
}

int __wrap_madvise(void *at, size_t size, int advice)
{
    if (is_without_wipe)
        errno = EINVAL;
    return is_without_wipe ? -1 : __real_madvise(at, size, advice);
}

static void test_fork_guard_tells_a_child(void **state)
{
    (void)state;
    struct fork_guard guard;
    int status = 0;
    assert_int_equal(fork_guard_init(&guard), OK);
    assert_false(fork_guard_is_forked(&guard));
    pid_t child = fork();
    if (child == 0)
        _exit(fork_guard_is_forked(&guard) ? 42 : 1);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
    assert_false(fork_guard_is_forked(&guard));
    fork_guard_deinit(&guard);
    assert_null((void *)guard.page);
}

static void test_fork_guard_says_what_it_lacks(void **state)
{
    (void)state;
    struct fork_guard guard = {.page = NULL};
    is_without_memory = true;
    enum error error = fork_guard_init(&guard);
    is_without_memory = false;
    assert_int_equal(error, ERR_NO_MEMORY);
    is_without_wipe = true;
    error = fork_guard_init(&guard);
    is_without_wipe = false;
    assert_int_equal(error, ERR_UNSUPPORTED);
    assert_null((void *)guard.page);
    fork_guard_deinit(&guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork_guard_tells_a_child),
        cmocka_unit_test(test_fork_guard_says_what_it_lacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
