/* A node goes on when nobody reads what it says: no line waits for a reader for long. */
#include "server/log_event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIPE_BYTES 65536

static uint64_t test_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Standard error becomes a pipe that is full; returns the end for a reader. */
static int fill_standard_error(int *ret_kept)
{
    int ends[2];
    char byte = '.';
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(ends[1], &byte, 1) == 1) {
    }
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0); /* as a service finds it: it would block */
    *ret_kept = dup(STDERR_FILENO);
    assert_true(*ret_kept >= 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(close(ends[1]), 0);
    return ends[0];
}

static size_t drain(int reader, char *text, size_t text_bytes)
{
    size_t used = 0;
    ssize_t size;
    while (used + 1 < text_bytes && (size = read(reader, text + used, text_bytes - used - 1)) > 0)
        used += (size_t)size;
    text[used] = '\0';
    return used;
}

static void test_log_event_line_waits_for_no_reader(void **state)
{
    (void)state;
    static char text[2 * PIPE_BYTES];
    int kept;
    int reader = fill_standard_error(&kept);
    uint64_t begun_ns = test_now_ns();
    for (int i = 0; i < 100; i++)
        log_event_line("info", "nobody reads line %d", i);
    uint64_t took_ns = test_now_ns() - begun_ns;
    drain(reader, text, sizeof(text));
    log_event_line("info", "somebody reads");
    drain(reader, text, sizeof(text));
    assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    assert_true(took_ns < UINT64_C(30000000000)); /* one patience for all, not one for each */
    assert_non_null(strstr(text, "lost lines=100"));
    assert_non_null(strstr(text, "somebody reads"));
    assert_null(strstr(text, "nobody reads"));
    assert_int_equal(close(kept), 0);
    assert_int_equal(close(reader), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_event_line_waits_for_no_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
