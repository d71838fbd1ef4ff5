/* Values: read in chunks of one version, written in pieces whose holes are filled. */
#include "client/large.h"
#include "client/packet.h"
#include "tests/unit/client/fake_node.h"

static uint8_t value[VALUE_SIZE_BYTES_MAX];
static uint8_t got[VALUE_SIZE_BYTES_MAX];

static void value_fill(void)
{
    for (size_t i = 0; i < sizeof(value); i++)
        value[i] = (uint8_t)(i * 7 + i / 251);
}

/* As ending_done, but keeps the value, which is only borrowed. */
static void keep_done(void *context, const struct plx_response *response)
{
    if (response->value.size_bytes > 0)
        memcpy(got, response->value.data, response->value.size_bytes);
    ending_done(context, response);
}

/* The chunk that was asked for, of a value of this size and version. */
static void answer_chunk(struct fake *fake, size_t size_bytes, uint64_t version)
{
    const struct wire_read_op *op = &fake->read_ops[0];
    size_t left = size_bytes - op->offset_bytes;
    size_t chunk = left < REPLY_CHUNK_SIZE_BYTES_MAX ? left : REPLY_CHUNK_SIZE_BYTES_MAX;
    fake_answer(fake, WIRE_READ_REPLY, fake->read.request_number,
                &(struct wire_reply_op){.outcome = WIRE_OUTCOME_OK,
                                        .has_value = true,
                                        .version = version,
                                        .value_size_bytes = (uint32_t)size_bytes,
                                        .chunk = span_of(value + op->offset_bytes, chunk)});
}

static void test_value_small_comes_in_one_answer(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = get_op("key", &ending);
    op.done = keep_done;
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fake, client, WIRE_READ);
    assert_true(fake.read.is_consistent && fake.read.timeout_us > 0);
    assert_true(span_is_equal(fake.read_ops[0].key, span_of("key", 3)));
    answer_chunk(&fake, 100, 41);
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_true(ending.response.has_value && !ending.response.is_truncated);
    assert_int_equal(ending.response.value_size_bytes, 100);
    assert_true(ending.response.version == 41);
    assert_memory_equal(got, value, 100);

    ending.count = 0;
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fake, client, WIRE_READ);
    fake_answer(&fake, WIRE_READ_REPLY, fake.read.request_number,
                &(struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND});
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_NOT_FOUND);
    assert_false(ending.response.has_value);
    assert_false(ending.response.valid || ending.response.timeout);
    plx_close(client);
    fake_close(&fake);
}

static void test_value_large_is_read_on_at_one_version(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = get_op("key", &ending);
    op.done = keep_done;
    const size_t size_bytes = 5 * REPLY_CHUNK_SIZE_BYTES_MAX + 17;
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    for (uint32_t i = 0; i < 6; i++) {
        do { /* on a busy machine the chunk before may be asked for once more */
            fake_expect(&fake, client, WIRE_READ);
        } while (fake.read_ops[0].offset_bytes + REPLY_CHUNK_SIZE_BYTES_MAX ==
                 i * REPLY_CHUNK_SIZE_BYTES_MAX);
        assert_int_equal(fake.read_ops[0].offset_bytes, i * REPLY_CHUNK_SIZE_BYTES_MAX);
        assert_true(fake.read_ops[0].version == (i == 0 ? 0 : 41));
        answer_chunk(&fake, size_bytes, 41);
    }
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_int_equal(ending.response.value.size_bytes, size_bytes);
    assert_false(ending.response.is_truncated);
    assert_memory_equal(got, value, size_bytes);
    plx_close(client);
    fake_close(&fake);
}

#define LARGE_READS 6 /* more than there is memory for at a time */

/* They take turns. */
static void test_value_large_are_received_by_turns(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    options.packet_ops_max = 1;
    struct plx_client *client = fake_client(&options);
    struct ending endings[LARGE_READS] = {0};
    const size_t size_bytes = 2 * REPLY_CHUNK_SIZE_BYTES_MAX + 17;
    for (uint32_t i = 0; i < LARGE_READS; i++) {
        struct plx_op op = get_op("key", &endings[i]);
        op.done = keep_done;
        op.call.is_blocking = true;
        assert_int_equal(plx_submit(client, &op), PLX_OK);
    }
    for (uint32_t polls = 0; plx_in_flight(client) > 0 && polls < FAKE_POLLS_MAX; polls++) {
        (void)plx_poll(client, FAKE_POLL_NS);
        while (fake_try(&fake)) {
            if (fake.type == WIRE_READ)
                answer_chunk(&fake, size_bytes, 41);
        }
    }
    for (uint32_t i = 0; i < LARGE_READS; i++) {
        assert_int_equal(endings[i].count, 1);
        assert_int_equal(endings[i].response.outcome, PLX_OK);
        assert_int_equal(endings[i].response.value.size_bytes, size_bytes);
    }
    assert_memory_equal(got, value, size_bytes);
    plx_close(client);
    fake_close(&fake);
}

/* A chunk asked for twice is answered twice, and counts once. */
static void test_value_takes_each_chunk_once(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = get_op("key", &ending);
    op.done = keep_done;
    const size_t size_bytes = 3 * REPLY_CHUNK_SIZE_BYTES_MAX + 17;
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fake, client, WIRE_READ);
    uint64_t first = fake.read.request_number;
    fake_expect(&fake, client, WIRE_READ); /* unanswered: asked for again */
    assert_int_equal(fake.read_ops[0].offset_bytes, 0);
    uint64_t late = fake_statistics(client).replies_late;
    answer_chunk(&fake, size_bytes, 41);
    fake.read.request_number = first;
    answer_chunk(&fake, size_bytes, 41);
    for (uint32_t offset = REPLY_CHUNK_SIZE_BYTES_MAX; offset < size_bytes;
         offset += REPLY_CHUNK_SIZE_BYTES_MAX) {
        do {
            fake_expect(&fake, client, WIRE_READ);
        } while (fake.read_ops[0].offset_bytes != offset);
        assert_true(fake.read_ops[0].version == 41);
        answer_chunk(&fake, size_bytes, 41);
    }
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_int_equal(ending.response.value.size_bytes, size_bytes);
    assert_memory_equal(got, value, size_bytes);
    assert_true(fake_statistics(client).replies_late >= late + 1);
    plx_close(client);
    fake_close(&fake);
}

static void test_value_that_changed_is_read_from_the_beginning(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = get_op("key", &ending);
    op.done = keep_done;
    const size_t size_bytes = REPLY_CHUNK_SIZE_BYTES_MAX + 1;
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fake, client, WIRE_READ);
    answer_chunk(&fake, size_bytes, 41);
    fake_expect(&fake, client, WIRE_READ);
    fake_answer(&fake, WIRE_READ_REPLY, fake.read.request_number,
                &(struct wire_reply_op){.outcome = WIRE_OUTCOME_VERSION});
    fake_expect(&fake, client, WIRE_READ);
    assert_true(fake.read_ops[0].offset_bytes == 0 && fake.read_ops[0].version == 0);
    answer_chunk(&fake, size_bytes, 42);
    fake_expect(&fake, client, WIRE_READ);
    assert_true(fake.read_ops[0].version == 42);
    answer_chunk(&fake, size_bytes, 42);
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_true(ending.response.version == 42);
    assert_memory_equal(got, value, size_bytes);
    plx_close(client);
    fake_close(&fake);
}

static void test_value_fills_the_buffer_of_the_caller_and_no_more(void **state)
{
    (void)state;
    static uint8_t buffer[REPLY_CHUNK_SIZE_BYTES_MAX + 100];
    static const size_t rooms[] = {0, 10, 100, REPLY_CHUNK_SIZE_BYTES_MAX + 50};
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    const size_t size_bytes = 4 * REPLY_CHUNK_SIZE_BYTES_MAX;
    for (uint32_t i = 0; i < 4; i++) {
        struct ending ending = {0};
        struct plx_op op = get_op("key", &ending);
        op.call.buffer = buffer;
        op.call.buffer_size_bytes = rooms[i];
        memset(buffer, 0xEE, sizeof(buffer));
        assert_int_equal(plx_submit(client, &op), PLX_OK);
        while (ending.count == 0) {
            (void)plx_poll(client, FAKE_POLL_NS);
            if (fake_try(&fake))
                answer_chunk(&fake, size_bytes, 41);
        }
        assert_int_equal(ending.response.outcome, PLX_OK);
        assert_true(ending.response.is_truncated);
        assert_ptr_equal(ending.response.value.data, buffer);
        assert_int_equal(ending.response.value.size_bytes, rooms[i]);
        assert_int_equal(ending.response.value_size_bytes, size_bytes);
        assert_memory_equal(buffer, value, rooms[i]);
        assert_int_equal(buffer[rooms[i]], 0xEE);
    }
    plx_close(client);
    fake_close(&fake);
}

#define LARGE_COUNT 4 /* requests of several packets that are under way at a time */

static void large_set(struct plx_client *client, struct ending *ending)
{
    struct plx_op op = set_op("key", "", ending);
    op.value = (struct plx_bytes){value, sizeof(value)};
    assert_int_equal(plx_submit(client, &op), PLX_OK);
}

static void test_value_large_is_written_in_pieces(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    large_set(client, &ending);
    fake_expect(&fake, client, WIRE_WRITE);
    assert_true(fake.packets >= sizeof(value) / PACKET_PAYLOAD_SIZE_BYTES_USUAL);
    assert_int_equal(fake.ops[0].value.size_bytes, sizeof(value));
    assert_memory_equal(fake.ops[0].value.data, value, sizeof(value));
    assert_true(fake.ops[0].seq == 1);
    fake_outcome_all(&fake, WIRE_OUTCOME_OK);
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    plx_close(client);
    fake_close(&fake);
}

/* True when one more piece has reached the node. */
static bool fake_piece(struct fake *fake)
{
    uint32_t before = fake->pieces;
    assert_false(fake_receive(fake) && !fake_is_routine(fake));
    return fake->pieces > before;
}

/* Loses the piece of the large set that comes next but `skip`. */
static void lose_piece(struct fake *fake, struct plx_client *client, uint32_t skip)
{
    bool is_lost = false;
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && !is_lost; i++) {
        uint8_t head[PACKET_HEADER_SIZE_BYTES];
        (void)plx_poll(client, FAKE_POLL_NS);
        if (fake->registrations == 1 && skip == 0)
            is_lost = recv(fake->fds[0], head, sizeof(head), 0) == sizeof(head) &&
                      wire_packet_type(span_of(head, sizeof(head))) != WIRE_PATH;
        else if (fake->registrations == 1)
            skip -= fake_piece(fake);
        else
            (void)fake_try(fake);
    }
    assert_true(is_lost);
}

/* The first piece is lost: it comes again after a silence, alone; and then, unanswered, comes a new
 * transmission. */
static void test_value_large_is_repeated_before_it_is_sent_anew(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    large_set(client, &ending);
    const uint32_t pieces = wire_piece_count(sizeof(value) + 200, PIECE_SIZE_BYTES_MIN);
    lose_piece(&fake, client, 0);
    uint32_t before = fake.pieces;
    fake_expect(&fake, client, WIRE_WRITE);
    assert_memory_equal(fake.ops[0].value.data, value, sizeof(value));
    assert_int_equal(fake.pieces - before, pieces); /* one of them behind the others */
    uint64_t number = fake.write.packet_number;
    fake_expect(&fake, client, WIRE_WRITE);
    assert_true(fake.write.packet_number > number && fake.ops[0].seq == 1);
    fake_outcome_all(&fake, WIRE_OUTCOME_OK);
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    plx_close(client);
    fake_close(&fake);
}

/* The node has it whole, and needs time to write it and to send it on: nothing is said again as
 * soon as a small one would be. */
static void test_value_large_is_given_time(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    options.rto_min_ns = 1000 * 1000;
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    large_set(client, &ending);
    fake_expect(&fake, client, WIRE_WRITE);
    uint64_t begin_ns = clock_monotonic_ns();
    uint32_t before = fake.pieces;
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && fake.pieces == before; i++) {
        (void)plx_poll(client, FAKE_POLL_NS);
        (void)fake_try(&fake);
    }
    assert_true(fake.pieces > before);
    assert_true(clock_monotonic_ns() - begin_ns >= (uint64_t)LARGE_NS_PER_BYTE * sizeof(value));
    fake_outcome_all(&fake, WIRE_OUTCOME_OK);
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    plx_close(client);
    fake_close(&fake);
}

/* The node asks for what it lacks. */
static void fake_ask(struct fake *fake)
{
    uint8_t body[WIRE_MISSING_SIZE_BYTES_MAX];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct reassembly_ask ask;
    assert_true(reassembly_ask(fake->reassembly, UINT64_MAX - 1, &ask));
    wire_missing_encode(&writer, &ask.missing);
    fake_send(fake, WIRE_MISSING, span_of(body, writer.size_bytes));
}

static void test_value_large_sends_the_pieces_that_are_asked_for(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    options.rto_min_ns = 90 * 1000 * 1000; /* it is silent for long */
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    large_set(client, &ending);
    const uint32_t pieces = wire_piece_count(sizeof(value) + 200, PIECE_SIZE_BYTES_MIN);
    lose_piece(&fake, client, 3);
    lose_piece(&fake, client, 5);
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && fake.pieces < pieces - 2; i++) {
        (void)plx_poll(client, FAKE_POLL_NS);
        assert_false(fake_try(&fake));
    }
    assert_int_equal(fake.pieces, pieces - 2);
    fake_ask(&fake);
    fake_expect(&fake, client, WIRE_WRITE);
    assert_int_equal(fake.pieces, pieces);
    assert_memory_equal(fake.ops[0].value.data, value, sizeof(value));
    fake_outcome_all(&fake, WIRE_OUTCOME_OK);
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    plx_close(client);
    fake_close(&fake);
}

/* A piece of a reply is lost: the client asks for it, and for no more. */
static void test_value_asks_for_the_missing_piece_of_a_reply(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    options.rto_min_ns = 90 * 1000 * 1000;
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = get_op("key", &ending);
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fake, client, WIRE_READ);
    const struct wire_reply_op answer = {.outcome = WIRE_OUTCOME_OK,
                                         .version = 9,
                                         .has_value = true,
                                         .value_size_bytes = 5000,
                                         .chunk = span_of(value, 5000)};
    fake.lost_piece = 2;
    fake_answer(&fake, WIRE_READ_REPLY, fake.read.request_number, &answer);
    fake_expect(&fake, client, WIRE_MISSING);
    struct wire_missing missing;
    assert_int_equal(wire_missing_decode(fake.body, &missing), OK);
    assert_true(missing.message_id == fake.message_id && missing.range_count == 1);
    assert_int_equal(missing.ranges[0].first, 2);
    assert_int_equal(missing.ranges[0].count, 1);
    fake.message_id--; /* the same message */
    fake_answer(&fake, WIRE_READ_REPLY, fake.read.request_number, &answer);
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_int_equal(ending.response.value_size_bytes, 5000);
    plx_close(client);
    fake_close(&fake);
}

static void test_value_mismatch_returns_what_is_stored(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = set_op("key", "new", &ending);
    op.type = PLX_OP_SWAP;
    op.done = keep_done;
    op.old_value = PLX_ABSENT;
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fake, client, WIRE_WRITE);
    assert_int_equal(fake.ops[0].type, WIRE_OP_SWAP);
    assert_true(fake.ops[0].has_value && !fake.ops[0].has_old);
    fake_answer(&fake, WIRE_WRITE_REPLY, fake.write.packet_number,
                &(struct wire_reply_op){.seq = 1,
                                        .outcome = WIRE_OUTCOME_MISMATCH,
                                        .has_value = true,
                                        .value_size_bytes = 6,
                                        .chunk = span_of("stored", 6)});
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_MISMATCH);
    assert_true(ending.response.has_value);
    assert_false(ending.response.valid || ending.response.timeout);
    assert_memory_equal(got, "stored", 6);
    plx_close(client);
    fake_close(&fake);
}

/* Absent is a value like others; an empty one is not absent. */
static void test_value_may_be_absent_on_either_side(void **state)
{
    (void)state;
    static const struct {
        enum plx_op_type type;
        const char *value;
        const char *old_value;
    } cases[] = {{PLX_OP_SET, NULL, NULL},   {PLX_OP_SET, "", NULL}, {PLX_OP_SWAP, "new", NULL},
                 {PLX_OP_SWAP, NULL, "old"}, {PLX_OP_SWAP, "", ""},  {PLX_OP_SWAP, NULL, NULL}};
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ending ending = {0};
        struct plx_op op = set_op("key", cases[i].value, &ending);
        op.type = cases[i].type;
        op.old_value = plx_text(cases[i].old_value);
        if (cases[i].value == NULL)
            op.value = PLX_ABSENT;
        if (cases[i].old_value == NULL)
            op.old_value = PLX_ABSENT;
        op.call.is_relaxed = op.type == PLX_OP_SWAP; /* which a swap never is */
        assert_int_equal(plx_submit(client, &op), PLX_OK);
        fake_expect(&fake, client, WIRE_WRITE);
        assert_int_equal(fake.ops[0].type, op.type == PLX_OP_SWAP ? WIRE_OP_SWAP : WIRE_OP_SET);
        assert_false(fake.write.is_relaxed);
        assert_int_equal(fake.ops[0].has_value, cases[i].value != NULL);
        assert_int_equal(fake.ops[0].has_old, cases[i].old_value != NULL);
        fake_outcome_all(&fake, WIRE_OUTCOME_OK);
        fake_finish(&fake, client, &ending);
        assert_int_equal(ending.response.outcome, PLX_OK);
    }
    plx_close(client);
    fake_close(&fake);
}

static void test_value_and_key_beyond_their_limits_are_refused(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = set_op("key", "value", &ending);
    op.value = (struct plx_bytes){value, (size_t)PLX_VALUE_SIZE_BYTES_MAX + 1};
    assert_int_equal(plx_submit(client, &op), PLX_E_TOO_LARGE);
    op.type = PLX_OP_SWAP;
    op.value = plx_text("value");
    op.old_value = (struct plx_bytes){value, (size_t)PLX_VALUE_SIZE_BYTES_MAX + 1};
    assert_int_equal(plx_submit(client, &op), PLX_E_TOO_LARGE);
    op.old_value = PLX_ABSENT;
    op.key = (struct plx_bytes){value, PLX_KEY_SIZE_BYTES_MAX + 1};
    assert_int_equal(plx_submit(client, &op), PLX_E_TOO_LARGE);
    op.key = plx_text("");
    assert_int_equal(plx_submit(client, &op), PLX_E_ARGUMENT);
    op.key = PLX_ABSENT;
    assert_int_equal(plx_submit(client, &op), PLX_E_ARGUMENT);
    op = set_op("key", "value", &ending);
    op.done = NULL;
    assert_int_equal(plx_submit(client, &op), PLX_E_ARGUMENT);
    op = set_op("key", "value", &ending);
    op.type = (enum plx_op_type)9;
    assert_int_equal(plx_submit(client, &op), PLX_E_ARGUMENT);
    assert_int_equal(plx_get(client, plx_text(""), NULL).outcome, PLX_E_ARGUMENT);
    assert_int_equal(plx_in_flight(client), 0);
    plx_close(client);
    fake_close(&fake);
}

/* The places of large requests are few: those of a silent node leave some to the leader. */
static void test_value_large_passes_those_to_a_silent_node(void **state)
{
    (void)state;
    struct fake fakes[2];
    struct ending endings[LARGE_COUNT + 1] = {{0}};
    fake_open(&fakes[0], 1);
    fake_open(&fakes[1], 2);
    fakes[1].is_leader = false;
    struct plx_options options = fake_options(fakes, 2);
    options.preferred_endpoint = 1;
    struct plx_client *client = fake_client(&options);
    struct plx_op op = set_op("key", "", NULL);
    op.value = (struct plx_bytes){value, 3000};
    op.call = (struct plx_call){.is_relaxed = true, .is_blocking = true};
    for (uint32_t i = 0; i < LARGE_COUNT; i++) {
        op.context = &endings[i];
        assert_int_equal(plx_submit(client, &op), PLX_OK);
    }
    for (uint32_t arrived = 0; arrived < LARGE_COUNT; arrived += fake_try(&fakes[1]))
        (void)plx_poll(client, FAKE_POLL_NS);
    op.call.is_relaxed = false;
    op.context = &endings[LARGE_COUNT];
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fakes[0], client, WIRE_WRITE);
    fake_outcome_all(&fakes[0], WIRE_OUTCOME_OK);
    fake_finish(&fakes[0], client, &endings[LARGE_COUNT]);
    assert_int_equal(endings[LARGE_COUNT].response.outcome, PLX_OK);
    plx_close(client);
    fake_close(&fakes[0]);
    fake_close(&fakes[1]);
}

int main(void)
{
    value_fill();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_small_comes_in_one_answer),
        cmocka_unit_test(test_value_large_is_read_on_at_one_version),
        cmocka_unit_test(test_value_large_are_received_by_turns),
        cmocka_unit_test(test_value_takes_each_chunk_once),
        cmocka_unit_test(test_value_that_changed_is_read_from_the_beginning),
        cmocka_unit_test(test_value_fills_the_buffer_of_the_caller_and_no_more),
        cmocka_unit_test(test_value_large_is_written_in_pieces),
        cmocka_unit_test(test_value_large_is_repeated_before_it_is_sent_anew),
        cmocka_unit_test(test_value_large_is_given_time),
        cmocka_unit_test(test_value_large_sends_the_pieces_that_are_asked_for),
        cmocka_unit_test(test_value_asks_for_the_missing_piece_of_a_reply),
        cmocka_unit_test(test_value_large_passes_those_to_a_silent_node),
        cmocka_unit_test(test_value_mismatch_returns_what_is_stored),
        cmocka_unit_test(test_value_may_be_absent_on_either_side),
        cmocka_unit_test(test_value_and_key_beyond_their_limits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
