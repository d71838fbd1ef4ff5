/* Which transmissions are remembered: the newest, and no more operations than there is room for. */
#include "client/client_internal.h"
#include "tests/unit/client/fake_node.h"

#define EACH 48 /* ops in a packet: no divisor of the ring */

/* A transmission of `op_count` operations that nobody waits for. */
static struct transmission *transmit(struct plx_client *client, uint16_t op_count)
{
    struct shard_state *shard = shard_at(client, 0);
    struct transmission *transmission = transmission_new(client, shard, 0);
    transmission->op_count = op_count;
    shard->transmission_ops_end += op_count;
    return transmission;
}

static void setup_client(struct fake *fake, struct plx_client **ret_client)
{
    fake_open(fake, 1);
    struct plx_options options = fake_options(fake, 1);
    *ret_client = fake_client(&options);
}

static void test_transmission_is_remembered_while_its_ops_are(void **state)
{
    (void)state;
    struct fake fake;
    struct plx_client *client;
    setup_client(&fake, &client);
    struct shard_state *shard = shard_at(client, 0);
    uint64_t first = transmit(client, EACH)->number;
    for (uint32_t sent = 1; sent < 10 * TRANSMISSION_OPS_MAX / EACH; sent++) {
        const struct transmission *newest = transmit(client, EACH);
        assert_ptr_equal(transmission_find(shard, newest->number), newest);
        assert_true(newest->ops >= shard->transmission_ops);
        assert_true(newest->ops + EACH <= shard->transmission_ops + TRANSMISSION_OPS_MAX);
        bool is_remembered = transmission_find(shard, first) != NULL;
        if (sent < TRANSMISSION_OPS_MAX / REQUEST_OPS_MAX)
            assert_true(is_remembered);
        if (sent >= TRANSMISSION_OPS_MAX / EACH)
            assert_false(is_remembered);
    }
    plx_close(client);
    fake_close(&fake);
}

static void test_transmission_gives_way_to_one_of_its_place(void **state)
{
    (void)state;
    struct fake fake;
    struct plx_client *client;
    setup_client(&fake, &client);
    struct shard_state *shard = shard_at(client, 0);
    uint64_t first = transmit(client, 1)->number;
    for (uint32_t sent = 1; sent < TRANSMISSIONS_MAX; sent++)
        (void)transmit(client, 1);
    assert_non_null(transmission_find(shard, first));
    (void)transmit(client, 1);
    assert_null(transmission_find(shard, first));
    assert_non_null(transmission_find(shard, first + 1));
    assert_null(transmission_find(shard, 0));
    plx_close(client);
    fake_close(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transmission_is_remembered_while_its_ops_are),
        cmocka_unit_test(test_transmission_gives_way_to_one_of_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
