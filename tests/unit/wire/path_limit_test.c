/* How large packets may be: a path that swallows what is larger than it carries, and a clock. */
#include "wire/path_limit.h"
#include "wire/wire_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MILLISECOND_NS UINT64_C(1000000)
#define SECOND_NS      (1000 * MILLISECOND_NS)
#define SIZE_9000      PACKET_SIZE_BYTES_MAX

static struct path_limit limit;
static uint64_t now_ns;
static uint32_t carried_bytes; /* by the path; 0: nothing */
static uint32_t asked;         /* questions that left */

static int set_up(void **state)
{
    (void)state;
    now_ns = SECOND_NS;
    carried_bytes = PACKET_SIZE_BYTES_MAX;
    asked = 0;
    path_limit_init(&limit, PACKET_SIZE_BYTES_MAX, 77);
    return 0;
}

/* Something is sent: what is asked is answered, as far as the path carries it, a little later. */
static void send(bool is_large)
{
    uint16_t sizes[PATH_QUESTIONS_MAX];
    uint32_t count = path_limit_questions(&limit, is_large, now_ns, sizes);
    asked += count;
    now_ns += MILLISECOND_NS / 10;
    for (uint32_t i = 0; i < count; i++) {
        if (sizes[i] <= carried_bytes)
            assert_true(path_limit_answered(&limit, limit.number, sizes[i], now_ns));
    }
}

/* Large messages, one each millisecond; how long it took until packets were of that size. */
static uint64_t send_until(uint32_t size_bytes)
{
    uint64_t begun_ns = now_ns;
    while (path_limit_bytes(&limit, now_ns) != size_bytes && now_ns - begun_ns < 200 * SECOND_NS) {
        send(true);
        now_ns += MILLISECOND_NS;
    }
    return now_ns - begun_ns;
}

static void test_path_limit_is_the_smallest_until_a_question_is_answered(void **state)
{
    (void)state;
    carried_bytes = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(path_limit_bytes(&limit, now_ns), PACKET_SIZE_BYTES_BASE);
        send(true);
        now_ns += 10 * MILLISECOND_NS;
    }
    assert_false(limit.is_answered);
    carried_bytes = SIZE_9000;
    (void)send_until(SIZE_9000);
    assert_int_equal(path_limit_bytes(&limit, now_ns), SIZE_9000);
}

static void test_path_limit_finds_what_the_path_carries(void **state)
{
    static const struct {
        uint16_t mtu;
        uint16_t found;
    } paths[] = {{1280, 1280}, {1399, 1280}, {1420, 1400}, {1460, 1450}, {1500, 1500},
                 {3000, 1500}, {4000, 4000}, {8896, 8850}, {9000, 9000}};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        (void)set_up(state);
        carried_bytes = paths[i].mtu - PACKET_FRONT_SIZE_BYTES;
        send(false);
        assert_int_equal(limit.size_bytes, paths[i].found - PACKET_FRONT_SIZE_BYTES);
        assert_true(limit.is_answered);
    }
}

static void test_path_limit_asks_for_nothing_that_this_end_does_not_take(void **state)
{
    (void)state;
    uint16_t sizes[PATH_QUESTIONS_MAX];
    path_limit_init(&limit, path_limit_of_mtu(1500), 77);
    uint32_t count = path_limit_questions(&limit, true, now_ns, sizes);
    assert_int_equal(count, 4);
    for (uint32_t i = 0; i < count; i++)
        assert_true(sizes[i] <= PACKET_SIZE_BYTES_USUAL);
    path_limit_init(&limit, path_limit_of_mtu(1280), 77);
    assert_int_equal(path_limit_questions(&limit, true, now_ns, sizes), 0);
    assert_false(path_limit_answered(&limit, limit.number, SIZE_9000, now_ns));
}

static void test_path_limit_falls_when_large_packets_are_swallowed(void **state)
{
    (void)state;
    (void)send_until(SIZE_9000);
    now_ns += 10 * SECOND_NS;
    carried_bytes = PACKET_SIZE_BYTES_USUAL;
    uint64_t took_ns = send_until(PACKET_SIZE_BYTES_USUAL);
    assert_int_equal(path_limit_bytes(&limit, now_ns), PACKET_SIZE_BYTES_USUAL);
    assert_true(took_ns < PATH_DOUBT_NS + 100 * MILLISECOND_NS);
    assert_int_equal(limit.falls, 1);
    carried_bytes = SIZE_9000;
    took_ns = send_until(SIZE_9000);
    assert_int_equal(path_limit_bytes(&limit, now_ns), SIZE_9000);
    assert_true(took_ns < 5 * SECOND_NS);
}

/* Retries that are seconds apart: the second of them is cut anew. */
static void test_path_limit_falls_with_few_messages(void **state)
{
    (void)state;
    (void)send_until(SIZE_9000);
    carried_bytes = PACKET_SIZE_BYTES_USUAL;
    for (uint32_t i = 0; i < 3; i++) {
        now_ns += 3 * SECOND_NS;
        send(true);
    }
    assert_true(path_limit_bytes(&limit, now_ns) <= PACKET_SIZE_BYTES_USUAL);
}

static void test_path_limit_stays_when_nothing_arrives(void **state)
{
    (void)state;
    (void)send_until(SIZE_9000);
    carried_bytes = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        now_ns += 10 * MILLISECOND_NS;
        send(true);
    }
    assert_int_equal(path_limit_bytes(&limit, now_ns), SIZE_9000);
    assert_true(asked < 1000);
}

static void test_path_limit_asks_little_where_all_is_found(void **state)
{
    (void)state;
    (void)send_until(SIZE_9000);
    asked = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        send(true);
        now_ns += MILLISECOND_NS;
    }
    assert_in_range(asked, 60, 90);
    asked = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        send(false);
        now_ns += MILLISECOND_NS;
    }
    assert_int_equal(asked, 0);
}

static void test_path_limit_asks_ever_more_rarely_for_what_is_not_carried(void **state)
{
    (void)state;
    carried_bytes = PACKET_SIZE_BYTES_USUAL;
    (void)send_until(PACKET_SIZE_BYTES_USUAL);
    for (uint32_t i = 0; i < 200; i++) {
        now_ns += SECOND_NS;
        send(false);
    }
    asked = 0;
    for (uint32_t i = 0; i < 640; i++) {
        now_ns += SECOND_NS;
        send(false);
    }
    assert_in_range(asked, 30, 44); /* a small one and three large ones, ten times */
}

static void test_path_limit_takes_no_answer_to_what_was_not_asked(void **state)
{
    (void)state;
    assert_false(path_limit_answered(&limit, 78, SIZE_9000, now_ns));
    assert_false(path_limit_answered(&limit, 0, SIZE_9000, now_ns));
    send(true);
    for (uint32_t i = 0; i < 100; i++) {
        path_limit_forget(&limit);
        carried_bytes = 0;
        send(true);
    }
    assert_false(path_limit_answered(&limit, 78, SIZE_9000, now_ns));
    assert_int_equal(path_limit_bytes(&limit, now_ns), PACKET_SIZE_BYTES_BASE);
}

static void test_path_limit_of_mtu_is_of_whole_units(void **state)
{
    (void)state;
    assert_int_equal(path_limit_of_mtu(1280), PACKET_SIZE_BYTES_BASE);
    assert_int_equal(path_limit_of_mtu(1299), PACKET_SIZE_BYTES_BASE);
    assert_int_equal(path_limit_of_mtu(1300), 1300 - PACKET_FRONT_SIZE_BYTES);
    assert_int_equal(path_limit_of_mtu(1499), 1450 - PACKET_FRONT_SIZE_BYTES);
    assert_int_equal(path_limit_of_mtu(1500), PACKET_SIZE_BYTES_USUAL);
    assert_int_equal(path_limit_of_mtu(9000), PACKET_SIZE_BYTES_MAX);
}

#define TEST(name) cmocka_unit_test_setup(test_path_limit_##name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(is_the_smallest_until_a_question_is_answered),
        TEST(finds_what_the_path_carries),
        TEST(asks_for_nothing_that_this_end_does_not_take),
        TEST(falls_when_large_packets_are_swallowed),
        TEST(falls_with_few_messages),
        TEST(stays_when_nothing_arrives),
        TEST(asks_little_where_all_is_found),
        TEST(asks_ever_more_rarely_for_what_is_not_carried),
        TEST(takes_no_answer_to_what_was_not_asked),
        TEST(of_mtu_is_of_whole_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
