/* What a handle shows of the cookies that it was given, and what it repeats for want of one. */
#include "tests/unit/client/fake_node.h"

#define SECOND_NS UINT64_C(1000000000)

static const uint8_t first[COOKIE_SIZE_BYTES] = {1, 2, 3};
static const uint8_t second[COOKIE_SIZE_BYTES] = {4, 5, 6};
static const struct plx_call patient = {.timeout_ns = 5 * SECOND_NS};

/* The fake gives the cookie with its answers to hellos. */
static void set_begin(struct stage *stage, const uint8_t *cookie)
{
    *stage = (struct stage){.client = NULL};
    stage_open(stage, NULL);
    stage->fake.cookie = cookie;
}

static void write_expect(struct stage *stage, const uint8_t *cookie)
{
    fake_expect(&stage->fake, stage->client, WIRE_WRITE);
    if (cookie == NULL)
        assert_false(stage->fake.is_shown);
    else
        assert_memory_equal(stage->fake.shown, cookie, COOKIE_SIZE_BYTES);
}

/* The node has given the first cookie, and has a write that shows it. */
static void write_begin(struct stage *stage)
{
    set_begin(stage, first);
    stage_swap(stage, &patient);
    write_expect(stage, first);
}

static void write_finish(struct stage *stage)
{
    fake_outcome_all(&stage->fake, WIRE_OUTCOME_OK);
    fake_finish(&stage->fake, stage->client, &stage->ending);
    assert_int_equal(stage->ending.response.outcome, PLX_OK);
}

static void test_cookies_are_shown_as_told(void **state)
{
    (void)state;
    struct stage stage;
    write_begin(&stage);
    write_finish(&stage);
    stage_close(&stage);
}

/* A node of the release before. */
static void test_cookies_are_not_needed(void **state)
{
    (void)state;
    struct stage stage;
    set_begin(&stage, NULL);
    stage.fake.is_older = true;
    stage_swap(&stage, &patient);
    write_expect(&stage, NULL);
    write_finish(&stage);
    stage_close(&stage);
}

/* The node was taken back to the release before: it drops what shows a cookie. */
static void test_cookies_end_with_an_answer_without_one(void **state)
{
    (void)state;
    struct stage stage;
    write_begin(&stage);
    write_finish(&stage);
    stage.fake.is_older = true;
    stage_swap(&stage, &patient);
    write_expect(&stage, NULL);
    write_finish(&stage);
    stage_close(&stage);
}

/* As after a restart of the node: the very next turn repeats the write, as another packet. */
static void test_cookies_are_asked_for(void **state)
{
    (void)state;
    struct stage stage;
    write_begin(&stage);
    uint64_t number = stage.fake.write.packet_number;
    uint64_t seq = stage.fake.ops[0].seq;
    stage.fake.cookie = second;
    fake_cookie(&stage.fake, WIRE_COOKIE, stage.fake.seen_id);
    (void)plx_poll(stage.client, 0);
    assert_true(fake_try(&stage.fake));
    assert_int_equal(stage.fake.type, WIRE_WRITE);
    assert_memory_equal(stage.fake.shown, second, COOKIE_SIZE_BYTES);
    assert_int_equal(stage.fake.ops[0].seq, seq);
    assert_true(stage.fake.write.packet_number > number);
    write_finish(&stage);
    stage_close(&stage);
}

/* The next cookie comes in time; nothing is repeated. */
static void test_cookies_are_followed_by_others(void **state)
{
    (void)state;
    struct stage stage;
    write_begin(&stage);
    stage.fake.cookie = second;
    fake_cookie(&stage.fake, WIRE_COOKIE_NEXT, stage.fake.seen_id);
    (void)plx_poll(stage.client, 0);
    assert_false(fake_try(&stage.fake));
    write_finish(&stage);
    stage_swap(&stage, &patient);
    write_expect(&stage, second);
    write_finish(&stage);
    stage_close(&stage);
}

/* Who has not seen a packet of the handle does not know its id. */
static void test_cookies_of_strangers_are_dropped(void **state)
{
    (void)state;
    struct stage stage;
    write_begin(&stage);
    stage.fake.cookie = second;
    uint64_t dropped = fake_statistics(stage.client).packets_dropped;
    fake_cookie(&stage.fake, WIRE_COOKIE, stage.fake.seen_id + (UINT64_C(1) << 40));
    fake_cookie(&stage.fake, WIRE_COOKIE_NEXT, stage.fake.seen_id - (UINT64_C(1) << 40));
    (void)plx_poll(stage.client, 0);
    assert_int_equal(fake_statistics(stage.client).packets_dropped, dropped + 2);
    write_finish(&stage);
    stage_swap(&stage, &patient);
    write_expect(&stage, first);
    write_finish(&stage);
    stage_close(&stage);
}

/* A node that refuses the cookie that it gives is not asked at its own pace. */
static void test_cookies_are_tried_at_once_only_once(void **state)
{
    (void)state;
    struct stage stage;
    write_begin(&stage);
    fake_cookie(&stage.fake, WIRE_COOKIE, stage.fake.seen_id);
    uint64_t sent = fake_statistics(stage.client).transmissions;
    (void)plx_poll(stage.client, 0);
    assert_int_equal(fake_statistics(stage.client).transmissions, sent);
    write_expect(&stage, first); /* by its time */
    write_finish(&stage);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cookies_are_shown_as_told),
        cmocka_unit_test(test_cookies_are_not_needed),
        cmocka_unit_test(test_cookies_end_with_an_answer_without_one),
        cmocka_unit_test(test_cookies_are_asked_for),
        cmocka_unit_test(test_cookies_are_followed_by_others),
        cmocka_unit_test(test_cookies_of_strangers_are_dropped),
        cmocka_unit_test(test_cookies_are_tried_at_once_only_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
