/* Pending writes: order, gaps, room, and what readers find. */
#include "tests/unit/engine/fixture.h"

#include "engine/relaxed/pending_writes.h"

#define OPS_MAX    4
#define BLOCKS_MAX 20

static struct arena arena;
static struct pending_writes writes;
static const struct siphash_key hash_key = {{1, 2}};

/* What the log has decided: up to which seq of a key, by a client or (tag 0) by any. */
#define CANCELS_MAX 8
static struct cancelled {
    const char *key;
    uint32_t tag;
    uint64_t seq;
} cancelled[CANCELS_MAX];
static uint32_t cancelled_count;

static bool is_decided(const void *context, uint64_t seq, struct span key, uint32_t tag)
{
    assert_ptr_equal(context, &writes);
    for (uint32_t i = 0; i < cancelled_count; i++) {
        const struct cancelled *of = &cancelled[i];
        if (key.size_bytes == strlen(of->key) && memcmp(key.data, of->key, key.size_bytes) == 0 &&
            (of->tag == 0 || of->tag == tag) && seq <= of->seq)
            return true;
    }
    return false;
}

static int setup_of(uint32_t ops_max, uint32_t blocks_max)
{
    assert_int_equal(arena_init(&arena, pending_writes_arena_bytes(ops_max, blocks_max)), OK);
    const struct pending_writes_options options = {.ops_max = ops_max,
                                                   .blocks_max = blocks_max,
                                                   .hash_key = &hash_key,
                                                   .judge = {is_decided, &writes}};
    cancelled_count = 0;
    assert_int_equal(pending_writes_init(&writes, &arena, &options), OK);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_of(OPS_MAX, BLOCKS_MAX);
}

static int setup_six(void **state)
{
    (void)state;
    return setup_of(6, BLOCKS_MAX);
}

static int setup_many(void **state)
{
    (void)state;
    return setup_of(100, 100);
}

static int teardown(void **state)
{
    (void)state;
    pending_writes_check_invariants(&writes);
    pending_writes_deinit(&writes);
    arena_deinit(&arena);
    return 0;
}

/* The request of one op of a client, decoded. */
static struct request request_by(uint64_t session, const struct wire_op *op)
{
    static uint8_t bytes[MESSAGE_SIZE_BYTES_MAX];
    static struct op ops[REQUEST_OPS_MAX];
    struct request_builder builder = {.writer = {.data = bytes, .capacity_bytes = sizeof(bytes)},
                                      .ops = ops};
    request_builder_begin(&builder, session, 1);
    request_builder_add(&builder, op, index_hash(&writes.index, op->key));
    return request_builder_end(&builder);
}

static struct request request_of(const struct wire_op *op)
{
    return request_by(77, op);
}

static void add_by(uint64_t session, uint64_t seq, const char *key)
{
    struct wire_op op = op_set(1, key, "value");
    struct request request = request_by(session, &op);
    pending_writes_add(&writes, &request, &request.ops[0], seq, PRINCIPAL_NONE);
    pending_writes_show(&writes, seq);
}

static void overrule_of(uint32_t tag, uint64_t seq, const char *key)
{
    assert_true(cancelled_count < CANCELS_MAX);
    cancelled[cancelled_count++] = (struct cancelled){key, tag, seq};
    pending_writes_overrule(&writes, text(key), index_hash(&writes.index, text(key)));
    pending_writes_check_invariants(&writes);
}

static void overrule_by(uint64_t session, uint64_t seq, const char *key)
{
    overrule_of(wire_tag(session), seq, key);
}

static void add(uint64_t seq, const char *key, const char *value)
{
    struct wire_op op = op_set(1, key, value);
    struct request request = request_of(&op);
    pending_writes_add(&writes, &request, &request.ops[0], seq, PRINCIPAL_NONE);
}

static void add_cancel(uint16_t node, uint64_t seq)
{
    struct op op = {.type = WIRE_OP_CANCEL, .node = node, .hash = node, .seq = seq};
    pending_writes_add_cancel(&writes, &op);
}

static void overrule(const char *key, uint64_t seq)
{
    overrule_of(0, seq, key);
}

static struct store_entry *lookup(const char *key)
{
    return pending_writes_lookup(&writes, text(key), index_hash(&writes.index, text(key)));
}

static void test_pending_writes_shows_what_is_durable(void **state)
{
    (void)state;
    add(5, "a", "1");
    add(6, "b", NULL);
    assert_null(lookup("a"));
    assert_true(pending_writes_is_empty(&writes));
    assert_int_equal(pending_writes_show(&writes, 5), 0);
    assert_int_equal(pending_writes_seq(lookup("a")), 5);
    assert_true(pending_writes_has_value(lookup("a")));
    assert_null(lookup("b"));
    pending_writes_show(&writes, 9);
    assert_false(pending_writes_has_value(lookup("b")));
    assert_int_equal(pending_writes_seq(lookup("b")), 6);
}

static void test_pending_writes_drops_the_older_of_a_key(void **state)
{
    (void)state;
    add(1, "a", "1");
    add(2, "b", "1");
    add(3, "a", "2");
    assert_int_equal(pending_writes_show(&writes, 3), 1);
    assert_int_equal(pending_writes_seq(lookup("a")), 3);
    /* The gap at the head is gone; one in the middle counts until the head has passed it. */
    assert_int_equal(writes.head, 1);
    assert_int_equal(writes.live, 2);
    pending_writes_check_invariants(&writes);
    assert_int_equal(pending_writes_decide(&writes, 2), 1);
    assert_null(lookup("b"));
    assert_int_equal(pending_writes_decide(&writes, 3), 1);
    assert_null(lookup("a"));
    assert_int_equal(writes.blocks, 0);
}

/* A cancel may be faster than the journal: what is durable behind it is not shown for a moment. */
static void test_pending_writes_overrules_what_is_not_durable_yet(void **state)
{
    (void)state;
    add(1, "a", "1");
    pending_writes_show(&writes, 1);
    add(2, "a", "2");
    overrule("b", 3);
    assert_int_equal(pending_writes_seq(lookup("a")), 1);
    overrule("a", 2);
    assert_null(lookup("a"));
    assert_int_equal(pending_writes_show(&writes, 2), 0);
    assert_null(lookup("a"));
    assert_int_equal(writes.live, 1); /* nothing needs the second one any more */
    pending_writes_check_invariants(&writes);
    add(3, "a", "3");
    pending_writes_show(&writes, 3);
    assert_int_equal(pending_writes_seq(lookup("a")), 3);
    overrule("a", 2);
    assert_int_equal(pending_writes_seq(lookup("a")), 3);
    overrule("a", 3);
    assert_null(lookup("a"));
    assert_int_equal(pending_writes_decide(&writes, 3), 2);
}

/* One with cancels must be decided: they take effect with it. */
static void test_pending_writes_keeps_an_overruled_one_with_cancels(void **state)
{
    (void)state;
    cancelled[cancelled_count++] = (struct cancelled){"a", 0, 1};
    add_cancel(3, 30);
    add(1, "a", "1");
    pending_writes_show(&writes, 1);
    assert_null(lookup("a"));
    assert_int_equal(writes.live, 1);
    pending_writes_check_invariants(&writes);
}

/* Cancels that come with a snapshot name no key. */
static void test_pending_writes_overrules_all_that_a_snapshot_has_cancelled(void **state)
{
    (void)state;
    add_by(77, 1, "a");
    add_by(78, 2, "a");
    add_by(77, 3, "b");
    add_by(77, 4, "c");
    cancelled[cancelled_count++] = (struct cancelled){"a", wire_tag(78), 2};
    cancelled[cancelled_count++] = (struct cancelled){"b", 0, 3};
    pending_writes_overrule_all(&writes);
    assert_int_equal(pending_writes_seq(lookup("a")), 1);
    assert_null(lookup("b"));
    assert_int_equal(pending_writes_seq(lookup("c")), 4);
}

/* None of them was forwarded, as far as is known: before a restart each may have been. */
static void test_pending_writes_keeps_what_another_client_may_overrule(void **state)
{
    (void)state;
    add_by(77, 1, "a");
    add_by(78, 2, "a");
    add_by(79, 3, "a");
    assert_int_equal(writes.live, 3);
    overrule_by(79, 3, "a");
    assert_int_equal(pending_writes_seq(lookup("a")), 2);
    overrule_by(77, 1, "a");
    assert_int_equal(pending_writes_seq(lookup("a")), 2);
    overrule_by(78, 2, "a");
    assert_null(lookup("a"));
    pending_writes_check_invariants(&writes);
}

/* One is overruled while a newer one is shown; when that is, too, neither comes back. */
static void test_pending_writes_passes_over_what_was_overruled(void **state)
{
    (void)state;
    add_by(77, 1, "a");
    add_by(78, 2, "a");
    add_by(79, 3, "a");
    overrule_by(78, 2, "a");
    assert_int_equal(pending_writes_seq(lookup("a")), 3);
    overrule_by(79, 3, "a");
    assert_int_equal(pending_writes_seq(lookup("a")), 1);
    add_by(80, 4, "a");
    overrule_by(77, 1, "a");
    overrule_by(80, 4, "a");
    assert_null(lookup("a"));
    assert_int_equal(pending_writes_decide(&writes, 4), 4);
}

/* An overruled one leads nowhere: what it had replaced may be dropped for another one. */
static void test_pending_writes_forgets_what_an_overruled_one_had_replaced(void **state)
{
    (void)state;
    uint64_t position = 0;
    add_by(70, 1, "z");
    add_by(77, 2, "a");
    uint16_t ann = principals_take(&writes.principals, text("ann"), 0, PRINCIPALS_MAX);
    struct wire_op op = op_set(1, "a", "value");
    struct request request = request_by(78, &op);
    pending_writes_add(&writes, &request, &request.ops[0], 3, ann);
    pending_writes_show(&writes, 3);
    overrule_by(78, 3, "a");
    add_by(77, 4, "a");
    assert_int_equal(writes.live, 3);
    pending_writes_check_invariants(&writes);
    pending_writes_at(&writes, 0)->is_forwarded = true;
    add_by(70, 5, "z");
    add_by(70, 6, "z");
    add_by(70, 7, "z");
    pending_writes_close_gaps(&writes, &position);
    assert_int_equal(writes.tail - writes.head, 4);
    pending_writes_check_invariants(&writes);
    principals_revoke(&writes.principals, ann);
    assert_int_equal(pending_writes_revoke(&writes).count, 1);
    assert_int_equal(pending_writes_seq(lookup("a")), 4);
    assert_int_equal(pending_writes_decide(&writes, 7), 3);
}

/* An older one of the client is looked for only so far: a key of many clients costs no more. */
static void test_pending_writes_looks_back_a_little(void **state)
{
    (void)state;
    add_by(1, 1, "a");
    for (uint64_t seq = 2; seq <= 65; seq++)
        add_by(seq, seq, "a");
    add_by(1, 66, "a");
    assert_int_equal(writes.live, 65);
    add_by(100, 67, "a");
    add_by(2, 68, "a"); /* 65 others have written since */
    assert_int_equal(writes.live, 67);
    assert_int_equal(pending_writes_seq(lookup("a")), 68);
    pending_writes_check_invariants(&writes);
}

/* However often each of them writes. */
static void test_pending_writes_keeps_one_of_each_client(void **state)
{
    (void)state;
    add_by(70, 1, "a");
    pending_writes_at(&writes, 0)->is_forwarded = true;
    for (uint64_t seq = 2; seq < 50; seq++) {
        uint64_t position = writes.shown;
        add_by(77 + seq % 2, seq, "a");
        assert_in_range(writes.live, 2, 3);
        pending_writes_close_gaps(&writes, &position);
        assert_int_equal(pending_writes_seq(lookup("a")), seq);
        pending_writes_check_invariants(&writes);
    }
    assert_int_equal(pending_writes_decide(&writes, 1), 1);
    assert_int_equal(pending_writes_decide(&writes, 49), 2);
    assert_int_equal(writes.blocks, 0);
}

/* What was replaced by an overruled one stays hidden with it, and a newer one is shown again. */
static void test_pending_writes_overrules_the_older_ones_too(void **state)
{
    (void)state;
    add(1, "a", "1");
    pending_writes_show(&writes, 1);
    pending_writes_at(&writes, 0)->is_forwarded = true;
    add(2, "a", "2");
    pending_writes_show(&writes, 2);
    overrule("a", 2);
    assert_null(lookup("a"));
    assert_int_equal(writes.live, 2);
    add(3, "a", "3");
    pending_writes_show(&writes, 3);
    assert_int_equal(pending_writes_seq(lookup("a")), 3);
    pending_writes_check_invariants(&writes);
    assert_int_equal(pending_writes_decide(&writes, 3), 3);
    assert_null(lookup("a"));
}

static void test_pending_writes_keeps_what_was_forwarded(void **state)
{
    (void)state;
    add(1, "a", "1");
    pending_writes_show(&writes, 1);
    pending_writes_at(&writes, 0)->is_forwarded = true;
    add(2, "a", "2");
    assert_int_equal(pending_writes_show(&writes, 2), 0);
    assert_int_equal(pending_writes_seq(lookup("a")), 2);
    assert_int_equal(pending_writes_decide(&writes, 1), 1);
    assert_int_equal(pending_writes_seq(lookup("a")), 2);
}

static void test_pending_writes_hands_cancels_to_the_op_behind_them(void **state)
{
    (void)state;
    add(1, "a", "1");
    add_cancel(3, 30);
    add_cancel(4, 40);
    add(2, "a", "2");
    add(3, "a", "3");
    pending_writes_show(&writes, 3);
    /* The first was dropped, the second stays for its cancels. */
    assert_int_equal(writes.live, 2);
    uint64_t first = pending_writes_first_cancel(&writes, 1);
    assert_int_equal(pending_writes_at(&writes, 1)->cancel_count, 2);
    assert_int_equal(pending_writes_cancel_at(&writes, first)->node, 3);
    assert_int_equal(pending_writes_cancel_at(&writes, first + 1)->seq, 40);
    assert_int_equal(pending_writes_first_cancel(&writes, 2), first + 2);
    pending_writes_decide(&writes, 2);
    assert_int_equal(writes.cancels_head, writes.cancels_tail);
}

static void test_pending_writes_closes_gaps_when_they_are_half_of_it(void **state)
{
    (void)state;
    const struct pending_need need = {.ops = 2};
    uint64_t position = 1;
    add_cancel(3, 30);
    add(1, "cold", "1");
    add(2, "a", "1");
    add(3, "a", "2");
    pending_writes_show(&writes, 3);
    pending_writes_close_gaps(&writes, &position); /* one gap: not yet */
    assert_int_equal(writes.head, 0);
    add(4, "a", "3");
    pending_writes_show(&writes, 4);
    assert_false(pending_writes_has_room(&writes, &need));
    pending_writes_close_gaps(&writes, &position);
    assert_true(pending_writes_has_room(&writes, &need));
    pending_writes_check_invariants(&writes);
    assert_int_equal(writes.head, 2);
    assert_int_equal(pending_writes_at(&writes, 2)->seq, 1);
    assert_int_equal(
        pending_writes_cancel_at(&writes, pending_writes_first_cancel(&writes, 2))->seq, 30);
    assert_int_equal(position, 3); /* of the first op that was there or behind */
    assert_int_equal(pending_writes_next_seq(&writes, 1), 1);
    assert_int_equal(pending_writes_next_seq(&writes, 2), 4);
    assert_int_equal(pending_writes_next_seq(&writes, 5), UINT64_MAX);
    assert_int_equal(pending_writes_seq(lookup("cold")), 1);
    assert_int_equal(pending_writes_seq(lookup("a")), 4);
}

static void test_pending_writes_has_room_for_so_much(void **state)
{
    (void)state;
    struct pending_need need = {.ops = OPS_MAX, .blocks = BLOCKS_MAX};
    assert_true(pending_writes_has_room(&writes, &need));
    need.ops++;
    assert_false(pending_writes_has_room(&writes, &need));
    need = (struct pending_need){.ops = 1, .blocks = BLOCKS_MAX + 1};
    assert_false(pending_writes_has_room(&writes, &need));
    need = (struct pending_need){.ops = 1, .cancels = PENDING_WRITES_CANCELS_MAX};
    assert_true(pending_writes_has_room(&writes, &need));
    add_cancel(1, 1);
    assert_false(pending_writes_has_room(&writes, &need));
    add(1, "a", "1");
}

static void test_pending_writes_goes_round_its_ring(void **state)
{
    (void)state;
    char key[700 / 2];
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    for (uint64_t seq = 1; seq <= 100; seq++) {
        add(seq, key, "value");
        pending_writes_show(&writes, seq);
        assert_int_equal(pending_writes_seq(lookup(key)), seq);
        pending_writes_check_invariants(&writes);
        if (seq % 3 == 0)
            pending_writes_decide(&writes, seq);
        store_turn(&writes.store);
        rcu_turn();
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_pending_writes_shows_what_is_durable),
        T(test_pending_writes_drops_the_older_of_a_key),
        T(test_pending_writes_overrules_what_is_not_durable_yet),
        T(test_pending_writes_keeps_an_overruled_one_with_cancels),
        T(test_pending_writes_overrules_all_that_a_snapshot_has_cancelled),
        T(test_pending_writes_overrules_the_older_ones_too),
        T(test_pending_writes_keeps_what_another_client_may_overrule),
        T(test_pending_writes_passes_over_what_was_overruled),
        cmocka_unit_test_setup_teardown(
            test_pending_writes_forgets_what_an_overruled_one_had_replaced, setup_six, teardown),
        cmocka_unit_test_setup_teardown(test_pending_writes_looks_back_a_little, setup_many,
                                        teardown),
        T(test_pending_writes_keeps_one_of_each_client),
        T(test_pending_writes_keeps_what_was_forwarded),
        T(test_pending_writes_hands_cancels_to_the_op_behind_them),
        T(test_pending_writes_closes_gaps_when_they_are_half_of_it),
        T(test_pending_writes_has_room_for_so_much),
        T(test_pending_writes_goes_round_its_ring),
    };
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
