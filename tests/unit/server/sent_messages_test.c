/* Messages kept with their bytes: found by receiver, shard and id, until their room is taken. */
#include "base/limits.h"
#include "server/sent_messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint8_t body[MESSAGE_SIZE_BYTES_MAX];
static struct arena arena;
static struct sent_messages *messages;
static const struct address alice = {.ip = {1}, .port = 1};
static const struct address bob = {.ip = {1}, .port = 2};

static int setup(void **state)
{
    (void)state;
    if (arena_init(&arena, sent_messages_arena_bytes()) != OK)
        return 1;
    messages = sent_messages_init(&arena);
    arena_seal(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

/* What a message says follows from its id. */
static void keep(uint64_t id, size_t size_bytes)
{
    struct wire_message_header header = {.type = WIRE_READ_REPLY,
                                         .shard = 3,
                                         .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_USUAL,
                                         .message_id = id};
    memset(body, (int)id, size_bytes);
    sent_messages_keep(messages, &header, &alice, span_of(body, size_bytes));
}

static bool is_kept(uint64_t id, size_t size_bytes)
{
    struct span found = {.data = NULL};
    if (sent_messages_find(messages, &alice, 3, id, &found) == NULL)
        return false;
    memset(body, (int)id, size_bytes);
    assert_true(span_is_equal(found, span_of(body, size_bytes)));
    return true;
}

static void test_sent_messages_are_found_by_receiver_shard_and_id(void **state)
{
    (void)state;
    struct span found;
    keep(7, 5000);
    assert_true(is_kept(7, 5000));
    assert_null(sent_messages_find(messages, &bob, 3, 7, &found));
    assert_null(sent_messages_find(messages, &alice, 4, 7, &found));
    assert_null(sent_messages_find(messages, &alice, 3, 8, &found));
    struct sent_message *message = sent_messages_find(messages, &alice, 3, 7, &found);
    assert_int_equal(message->header.type, WIRE_READ_REPLY);
    assert_int_equal(message->pieces_left, 4 * SENT_MESSAGE_REPEATS);
    message->pieces_left = 0;
    assert_null(sent_messages_find(messages, &alice, 3, 7, &found));
}

static void test_sent_messages_are_never_found_with_the_bytes_of_another(void **state)
{
    (void)state;
    const size_t sizes[] = {MESSAGE_SIZE_BYTES_MAX, 1000000, 33000, 700000};
    size_t kept_bytes = 0;
    for (uint64_t id = 1; id < 60; id++) {
        keep(id, sizes[id % 4]);
        assert_true(is_kept(id, sizes[id % 4]));
        for (uint64_t old = 1; old <= id; old++)
            kept_bytes += is_kept(old, sizes[old % 4]);
    }
    assert_true(kept_bytes >= 2 * 59); /* not the newest alone */
}

static void test_sent_messages_are_so_many_at_most(void **state)
{
    (void)state;
    for (uint64_t id = 1; id <= SENT_MESSAGES_MAX + 1; id++)
        keep(id, 2000);
    assert_false(is_kept(1, 2000));
    assert_true(is_kept(2, 2000));
    assert_true(is_kept(SENT_MESSAGES_MAX + 1, 2000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sent_messages_are_found_by_receiver_shard_and_id,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_sent_messages_are_never_found_with_the_bytes_of_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sent_messages_are_so_many_at_most, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
