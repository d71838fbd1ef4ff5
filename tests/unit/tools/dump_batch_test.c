/* The requests of a batch, and what they decide of relaxed writes. */
#include "base/le.h"
#include "engine/service/batch.h"
#include "tools/dump/batch_walk.h"
#include "tools/dump/decided.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SERIES 77u

struct batch_bytes {
    uint8_t bytes[4096];
    size_t size_bytes;
};

static void begin(struct batch_bytes *batch)
{
    memset(batch->bytes, 0, sizeof(batch->bytes));
    le64_store(batch->bytes, 4711); /* log time */
    batch->size_bytes = RECORD_PREFIX_SIZE_BYTES;
}

/* A request with one op, of a session or a series. */
static void add(struct batch_bytes *batch, uint64_t session, uint64_t floor,
                const struct wire_op *op)
{
    uint8_t request[512];
    struct wire_writer writer = {.data = request, .capacity_bytes = sizeof(request)};
    wire_request_begin(&writer, session, floor);
    wire_request_add(&writer, op);
    uint8_t *at = batch->bytes + batch->size_bytes;
    le32_store(at, (uint32_t)writer.size_bytes);
    memcpy(at + REQUEST_PREFIX_SIZE_BYTES, request, writer.size_bytes);
    batch->size_bytes += (REQUEST_PREFIX_SIZE_BYTES + writer.size_bytes + REQUEST_ALIGN_BYTES - 1) /
                         REQUEST_ALIGN_BYTES * REQUEST_ALIGN_BYTES;
    le32_store(batch->bytes + 8, le32_load(batch->bytes + 8) + 1);
}

static void add_set(struct batch_bytes *batch, uint64_t session, uint64_t floor, uint64_t seq)
{
    const struct wire_op op = {.type = WIRE_OP_SET,
                               .has_value = true,
                               .seq = seq,
                               .tag = 1,
                               .key = span_of("key", 3),
                               .value = span_of("value", 5)};
    add(batch, session, floor, &op);
}

static struct span payload_of(const struct batch_bytes *batch)
{
    return span_of(batch->bytes, batch->size_bytes);
}

static void test_batch_has_its_requests(void **state)
{
    struct batch_bytes batch;
    struct batch_walk walk;
    struct span request;
    struct wire_request decoded;
    (void)state;
    begin(&batch);
    add_set(&batch, 5, 1, 1);
    add_set(&batch, 6, 1, 2);
    assert_int_equal(batch_walk_begin(payload_of(&batch), &walk), OK);
    assert_int_equal(walk.count, 2);
    assert_int_equal(walk.log_time_ns, 4711);
    for (uint64_t session = 5; session <= 6; session++) {
        assert_int_equal(batch_walk_next(&walk, &request), OK);
        assert_int_equal(wire_request_decode(request, &decoded), OK);
        assert_int_equal(decoded.session, session);
    }
    assert_int_equal(batch_walk_next(&walk, &request), ERR_NOT_FOUND);
}

static enum error walk_all(struct span payload)
{
    struct batch_walk walk;
    struct span request;
    enum error error = batch_walk_begin(payload, &walk);
    while (error == OK)
        error = batch_walk_next(&walk, &request);
    return error;
}

static void test_batch_that_contradicts_itself_is_an_error(void **state)
{
    struct batch_bytes batch;
    (void)state;
    begin(&batch);
    add_set(&batch, 5, 1, 1);
    assert_int_equal(walk_all(span_of(batch.bytes, RECORD_PREFIX_SIZE_BYTES - 1)), ERR_SHORT);
    assert_int_equal(walk_all(span_of(batch.bytes, RECORD_PREFIX_SIZE_BYTES + 3)), ERR_SHORT);
    assert_int_equal(walk_all(span_of(batch.bytes, batch.size_bytes - 1)), ERR_SHORT);
    assert_int_equal(walk_all(span_of(batch.bytes, batch.size_bytes + 8)), ERR_TRAILING);
    le32_store(batch.bytes + RECORD_PREFIX_SIZE_BYTES, UINT32_MAX);
    assert_int_equal(walk_all(payload_of(&batch)), ERR_SHORT);
    le32_store(batch.bytes + 8, BATCH_REQUESTS_MAX + 1);
    assert_int_equal(walk_all(payload_of(&batch)), ERR_RANGE);
}

static void test_decided_follows_what_a_series_forwards(void **state)
{
    struct batch_bytes batch;
    struct decided decided = {0};
    const struct wire_op fence = {.type = WIRE_OP_FENCE, .seq = 30};
    (void)state;
    begin(&batch);
    add_set(&batch, WIRE_NODE_SESSION(SERIES), 0, 3);
    add_set(&batch, SERIES, 0, 9);                    /* a client's session */
    add_set(&batch, WIRE_NODE_SESSION(SERIES), 5, 8); /* what comes before is missing: blocked */
    decided_take_batch(&decided, payload_of(&batch));
    assert_int_equal(decided_seq(&decided, SERIES), 3);
    assert_int_equal(decided_seq(&decided, SERIES + 1), 0);
    begin(&batch);
    add_set(&batch, WIRE_NODE_SESSION(SERIES), 3, 8);
    add_set(&batch, WIRE_NODE_SESSION(SERIES), 0, 2); /* late */
    decided_take_batch(&decided, payload_of(&batch));
    assert_int_equal(decided_seq(&decided, SERIES), 8);
    begin(&batch);
    add(&batch, WIRE_NODE_SESSION(SERIES), 0, &fence);
    decided_take_batch(&decided, payload_of(&batch));
    assert_int_equal(decided_seq(&decided, SERIES), 30);
    decided_take_batch(&decided, span_of("no batch", 8));
    assert_int_equal(decided_seq(&decided, SERIES), 30);
}

static void test_decided_forgets_no_series_it_has(void **state)
{
    struct decided decided = {0};
    (void)state;
    for (uint64_t series = 1; series <= DECIDED_SERIES_MAX + 5; series++)
        decided_note(&decided, series, series);
    assert_int_equal(decided_seq(&decided, 1), 1);
    assert_int_equal(decided_seq(&decided, DECIDED_SERIES_MAX), DECIDED_SERIES_MAX);
    assert_int_equal(decided_seq(&decided, DECIDED_SERIES_MAX + 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_has_its_requests),
        cmocka_unit_test(test_batch_that_contradicts_itself_is_an_error),
        cmocka_unit_test(test_decided_follows_what_a_series_forwards),
        cmocka_unit_test(test_decided_forgets_no_series_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
