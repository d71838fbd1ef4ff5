/* The overlay of pending writes: order, gaps, room, and what readers find. */
#include "tests/unit/engine/fixture.h"

#include "engine/key_hash.h"
#include "engine/overlay.h"

#define OPS_MAX    4
#define BLOCKS_MAX 20

static struct arena arena;
static struct overlay overlay;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(arena_init(&arena, overlay_arena_bytes(OPS_MAX, BLOCKS_MAX)), OK);
    assert_int_equal(overlay_init(&overlay, &arena, OPS_MAX, BLOCKS_MAX), OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    overlay_check_invariants(&overlay);
    overlay_deinit(&overlay);
    arena_deinit(&arena);
    return 0;
}

static void add(uint64_t seq, const char *key, const char *value)
{
    struct wire_op op = op_set(1, key, value);
    overlay_add(&overlay, &op, seq);
}

static void add_cancel(uint16_t node, uint64_t seq)
{
    struct wire_op op = op_cancel(node, seq);
    overlay_add_cancel(&overlay, &op);
}

static struct store_entry *lookup(const char *key)
{
    return overlay_lookup(&overlay, text(key), key_hash(text(key)));
}

static void test_overlay_shows_what_is_durable(void **state)
{
    (void)state;
    add(5, "a", "1");
    add(6, "b", NULL);
    assert_null(lookup("a"));
    assert_true(overlay_is_empty(&overlay));
    assert_int_equal(overlay_show(&overlay, 5), 0);
    assert_int_equal(overlay_seq(lookup("a")), 5);
    assert_true(overlay_has_value(lookup("a")));
    assert_null(lookup("b"));
    overlay_show(&overlay, 9);
    assert_false(overlay_has_value(lookup("b")));
    assert_int_equal(overlay_seq(lookup("b")), 6);
}

static void test_overlay_drops_the_older_of_a_key(void **state)
{
    (void)state;
    add(1, "a", "1");
    add(2, "b", "1");
    add(3, "a", "2");
    assert_int_equal(overlay_show(&overlay, 3), 1);
    assert_int_equal(overlay_seq(lookup("a")), 3);
    /* The gap at the head is gone; one in the middle counts until the head has passed it. */
    assert_int_equal(overlay.head, 1);
    assert_int_equal(overlay.live, 2);
    overlay_check_invariants(&overlay);
    assert_int_equal(overlay_settle(&overlay, 2), 1);
    assert_null(lookup("b"));
    assert_int_equal(overlay_settle(&overlay, 3), 1);
    assert_null(lookup("a"));
    assert_int_equal(overlay.blocks, 0);
}

/* Nobody knows the number of what is not durable: who names it by chance changes nothing. */
static void test_overlay_overrules_only_what_is_shown(void **state)
{
    (void)state;
    add(1, "a", "1");
    overlay_show(&overlay, 1);
    add(2, "a", "2");
    overlay_overrule(&overlay, text("b"), 3, 0);
    assert_int_equal(overlay_seq(lookup("a")), 1);
    overlay_overrule(&overlay, text("a"), 2, 0);
    assert_null(lookup("a"));
    overlay_show(&overlay, 2);
    assert_int_equal(overlay_seq(lookup("a")), 2);
    overlay_check_invariants(&overlay);
    overlay_overrule(&overlay, text("a"), 1, 0);
    assert_int_equal(overlay_seq(lookup("a")), 2);
    overlay_overrule(&overlay, text("a"), 2, 0);
    assert_null(lookup("a"));
    overlay_overrule(&overlay, text("a"), 2, 0);
    overlay_check_invariants(&overlay);
}

/* What was replaced by an overruled one stays hidden with it, and a newer one is shown again. */
static void test_overlay_overrules_the_older_ones_too(void **state)
{
    (void)state;
    add(1, "a", "1");
    overlay_show(&overlay, 1);
    overlay_at(&overlay, 0)->is_forwarded = true;
    add(2, "a", "2");
    overlay_show(&overlay, 2);
    overlay_overrule(&overlay, text("a"), 2, 0);
    assert_null(lookup("a"));
    assert_int_equal(overlay.live, 2);
    add(3, "a", "3");
    overlay_show(&overlay, 3);
    assert_int_equal(overlay_seq(lookup("a")), 3);
    overlay_check_invariants(&overlay);
    assert_int_equal(overlay_settle(&overlay, 3), 3);
    assert_null(lookup("a"));
}

static void test_overlay_keeps_what_was_forwarded(void **state)
{
    (void)state;
    add(1, "a", "1");
    overlay_show(&overlay, 1);
    overlay_at(&overlay, 0)->is_forwarded = true;
    add(2, "a", "2");
    assert_int_equal(overlay_show(&overlay, 2), 0);
    assert_int_equal(overlay_seq(lookup("a")), 2);
    assert_int_equal(overlay_settle(&overlay, 1), 1);
    assert_int_equal(overlay_seq(lookup("a")), 2);
}

static void test_overlay_hands_cancels_to_the_op_behind_them(void **state)
{
    (void)state;
    add(1, "a", "1");
    add_cancel(3, 30);
    add_cancel(4, 40);
    add(2, "a", "2");
    add(3, "a", "3");
    overlay_show(&overlay, 3);
    /* The first was dropped, the second stays for its cancels. */
    assert_int_equal(overlay.live, 2);
    uint64_t first = overlay_first_cancel(&overlay, 1);
    assert_int_equal(overlay_at(&overlay, 1)->cancel_count, 2);
    assert_int_equal(overlay_cancel_at(&overlay, first)->node, 3);
    assert_int_equal(overlay_cancel_at(&overlay, first + 1)->seq, 40);
    assert_int_equal(overlay_first_cancel(&overlay, 2), first + 2);
    overlay_settle(&overlay, 2);
    assert_int_equal(overlay.cancels_head, overlay.cancels_tail);
}

static void test_overlay_closes_gaps_when_they_are_half_of_it(void **state)
{
    (void)state;
    const struct overlay_need need = {.ops = 2};
    uint64_t position = 1;
    add_cancel(3, 30);
    add(1, "cold", "1");
    add(2, "a", "1");
    add(3, "a", "2");
    overlay_show(&overlay, 3);
    overlay_close_gaps(&overlay, &position); /* one gap: not yet */
    assert_int_equal(overlay.head, 0);
    add(4, "a", "3");
    overlay_show(&overlay, 4);
    assert_false(overlay_has_room(&overlay, &need));
    overlay_close_gaps(&overlay, &position);
    assert_true(overlay_has_room(&overlay, &need));
    overlay_check_invariants(&overlay);
    assert_int_equal(overlay.head, 2);
    assert_int_equal(overlay_at(&overlay, 2)->seq, 1);
    assert_int_equal(overlay_cancel_at(&overlay, overlay_first_cancel(&overlay, 2))->seq, 30);
    assert_int_equal(position, 3); /* of the first op that was there or behind */
    assert_int_equal(overlay_next_seq(&overlay, 1), 1);
    assert_int_equal(overlay_next_seq(&overlay, 2), 4);
    assert_int_equal(overlay_next_seq(&overlay, 5), UINT64_MAX);
    assert_int_equal(overlay_seq(lookup("cold")), 1);
    assert_int_equal(overlay_seq(lookup("a")), 4);
}

static void test_overlay_has_room_for_so_much(void **state)
{
    (void)state;
    struct overlay_need need = {.ops = OPS_MAX, .blocks = BLOCKS_MAX};
    assert_true(overlay_has_room(&overlay, &need));
    need.ops++;
    assert_false(overlay_has_room(&overlay, &need));
    need = (struct overlay_need){.ops = 1, .blocks = BLOCKS_MAX + 1};
    assert_false(overlay_has_room(&overlay, &need));
    need = (struct overlay_need){.ops = 1, .cancels = OVERLAY_CANCELS_MAX};
    assert_true(overlay_has_room(&overlay, &need));
    add_cancel(1, 1);
    assert_false(overlay_has_room(&overlay, &need));
    add(1, "a", "1");
}

static void test_overlay_goes_round_its_ring(void **state)
{
    (void)state;
    char key[700 / 2];
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    for (uint64_t seq = 1; seq <= 100; seq++) {
        add(seq, key, "value");
        overlay_show(&overlay, seq);
        assert_int_equal(overlay_seq(lookup(key)), seq);
        overlay_check_invariants(&overlay);
        if (seq % 3 == 0)
            overlay_settle(&overlay, seq);
        store_turn(&overlay.store);
        rcu_turn();
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_overlay_shows_what_is_durable),
        T(test_overlay_drops_the_older_of_a_key),
        T(test_overlay_overrules_only_what_is_shown),
        T(test_overlay_overrules_the_older_ones_too),
        T(test_overlay_keeps_what_was_forwarded),
        T(test_overlay_hands_cancels_to_the_op_behind_them),
        T(test_overlay_closes_gaps_when_they_are_half_of_it),
        T(test_overlay_has_room_for_so_much),
        T(test_overlay_goes_round_its_ring),
    };
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
