/* Copies of clients' packets, in their order, and no more than there is room for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "server/client_queue.h"

#define PACKETS (3 * CLIENT_QUEUE_MAX - 3)

static struct arena arena;
static struct client_queue *queue;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(arena_init(&arena, client_queue_arena_bytes(PACKET_SIZE_BYTES_MAX)), OK);
    queue = client_queue_init(&arena, PACKET_SIZE_BYTES_MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static enum error add(uint32_t number, uint32_t size_bytes)
{
    uint8_t bytes[PACKET_SIZE_BYTES_MAX + 1] = {0};
    memcpy(bytes, &number, sizeof(number));
    const struct dp_datagram datagram = {
        .from = {.port = (uint16_t)number}, .data = bytes, .size_bytes = size_bytes};
    return client_queue_add(queue, &datagram);
}

static void expect(uint32_t number)
{
    struct dp_datagram datagram;
    assert_true(client_queue_take(queue, &datagram));
    assert_memory_equal(datagram.data, &number, sizeof(number));
    assert_int_equal(datagram.from.port, (uint16_t)number);
}

static void test_client_queue_keeps_order_round_its_end(void **state)
{
    (void)state;
    struct dp_datagram datagram;
    uint32_t taken = 0;
    assert_false(client_queue_take(queue, &datagram));
    for (uint32_t number = 0; number < PACKETS; number++) {
        assert_int_equal(add(number, PACKET_SIZE_BYTES_MAX), OK);
        if (number % 3 != 0)
            expect(taken++);
    }
    assert_int_equal(client_queue_count(queue), PACKETS - taken);
    while (client_queue_count(queue) > 0)
        expect(taken++);
    assert_int_equal(taken, PACKETS);
}

static void test_client_queue_is_bounded(void **state)
{
    (void)state;
    for (uint32_t number = 0; number < CLIENT_QUEUE_MAX; number++)
        assert_int_equal(add(number, 100), OK);
    assert_int_equal(add(7, 100), ERR_FULL);
    expect(0);
    assert_int_equal(add(7, 100), OK);
}

static void test_client_queue_takes_no_larger_packet(void **state)
{
    (void)state;
    assert_int_equal(add(1, PACKET_SIZE_BYTES_MAX + 1), ERR_TOO_LARGE);
    assert_int_equal(client_queue_count(queue), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_client_queue_keeps_order_round_its_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_client_queue_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_queue_takes_no_larger_packet, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
