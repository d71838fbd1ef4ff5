/* Relaxed reads by threads that do not own the engine: what they answer, and beside a writer. */
#include "tests/unit/engine/fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#define READERS 2
#define KEYS    8
#define ROUNDS  600

/* The last reply of one reader. */
struct caught {
    uint8_t data[4096];
    size_t size_bytes;
    uint32_t count;
};

static void catch_reply(void *context, const struct address *to, uint8_t type, struct span body)
{
    struct caught *caught = context;
    struct address client = fixture_client();
    assert_true(address_is_equal(to, &client));
    assert_int_equal(type, WIRE_READ_REPLY);
    assert_true(body.size_bytes <= sizeof(caught->data));
    memcpy(caught->data, body.data, body.size_bytes);
    caught->size_bytes = body.size_bytes;
    caught->count++;
}

struct reader {
    struct arena arena;
    struct engine_reader *reader;
    struct caught caught;
};

static void reader_open(struct reader *reader)
{
    struct engine_sink sink = {.send = catch_reply, .context = &reader->caught};
    reader->caught.count = 0;
    assert_int_equal(arena_init(&reader->arena, engine_reader_arena_bytes()), OK);
    reader->reader = engine_reader_init(&reader->arena, &sink);
}

static struct wire_reply ask(struct reader *reader, const struct engine *engine,
                             const struct wire_read *read, const struct wire_read_op *op)
{
    uint8_t buffer[1024];
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    struct address client = fixture_client();
    struct wire_reply reply;
    uint32_t before = reader->caught.count;
    wire_read_begin(&writer, read);
    wire_read_add(&writer, op);
    assert_true(engine_reader_read(reader->reader, engine, &client,
                                   span_of(writer.data, writer.size_bytes)));
    assert_int_equal(reader->caught.count, before + 1);
    assert_int_equal(
        wire_reply_decode(span_of(reader->caught.data, reader->caught.size_bytes), &reply), OK);
    return reply;
}

static void test_reader_answers_as_the_owner_would(void **state)
{
    (void)state;
    struct engine_options options = fixture_relaxed_options(1);
    struct fixture *f = fixture_new(&options);
    struct reader reader;
    struct wire_read read = {.request_number = 7};
    struct wire_read_op op = {.key = text("a")};
    uint64_t session = fixture_register(f);
    struct wire_op set = op_set(1, "a", "one");
    reader_open(&reader);
    f->view.contact_age_ns = 2000000;
    f->view.leader = 3;
    fixture_turn(f, 0);
    fixture_do(f, session, &set);
    engine_reader_begin_turn(reader.reader, f->view.now_ns + 1000000);
    struct wire_reply reply = ask(&reader, f->engine, &read, &op);
    assert_int_equal(reply.number, 7);
    assert_int_equal(reply.incarnation, FIXTURE_INCARNATION);
    assert_int_equal(reply.node, 1);
    assert_int_equal(reply.leader, 3);
    assert_int_equal(reply.term, 1);
    assert_int_equal(reply.applied_index, f->record_count);
    assert_int_equal(reply.contact_age_us, 3000);
    struct wire_reply_op found = fixture_reply_op(&reply, 0);
    assert_int_equal(found.outcome, WIRE_OUTCOME_OK);
    assert_true(span_is_equal(found.chunk, text("one")) && !found.is_pending);
    uint64_t seq = fixture_pend(f, 1, "a", "two");
    reply = ask(&reader, f->engine, &read, &op);
    found = fixture_reply_op(&reply, 0);
    assert_true(span_is_equal(found.chunk, text("two")) && found.is_pending);
    assert_int_equal(found.version, seq);
    read.max_age_us = 2999;
    assert_int_equal(ask(&reader, f->engine, &read, &op).status, WIRE_STATUS_TOO_STALE);
    read.max_age_us = 3000;
    assert_int_equal(ask(&reader, f->engine, &read, &op).status, WIRE_STATUS_OK);
    read.min_index = f->record_count + 1;
    assert_int_equal(ask(&reader, f->engine, &read, &op).status, WIRE_STATUS_TOO_STALE);
    assert_int_equal(engine_reader_counters(reader.reader)->reads_relaxed, 3);
    assert_int_equal(engine_reader_counters(reader.reader)->reads_refused, 2);
    arena_deinit(&reader.arena);
    fixture_free(f);
}

static void test_reader_leaves_consistent_reads_to_the_owner(void **state)
{
    (void)state;
    struct engine_options options = fixture_options();
    struct fixture *f = fixture_new(&options);
    struct reader reader;
    uint8_t buffer[1024];
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    struct wire_read read = {.request_number = 7, .is_consistent = true};
    struct wire_read_op op = {.key = text("a")};
    struct address client = fixture_client();
    reader_open(&reader);
    wire_read_begin(&writer, &read);
    wire_read_add(&writer, &op);
    struct span body = span_of(writer.data, writer.size_bytes);
    assert_false(engine_reader_read(reader.reader, f->engine, &client, body));
    /* Bytes that are no read are nobody's. */
    body.size_bytes--;
    assert_true(engine_reader_read(reader.reader, f->engine, &client, body));
    assert_int_equal(engine_reader_counters(reader.reader)->requests_malformed, 1);
    assert_int_equal(reader.caught.count, 0);
    arena_deinit(&reader.arena);
    fixture_free(f);
}

/* ---- beside the writer ---- */

struct beside {
    pthread_t thread;
    const struct engine *engine;
    _Atomic bool *is_done;
    uint64_t reads;
    uint64_t failures;
};

/* Values are the number of the round in which they were written: 8 bytes, all rounds rising. */
static uint64_t round_of(const struct wire_reply_op *op)
{
    uint64_t round = 0;
    if (op->chunk.size_bytes != sizeof(round))
        return 0;
    memcpy(&round, op->chunk.data, sizeof(round));
    return round;
}

static void look(struct beside *beside, struct reader *reader, uint64_t last_rounds[KEYS],
                 uint64_t *last_index)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        char key[8];
        snprintf(key, sizeof(key), "k%u", i);
        struct wire_read read = {.request_number = 1};
        struct wire_read_op op = {.key = text(key)};
        struct wire_reply reply = ask(reader, beside->engine, &read, &op);
        struct wire_reply_op found = fixture_reply_op(&reply, 0);
        uint64_t round = round_of(&found);
        beside->reads++;
        if (found.outcome != WIRE_OUTCOME_OK || round < last_rounds[i] ||
            reply.applied_index < *last_index)
            beside->failures++;
        last_rounds[i] = round;
        *last_index = reply.applied_index;
    }
}

static void *beside_run(void *context)
{
    struct beside *beside = context;
    struct reader reader;
    uint64_t last_rounds[KEYS] = {0};
    uint64_t last_index = 0;
    rcu_thread_begin();
    reader_open(&reader);
    do { /* at least once, however late this thread was started */
        engine_reader_begin_turn(reader.reader, 1);
        look(beside, &reader, last_rounds, &last_index);
        rcu_turn();
    } while (!atomic_load_explicit(beside->is_done, memory_order_relaxed));
    arena_deinit(&reader.arena);
    rcu_thread_end();
    return NULL;
}

/* Every key is written, consistently or relaxed; the relaxed ones pend and go into the log. */
static void write_round(struct fixture *f, uint64_t session, uint64_t round)
{
    struct fixture_write consistent = {.session = session, .floor = round * KEYS};
    struct fixture_write relaxed = {.session = 77, .is_relaxed = true};
    for (uint32_t i = 0; i < KEYS; i++) {
        char key[8];
        snprintf(key, sizeof(key), "k%u", i);
        bool is_relaxed = i < KEYS / 2 && round > 1;
        struct wire_op op = {.type = WIRE_OP_SET,
                             .seq = round * KEYS + i,
                             .key = text(key),
                             .has_value = true,
                             .value = span_of(&round, sizeof(round))};
        fixture_write(f, is_relaxed ? &relaxed : &consistent, &op, 1);
    }
    fixture_durable(f);
    fixture_turn(f, 1);
    if (fixture_propose(f))
        fixture_commit(f);
    fixture_forget_messages(f);
    fixture_turn(f, 100);
}

static void test_reader_beside_a_writer_sees_what_is_whole_and_newer(void **state)
{
    (void)state;
    struct engine_options options = fixture_relaxed_options(1);
    struct fixture *f = fixture_new(&options);
    _Atomic bool is_done = false;
    struct beside besides[READERS] = {0};
    uint64_t session = fixture_register(f);
    write_round(f, session, 1);
    for (uint32_t i = 0; i < READERS; i++) {
        besides[i].engine = f->engine;
        besides[i].is_done = &is_done;
        assert_int_equal(pthread_create(&besides[i].thread, NULL, beside_run, &besides[i]), 0);
    }
    for (uint64_t round = 2; round < ROUNDS; round++)
        write_round(f, session, round);
    atomic_store_explicit(&is_done, true, memory_order_relaxed);
    rcu_offline();
    for (uint32_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(besides[i].thread, NULL), 0);
    rcu_online();
    for (uint32_t i = 0; i < READERS; i++) {
        assert_int_equal(besides[i].failures, 0);
        assert_true(besides[i].reads > 0);
    }
    assert_int_equal(engine_counters(f->engine)->relaxed_refused, 0);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_answers_as_the_owner_would),
        cmocka_unit_test(test_reader_leaves_consistent_reads_to_the_owner),
        cmocka_unit_test(test_reader_beside_a_writer_sees_what_is_whole_and_newer),
    };
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
