/* What a command prints, and whether it could (tools/console/console.h): each case is a process of
 * its own, with standard streams of every kind. */
#include "tools/console/console.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#define STATUS_UNWRITTEN 8

/* The three streams of a process; -1: closed. */
struct streams {
    int in;
    int out;
    int error;
};

static void put(int from, int to)
{
    if (from < 0)
        close(to);
    else
        dup2(from, to);
}

/* Runs `body` with these streams; its exit status. */
static int run(struct streams streams, int (*body)(void))
{
    pid_t child = fork();
    if (child == 0) {
        put(streams.in, 0);
        put(streams.out, 1);
        put(streams.error, 2);
        console_begin("test");
        _exit(console_end(body(), STATUS_UNWRITTEN));
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int print_ok(void)
{
    printf("OK\n");
    return 0;
}

static int print_and_fail(void)
{
    printf("OK\n");
    return 4;
}

static int print_nothing(void)
{
    return 0;
}

static int print_long(void)
{
    for (int i = 0; i < 100000; i++)
        printf("0123456789\n");
    return 0;
}

static int print_odd(void)
{
    printf("a\x1b[31m\tb\n\xc3");
    fflush(stdout); /* within a sequence */
    printf("\xa9 \xc2");
    fflush(stdout);
    printf("x \xe2\x82");
    return 0;
}

static int tell_odd(void)
{
    fprintf(stderr, "key \x1b[2J\n");
    return 0;
}

/* 0: what is opened next has no number of a standard stream. */
static int open_next(void)
{
    return open("/", O_PATH | O_DIRECTORY) > 2 ? 0 : 1;
}

static int read_in(void)
{
    char byte;
    return read(0, &byte, 1) < 0 && errno == EBADF ? 0 : 1;
}

static int can_print(void)
{
    return console_can_print() ? 0 : 1;
}

/* A pipe whose other end is closed. */
static int broken_pipe(void)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    return ends[1];
}

static int opened(const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void test_console_status_says_that_output_is_lost(void **state)
{
    (void)state;
    int none = opened("/dev/null");
    int full = opened("/dev/full");
    int broken = broken_pipe();
    const int bad[] = {full, broken, -1};
    assert_int_equal(run((struct streams){none, none, none}, print_ok), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(run((struct streams){none, bad[i], none}, print_ok), STATUS_UNWRITTEN);
        assert_int_equal(run((struct streams){none, bad[i], none}, print_long), STATUS_UNWRITTEN);
        assert_int_equal(run((struct streams){none, bad[i], bad[i]}, print_ok), STATUS_UNWRITTEN);
        assert_int_equal(run((struct streams){none, bad[i], none}, print_and_fail), 4);
        assert_int_equal(run((struct streams){none, bad[i], none}, print_nothing), 0);
        assert_int_equal(run((struct streams){none, none, bad[i]}, tell_odd), 0);
    }
    close(none);
    close(full);
    close(broken);
}

static void test_console_holds_what_is_closed(void **state)
{
    (void)state;
    assert_int_equal(run((struct streams){-1, -1, -1}, open_next), 0);
    assert_int_equal(run((struct streams){-1, -1, -1}, read_in), 0);
}

static void test_console_knows_beforehand_what_is_closed(void **state)
{
    (void)state;
    int none = opened("/dev/null");
    int broken = broken_pipe();
    assert_int_equal(run((struct streams){none, none, none}, can_print), 0);
    assert_int_equal(run((struct streams){none, -1, none}, can_print), 1);
    assert_int_equal(run((struct streams){none, broken, none}, can_print), 1);
    close(none);
    close(broken);
}

/* Everything that can be read; its end may be an error, at a terminal. */
static size_t read_all(int fd, char *to, size_t size)
{
    size_t used = 0;
    ssize_t got = 0;
    while (used < size && (got = read(fd, to + used, size - used)) > 0)
        used += (size_t)got;
    return used;
}

static void test_console_writes_bytes_as_they_are_into_a_pipe(void **state)
{
    (void)state;
    static const char wanted[] = "a\x1b[31m\tb\n\xc3\xa9 \xc2x \xe2\x82";
    int ends[2];
    char got[64];
    int none = opened("/dev/null");
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(run((struct streams){none, ends[1], none}, print_odd), 0);
    close(ends[1]);
    assert_int_equal(read_all(ends[0], got, sizeof(got)), sizeof(wanted) - 1);
    assert_memory_equal(got, wanted, sizeof(wanted) - 1);
    close(ends[0]);
    close(none);
}

static void test_console_shows_controls_on_a_terminal(void **state)
{
    (void)state;
    static const char wanted[] = "a\\x1b[31m\tb\r\n\xc3\xa9 \\xc2x \\xe2\\x82";
    int outer;
    int terminal;
    char got[64] = "";
    int none = opened("/dev/null");
    assert_int_equal(openpty(&outer, &terminal, NULL, NULL, NULL), 0);
    assert_int_equal(run((struct streams){none, terminal, none}, print_odd), 0);
    close(terminal);
    assert_int_equal(read_all(outer, got, sizeof(got) - 1), sizeof(wanted) - 1);
    assert_string_equal(got, wanted);
    close(outer);
    close(none);
}

static void test_console_shows_controls_in_messages(void **state)
{
    (void)state;
    static const char wanted[] = "key \\x1b[2J\n";
    int ends[2];
    char got[64] = "";
    int none = opened("/dev/null");
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(run((struct streams){none, none, ends[1]}, tell_odd), 0);
    close(ends[1]);
    assert_int_equal(read_all(ends[0], got, sizeof(got) - 1), sizeof(wanted) - 1);
    assert_string_equal(got, wanted);
    close(ends[0]);
    close(none);
}

/* Of a pipe that does not wait: what does not fit yet is written later. */
static void test_console_waits_for_room(void **state)
{
    (void)state;
    int ends[2];
    static char got[1200000];
    int none = opened("/dev/null");
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        _exit(run((struct streams){none, ends[1], none}, print_long));
    }
    close(ends[1]);
    assert_int_equal(fcntl(ends[0], F_SETFL, 0), 0);
    assert_int_equal(read_all(ends[0], got, sizeof(got)), 1100000);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 0);
    close(ends[0]);
    close(none);
}

static int lose(void)
{
    console_lost(ENOMEM);
    return 0;
}

static void test_console_tells_what_could_not_be_made(void **state)
{
    (void)state;
    int none = opened("/dev/null");
    assert_int_equal(run((struct streams){none, none, none}, lose), STATUS_UNWRITTEN);
    close(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_console_status_says_that_output_is_lost),
        cmocka_unit_test(test_console_holds_what_is_closed),
        cmocka_unit_test(test_console_knows_beforehand_what_is_closed),
        cmocka_unit_test(test_console_writes_bytes_as_they_are_into_a_pipe),
        cmocka_unit_test(test_console_shows_controls_on_a_terminal),
        cmocka_unit_test(test_console_shows_controls_in_messages),
        cmocka_unit_test(test_console_waits_for_room),
        cmocka_unit_test(test_console_tells_what_could_not_be_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
