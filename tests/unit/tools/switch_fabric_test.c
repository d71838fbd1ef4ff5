/* The switch over ports made of arrays: forwarding, floods, faults, push-back; no frame leaks. */
#include "tests/unit/tools/frame_fake.h"
#include "tools/switch/fabric.h"
#include "tools/switch/tx_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define NODES    3
#define FRAME    60
#define START_NS 1000000000ULL

static struct dp_frame_port ports[1 + NODES];
static struct fabric *fabric;
static uint64_t now_ns;

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static int setup(void **state)
{
    (void)state;
    char reason[128];
    struct fabric_options options = {
        .node_count = NODES, .queue_count = 1, .seed = 5, .mtu_bytes = MTU_USUAL};
    for (uint32_t i = 1; i <= NODES; i++) {
        fake_port_init(&ports[i]);
        options.ports[i] = &ports[i];
    }
    now_ns = START_NS;
    if (fabric_open(&options, &fabric, reason, sizeof(reason)) != OK) {
        return -1;
    }
    (void)fabric_turn(fabric, now_ns);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fabric_close(fabric);
    for (uint32_t i = 1; i <= NODES; i++) {
        fake_port_deinit(&ports[i]);
    }
    return fake_frames_alive == 0 ? 0 : -1;
}

/* Node `from` sends to node `to` (0: everybody); the last byte tells frames apart. */
static void send_frame(uint32_t from, uint32_t to, uint8_t mark)
{
    uint8_t bytes[FRAME] = {0x02, 0, 0, 0, 0, (uint8_t)to, 0x02, 0, 0, 0, 0, (uint8_t)from};
    if (to == 0) {
        memcpy(bytes, broadcast, sizeof(broadcast));
    }
    bytes[FRAME - 1] = mark;
    fake_receive(&ports[from], bytes, sizeof(bytes));
}

static void turn_after(uint64_t passed_ns)
{
    now_ns += passed_ns;
    (void)fabric_turn(fabric, now_ns);
}

/* Every node has spoken once, so that the switch knows where each is. */
static void learn_all(void)
{
    for (uint32_t node = 1; node <= NODES; node++) {
        send_frame(node, 0, 0);
    }
    turn_after(1);
    for (uint32_t node = 1; node <= NODES; node++) {
        assert_int_equal(ports[node].tx_count, NODES - 1);
        for (uint32_t i = 0; i < ports[node].tx_count; i++) {
            dp_frame_free(ports[node].tx[i]);
        }
        ports[node].tx_count = 0;
    }
}

static uint8_t mark_of(uint32_t node, uint32_t index)
{
    return dp_frame_data(ports[node].tx[index])[FRAME - 1];
}

static void assert_stat(uint32_t port, const char *stat)
{
    static char text[16384];
    char begin[16];
    (void)fabric_describe(fabric, text, sizeof(text));
    snprintf(begin, sizeof(begin), "port %u ", port);
    char *line = strstr(text, begin);
    assert_non_null(line);
    *strchr(line, '\n') = '\0';
    if (strstr(line, stat) == NULL) {
        fail_msg("'%s' is not in: %s", stat, line);
    }
}

static void test_fabric_floods_what_it_does_not_know(void **state)
{
    (void)state;
    send_frame(1, 2, 7);
    turn_after(1);
    assert_int_equal(ports[1].tx_count, 0);
    assert_int_equal(ports[2].tx_count, 1);
    assert_int_equal(ports[3].tx_count, 1);
    assert_int_equal(mark_of(3, 0), 7);
}

static void test_fabric_forwards_without_a_copy(void **state)
{
    (void)state;
    learn_all();
    send_frame(1, 2, 7);
    struct dp_frame *sent = ports[1].rx[0];
    turn_after(1);
    assert_int_equal(ports[2].tx_count, 1);
    assert_ptr_equal(ports[2].tx[0], sent);
    assert_int_equal(ports[3].tx_count, 0);
    assert_false(fabric_turn(fabric, now_ns));
}

static void test_fabric_drops_hairpins_and_runts(void **state)
{
    (void)state;
    const uint8_t runt[13] = {0};
    learn_all();
    send_frame(1, 1, 7);
    fake_receive(&ports[2], runt, sizeof(runt));
    turn_after(1);
    assert_stat(1, "drop_hairpin 1");
    assert_stat(2, "drop_runt 1");
}

static void test_fabric_loses_cuts_and_heals(void **state)
{
    (void)state;
    struct fault_link link = {.loss_ppm = FAULT_PPM_MAX, .is_cut = true};
    learn_all();
    fault_set(fabric_faults(fabric), FAULT_LOSS, 1U << 1, 1U << 2, &link);
    fault_set(fabric_faults(fabric), FAULT_CUT, 1U << 1, 1U << 3, &link);
    send_frame(1, 2, 7);
    send_frame(1, 3, 8);
    send_frame(2, 1, 9);
    turn_after(1);
    assert_int_equal(ports[2].tx_count + ports[3].tx_count, 0);
    assert_int_equal(ports[1].tx_count, 1);
    assert_stat(2, "drop_loss 1");
    assert_stat(3, "drop_cut 1");
    fault_heal(fabric_faults(fabric), UINT32_MAX, UINT32_MAX);
    send_frame(1, 2, 7);
    turn_after(1);
    assert_int_equal(ports[2].tx_count, 1);
}

static void test_fabric_delays_to_the_nanosecond(void **state)
{
    (void)state;
    struct fault_link link = {.delay_ns = 500};
    learn_all();
    fault_set(fabric_faults(fabric), FAULT_DELAY, 1U << 1, 1U << 2, &link);
    send_frame(1, 2, 7);
    turn_after(0);
    assert_int_equal(fabric_deadline_ns(fabric), now_ns + 500);
    turn_after(499);
    assert_int_equal(ports[2].tx_count, 0);
    turn_after(1);
    assert_int_equal(ports[2].tx_count, 1);
    assert_int_equal(fabric_deadline_ns(fabric), FABRIC_NO_DEADLINE);
    assert_stat(2, " delayed 1");
}

static void test_fabric_reorders_duplicates_and_corrupts(void **state)
{
    (void)state;
    struct fault_link link = {.reorder_ppm = FAULT_PPM_MAX, .reorder_ns = 100};
    struct fault_link none = {0};
    learn_all();
    fault_set(fabric_faults(fabric), FAULT_REORDER, 1U << 1, 1U << 2, &link);
    send_frame(1, 2, 1);
    turn_after(0);
    fault_set(fabric_faults(fabric), FAULT_REORDER, 1U << 1, 1U << 2, &none);
    send_frame(1, 2, 2);
    turn_after(0);
    turn_after(100);
    assert_int_equal(mark_of(2, 0), 2);
    assert_int_equal(mark_of(2, 1), 1);
    link = (struct fault_link){.duplicate_ppm = FAULT_PPM_MAX, .corrupt_ppm = FAULT_PPM_MAX};
    fault_set(fabric_faults(fabric), FAULT_DUPLICATE, 1U << 1, 1U << 3, &link);
    fault_set(fabric_faults(fabric), FAULT_CORRUPT, 1U << 1, 1U << 3, &link);
    send_frame(1, 3, 3);
    turn_after(0);
    assert_int_equal(ports[3].tx_count, 2);
    assert_int_not_equal(
        memcmp(dp_frame_data(ports[3].tx[0]), dp_frame_data(ports[3].tx[1]), FRAME), 0);
    assert_stat(3, " duplicated 1");
    assert_stat(3, " corrupted 1");
    assert_stat(2, " reordered 1");
}

static void test_fabric_bounds_what_it_delays(void **state)
{
    (void)state;
    struct fault_link link = {.delay_ns = 500};
    learn_all();
    fault_set(fabric_faults(fabric), FAULT_DELAY, 1U << 1, 1U << 2, &link);
    for (uint32_t i = 0; i < 4096; i++) {
        send_frame(1, 2, 7);
        if (i % 64 == 63) {
            turn_after(0);
        }
    }
    send_frame(1, 2, 7);
    turn_after(0);
    assert_stat(2, "drop_delay_full 1");
}

static void test_fabric_holds_what_the_port_does_not_take(void **state)
{
    (void)state;
    learn_all();
    ports[2].tx_room = 10;
    for (uint32_t i = 0; i < 10 + TX_QUEUE_FRAMES_MAX + 5; i++) {
        send_frame(1, 2, (uint8_t)i);
    }
    for (uint32_t i = 0; i < 20; i++) {
        turn_after(0);
    }
    assert_int_equal(ports[2].tx_count, 10);
    assert_stat(2, "drop_tx_full 5");
    ports[2].tx_room = FAKE_QUEUE_MAX / 2;
    turn_after(0);
    assert_int_equal(ports[2].tx_count, 10 + TX_QUEUE_FRAMES_MAX);
    for (uint32_t i = 0; i < ports[2].tx_count; i++) {
        assert_int_equal(mark_of(2, i), (uint8_t)i);
    }
}

static void test_fabric_pauses_and_resumes(void **state)
{
    (void)state;
    learn_all();
    fabric_faults(fabric)->paused_mask = 1U << 2;
    send_frame(1, 2, 1);
    send_frame(2, 1, 2);
    turn_after(1);
    assert_int_equal(ports[1].tx_count + ports[2].tx_count, 0);
    fabric_faults(fabric)->paused_mask = 0;
    turn_after(1);
    assert_int_equal(ports[1].tx_count, 1);
    assert_int_equal(ports[2].tx_count, 1);
}

static void test_fabric_forgets_a_port_that_goes_down(void **state)
{
    (void)state;
    learn_all();
    ports[2].is_up = false;
    turn_after(FABRIC_LINK_INTERVAL_NS);
    send_frame(1, 2, 7);
    turn_after(0);
    assert_int_equal(ports[2].tx_count, 0);
    assert_int_equal(ports[3].tx_count, 1);
    assert_stat(2, "node down");
}

static void test_fabric_counts_an_empty_pool(void **state)
{
    (void)state;
    learn_all();
    send_frame(1, 0, 7);
    ports[2].pool_room = 0;
    turn_after(0);
    ports[2].pool_room = 1000;
    assert_int_equal(ports[3].tx_count, 1);
    assert_stat(2, "drop_no_buffer 1");
}

static void test_fabric_captures_what_arrives(void **state)
{
    (void)state;
    char path[] = "/tmp/pollux-fabric-XXXXXX";
    struct fault_link link = {.is_cut = true};
    learn_all();
    close(mkstemp(path));
    assert_int_equal(capture_open(fabric_capture(fabric), path, 1000, 0), OK);
    fault_set(fabric_faults(fabric), FAULT_CUT, UINT32_MAX, UINT32_MAX, &link);
    send_frame(1, 2, 7);
    turn_after(0);
    assert_int_equal(fabric_capture(fabric)->written_packets, 1);
    assert_int_equal(capture_close(fabric_capture(fabric)), OK);
    (void)unlink(path);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_fabric_floods_what_it_does_not_know),
        CASE(test_fabric_forwards_without_a_copy),
        CASE(test_fabric_drops_hairpins_and_runts),
        CASE(test_fabric_loses_cuts_and_heals),
        CASE(test_fabric_delays_to_the_nanosecond),
        CASE(test_fabric_reorders_duplicates_and_corrupts),
        CASE(test_fabric_bounds_what_it_delays),
        CASE(test_fabric_holds_what_the_port_does_not_take),
        CASE(test_fabric_pauses_and_resumes),
        CASE(test_fabric_forgets_a_port_that_goes_down),
        CASE(test_fabric_counts_an_empty_pool),
        CASE(test_fabric_captures_what_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
