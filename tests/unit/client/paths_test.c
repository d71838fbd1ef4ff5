/* How large the packets to a node are: against a node whose path swallows what is larger than it
 * carries. */
#include "tests/unit/client/fake_node.h"

static uint8_t value[VALUE_SIZE_BYTES_MAX];

/* The pieces of one large set, to the end. */
static uint32_t large_set_pieces(struct fake *fake, struct plx_client *client)
{
    struct ending ending = {0};
    uint32_t before = fake->pieces;
    struct plx_op op = set_op("key", "", &ending);
    op.value = (struct plx_bytes){value, sizeof(value)};
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(fake, client, WIRE_WRITE);
    assert_memory_equal(fake->ops[0].value.data, value, sizeof(value));
    uint32_t pieces = fake->pieces - before;
    fake_outcome_all(fake, WIRE_OUTCOME_OK);
    fake_finish(fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    return pieces;
}

/* What the path carries is found out before anything large is cut. */
static void test_paths_large_values_take_the_packets_that_arrive(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    fake.path_bytes = PACKET_SIZE_BYTES_MAX;
    assert_int_equal(large_set_pieces(&fake, client), 118);
    assert_int_equal(large_set_pieces(&fake, client), 118);
    assert_int_equal(fake.answer_bytes, PACKET_SIZE_BYTES_MAX);
    plx_close(client);
    fake_close(&fake);
}

/* Larger packets are swallowed from now on: what is under way is cut anew, and ends. */
static void test_paths_large_values_are_cut_anew_where_packets_are_swallowed(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    options.timeout_ns = UINT64_C(20000000000);
    struct plx_client *client = fake_client(&options);
    fake.path_bytes = PACKET_SIZE_BYTES_MAX;
    assert_int_equal(large_set_pieces(&fake, client), 118);
    fake.path_bytes = PACKET_SIZE_BYTES_USUAL;
    assert_in_range(large_set_pieces(&fake, client), 751, 1400);
    assert_int_equal(large_set_pieces(&fake, client), 752);
    plx_close(client);
    fake_close(&fake);
}

/* A node of the release before answers no question: what is large waits for a moment, once. */
static void test_paths_to_a_node_that_answers_no_question_are_the_smallest(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    assert_int_equal(large_set_pieces(&fake, client), 892);
    assert_in_range(fake.path_questions, 1, UINT32_MAX);
    assert_int_equal(fake.answer_bytes, 0);
    plx_close(client);
    fake_close(&fake);
}

/* Who sends and reads small values asks nobody. */
static void test_paths_are_not_asked_about_for_small_values(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    for (uint32_t i = 0; i < 100; i++) {
        struct ending ending = {0};
        struct plx_op op = set_op("key", "small", &ending);
        assert_int_equal(plx_submit(client, &op), PLX_OK);
        fake_expect(&fake, client, WIRE_WRITE);
        fake_outcome_all(&fake, WIRE_OUTCOME_OK);
        fake_finish(&fake, client, &ending);
    }
    assert_int_equal(fake.path_questions, 0);
    plx_close(client);
    fake_close(&fake);
}

/* After its restart a node may be of the release before, which reads nothing that it does not
 * know: nothing is told, and no larger packet is sent, before it has answered again. */
static void test_paths_are_asked_about_anew_after_a_restart_of_the_node(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    options.leader_fresh_ns = 1000; /* the node is greeted before each call */
    struct plx_client *client = fake_client(&options);
    fake.path_bytes = PACKET_SIZE_BYTES_MAX;
    assert_int_equal(large_set_pieces(&fake, client), 118);
    fake.incarnation++;
    fake.path_bytes = 0;
    assert_int_equal(large_set_pieces(&fake, client), 892);
    assert_int_equal(fake.answer_bytes, 0);
    plx_close(client);
    fake_close(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_large_values_take_the_packets_that_arrive),
        cmocka_unit_test(test_paths_large_values_are_cut_anew_where_packets_are_swallowed),
        cmocka_unit_test(test_paths_to_a_node_that_answers_no_question_are_the_smallest),
        cmocka_unit_test(test_paths_are_not_asked_about_for_small_values),
        cmocka_unit_test(test_paths_are_asked_about_anew_after_a_restart_of_the_node),
    };
    for (size_t i = 0; i < sizeof(value); i++)
        value[i] = (uint8_t)(i * 31 + i / 251);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
