/* A cluster in trouble is not helped by its clients: how much a handle says while nobody leads. */
#include "tests/unit/client/fake_node.h"

#include <time.h>

#define NODES     5
#define SECOND_NS UINT64_C(1000000000)

static uint64_t monotonic_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

struct crowd {
    struct fake fakes[NODES];
    struct plx_client *client;
    struct ending ending;
};

/* Two of five nodes answer, and nobody leads. */
static void crowd_open(struct crowd *crowd, int32_t preferred)
{
    *crowd = (struct crowd){.client = NULL};
    for (uint16_t i = 0; i < NODES; i++) {
        fake_open(&crowd->fakes[i], (uint16_t)(i + 1));
        crowd->fakes[i].is_leader = false;
        crowd->fakes[i].is_mute = i >= 2;
    }
    struct plx_options options = fake_options(crowd->fakes, NODES);
    options.preferred_endpoint = preferred;
    crowd->client = fake_client(&options);
}

static void crowd_close(struct crowd *crowd)
{
    plx_close(crowd->client);
    for (uint32_t i = 0; i < NODES; i++)
        fake_close(&crowd->fakes[i]);
}

/* How many hellos leave in that time. */
static uint64_t crowd_hellos(struct crowd *crowd, uint64_t duration_ns)
{
    uint64_t before = fake_statistics(crowd->client).hellos;
    uint64_t end_ns = monotonic_now_ns() + duration_ns;
    while (monotonic_now_ns() < end_ns) {
        (void)plx_poll(crowd->client, FAKE_POLL_NS);
        for (uint32_t i = 0; i < NODES; i++)
            (void)fake_try(&crowd->fakes[i]);
    }
    return fake_statistics(crowd->client).hellos - before;
}

static void test_quiet_while_nobody_leads(void **state)
{
    (void)state;
    struct crowd crowd;
    crowd_open(&crowd, -1);
    struct plx_op op = set_op("key", "value", &crowd.ending);
    op.call.is_blocking = true;
    assert_int_equal(plx_submit(crowd.client, &op), PLX_OK);
    uint64_t early = crowd_hellos(&crowd, SECOND_NS / 20);
    assert_in_range(early, 20, 60); /* an election is short: at first it asks often */
    (void)crowd_hellos(&crowd, SECOND_NS);
    uint64_t late = crowd_hellos(&crowd, SECOND_NS);
    assert_in_range(late, NODES, 12 * NODES);
    assert_int_equal(crowd.ending.count, 0);
    /* It is not too quiet to find who leads then. */
    crowd.fakes[1].is_leader = true;
    uint64_t begin_ns = monotonic_now_ns();
    while (!fake_try(&crowd.fakes[1]) && monotonic_now_ns() - begin_ns < 5 * SECOND_NS) {
        (void)plx_poll(crowd.client, FAKE_POLL_NS);
        (void)fake_try(&crowd.fakes[0]);
    }
    assert_int_equal(crowd.fakes[1].type, WIRE_WRITE);
    assert_true(monotonic_now_ns() - begin_ns < SECOND_NS);
    crowd_close(&crowd);
}

static void test_quiet_while_the_preferred_node_is_silent(void **state)
{
    (void)state;
    struct crowd crowd;
    crowd_open(&crowd, NODES - 1);
    crowd.fakes[0].is_leader = true;
    struct plx_op op = set_op("key", "value", &crowd.ending);
    op.call = (struct plx_call){.is_relaxed = true, .is_blocking = true};
    /* The number of shards must be known, or nothing goes to the preferred node. */
    struct plx_op get = get_op("other", &crowd.ending);
    get.call.timeout_ns = SECOND_NS / 50;
    assert_int_equal(plx_submit(crowd.client, &get), PLX_OK);
    (void)crowd_hellos(&crowd, SECOND_NS / 10);
    assert_int_equal(crowd.ending.count, 1);
    assert_int_equal(plx_submit(crowd.client, &op), PLX_OK);
    (void)crowd_hellos(&crowd, SECOND_NS / 2);
    assert_in_range(crowd_hellos(&crowd, SECOND_NS / 2), 1, 15);
    crowd_close(&crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quiet_while_nobody_leads),
        cmocka_unit_test(test_quiet_while_the_preferred_node_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
