/*
 * Proof that a call stops the process: it runs in a child whose standard error is closed, so that
 * the expected CHECK message does not look like a failure in the log.
 */
#ifndef POLLUX_TESTS_UNIT_BASE_ABORT_EXPECT_H
#define POLLUX_TESTS_UNIT_BASE_ABORT_EXPECT_H

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* True when `act(context)` ends by SIGABRT. */
static inline bool does_abort(void (*act)(void *context), void *context)
{
    pid_t child = fork();
    if (child < 0)
        return false;
    if (child == 0) {
        struct rlimit no_core = {0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        act(context);
        _exit(0);
    }
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
}

#endif
