/* Relaxed gets of a handle that reads its own writes: never older than what it has seen. */
#include "tests/unit/client/fake_pair.h"

/* A relaxed get at this home, up to its arrival. */
static void get_arrives(struct pair *pair, struct fake *home, const char *key,
                        struct ending *ending)
{
    struct plx_op op = get_op(key, ending);
    op.call.is_relaxed = true;
    assert_int_equal(plx_submit(pair->client, &op), PLX_OK);
    fake_expect(home, pair->client, WIRE_READ);
    assert_false(home->read.is_consistent);
}

static void test_reader_carries_what_it_has_seen(void **state)
{
    (void)state;
    struct pair pair;
    struct ending set = {0};
    struct ending get = {0};
    pair_open(&pair, 2);
    pair.options.preferred_endpoint = 1;
    pair.options.read_your_writes = true;
    pair.options.max_age_ns = 7000;
    pair.client = fake_client(&pair.options);
    set_arrives(&pair, "key", &set);
    set_ends(&pair, &set);
    get_arrives(&pair, &pair.fakes[1], "key", &get);
    assert_true(pair.fakes[1].read.min_index == set.response.version);
    assert_int_equal(pair.fakes[1].read.max_age_us, 7);
    fake_refuse(&pair.fakes[1], WIRE_READ_REPLY, pair.fakes[1].read.request_number,
                WIRE_STATUS_TOO_STALE);
    fake_finish(&pair.fakes[1], pair.client, &get);
    assert_int_equal(get.response.outcome, PLX_E_TOO_STALE);
    pair_close(&pair);
}

/* A retry may be answered when the write is in the log already, which other nodes may not have. */
static void test_reader_has_seen_a_relaxed_write_that_is_decided(void **state)
{
    (void)state;
    struct pair pair;
    struct ending get = {0};
    pair_open(&pair, 2);
    pair.options.read_your_writes = true;
    pair.client = fake_client(&pair.options);
    pair.fakes[0].journal_done_seq = SEQ;
    set_relaxed(&pair, &pair.fakes[0], "key", SEQ);
    get_arrives(&pair, &pair.fakes[0], "key", &get);
    assert_int_equal(pair.fakes[0].read.min_index, 77); /* applied when it was answered */
    pair_close(&pair);
}

static void test_reader_has_seen_what_a_swap_was_shown(void **state)
{
    (void)state;
    struct pair pair;
    struct ending swap = {0};
    struct ending get = {0};
    pair_open(&pair, 2);
    pair.options.read_your_writes = true;
    pair.client = fake_client(&pair.options);
    struct plx_op op = set_op("key", "new", &swap);
    op.type = PLX_OP_SWAP;
    op.old_value = PLX_ABSENT;
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
    struct wire_reply_op mismatch = {.seq = pair.fakes[0].ops[0].seq,
                                     .outcome = WIRE_OUTCOME_MISMATCH,
                                     .has_value = true,
                                     .version = 33,
                                     .value_size_bytes = 1,
                                     .chunk = span_of("x", 1)};
    fake_answer(&pair.fakes[0], WIRE_WRITE_REPLY, pair.fakes[0].write.packet_number, &mismatch);
    fake_finish(&pair.fakes[0], pair.client, &swap);
    assert_int_equal(swap.response.outcome, PLX_MISMATCH);
    get_arrives(&pair, &pair.fakes[0], "key", &get);
    assert_int_equal(pair.fakes[0].read.min_index, 33);
    pair_close(&pair);
}

static void test_reader_is_not_shown_less_than_its_own_write(void **state)
{
    (void)state;
    struct pair pair;
    struct ending first = {0};
    struct ending second = {0};
    pair_open(&pair, 2);
    pair.options.read_your_writes = true;
    pair.client = fake_client(&pair.options);
    set_relaxed(&pair, &pair.fakes[0], "key", SEQ);
    /* The home is silent; another node answers, which cannot have the pending write. */
    get_arrives(&pair, &pair.fakes[1], "key", &first);
    fake_answer(&pair.fakes[1], WIRE_READ_REPLY, pair.fakes[1].read.request_number,
                &(struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND});
    fake_finish(&pair.fakes[1], pair.client, &first);
    assert_int_equal(first.response.outcome, PLX_E_TOO_STALE);
    /* The former home was asked: it is replicated, so the answer is as good as of anybody that
     * has applied as much. */
    pair.fakes[0].journal_done_seq = SEQ;
    uint32_t hellos = pair.fakes[0].hellos;
    while (pair.fakes[0].hellos == hellos)
        assert_true(!fake_try(&pair.fakes[0]) || pair.fakes[0].type == WIRE_READ);
    (void)plx_poll(pair.client, 0);
    get_arrives(&pair, &pair.fakes[1], "key", &second);
    assert_int_equal(pair.fakes[1].read.min_index, 77);
    fake_answer(&pair.fakes[1], WIRE_READ_REPLY, pair.fakes[1].read.request_number,
                &(struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND});
    fake_finish(&pair.fakes[1], pair.client, &second);
    assert_int_equal(second.response.outcome, PLX_NOT_FOUND);
    pair_close(&pair);
}

/* Its own write is decided while the get is under way: the node that answers must have it, too. */
static void test_reader_is_not_shown_less_than_what_is_decided_meanwhile(void **state)
{
    (void)state;
    struct pair pair;
    struct ending get = {0};
    struct ending set = {0};
    pair_open(&pair, 2);
    pair.options.read_your_writes = true;
    pair.client = fake_client(&pair.options);
    set_relaxed(&pair, &pair.fakes[0], "key", SEQ);
    get_arrives(&pair, &pair.fakes[1], "key", &get);
    pair.fakes[0].journal_done_seq = SEQ;
    while (fake_try(&pair.fakes[0]))
        continue; /* reads that it left unanswered */
    set_arrives(&pair, "other", &set);
    set_ends(&pair, &set);
    pair.fakes[1].applied_index = 76;
    fake_answer(&pair.fakes[1], WIRE_READ_REPLY, pair.fakes[1].read.request_number,
                &(struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND});
    fake_finish(&pair.fakes[1], pair.client, &get);
    assert_int_equal(get.response.outcome, PLX_E_TOO_STALE);
    pair_close(&pair);
}

/* Its own write is overruled by a later one while the get is under way: one of the two is seen. */
static void test_reader_is_not_shown_less_than_what_overrules_meanwhile(void **state)
{
    (void)state;
    struct pair pair;
    struct ending get = {0};
    struct ending set = {0};
    pair_open(&pair, 2);
    pair.options.read_your_writes = true;
    pair.client = fake_client(&pair.options);
    set_relaxed(&pair, &pair.fakes[0], "key", SEQ);
    get_arrives(&pair, &pair.fakes[1], "key", &get);
    while (fake_try(&pair.fakes[0]))
        continue; /* reads that it left unanswered */
    set_arrives(&pair, "key", &set);
    assert_int_equal(pair.fakes[0].ops[0].type, WIRE_OP_CANCEL);
    set_ends(&pair, &set);
    pair.fakes[1].applied_index = set.response.version - 1;
    fake_answer(&pair.fakes[1], WIRE_READ_REPLY, pair.fakes[1].read.request_number,
                &(struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND});
    fake_finish(&pair.fakes[1], pair.client, &get);
    assert_int_equal(get.response.outcome, PLX_E_TOO_STALE);
    pair_close(&pair);
}

/* What the node said later comes first: the write is in the log already, at an index up to the one
 * of that answer, and is neither cancelled nor waited for. */
static void test_reader_hears_that_a_write_is_decided_before_it_hears_of_the_write(void **state)
{
    (void)state;
    struct pair pair;
    struct ending write = {0};
    struct ending read = {0};
    struct ending later = {0};
    pair_open(&pair, 1);
    pair.options.read_your_writes = true;
    pair.client = fake_client(&pair.options);
    struct fake *home = &pair.fakes[0];
    struct plx_op op = relaxed_op("key", "value", &write);
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_expect(home, pair.client, WIRE_WRITE);
    struct wire_reply_op accepted = {
        .seq = home->ops[0].seq, .outcome = WIRE_OUTCOME_OK, .is_pending = true, .version = SEQ};
    uint64_t number = home->write.packet_number;
    struct plx_op get = get_op("other", &read);
    get.call.is_relaxed = true;
    assert_int_equal(plx_submit(pair.client, &get), PLX_OK);
    do {
        (void)plx_poll(pair.client, FAKE_POLL_NS);
    } while (!fake_try(home) || home->type != WIRE_READ);
    home->applied_index = 500;
    home->journal_done_seq = SEQ;
    fake_answer(home, WIRE_READ_REPLY, home->read.request_number,
                &(struct wire_reply_op){.outcome = WIRE_OUTCOME_OK, .version = 3});
    home->applied_index = 400;
    home->journal_done_seq = SEQ - 1;
    fake_answer(home, WIRE_WRITE_REPLY, number, &accepted);
    fake_finish(NULL, pair.client, &write);
    home->applied_index = 500;
    home->journal_done_seq = SEQ;
    op = set_op("key", "later", &later);
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    do {
        fake_expect(home, pair.client, WIRE_WRITE);
    } while (home->write.is_relaxed); /* sent again meanwhile */
    assert_int_equal(home->request.op_count, 1);
    read = (struct ending){0};
    assert_int_equal(plx_submit(pair.client, &get), PLX_OK);
    do {
        (void)plx_poll(pair.client, FAKE_POLL_NS);
    } while (!fake_try(home) || home->type != WIRE_READ);
    assert_true(home->read.min_index == 500);
    pair_close(&pair);
}

/* What it had seen may be lost with the nodes that are gone, and the log may not come so far. */
static void test_reader_of_a_later_era_has_seen_nothing(void **state)
{
    (void)state;
    struct pair pair;
    struct ending set = {0};
    struct ending get = {0};
    pair_open(&pair, 2);
    for (uint32_t at = 0; at < 2; at++) {
        pair.fakes[at].cluster = 77;
        pair.fakes[at].era = 1;
    }
    pair.options.read_your_writes = true;
    pair.client = fake_client(&pair.options);
    struct fake *home = &pair.fakes[0];
    set_arrives(&pair, "key", &set);
    set_ends(&pair, &set);
    struct plx_op op = get_op("key", &get);
    op.call.is_relaxed = true;
    op.call.is_blocking = true;
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_expect(home, pair.client, WIRE_READ);
    assert_true(home->read.min_index == set.response.version);
    for (uint32_t at = 0; at < 2; at++) {
        pair.fakes[at].era = 2;
        pair.fakes[at].incarnation++;
    }
    fake_refuse(home, WIRE_READ_REPLY, home->read.request_number, WIRE_STATUS_INCARNATION);
    uint32_t asked = 0;
    do { /* it greets the node first */
        fake_expect(home, pair.client, WIRE_READ);
    } while (home->read.min_index != 0 && ++asked < FAKE_POLLS_MAX);
    assert_true(home->read.min_index == 0);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_hears_that_a_write_is_decided_before_it_hears_of_the_write),
        cmocka_unit_test(test_reader_carries_what_it_has_seen),
        cmocka_unit_test(test_reader_of_a_later_era_has_seen_nothing),
        cmocka_unit_test(test_reader_has_seen_a_relaxed_write_that_is_decided),
        cmocka_unit_test(test_reader_has_seen_what_a_swap_was_shown),
        cmocka_unit_test(test_reader_is_not_shown_less_than_its_own_write),
        cmocka_unit_test(test_reader_is_not_shown_less_than_what_is_decided_meanwhile),
        cmocka_unit_test(test_reader_is_not_shown_less_than_what_overrules_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
