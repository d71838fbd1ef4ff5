/* Copying a snapshot, from a node that the test plays in a thread of its own. */
#include "client/include/pollux_backup.h"
#include "tests/unit/client/fake_thread.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SNAPSHOT_ID  UINT64_C(0xabc)
#define STREAM_BYTES (SNAPSHOT_BLOCK_BYTES + 6000) /* the last block has two parts */

/* How the node behaves; read by its thread only. */
struct giving_node {
    struct fake fake;
    struct fake_thread thread;
    uint32_t pending; /* finds that are answered so */
    uint32_t busy;    /* parts that are answered so */
    uint32_t lost;    /* parts that are not answered */
    uint32_t wait_us; /* of those that are pending */
    bool is_none;
    bool is_of_another; /* parts are of another snapshot */
    uint32_t finds;     /* read after the join */
    uint32_t parts;
};

static uint8_t byte_at(uint32_t block, size_t offset)
{
    return (uint8_t)(block * 31 + offset * 7 + offset / 251);
}

static void give(struct giving_node *node, struct wire_backup_reply *reply)
{
    uint8_t body[8192];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    reply->node = node->fake.id;
    if (node->is_none)
        reply->status = WIRE_BACKUP_NONE;
    wire_backup_reply_encode(&writer, reply);
    fake_send(&node->fake, WIRE_BACKUP_REPLY, span_of(body, writer.size_bytes));
}

static void give_find(struct giving_node *node, const struct wire_backup *question,
                      struct wire_backup_reply *reply)
{
    node->finds++;
    assert_true(question->index_min == 5);
    if (node->finds <= node->pending) {
        reply->status = WIRE_BACKUP_PENDING;
        reply->wait_us = node->wait_us;
    } else {
        reply->id = SNAPSHOT_ID;
        reply->index = 9;
        reply->record_term = 2;
        reply->stream_bytes = STREAM_BYTES;
        reply->block_count = 2;
        reply->content_crc = 77;
    }
    give(node, reply);
}

static void give_part(struct giving_node *node, const struct wire_backup *question,
                      struct wire_backup_reply *reply)
{
    uint8_t bytes[BACKUP_PART_BYTES];
    size_t begin = question->part * (size_t)BACKUP_PART_BYTES;
    size_t size = question->block == 0 ? SNAPSHOT_BLOCK_BYTES : STREAM_BYTES - SNAPSHOT_BLOCK_BYTES;
    size_t left = begin < size ? size - begin : 0;
    if (left > BACKUP_PART_BYTES)
        left = BACKUP_PART_BYTES;
    for (size_t i = 0; i < left; i++)
        bytes[i] = byte_at(question->block, begin + i);
    node->parts++;
    if (node->parts <= node->lost)
        return;
    if (node->parts <= node->busy) {
        reply->status = WIRE_BACKUP_BUSY;
        reply->wait_us = 1000;
    } else if (question->id != SNAPSHOT_ID) {
        reply->status = WIRE_BACKUP_GONE;
    } else {
        reply->id = node->is_of_another ? SNAPSHOT_ID + 1 : SNAPSHOT_ID;
        reply->bytes = span_of(bytes, left);
    }
    give(node, reply);
}

static void answer(struct giving_node *node)
{
    struct wire_backup question;
    if (node->fake.type != WIRE_BACKUP)
        return;
    assert_int_equal(wire_backup_decode(node->fake.body, &question), OK);
    struct wire_backup_reply reply = {
        .number = question.number, .kind = question.kind, .status = WIRE_BACKUP_OK};
    if (question.kind == WIRE_BACKUP_FIND)
        give_find(node, &question, &reply);
    else
        give_part(node, &question, &reply);
}

static void giving_turn(void *context)
{
    struct giving_node *node = context;
    while (fake_try(&node->fake))
        answer(node);
}

static struct plx_client *begin(struct giving_node *node)
{
    node->thread = (struct fake_thread){.fake = &node->fake, .turn = giving_turn, .context = node};
    fake_thread_start(&node->thread, 1);
    struct plx_options options = fake_options(&node->fake, 1);
    return fake_client(&options);
}

static void end(struct giving_node *node, struct plx_client *client)
{
    plx_close(client);
    fake_thread_stop(&node->thread);
}

static const struct plx_backup_from from = {.timeout_ns = UINT64_C(5000000000)};
static const struct plx_backup_from impatient = {.timeout_ns = UINT64_C(100000000)};

static const struct plx_snapshot snapshot = {
    .id = SNAPSHOT_ID, .index = 9, .stream_bytes = STREAM_BYTES, .block_count = 2};

static void expect_block(struct plx_client *client, uint32_t number, size_t size_bytes)
{
    uint8_t *block = calloc(1, PLX_BACKUP_BLOCK_BYTES);
    assert_non_null(block);
    assert_int_equal(plx_backup_block(client, &from, &snapshot, number, block), PLX_OK);
    for (size_t i = 0; i < size_bytes; i++)
        assert_true(block[i] == byte_at(number, i));
    free(block);
}

static void test_backup_finds_the_snapshot_when_it_is_taken(void **state)
{
    (void)state;
    struct giving_node node = {.pending = 3};
    struct plx_snapshot found;
    struct plx_client *client = begin(&node);
    assert_int_equal(plx_backup_find(client, &from, 5, &found), PLX_OK);
    assert_true(found.id == SNAPSHOT_ID && found.index == 9 && found.term == 2);
    assert_true(found.stream_bytes == STREAM_BYTES && found.block_count == 2);
    assert_true(found.content_crc == 77 && found.node == 1);
    end(&node, client);
    assert_true(node.finds >= 4);
}

static void test_backup_says_why_nothing_is_found(void **state)
{
    (void)state;
    struct giving_node slow = {.pending = UINT32_MAX};
    struct giving_node none = {.is_none = true};
    struct plx_snapshot found;
    struct plx_client *client = begin(&slow);
    assert_int_equal(plx_backup_find(client, &impatient, 5, &found), PLX_TIMEOUT);
    const struct plx_backup_from nowhere = {.endpoint = 1};
    assert_int_equal(plx_backup_find(client, &nowhere, 5, &found), PLX_E_ARGUMENT);
    end(&slow, client);
    client = begin(&none);
    assert_int_equal(plx_backup_find(client, &from, 5, &found), PLX_E_UNSUPPORTED);
    end(&none, client);
    struct giving_node lavish = {.pending = UINT32_MAX, .wait_us = 250000000};
    client = begin(&lavish);
    assert_int_equal(plx_backup_find(client, &from, 5, &found), PLX_E_OVERLOADED);
    end(&lavish, client);
    assert_true(lavish.finds <= 2); /* it is not asked again and again */
}

static void test_backup_copies_whole_blocks(void **state)
{
    (void)state;
    struct giving_node node = {.parts = 0};
    struct plx_client *client = begin(&node);
    expect_block(client, 0, SNAPSHOT_BLOCK_BYTES);
    expect_block(client, 1, STREAM_BYTES - SNAPSHOT_BLOCK_BYTES);
    uint8_t byte;
    assert_int_equal(plx_backup_block(client, &from, &snapshot, 2, &byte), PLX_E_ARGUMENT);
    end(&node, client);
    assert_true(node.parts >= BACKUP_PARTS + 2);
}

static void test_backup_asks_again_for_parts_that_do_not_come(void **state)
{
    (void)state;
    struct giving_node node = {.lost = 5, .busy = 9};
    struct plx_client *client = begin(&node);
    expect_block(client, 0, SNAPSHOT_BLOCK_BYTES);
    end(&node, client);
    assert_true(node.parts > BACKUP_PARTS);
}

static void test_backup_tells_that_the_snapshot_is_gone(void **state)
{
    (void)state;
    struct giving_node node = {.parts = 0};
    struct plx_client *client = begin(&node);
    uint8_t *block = calloc(1, PLX_BACKUP_BLOCK_BYTES);
    struct plx_snapshot other = snapshot;
    other.id++;
    assert_int_equal(plx_backup_block(client, &from, &other, 0, block), PLX_NOT_FOUND);
    free(block);
    end(&node, client);
}

static void test_backup_takes_no_part_of_another_snapshot(void **state)
{
    (void)state;
    struct giving_node node = {.is_of_another = true};
    struct plx_client *client = begin(&node);
    uint8_t *block = calloc(1, PLX_BACKUP_BLOCK_BYTES);
    assert_int_equal(plx_backup_block(client, &impatient, &snapshot, 0, block), PLX_E_UNREACHABLE);
    for (size_t i = 0; i < PLX_BACKUP_BLOCK_BYTES; i++)
        assert_int_equal(block[i], 0);
    free(block);
    end(&node, client);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void test_backup_keeps_to_its_rate(void **state)
{
    (void)state;
    struct giving_node node = {.parts = 0};
    struct plx_client *client = begin(&node);
    uint8_t *block = calloc(1, PLX_BACKUP_BLOCK_BYTES);
    struct plx_backup_from slow = from;
    slow.rate_bytes = 10 * PLX_BACKUP_BLOCK_BYTES; /* a block in 100 ms */
    uint64_t begun_ns = now_ns();
    for (int i = 0; i < 3; i++)
        assert_int_equal(plx_backup_block(client, &slow, &snapshot, 0, block), PLX_OK);
    assert_true(now_ns() - begun_ns >= 200000000);
    free(block);
    end(&node, client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_finds_the_snapshot_when_it_is_taken),
        cmocka_unit_test(test_backup_says_why_nothing_is_found),
        cmocka_unit_test(test_backup_copies_whole_blocks),
        cmocka_unit_test(test_backup_asks_again_for_parts_that_do_not_come),
        cmocka_unit_test(test_backup_tells_that_the_snapshot_is_gone),
        cmocka_unit_test(test_backup_takes_no_part_of_another_snapshot),
        cmocka_unit_test(test_backup_keeps_to_its_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
