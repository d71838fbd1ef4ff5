/* What a service manager hears of a node. The test is the manager: it listens where NOTIFY_SOCKET
 * says, as systemd does. */
#include "server/service_manager.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)

struct fixture {
    int listener;
    char heard[1024];
    struct service_manager manager;
};

/* An abstract socket of this process: nothing stays behind. */
static int begin_listening(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "@pollux-manager-%ld", (long)getpid());
    assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address.sun_path));
    address.sun_path[0] = '\0';
    f->listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(unsetenv("WATCHDOG_PID"), 0);
    assert_int_equal(setenv("WATCHDOG_USEC", "8000000", 1), 0);
    *state = f;
    return 0;
}

static int end_listening(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(close(f->listener), 0);
    free(f);
    return 0;
}

/* The next message; "": there is none. */
static const char *hear(struct fixture *f)
{
    ssize_t size = recv(f->listener, f->heard, sizeof(f->heard) - 1, 0);
    f->heard[size < 0 ? 0 : size] = '\0';
    return f->heard;
}

/* Steps at so many seconds with these counts of two lanes; true: a lane is stalled. */
static bool step(struct fixture *f, uint64_t seconds, uint64_t first, uint64_t second,
                 struct service_stall *ret_stall)
{
    const uint64_t turns[2] = {first, second};
    return service_manager_step(&f->manager, seconds * SECOND_NS, turns, ret_stall);
}

static void be_ready(struct fixture *f)
{
    service_manager_ready(&f->manager, 2, 0, "serves");
    assert_string_equal(hear(f), "READY=1\nSTATUS=serves");
}

static void test_service_manager_hears_what_the_node_does(void **state)
{
    struct fixture *f = *state;
    service_manager_status("recovers");
    assert_string_equal(hear(f), "STATUS=recovers");
    be_ready(f);
    service_manager_stopping("leaves");
    assert_string_equal(hear(f), "STOPPING=1\nSTATUS=leaves");
}

static void test_service_manager_hears_of_lanes_that_turn(void **state)
{
    struct fixture *f = *state;
    struct service_stall stall;
    be_ready(f);
    assert_false(step(f, 1, 10, 10, &stall));
    assert_string_equal(hear(f), ""); /* not due */
    assert_false(step(f, 2, 11, 11, &stall));
    assert_string_equal(hear(f), "WATCHDOG=1");
    assert_false(step(f, 4, 12, 12, &stall));
    assert_string_equal(hear(f), "WATCHDOG=1");
}

static void test_service_manager_hears_nothing_of_one_lane_that_hangs(void **state)
{
    struct fixture *f = *state;
    struct service_stall stall = {.lane = 99};
    be_ready(f);
    assert_false(step(f, 2, 11, 11, &stall));
    assert_string_equal(hear(f), "WATCHDOG=1");
    assert_false(step(f, 5, 12, 11, &stall));
    assert_int_equal(stall.lane, 99);
    assert_true(step(f, 6, 13, 11, &stall));
    assert_int_equal(stall.lane, 1);
    assert_int_equal(stall.silent_ns, 4 * SECOND_NS);
    assert_int_equal(stall.limit_ns, 8 * SECOND_NS);
    assert_false(step(f, 7, 14, 11, &stall)); /* said once */
    assert_string_equal(hear(f), "");
    /* It goes on: the word goes out at once, and a later stall is said again. */
    assert_false(step(f, 8, 15, 12, &stall));
    assert_string_equal(hear(f), "WATCHDOG=1");
    assert_true(step(f, 12, 15, 13, &stall));
    assert_int_equal(stall.lane, 0);
}

static void test_service_manager_without_watchdog_is_told_no_more_than_ready(void **state)
{
    struct fixture *f = *state;
    struct service_stall stall;
    assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
    be_ready(f);
    assert_false(step(f, 1000, 5, 0, &stall));
    assert_false(step(f, 2000, 6, 1, &stall));
    assert_string_equal(hear(f), "");
}

/* The variables are those of the parent: of another process. */
static void test_service_manager_of_another_process_is_not_ours(void **state)
{
    struct fixture *f = *state;
    struct service_stall stall;
    assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0);
    be_ready(f);
    assert_false(step(f, 4, 5, 5, &stall));
    assert_string_equal(hear(f), "");
}

static void test_service_manager_that_is_gone_harms_nobody(void **state)
{
    struct fixture *f = *state;
    struct service_stall stall;
    assert_int_equal(setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1), 0);
    service_manager_ready(&f->manager, 2, 0, "serves");
    assert_false(step(f, 2, 1, 1, &stall));
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    service_manager_stopping("leaves");
    assert_string_equal(hear(f), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_service_manager_hears_what_the_node_does,
                                        begin_listening, end_listening),
        cmocka_unit_test_setup_teardown(test_service_manager_hears_of_lanes_that_turn,
                                        begin_listening, end_listening),
        cmocka_unit_test_setup_teardown(test_service_manager_hears_nothing_of_one_lane_that_hangs,
                                        begin_listening, end_listening),
        cmocka_unit_test_setup_teardown(
            test_service_manager_without_watchdog_is_told_no_more_than_ready, begin_listening,
            end_listening),
        cmocka_unit_test_setup_teardown(test_service_manager_of_another_process_is_not_ours,
                                        begin_listening, end_listening),
        cmocka_unit_test_setup_teardown(test_service_manager_that_is_gone_harms_nobody,
                                        begin_listening, end_listening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
