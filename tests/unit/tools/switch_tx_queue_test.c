/* Queues on the way out: order, push-back, and which queue a datagram belongs in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/tools/frame_fake.h"
#include "tools/switch/nat.h"
#include "tools/switch/tx_queue.h"

static struct dp_frame_port port;
static struct tx_queue queue;
static struct port_counters counters;

static int setup(void **state)
{
    (void)state;
    fake_port_init(&port);
    queue.count = 0;
    counters = (struct port_counters){0};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_port_deinit(&port);
    return fake_frames_alive == 0 ? 0 : -1;
}

static void push(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct dp_frame *frame = dp_frame_new(&port, 0);
        dp_frame_set_size_bytes(frame, 60);
        assert_true(tx_queue_push(&queue, frame));
    }
}

static void test_switch_tx_queue_keeps_what_the_port_does_not_take(void **state)
{
    (void)state;
    push(100);
    struct dp_frame *first_left = queue.frames[70];
    port.tx_room = 70;
    assert_true(tx_queue_flush(&queue, &port, 0, &counters));
    assert_int_equal(counters.tx_packets, 70);
    assert_int_equal(counters.tx_bytes, 70 * 60);
    assert_int_equal(queue.count, 30);
    assert_ptr_equal(queue.frames[0], first_left);
    assert_false(tx_queue_flush(&queue, &port, 0, &counters));
    assert_int_equal(tx_queue_clear(&queue), 30);
}

static void test_switch_tx_queue_is_bounded(void **state)
{
    (void)state;
    push(TX_QUEUE_FRAMES_MAX);
    struct dp_frame *frame = dp_frame_new(&port, 0);
    assert_false(tx_queue_push(&queue, frame));
    dp_frame_free(frame);
    assert_int_equal(tx_queue_clear(&queue), TX_QUEUE_FRAMES_MAX);
}

static uint32_t steered(uint16_t udp_port, uint32_t queue_count)
{
    uint8_t frame[NAT_HEADER_SIZE_BYTES + 4] = {0};
    struct nat_flow flow = {.source_host = 254,
                            .destination_host = 1,
                            .source_port = 7401, /* must not be what decides */
                            .destination_port = udp_port};
    nat_header_write(frame, &flow, 4);
    return tx_queue_steer(span_of(frame, sizeof(frame)), 7400, queue_count);
}

static void test_switch_tx_queue_steers_by_the_destination_port(void **state)
{
    (void)state;
    assert_int_equal(steered(7400, 3), 0);
    assert_int_equal(steered(7401, 3), 1);
    assert_int_equal(steered(7405, 3), 2);
    assert_int_equal(steered(7405, 1), 0);
    assert_int_equal(steered(80, 3), 0);
    uint8_t arp[NAT_ARP_SIZE_BYTES];
    nat_arp_write(arp, &(struct nat_arp){.is_request = true, .target_host = 1}, arp);
    assert_int_equal(tx_queue_steer(span_of(arp, sizeof(arp)), 7400, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_switch_tx_queue_keeps_what_the_port_does_not_take,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_switch_tx_queue_is_bounded, setup, teardown),
        cmocka_unit_test(test_switch_tx_queue_steers_by_the_destination_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
