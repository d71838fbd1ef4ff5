/* What a process in the sandbox can and cannot do; each try in a process of its own. */
#include "server/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENDED 100 /* plus the signal */

/* The exit status of what runs in the sandbox, or ENDED and the signal that ended it. */
static int in_sandbox(int (*run)(void))
{
    char reason[512];
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(sandbox_enter(reason, sizeof(reason)) == OK ? run() : 99);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? ENDED + WTERMSIG(status) : WEXITSTATUS(status);
}

static void *thread_run(void *context)
{
    *(int *)context = 7;
    return NULL;
}

/* 0: all that a node does is possible. */
static int run_node_work(void)
{
    char name[] = "/tmp/pollux-sandbox-XXXXXX";
    pthread_t thread;
    int found = 0;
    int fd = mkstemp(name);
    if (fd < 0 || pwrite(fd, "x", 1, 4095) != 1 || fdatasync(fd) != 0)
        return 1;
    void *pages = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (pages == MAP_FAILED || msync(pages, 4096, MS_SYNC) != 0 || unlink(name) != 0)
        return 2;
    if (pthread_create(&thread, NULL, thread_run, &found) != 0 || pthread_join(thread, NULL) != 0 ||
        found != 7)
        return 3;
    return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0) >= 0 ? 0 : 4;
}

static int run_program(void)
{
    char *const arguments[] = {"/bin/true", NULL};
    execv(arguments[0], arguments);
    return 1;
}

static int run_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 1 : 2;
}

static int run_connection(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM ? 0 : 1;
}

static int run_process(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(1);
    return child < 0 && errno == EPERM ? 0 : 1;
}

static int run_signal_to_parent(void)
{
    return kill(getppid(), 0) != 0 && errno == EPERM ? 0 : 1;
}

static int run_mode_change(void)
{
    return chmod("/tmp", 01777) != 0 && errno == EPERM ? 0 : 1;
}

static int run_rights(void)
{
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 1;
    char line[256];
    int found = 0;
    FILE *status = fopen("/proc/self/status", "re");
    while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
        bool is_set = strncmp(line, "CapPrm:", 7) == 0 || strncmp(line, "CapEff:", 7) == 0;
        if (is_set && strtoull(line + 7, NULL, 16) != 0)
            return 2;
        found += is_set;
    }
    return found == 2 ? 0 : 3;
}

static int run_abort(void)
{
    abort();
}

static void *thread_wait(void *context)
{
    int *pipes = context;
    char byte;
    if (read(pipes[0], &byte, 1) != 1)
        return NULL;
    byte = socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM ? 'y' : 'n';
    (void)!write(pipes[3], &byte, 1);
    return NULL;
}

/* A thread that was there before, as those of EAL are, is in it, too. */
static int run_with_thread(void)
{
    int pipes[4];
    char reason[512];
    char byte = 'x';
    pthread_t thread;
    if (pipe(pipes) != 0 || pipe(pipes + 2) != 0 ||
        pthread_create(&thread, NULL, thread_wait, pipes) != 0)
        return 1;
    if (sandbox_enter(reason, sizeof(reason)) != OK)
        return 2;
    if (write(pipes[1], &byte, 1) != 1 || read(pipes[2], &byte, 1) != 1)
        return 3;
    return byte == 'y' ? 0 : 4;
}

static void test_node_work_goes_on(void **state)
{
    (void)state;
    assert_int_equal(in_sandbox(run_node_work), 0);
}

static void test_attempts_end_the_process(void **state)
{
    (void)state;
    assert_int_equal(in_sandbox(run_program), ENDED + SIGSYS);
    assert_int_equal(in_sandbox(run_ptrace), ENDED + SIGSYS);
}

static void test_other_calls_fail(void **state)
{
    (void)state;
    assert_int_equal(in_sandbox(run_connection), 0);
    assert_int_equal(in_sandbox(run_process), 0);
    assert_int_equal(in_sandbox(run_signal_to_parent), 0);
    assert_int_equal(in_sandbox(run_mode_change), 0);
}

static void test_no_rights_are_left(void **state)
{
    (void)state;
    assert_int_equal(in_sandbox(run_rights), 0);
}

static void test_abort_is_an_abort(void **state)
{
    (void)state;
    assert_int_equal(in_sandbox(run_abort), ENDED + SIGABRT);
}

static void test_threads_of_before(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(run_with_thread());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* The kernel refuses a filter where one forbids it; here, the sandbox itself. */
static int run_again(void)
{
    char reason[512] = "";
    if (sandbox_enter(reason, sizeof(reason)) != ERR_PERMISSION)
        return 1;
    return strstr(reason, "[node] sandbox") != NULL ? 0 : 2;
}

static void test_refusal_is_told(void **state)
{
    (void)state;
    assert_int_equal(in_sandbox(run_again), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_node_work_goes_on), cmocka_unit_test(test_attempts_end_the_process),
        cmocka_unit_test(test_other_calls_fail),  cmocka_unit_test(test_no_rights_are_left),
        cmocka_unit_test(test_abort_is_an_abort), cmocka_unit_test(test_threads_of_before),
        cmocka_unit_test(test_refusal_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
