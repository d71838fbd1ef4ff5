/* What a handle holds is given back for sure: asked for until it is answered, and told to all. */
#include "tests/unit/client/fake_thread.h"

#include <time.h>

#define MILLIS UINT64_C(1000000)
#define NODES  3

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 * MILLIS + (uint64_t)now.tv_nsec;
}

/* A node in a thread, which writes all that it is asked to, and answers the end of a session as the
 * test wants it. */
struct scene {
    struct fake fake;
    struct fake_thread thread;
    struct plx_client *client;
    uint32_t swallowed_max; /* so many requests to end a session get no answer */
    uint32_t refused_max;   /* and then so many are refused: the node does not lead */
    bool is_relaxed;        /* what is written */
    uint32_t ends;          /* requests to end a session; read when the thread has stopped */
    uint64_t ended;         /* which one the last of them named... */
    uint64_t written;       /* ...and which the last write */
};

static void scene_turn(void *context)
{
    struct scene *scene = context;
    while (fake_try(&scene->fake)) {
        if (scene->fake.type != WIRE_WRITE)
            continue;
        bool is_end = scene->fake.ops[0].type == WIRE_OP_UNREGISTER;
        scene->ends += is_end;
        *(is_end ? &scene->ended : &scene->written) = scene->fake.request.session;
        if (!is_end || scene->ends > scene->swallowed_max + scene->refused_max)
            fake_outcome_all(&scene->fake, WIRE_OUTCOME_OK);
        else if (scene->ends > scene->swallowed_max)
            fake_refuse(&scene->fake, WIRE_WRITE_REPLY, scene->fake.write.packet_number,
                        WIRE_STATUS_NOT_LEADER);
    }
}

static void scene_open(struct scene *scene, uint64_t close_wait_ns)
{
    scene->thread =
        (struct fake_thread){.fake = &scene->fake, .turn = scene_turn, .context = scene};
    fake_thread_start(&scene->thread, 1);
    struct plx_options options = fake_options(&scene->fake, 1);
    options.close_wait_ns = close_wait_ns;
    scene->client = fake_client(&options);
    const struct plx_call call = {.timeout_ns = 5000 * MILLIS, .is_relaxed = scene->is_relaxed};
    assert_int_equal(plx_set(scene->client, plx_text("k"), plx_text("v"), &call).outcome, PLX_OK);
}

/* How long the close took. */
static uint64_t scene_close(struct scene *scene)
{
    uint64_t begin_ns = clock_ns();
    plx_close(scene->client);
    uint64_t took_ns = clock_ns() - begin_ns;
    fake_thread_stop(&scene->thread);
    return took_ns;
}

static void test_give_back_at_close_is_repeated_until_it_is_answered(void **state)
{
    (void)state;
    struct scene scene = {.swallowed_max = 2};
    scene_open(&scene, 20000 * MILLIS);
    assert_true(scene_close(&scene) < 10000 * MILLIS);
    assert_in_range(scene.ends, 3, 5); /* on a busy machine one more is on its way */
}

/* A leader that is none any more refuses; whoever leads then is found and asked. */
static void test_give_back_at_close_outlasts_a_refusal(void **state)
{
    (void)state;
    struct scene scene = {.refused_max = 2};
    scene_open(&scene, 20000 * MILLIS);
    assert_true(scene_close(&scene) < 10000 * MILLIS);
    assert_in_range(scene.ends, 3, 5);
}

static void test_give_back_at_close_waits_for_a_while_only(void **state)
{
    (void)state;
    struct scene scene = {.swallowed_max = UINT32_MAX / 2};
    scene_open(&scene, 150 * MILLIS);
    uint64_t took_ns = scene_close(&scene);
    assert_true(took_ns >= 150 * MILLIS && took_ns < 5000 * MILLIS);
    assert_true(scene.ends >= 2);
}

static void test_give_back_at_close_does_not_wait_where_nobody_wants_it(void **state)
{
    (void)state;
    struct scene scene = {.swallowed_max = UINT32_MAX / 2};
    scene_open(&scene, 0);
    assert_true(scene_close(&scene) < 1000 * MILLIS);
    assert_true(scene.ends <= 1);
}

/* Relaxed sessions are of one node, which no other one could end. */
static void test_give_back_of_a_relaxed_session_is_repeated_until_it_is_answered(void **state)
{
    (void)state;
    struct scene scene = {.swallowed_max = 2, .is_relaxed = true};
    scene_open(&scene, 20000 * MILLIS);
    assert_true(scene_close(&scene) < 10000 * MILLIS);
    assert_in_range(scene.ends, 3, 5);
    assert_int_equal(scene.ended, scene.written);
}

static void write_ok(struct fake *fake, struct plx_client *client)
{
    struct ending ending = {0};
    struct plx_op op = set_op("key", "value", &ending);
    op.call.timeout_ns = 5000 * MILLIS;
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    do {
        fake_expect(fake, client, WIRE_WRITE);
    } while (fake->ops[0].type != WIRE_OP_SET);
    fake_outcome_all(fake, WIRE_OUTCOME_OK);
    fake_finish(fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
}

static bool is_end(const struct fake *fake)
{
    return fake->type == WIRE_WRITE && fake->ops[0].type == WIRE_OP_UNREGISTER;
}

/* Nothing else is sent in the old session, so nobody else would end it soon. */
static void test_give_back_of_a_replaced_session_is_repeated_until_it_is_answered(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    fake.session_ttl_ns = 4000 * MILLIS;
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    write_ok(&fake, client);
    uint64_t old = fake.request.session;
    assert_int_equal(plx_poll(client, session_idle_ns(fake.session_ttl_ns) / 2 + MILLIS), 0);
    fake.session = 99;
    write_ok(&fake, client); /* and the end of the old one gets no answer */
    assert_true(fake.request.session == 99);
    fake_expect(&fake, client, WIRE_WRITE);
    assert_true(is_end(&fake) && fake.request.session == old);
    fake_expect(&fake, client, WIRE_WRITE);
    assert_true(is_end(&fake) && fake.request.session == old);
    fake_outcome_all(&fake, WIRE_OUTCOME_OK);
    (void)plx_poll(client, 300 * MILLIS);
    assert_false(fake_try(&fake));
    write_ok(&fake, client);
    assert_true(fake.request.session == 99);
    plx_close(client);
    fake_close(&fake);
}

/* Three nodes that answer hellos; the first one leads. */
static struct plx_client *nodes_open(struct fake *fakes)
{
    for (uint16_t i = 0; i < NODES; i++) {
        fake_open(&fakes[i], (uint16_t)(i + 1));
        fakes[i].is_leader = i == 0;
    }
    struct plx_options options = fake_options(fakes, NODES);
    return fake_client(&options);
}

static void nodes_close(struct fake *fakes, struct plx_client *client)
{
    plx_close(client);
    for (uint32_t i = 0; i < NODES; i++)
        fake_close(&fakes[i]);
}

/* The write leaves when the leader has answered; the others are to be known by then. */
static void nodes_write_ok(struct fake *fakes, struct plx_client *client)
{
    struct ending ending = {0};
    struct plx_op op = set_op("key", "value", &ending);
    op.call.timeout_ns = 5000 * MILLIS;
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && ending.count == 0; i++) {
        (void)plx_poll(client, FAKE_POLL_NS);
        (void)fake_try(&fakes[1]);
        (void)fake_try(&fakes[2]);
        bool are_known = fakes[1].hellos > 0 && fakes[2].hellos > 0;
        if (are_known && fake_try(&fakes[0]) && fakes[0].ops[0].type == WIRE_OP_SET)
            fake_outcome_all(&fakes[0], WIRE_OUTCOME_OK);
    }
    assert_int_equal(ending.response.outcome, PLX_OK);
    for (uint32_t i = 0; i < NODES; i++)
        (void)fake_try(&fakes[i]);
}

/* Any of them may lead next, and the client may be gone by then. */
static void test_give_back_tells_all_nodes_that_a_session_is_idle(void **state)
{
    (void)state;
    struct fake fakes[NODES];
    struct plx_client *client = nodes_open(fakes);
    nodes_write_ok(fakes, client);
    for (uint32_t i = 0; i < NODES; i++) {
        assert_true(fakes[i].idle_notices >= 1);
        assert_true(fakes[i].idle_session == FAKE_SESSION);
        assert_true(fakes[i].idle_number == fakes[0].idle_number);
    }
    nodes_close(fakes, client);
}

/* The packet may be lost. */
static void test_give_back_tells_nodes_again_that_a_session_is_idle(void **state)
{
    (void)state;
    struct fake fakes[NODES];
    struct plx_client *client = nodes_open(fakes);
    nodes_write_ok(fakes, client);
    uint64_t begin_ns = clock_ns();
    while (fakes[0].idle_notices < 4 && clock_ns() - begin_ns < 10000 * MILLIS) {
        (void)plx_poll(client, 5 * MILLIS);
        for (uint32_t i = 0; i < NODES; i++)
            (void)fake_try(&fakes[i]);
    }
    assert_true(fakes[0].idle_notices >= 4);
    assert_true(fakes[1].idle_notices >= 4);
    assert_true(clock_ns() - begin_ns >= (5 + 20 + 80) * MILLIS * 3 / 4);
    nodes_close(fakes, client);
}

/* A leader that was deposed answers what it has applied, and nobody is known to lead then. */
static void test_give_back_tells_nodes_though_nobody_leads_any_more(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    options.leader_fresh_ns = MILLIS;
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = set_op("key", "value", &ending);
    op.call.timeout_ns = 5000 * MILLIS;
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fake, client, WIRE_WRITE);
    fake.is_leader = false;
    (void)plx_poll(client, 5 * MILLIS);
    fake_outcome_all(&fake, WIRE_OUTCOME_OK);
    fake_finish(NULL, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    (void)fake_try(&fake);
    assert_true(fake.idle_notices >= 1);
    assert_true(fake.idle_floor == 2);
    plx_close(client);
    fake_close(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_give_back_at_close_is_repeated_until_it_is_answered),
        cmocka_unit_test(test_give_back_at_close_outlasts_a_refusal),
        cmocka_unit_test(test_give_back_at_close_waits_for_a_while_only),
        cmocka_unit_test(test_give_back_of_a_relaxed_session_is_repeated_until_it_is_answered),
        cmocka_unit_test(test_give_back_at_close_does_not_wait_where_nobody_wants_it),
        cmocka_unit_test(test_give_back_of_a_replaced_session_is_repeated_until_it_is_answered),
        cmocka_unit_test(test_give_back_tells_all_nodes_that_a_session_is_idle),
        cmocka_unit_test(test_give_back_tells_nodes_again_that_a_session_is_idle),
        cmocka_unit_test(test_give_back_tells_nodes_though_nobody_leads_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
