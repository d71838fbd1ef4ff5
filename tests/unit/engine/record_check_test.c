/*
 * What a peer's record must be before it is appended: a leader's records pass, each fault has its
 * error, and whatever passes is applied without ending the process.
 */
#include "tests/unit/engine/fixture.h"

#include "base/le.h"
#include "base/prng.h"
#include "engine/service/batch.h"
#include "engine/service/record_check.h"

#define MUTATIONS 20000u

static uint8_t bytes[4096];

/* The last record of the fixture, copied into `bytes`. */
static struct span last_record(const struct fixture *f)
{
    const struct fixture_record *record = &f->records[f->record_count - 1];
    assert_true(record->size_bytes <= sizeof(bytes));
    memcpy(bytes, record->data, record->size_bytes);
    return span_of(bytes, record->size_bytes);
}

static struct span record_of(struct fixture *f, uint64_t session, const struct wire_op *ops,
                             uint32_t op_count)
{
    const struct fixture_write write = {.session = session};
    fixture_write(f, &write, ops, op_count);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    return last_record(f);
}

/* A record of one request with these ops under this session, as no leader may have made it. */
static struct span forged(uint64_t session, uint32_t flags, const struct wire_op *ops,
                          uint32_t op_count)
{
    size_t begin = RECORD_PREFIX_SIZE_BYTES + REQUEST_PREFIX_SIZE_BYTES;
    struct wire_writer request = {.data = bytes + begin, .capacity_bytes = sizeof(bytes) - begin};
    memset(bytes, 0, sizeof(bytes));
    wire_request_begin(&request, session, 1);
    for (uint32_t i = 0; i < op_count; i++)
        wire_request_add(&request, &ops[i]);
    assert_false(request.is_overflow);
    le32_store(bytes + 8, 1);
    le32_store(bytes + RECORD_FLAGS_OFFSET, flags);
    le32_store(bytes + RECORD_PREFIX_SIZE_BYTES, (uint32_t)request.size_bytes);
    size_t size = REQUEST_PREFIX_SIZE_BYTES + request.size_bytes;
    size = (size + REQUEST_ALIGN_BYTES - 1) & ~(size_t)(REQUEST_ALIGN_BYTES - 1);
    return span_of(bytes, RECORD_PREFIX_SIZE_BYTES + size);
}

static struct wire_op limits_op(void)
{
    static uint8_t value[WIRE_LIMITS_SIZE_BYTES];
    wire_limits_encode(value,
                       &(struct wire_limits){.keys_max = 8, .blocks_max = 8, .sessions_max = 8});
    return (struct wire_op){.type = WIRE_OP_LIMITS,
                            .has_value = true,
                            .seq = 1,
                            .value = span_of(value, sizeof(value))};
}

static void test_record_check_takes_what_a_leader_makes(void **state)
{
    (void)state;
    struct engine_options options = fixture_relaxed_options(1);
    struct fixture *f = fixture_new(&options);
    uint64_t session = fixture_register(f);
    assert_int_equal(record_check(last_record(f)), OK);
    const struct wire_op ops[] = {op_set(1, "a", "value"), op_swap(2, "b", "new", "old"),
                                  op_cancel(2, 7), op_set(3, "c", "value")};
    assert_int_equal(record_check(record_of(f, session, ops, 4)), OK);
    const struct wire_op fence = op_of(WIRE_OP_FENCE, 9);
    assert_int_equal(record_check(record_of(f, session, &fence, 1)), OK);
    const struct wire_op limits = limits_op();
    assert_int_equal(record_check(forged(0, RECORD_FLAG_LIMITS, &limits, 1)), OK);
    const struct wire_op forwarded[] = {op_cancel(2, 7), op_set(4, "d", "value")};
    assert_int_equal(record_check(forged(WIRE_NODE_SESSION(5), 0, forwarded, 2)), OK);
    fixture_free(f);
}

static void test_record_check_names_faults_of_the_frame(void **state)
{
    (void)state;
    const struct wire_op set = op_set(1, "key", "value");
    struct span whole = forged(3, 0, &set, 1);
    assert_int_equal(record_check(whole), OK);
    for (size_t size = 0; size < whole.size_bytes; size++)
        assert_int_equal(record_check(span_of(bytes, size)), ERR_SHORT);
    whole.size_bytes += REQUEST_ALIGN_BYTES;
    assert_int_equal(record_check(whole), ERR_TRAILING);
    whole = forged(3, 0, &set, 1);
    le32_store(bytes + 8, 0);
    assert_int_equal(record_check(whole), ERR_RANGE);
    le32_store(bytes + 8, BATCH_REQUESTS_MAX + 1);
    assert_int_equal(record_check(whole), ERR_RANGE);
    whole = forged(3, 2, &set, 1); /* a flag that nobody knows */
    assert_int_equal(record_check(whole), ERR_RANGE);
    whole = forged(3, 0, &set, 1);
    le32_store(bytes + RECORD_PREFIX_SIZE_BYTES, UINT32_MAX); /* must not wrap around */
    assert_int_equal(record_check(whole), ERR_SHORT);
}

static void test_record_check_names_faults_of_requests(void **state)
{
    (void)state;
    const struct wire_op set = op_set(1, "key", "value");
    const struct wire_op cancel = op_cancel(2, 7);
    const struct wire_op swap = op_swap(1, "key", "new", "old");
    struct wire_op both[2] = {limits_op(), set};
    assert_int_equal(record_check(forged(3, 0, &cancel, 1)), ERR_RANGE); /* of no write */
    assert_int_equal(record_check(forged(WIRE_NODE_SESSION(5), 0, &swap, 1)), ERR_RANGE);
    assert_int_equal(record_check(forged(0, RECORD_FLAG_LIMITS, both, 2)), ERR_RANGE);
    assert_int_equal(record_check(forged(0, 0, both, 1)), ERR_RANGE); /* not marked */
    assert_int_equal(record_check(forged(3, RECORD_FLAG_LIMITS, &set, 1)), ERR_RANGE);
    struct span record = forged(3, 0, &set, 1);
    uint8_t *request = bytes + RECORD_PREFIX_SIZE_BYTES + REQUEST_PREFIX_SIZE_BYTES;
    request[WIRE_REQUEST_HEADER_SIZE_BYTES] = WIRE_OP_TYPE_END;
    assert_int_equal(record_check(record), ERR_TYPE);
    record = forged(3, 0, &set, 1);
    request[18] = 1;
    assert_int_equal(record_check(record), ERR_RESERVED);
}

/* Log time may go back, or as far as it can. */
static void test_record_check_passes_only_what_applies(void **state)
{
    (void)state;
    struct prng prng;
    struct engine_options options = fixture_relaxed_options(1);
    struct fixture *f = fixture_new(&options);
    uint64_t session = fixture_register(f);
    const struct wire_op ops[] = {op_set(1, "a", "value"), op_swap(2, "b", "new", "old"),
                                  op_cancel(2, 7), op_set(3, "c", "value"),
                                  op_of(WIRE_OP_FENCE, 8)};
    struct span whole = record_of(f, session, ops, 5);
    uint64_t index = f->record_count;
    uint32_t applied = 0;
    prng_init(&prng, 20261129);
    for (uint32_t i = 0; i < MUTATIONS; i++) {
        struct engine_lack lack;
        (void)last_record(f);
        for (uint64_t left = prng_range(&prng, 1, 3); left > 0; left--)
            bytes[prng_range(&prng, 0, whole.size_bytes - 1)] = (uint8_t)prng_next(&prng);
        if (record_check(whole) != OK ||
            !engine_can_apply(f->engine, RAFT_ENTRY_DATA, whole, &lack))
            continue;
        engine_apply(f->engine, ++index, 1, RAFT_ENTRY_DATA, whole);
        applied++;
    }
    assert_true(applied > MUTATIONS / 20 && applied < MUTATIONS);
    assert_int_equal(engine_applied_index(f->engine), index);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_check_takes_what_a_leader_makes),
        cmocka_unit_test(test_record_check_names_faults_of_the_frame),
        cmocka_unit_test(test_record_check_names_faults_of_requests),
        cmocka_unit_test(test_record_check_passes_only_what_applies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
