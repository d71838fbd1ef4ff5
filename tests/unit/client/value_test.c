/* Values in several chunks: each chunk counts once, whatever arrives twice. */
#include "tests/unit/client/fake_node.h"

#define CHUNK      1000u
#define VALUE_SIZE 2500u

static uint8_t value_bytes[VALUE_SIZE];

static void answer_chunk(struct fake *fake, uint64_t number, uint32_t offset, uint64_t version)
{
    uint32_t left = VALUE_SIZE - offset;
    fake_answer(fake, WIRE_READ_REPLY, number,
                &(struct wire_reply_op){
                    .outcome = WIRE_OUTCOME_OK,
                    .has_value = true,
                    .version = version,
                    .value_size_bytes = VALUE_SIZE,
                    .chunk = span_of(value_bytes + offset, left < CHUNK ? left : CHUNK)});
}

static void test_value_takes_each_chunk_once(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = get_op("key", &ending);
    for (uint32_t i = 0; i < VALUE_SIZE; i++)
        value_bytes[i] = (uint8_t)(i * 7 + i / 256);
    assert_int_equal(plx_submit(client, &op), PLX_OK);

    fake_expect(&fake, client, WIRE_READ);
    uint64_t first = fake.read.request_number;
    fake_expect(&fake, client, WIRE_READ); /* unanswered: asked for again */
    uint64_t again = fake.read.request_number;
    assert_int_equal(fake.read_ops[0].offset_bytes, 0);
    uint64_t late = fake_statistics(client).replies_late;
    answer_chunk(&fake, first, 0, 50);
    answer_chunk(&fake, again, 0, 50);
    for (uint32_t offset = CHUNK; offset < VALUE_SIZE; offset += CHUNK) {
        do
            fake_expect(&fake, client, WIRE_READ);
        while (fake.read_ops[0].offset_bytes != offset);
        assert_true(fake.read_ops[0].version == 50);
        answer_chunk(&fake, fake.read.request_number, offset, 50);
    }
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_int_equal(ending.response.value.size_bytes, VALUE_SIZE);
    assert_memory_equal(ending.response.value.data, value_bytes, VALUE_SIZE);
    assert_true(fake_statistics(client).replies_late >= late + 1);
    plx_close(client);
    fake_close(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_value_takes_each_chunk_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
