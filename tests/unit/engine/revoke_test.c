/*
 * Pending writes that are dropped because their principal was revoked: which are, and which are
 * not; that they do not apply any more, here or by a late forward; and a restart.
 */
#include "engine/engine_internal.h"
#include "engine/relaxed/revoke.h"
#include "tests/unit/engine/pair.h"

/* Clients, each with a relaxed session of its own. */
#define ANN  1001u
#define BOB  1002u
#define ANN2 1003u /* another handle of ann's */

static void sealed_by(struct fixture *f, const char *name, uint32_t generation)
{
    const struct rights rights = {.is_free = true,
                                  .name = name == NULL ? (struct span){0} : text(name),
                                  .generation = generation};
    engine_set_rights(f->engine, &rights);
}

/* A relaxed set by a client: its journal seq. */
static uint64_t pend_as(struct fixture *f, uint64_t client, const char *key, const char *value)
{
    static uint64_t seq;
    struct wire_op op = op_set(++seq, key, value);
    sealed_by(f, client == BOB ? "bob" : "ann", 0);
    struct wire_reply_op reply = fixture_relaxed(f, client, &op, 1);
    assert_int_equal(reply.outcome, WIRE_OUTCOME_OK);
    return reply.version;
}

/* Between two turns. */
static uint64_t revoke(struct fixture *f, const char *name, uint32_t generation_below)
{
    engine_end_turn(f->engine);
    engine_revoke(f->engine, text(name), generation_below);
    uint64_t count = engine_revoke_end(f->engine);
    fixture_begin(f);
    return count;
}

static int setup(void **state)
{
    (void)pair_setup(state);
    struct pair *p = *state;
    p->node->view.are_entries_named = true;
    fixture_turn(p->node, 0);
    return 0;
}

static void assert_pending(struct fixture *f, const char *key, const char *value)
{
    struct wire_reply_op op = fixture_get(f, key);
    assert_value(&op, value);
    assert_true(op.is_pending);
}

static void assert_absent(struct fixture *f, const char *key)
{
    assert_int_equal(fixture_get(f, key).outcome, WIRE_OUTCOME_NOT_FOUND);
}

static void test_revoke_drops_what_its_principal_has_pending(void **state)
{
    struct pair *p = *state;
    pend_as(p->node, ANN, "a", "1");
    pend_as(p->node, BOB, "b", "2");
    pend_as(p->node, ANN2, "c", "3");
    assert_int_equal(revoke(p->node, "ann", 1), 2);
    assert_absent(p->node, "a");
    assert_absent(p->node, "c");
    assert_pending(p->node, "b", "2");
    assert_int_equal(engine_counters(p->node->engine)->relaxed_revoked, 2);
    assert_int_equal(engine_relaxed_pending(p->node->engine), 1);
    forward_all(p);
    fixture_turn(p->node, 1000);
    forward_all(p); /* the fence */
    assert_absent(p->leader, "a");
    assert_absent(p->leader, "c");
    assert_get(p->leader, "b", "2");
    assert_int_equal(revoke(p->node, "ann", 1), 0);
}

/* Names are compared as they are, and generations: who has a newer key is another one. */
static void test_revoke_drops_nobody_elses(void **state)
{
    struct pair *p = *state;
    struct wire_op op = op_set(1, "n", "new key");
    sealed_by(p->node, "ann", 5);
    fixture_relaxed(p->node, ANN, &op, 1);
    sealed_by(p->node, "anna", 0);
    op = op_set(2, "l", "longer");
    fixture_relaxed(p->node, BOB, &op, 1);
    sealed_by(p->node, NULL, 0);
    op = op_set(3, "u", "unnamed");
    fixture_relaxed(p->node, 1010, &op, 1);
    fixture_turn(p->node, 0);
    assert_int_equal(engine_counters(p->node->engine)->relaxed_unnamed, 1);
    assert_int_equal(revoke(p->node, "ann", 5), 0);
    assert_int_equal(revoke(p->node, "an", 9), 0);
    assert_int_equal(revoke(p->node, "ann", 6), 1);
    assert_pending(p->node, "l", "longer");
    assert_pending(p->node, "u", "unnamed");
    forward_all(p);
    assert_get(p->leader, "u", "unnamed");
    assert_int_equal(engine_counters(p->node->engine)->relaxed_unnamed, 0);
}

/* Bob's write was the value until ann's came, and is again: nobody has taken it back. Neither of
 * ann's returns. */
static void test_revoke_brings_back_what_another_wrote(void **state)
{
    struct pair *p = *state;
    pend_as(p->node, BOB, "a", "bob");
    pend_as(p->node, ANN, "a", "ann");
    pend_as(p->node, ANN2, "a", "ann again");
    assert_int_equal(revoke(p->node, "ann", 1), 2);
    assert_pending(p->node, "a", "bob");
    forward_all(p);
    fixture_turn(p->node, 1000);
    forward_all(p);
    assert_get(p->leader, "a", "bob");
    pend_as(p->node, ANN, "b", "old");
    pend_as(p->node, ANN, "b", "older no more");
    pend_as(p->node, BOB, "b", "bob");
    assert_int_equal(revoke(p->node, "ann", 1), 1);
    forward_all(p);
    assert_get(p->leader, "b", "bob");
}

/* A session is no proof of who writes: what came under another name is another's. */
static void test_revoke_tells_names_apart_within_a_session(void **state)
{
    struct pair *p = *state;
    struct wire_op op = op_set(1, "a", "bob");
    sealed_by(p->node, "bob", 0);
    fixture_relaxed(p->node, ANN, &op, 1);
    pend_as(p->node, ANN, "a", "ann");
    assert_int_equal(revoke(p->node, "ann", 1), 1);
    assert_pending(p->node, "a", "bob");
}

/* Revoked before it was durable: answered when it is, as the acknowledged write that it was. */
static void test_revoke_drops_what_is_not_durable_yet(void **state)
{
    struct pair *p = *state;
    struct fixture_write write = {.session = ANN, .is_relaxed = true};
    struct wire_op op = op_set(90001, "a", "1");
    sealed_by(p->node, "ann", 0);
    fixture_write(p->node, &write, &op, 1);
    assert_int_equal(revoke(p->node, "ann", 1), 1);
    fixture_durable(p->node);
    assert_absent(p->node, "a");
    engine_check_invariants(p->node->engine);
    fixture_turn(p->node, 1000);
    forward_all(p);
    assert_absent(p->leader, "a");
    pend_as(p->node, BOB, "a", "bob");
    forward_all(p);
    assert_get(p->leader, "a", "bob");
}

/* What was forwarded and comes late finds its number decided. */
static void test_revoke_fences_what_was_forwarded(void **state)
{
    struct pair *p = *state;
    static struct kept late;
    static struct kept kept;
    uint64_t last = pend_as(p->node, ANN, "a", "1");
    fixture_turn(p->node, 0);
    assert_true(keep_forward(p->node, &late));
    assert_int_equal(revoke(p->node, "ann", 1), 1);
    assert_true(engine_pending_done(p->node->engine) < last);
    fixture_durable(p->node);
    fixture_turn(p->node, 0);
    assert_true(keep_forward(p->node, &kept));
    deliver(p, &kept);
    commit(p);
    assert_true(engine_pending_done(p->node->engine) >= last);
    deliver(p, &late);
    struct span payload;
    assert_false(engine_batch(p->leader->engine, &payload));
    assert_absent(p->leader, "a");
    fixture_turn(p->node, 1000);
    assert_false(keep_forward(p->node, &kept));
}

/* The log has it already: it is carried out, once, and what comes behind it is not held up. */
static void test_revoke_leaves_the_log_alone(void **state)
{
    struct pair *p = *state;
    static struct kept kept;
    pend_as(p->node, ANN, "a", "1");
    fixture_turn(p->node, 0);
    assert_true(keep_forward(p->node, &kept));
    deliver(p, &kept);
    assert_true(fixture_propose(p->leader));
    assert_int_equal(revoke(p->node, "ann", 1), 1);
    pend_as(p->node, BOB, "b", "2");
    fixture_commit(p->leader);
    fixture_turn(p->leader, 0);
    fixture_apply_to(p->leader, p->node->engine);
    assert_get(p->node, "a", "1");
    fixture_turn(p->node, 1000);
    forward_all(p);
    assert_get(p->leader, "b", "2");
    assert_get(p->leader, "a", "1");
}

/* A leader proposes nothing that it had taken before it knew. */
static void test_revoke_empties_the_batch_of_forwards(void **state)
{
    struct pair *p = *state;
    static struct kept kept;
    struct wire_op own = op_set(p->next_seq++, "c", "consistent");
    struct fixture_write write = {.session = p->session, .floor = 1};
    pend_as(p->node, ANN, "a", "1");
    fixture_turn(p->node, 0);
    assert_true(keep_forward(p->node, &kept));
    deliver(p, &kept);
    fixture_write(p->leader, &write, &own, 1);
    assert_int_equal(revoke(p->leader, "ann", 1), 0);
    commit(p);
    assert_absent(p->leader, "a");
    assert_get(p->leader, "c", "consistent");
    assert_int_equal(revoke(p->node, "ann", 1), 1);
    fixture_turn(p->node, 1000);
    forward_all(p);
    assert_absent(p->leader, "a");
}

/* As the leader, with its own in its own batch. */
static void test_revoke_at_the_leader(void **state)
{
    struct pair *p = *state;
    p->leader->view.are_entries_named = true;
    fixture_turn(p->leader, 0);
    pend_as(p->leader, ANN, "a", "1");
    pend_as(p->leader, BOB, "b", "2");
    fixture_turn(p->leader, 0); /* they join the batch */
    assert_int_equal(revoke(p->leader, "ann", 1), 1);
    fixture_turn(p->leader, 1000);
    commit(p);
    fixture_turn(p->leader, 1000);
    commit(p);
    assert_absent(p->leader, "a");
    assert_get(p->leader, "b", "2");
}

/* A leader whose copy of the table may lack a revocation appends nothing pending, neither its own
 * nor what it was forwarded; and all of it when it knows. */
static void test_revoke_may_have_been_missed_by_the_leader(void **state)
{
    struct pair *p = *state;
    static struct kept kept;
    p->leader->view.are_entries_named = true;
    pend_as(p->node, BOB, "b", "2");
    fixture_turn(p->node, 0);
    assert_true(keep_forward(p->node, &kept));
    fixture_turn(p->leader, 0);
    pend_as(p->leader, ANN, "a", "1");
    fixture_turn(p->leader, 0); /* it joins the batch */
    deliver(p, &kept);
    p->leader->view.are_rights_old = true;
    for (uint32_t i = 0; i < 3; i++) {
        fixture_turn(p->leader, 60);
        assert_false(fixture_propose(p->leader));
        assert_true(engine_deadline_ns(p->leader->engine) <= p->leader->view.now_ns + 50000000);
    }
    p->leader->view.are_rights_old = false;
    fixture_turn(p->leader, 0);
    commit(p);
    assert_get(p->leader, "a", "1");
    assert_absent(p->leader, "b");
    fixture_turn(p->node, 1000);
    forward_all(p);
    assert_get(p->leader, "b", "2");
}

/* Its cancels go with it: what they would have overruled stays. */
static void test_revoke_drops_cancels(void **state)
{
    struct pair *p = *state;
    struct wire_op ops[] = {op_cancel(3, 7), op_set(80001, "a", "1")};
    ops[0].tag = wire_tag(ANN);
    sealed_by(p->node, "ann", 0);
    fixture_relaxed(p->node, ANN, ops, 2);
    ops[1] = op_set(80002, "b", "1");
    ops[0].tag = wire_tag(BOB);
    sealed_by(p->node, "bob", 0);
    fixture_relaxed(p->node, BOB, ops, 2);
    assert_int_equal(revoke(p->node, "ann", 1), 1);
    forward_all(p);
    assert_get(p->leader, "b", "1");
    const struct node_progress *third = node_progress_of(&p->leader->engine->machine.nodes, 3);
    assert_false(node_progress_is_decided(third, 7, text("a"), wire_tag(ANN)));
    assert_true(node_progress_is_decided(third, 7, text("b"), wire_tag(BOB)));
}

/* Gaps with cancels keep their places where gaps are closed. */
static void test_revoke_leaves_gaps_that_are_closed(void **state)
{
    struct pair *p = *state;
    fixture_follow(p->node, 0, 2);
    char key[16];
    pend_as(p->node, BOB, "first", "1");
    for (uint32_t i = 0; i < 200; i++) {
        snprintf(key, sizeof(key), "k%u", (unsigned)i);
        struct wire_op ops[] = {op_cancel(3, i + 1), op_set(70001 + i, key, "1")};
        ops[0].tag = wire_tag(ANN);
        sealed_by(p->node, "ann", 0);
        fixture_relaxed(p->node, ANN, i % 2 == 0 ? ops : ops + 1, i % 2 == 0 ? 2 : 1);
    }
    assert_int_equal(revoke(p->node, "ann", 1), 200);
    for (uint32_t i = 0; i < 120; i++) {
        snprintf(key, sizeof(key), "b%u", (unsigned)i);
        pend_as(p->node, BOB, key, "2");
        engine_check_invariants(p->node->engine);
    }
    fixture_follow(p->node, 1, 1);
    forward_all(p);
    assert_get(p->leader, "first", "1");
    assert_get(p->leader, "b119", "2");
    assert_absent(p->leader, "k7");
}

/* ---- restarts ---- */

/* The node again, with what its journal holds and what the log had decided. */
static struct fixture *restart(struct pair *p)
{
    struct fixture *old = p->node;
    p->node = fixture_restarted(old, p->leader);
    p->node->view.now_ns = old->view.now_ns;
    p->node->view.are_entries_named = true;
    fixture_follow(p->node, 1, 1);
    return old;
}

static void test_revoke_holds_after_a_restart(void **state)
{
    struct pair *p = *state;
    static struct kept late;
    pend_as(p->node, ANN, "a", "1");
    pend_as(p->node, BOB, "b", "2");
    fixture_turn(p->node, 0);
    assert_true(keep_forward(p->node, &late));
    assert_int_equal(revoke(p->node, "ann", 1), 1);
    struct fixture *old = restart(p);
    assert_absent(p->node, "a");
    assert_pending(p->node, "b", "2");
    assert_int_equal(engine_relaxed_pending(p->node->engine), 1);
    fixture_turn(p->node, 1000);
    forward_all(p);
    fixture_turn(p->node, 1000);
    forward_all(p);
    deliver(p, &late);
    commit(p);
    assert_absent(p->leader, "a");
    assert_get(p->leader, "b", "2");
    fixture_free(old);
}

/* Nothing else is pending: what was forwarded before the restart is fenced after it. */
static void test_revoke_fences_after_a_restart(void **state)
{
    struct pair *p = *state;
    static struct kept late;
    pend_as(p->node, ANN, "a", "1");
    fixture_turn(p->node, 0);
    assert_true(keep_forward(p->node, &late));
    assert_int_equal(revoke(p->node, "ann", 1), 1);
    /* The journal keeps the note, and nothing before it, until the log has decided. */
    uint64_t note = p->node->entries[p->node->entry_count - 1].seq;
    assert_true(engine_journal_done(p->node->engine) < note);
    assert_int_equal(engine_next_pending(p->node->engine, FIXTURE_FIRST_SEQ), note);
    struct fixture *old = restart(p);
    fixture_turn(p->node, 1000);
    forward_all(p);
    deliver(p, &late);
    commit(p);
    assert_absent(p->leader, "a");
    assert_true(engine_journal_done(p->node->engine) >= note);
    fixture_free(old);
}

/* A principal is known again after a restart, before anything was revoked. */
static void test_revoke_knows_names_after_a_restart(void **state)
{
    struct pair *p = *state;
    pend_as(p->node, ANN, "a", "1");
    pend_as(p->node, BOB, "b", "2");
    struct fixture *old = restart(p);
    assert_pending(p->node, "a", "1");
    assert_int_equal(revoke(p->node, "ann", 1), 1);
    assert_absent(p->node, "a");
    assert_pending(p->node, "b", "2");
    fixture_free(old);
}

/* While format 0 is in force the journal is that of the program before: without names. */
static void test_revoke_spares_entries_without_a_name(void **state)
{
    struct pair *p = *state;
    p->node->view.are_entries_named = false;
    fixture_turn(p->node, 0);
    uint64_t seq = pend_as(p->node, ANN, "a", "1");
    struct request request;
    struct op ops[REQUEST_OPS_MAX];
    const struct fixture_entry *entry = &p->node->entries[p->node->entry_count - 1];
    assert_int_equal(request_decode(span_of(entry->data, entry->size_bytes),
                                    &p->node->engine->machine.index, ops, &request),
                     OK);
    assert_true(request.session == ANN && request.floor == seq);
    struct fixture *old = restart(p);
    assert_int_equal(revoke(p->node, "ann", 1), 0);
    fixture_turn(p->node, 0);
    assert_int_equal(engine_counters(p->node->engine)->relaxed_unnamed, 1);
    forward_all(p);
    assert_get(p->leader, "a", "1");
    fixture_free(old);
}

/* The note waits for room, and what was dropped is gone meanwhile. */
static void test_revoke_notes_when_the_journal_has_room(void **state)
{
    struct pair *p = *state;
    pend_as(p->node, ANN, "a", "1");
    uint32_t entries = p->node->entry_count;
    p->node->is_journal_moving = true;
    assert_int_equal(revoke(p->node, "ann", 1), 1);
    assert_int_equal(p->node->entry_count, entries);
    assert_absent(p->node, "a");
    engine_check_invariants(p->node->engine);
    p->node->is_journal_moving = false;
    fixture_turn(p->node, 0);
    assert_int_equal(p->node->entry_count, entries + 1);
    fixture_turn(p->node, 0);
    assert_int_equal(p->node->entry_count, entries + 1);
}

static void test_revoke_note_that_is_none_is_refused(void **state)
{
    struct pair *p = *state;
    uint8_t bytes[WIRE_ENTRY_HEAD_BYTES_MAX + 8];
    const struct wire_entry note = {.kind = WIRE_ENTRY_DROP, .name = text("ann")};
    size_t size = wire_entry_head_bytes(note.name);
    wire_entry_head_encode(bytes, &note);
    struct engine *engine = p->node->engine;
    assert_int_equal(engine_journal_restore(engine, 0, span_of(bytes, size)), ERR_CORRUPT);
    assert_int_equal(engine_journal_restore(engine, 5000, span_of(bytes, size - 1)), ERR_CORRUPT);
    assert_int_equal(engine_journal_restore(engine, 5000, span_of(bytes, size + 8)), ERR_CORRUPT);
    assert_int_equal(engine_journal_restore(engine, 5000, span_of(bytes, size)), OK);
    assert_int_equal(engine_journal_restore(engine, 5000, span_of(bytes, size)), ERR_CORRUPT);
    fixture_turn(p->node, 0);
    forward_all(p);
    assert_true(engine_journal_done(engine) >= 5000);
}

/* ---- bounds ---- */

static void test_revoke_remembers_so_many_principals(void **state)
{
    struct pair *p = *state;
    static struct arena arena;
    static struct principals all;
    char name[16];
    assert_int_equal(arena_init(&arena, principals_arena_bytes()), OK);
    principals_init(&all, &arena, &p->node->options.hash_key);
    for (uint32_t i = 0; i < PRINCIPALS_MAX; i++) {
        snprintf(name, sizeof(name), "p%u", (unsigned)i);
        uint16_t place = principals_take(&all, text(name), i, PRINCIPALS_MAX);
        assert_int_not_equal(place, PRINCIPAL_NONE);
        principals_hold(&all, place);
        assert_int_equal(principals_take(&all, text(name), i, PRINCIPALS_MAX), place);
    }
    assert_int_equal(principals_take(&all, text("one more"), 0, PRINCIPALS_MAX), PRINCIPAL_NONE);
    assert_int_not_equal(principals_take(&all, text("one more"), 0, PRINCIPALS_CAPACITY),
                         PRINCIPAL_NONE);
    principals_leave(&all, principals_find(&all, text("one more"), 0));
    principals_check_invariants(&all, PRINCIPALS_MAX);
    for (uint32_t i = 0; i < PRINCIPALS_MAX; i++) {
        snprintf(name, sizeof(name), "p%u", (unsigned)i);
        assert_int_equal(principals_find(&all, text(name), i + 1), PRINCIPAL_NONE);
        principals_release(&all, principals_find(&all, text(name), i));
    }
    principals_check_invariants(&all, 0);
    assert_int_equal(all.count, 0);
    arena_deinit(&arena);
}

static void test_revoke_refuses_writes_of_too_many_principals(void **state)
{
    struct pair *p = *state;
    struct principals *all = &p->node->engine->relaxed.writes.principals;
    char name[16];
    fixture_follow(p->node, 0, 2);
    for (uint32_t i = 0; i < PRINCIPALS_MAX; i++) {
        snprintf(name, sizeof(name), "p%u", (unsigned)i);
        principals_hold(all, principals_take(all, text(name), 0, PRINCIPALS_MAX));
    }
    struct wire_op op = op_set(1, "a", "1");
    struct fixture_write write = {.session = ANN, .is_relaxed = true};
    sealed_by(p->node, "ann", 0);
    fixture_forget_messages(p->node);
    fixture_write(p->node, &write, &op, 1);
    struct wire_reply reply = fixture_reply(p->node, WIRE_WRITE_REPLY);
    assert_string_equal(wire_status_name(reply.status), "overloaded");
    assert_int_equal(engine_counters(p->node->engine)->relaxed_over_principals, 1);
    for (uint32_t i = 0; i < PRINCIPALS_MAX; i++) {
        snprintf(name, sizeof(name), "p%u", (unsigned)i);
        principals_release(all, principals_find(all, text(name), 0));
    }
    pend_as(p->node, ANN, "a", "1");
}

#define REVOKE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, pair_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REVOKE_TEST(test_revoke_drops_what_its_principal_has_pending),
        REVOKE_TEST(test_revoke_tells_names_apart_within_a_session),
        REVOKE_TEST(test_revoke_drops_nobody_elses),
        REVOKE_TEST(test_revoke_brings_back_what_another_wrote),
        REVOKE_TEST(test_revoke_drops_what_is_not_durable_yet),
        REVOKE_TEST(test_revoke_fences_what_was_forwarded),
        REVOKE_TEST(test_revoke_leaves_the_log_alone),
        REVOKE_TEST(test_revoke_empties_the_batch_of_forwards),
        REVOKE_TEST(test_revoke_at_the_leader),
        REVOKE_TEST(test_revoke_may_have_been_missed_by_the_leader),
        REVOKE_TEST(test_revoke_drops_cancels),
        REVOKE_TEST(test_revoke_leaves_gaps_that_are_closed),
        REVOKE_TEST(test_revoke_holds_after_a_restart),
        REVOKE_TEST(test_revoke_fences_after_a_restart),
        REVOKE_TEST(test_revoke_knows_names_after_a_restart),
        REVOKE_TEST(test_revoke_spares_entries_without_a_name),
        REVOKE_TEST(test_revoke_notes_when_the_journal_has_room),
        REVOKE_TEST(test_revoke_note_that_is_none_is_refused),
        REVOKE_TEST(test_revoke_remembers_so_many_principals),
        REVOKE_TEST(test_revoke_refuses_writes_of_too_many_principals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
