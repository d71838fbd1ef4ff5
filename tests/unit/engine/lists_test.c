/* Lists: pages in the order of keys, each bounded; what a relaxed page shows of pending writes. */
#include "tests/unit/engine/fixture.h"

#include "base/le.h"
#include "base/rights_table.h"

#define ENTRIES_MAX 256

/* The last page, taken apart. */
struct listed {
    struct wire_list_reply reply;
    struct wire_list_entry entries[ENTRIES_MAX];
};

static struct listed listed;

static int setup(void **state)
{
    struct engine_options options = fixture_relaxed_options(1);
    options.pending_max = 2 * LIST_STEPS_MAX;
    *state = fixture_new(&options);
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static void ask(struct fixture *f, const struct wire_list *list)
{
    uint8_t bytes[LIST_QUESTION_BYTES];
    struct wire_writer writer = {.data = bytes, .capacity_bytes = sizeof(bytes)};
    struct address from = fixture_client();
    wire_list_encode(&writer, list);
    fixture_forget_messages(f);
    engine_receive(f->engine, &from, WIRE_LIST, span_of(bytes, writer.size_bytes));
}

/* The answer is there. */
static void expect(struct fixture *f, enum wire_status status)
{
    size_t cursor = 0;
    assert_int_equal(f->message_count, 1);
    const struct fixture_message *message = &f->messages[0];
    assert_int_equal(message->type, WIRE_LIST_REPLY);
    assert_true(message->size_bytes <= LIST_PAGE_BYTES_MAX);
    struct span bytes = span_of(message->data, message->size_bytes);
    assert_int_equal(wire_list_reply_decode(bytes, &listed.reply), OK);
    assert_string_equal(wire_status_name(listed.reply.head.status),
                        wire_status_name((uint8_t)status));
    assert_true(listed.reply.entry_count <= ENTRIES_MAX);
    for (uint32_t i = 0; i < listed.reply.entry_count; i++)
        listed.entries[i] = wire_list_entry_decode(listed.reply.entries, &cursor);
}

static struct wire_list list_of(const char *prefix, const char *after)
{
    return (struct wire_list){.number = 5,
                              .page_bytes = LIST_PAGE_BYTES_MAX,
                              .prefix = text(prefix),
                              .after = text(after)};
}

static void ask_relaxed(struct fixture *f, const char *prefix, const char *after)
{
    struct wire_list list = list_of(prefix, after);
    ask(f, &list);
    expect(f, WIRE_STATUS_OK);
}

/* The keys of the last page, with a space behind each. */
static void expect_keys(const char *keys)
{
    char all[2048] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < listed.reply.entry_count; i++) {
        struct span key = listed.entries[i].key;
        assert_true(used + key.size_bytes + 2 < sizeof(all));
        memcpy(all + used, key.data, key.size_bytes);
        used += key.size_bytes;
        all[used++] = ' ';
    }
    assert_string_equal(all, keys);
}

/* Sets keys "a", "ab", "b", "c" in another order. */
static void fill(struct fixture *f)
{
    static const char *const keys[] = {"c", "ab", "b", "a"};
    uint64_t session = fixture_register(f);
    for (uint32_t i = 0; i < 4; i++) {
        struct wire_op op = op_set(i + 1, keys[i], keys[i]);
        assert_int_equal(fixture_do(f, session, &op).outcome, WIRE_OUTCOME_OK);
    }
}

static void test_lists_are_in_order_by_prefix_and_after(void **state)
{
    struct fixture *f = *state;
    ask_relaxed(f, "", "");
    expect_keys("");
    assert_false(listed.reply.has_more);
    fill(f);
    ask_relaxed(f, "", "");
    expect_keys("a ab b c ");
    assert_false(listed.reply.has_more);
    assert_int_equal(listed.reply.head.applied_index, engine_applied_index(f->engine));
    assert_int_equal(listed.reply.head.number, 5);
    assert_int_equal(listed.entries[0].version, engine_applied_index(f->engine));
    assert_false(listed.entries[0].has_value);
    ask_relaxed(f, "a", "");
    expect_keys("a ab ");
    ask_relaxed(f, "", "a");
    expect_keys("ab b c ");
    ask_relaxed(f, "", "aa");
    expect_keys("ab b c ");
    ask_relaxed(f, "b", "a");
    expect_keys("b ");
    ask_relaxed(f, "b", "b");
    expect_keys("");
    ask_relaxed(f, "", "c");
    expect_keys("");
    ask_relaxed(f, "d", "");
    expect_keys("");
}

static void test_lists_have_values_that_fit_a_page(void **state)
{
    struct fixture *f = *state;
    static char large[LIST_PAGE_BYTES_MAX];
    uint64_t session = fixture_register(f);
    struct wire_op op = op_set(1, "a", "one");
    assert_int_equal(fixture_do(f, session, &op).outcome, WIRE_OUTCOME_OK);
    memset(large, 'x', sizeof(large) - 1);
    op = op_set(2, "b", large);
    assert_int_equal(fixture_do(f, session, &op).outcome, WIRE_OUTCOME_OK);
    op = op_set(3, "c", "three");
    assert_int_equal(fixture_do(f, session, &op).outcome, WIRE_OUTCOME_OK);
    struct wire_list list = list_of("", "");
    list.has_values = true;
    ask(f, &list);
    expect(f, WIRE_STATUS_OK);
    expect_keys("a b c ");
    assert_true(span_is_equal(listed.entries[0].value, text("one")));
    assert_false(listed.entries[1].has_value);
    assert_int_equal(listed.entries[1].value_size_bytes, sizeof(large) - 1);
    assert_true(span_is_equal(listed.entries[2].value, text("three")));
    assert_int_equal(engine_counters(f->engine)->lists, 1);
}

/* A value that fits a page, but not what is left of this one, begins the next. */
static void test_lists_end_where_the_page_is_full(void **state)
{
    struct fixture *f = *state;
    static char half[3000];
    uint64_t session = fixture_register(f);
    memset(half, 'x', sizeof(half) - 1);
    for (uint32_t i = 0; i < 2; i++) {
        struct wire_op op = op_set(i + 1, i == 0 ? "a" : "b", half);
        assert_int_equal(fixture_do(f, session, &op).outcome, WIRE_OUTCOME_OK);
    }
    struct wire_list list = list_of("", "");
    list.has_values = true;
    ask(f, &list);
    expect(f, WIRE_STATUS_OK);
    expect_keys("a ");
    assert_true(listed.reply.has_more && span_is_equal(listed.reply.last, text("a")));
    list.after = text("a");
    ask(f, &list);
    expect(f, WIRE_STATUS_OK);
    expect_keys("b ");
    assert_true(listed.entries[0].has_value);
    assert_false(listed.reply.has_more);
}

static void test_lists_by_pages_have_every_key_once(void **state)
{
    struct fixture *f = *state;
    char key[16];
    uint8_t last[KEY_SIZE_BYTES_MAX];
    uint32_t pages = 0;
    uint32_t next = 0;
    uint64_t session = 0;
    for (uint32_t i = 0; i < 300; i++) {
        if (i % SESSION_WINDOW == 0)
            session = fixture_register(f);
        snprintf(key, sizeof(key), "key-%03u", i * 7 % 300);
        struct wire_op op = op_set(i % SESSION_WINDOW + 1, key, "v");
        assert_int_equal(fixture_do(f, session, &op).outcome, WIRE_OUTCOME_OK);
    }
    struct wire_list list = list_of("key-", "");
    list.page_bytes = LIST_PAGE_BYTES_MIN;
    do {
        fixture_turn(f, 1);
        ask(f, &list);
        expect(f, WIRE_STATUS_OK);
        assert_true(f->messages[0].size_bytes <= LIST_PAGE_BYTES_MIN);
        for (uint32_t i = 0; i < listed.reply.entry_count; i++) {
            snprintf(key, sizeof(key), "key-%03u", next++);
            assert_true(span_is_equal(listed.entries[i].key, text(key)));
        }
        memcpy(last, listed.reply.last.data, listed.reply.last.size_bytes);
        list.after = span_of(last, listed.reply.last.size_bytes);
        pages++;
    } while (listed.reply.has_more && pages < 100);
    assert_int_equal(next, 300);
    assert_in_range(pages, 300 / (LIST_PAGE_BYTES_MIN / 23), 8);
}

static void test_lists_relaxed_show_pending_writes(void **state)
{
    struct fixture *f = *state;
    fill(f);
    fixture_follow(f, 2, 2);
    uint64_t seq = fixture_pend(f, 1, "b", "pending");
    fixture_pend(f, 2, "aa", "new");
    fixture_pend(f, 3, "d", "new");
    struct wire_op op = {.type = WIRE_OP_SET, .seq = 4, .key = text("ab")};
    fixture_relaxed(f, FIXTURE_IDENTITY, &op, 1);
    struct wire_list list = list_of("", "");
    list.has_values = true;
    ask(f, &list);
    expect(f, WIRE_STATUS_OK);
    expect_keys("a aa b c d ");
    assert_false(listed.entries[0].is_pending);
    assert_true(listed.entries[1].is_pending && listed.entries[2].is_pending);
    assert_int_equal(listed.entries[2].version, seq);
    assert_true(span_is_equal(listed.entries[2].value, text("pending")));
    assert_true(listed.entries[4].is_pending);
}

/* The pages that hide deletes are bounded, too: they end, and say where. */
static void test_lists_look_at_a_bounded_number_of_keys(void **state)
{
    struct fixture *f = *state;
    char key[16];
    fixture_follow(f, 2, 2);
    for (uint32_t i = 0; i < LIST_STEPS_MAX + 50; i++) {
        snprintf(key, sizeof(key), "k%04u", i);
        struct wire_op op = {.type = WIRE_OP_SET, .seq = i + 1, .key = text(key)};
        fixture_relaxed(f, FIXTURE_IDENTITY, &op, 1);
    }
    fixture_turn(f, 1);
    ask_relaxed(f, "", "");
    expect_keys("");
    assert_true(listed.reply.has_more);
    snprintf(key, sizeof(key), "k%04u", LIST_STEPS_MAX - 1);
    assert_true(span_is_equal(listed.reply.last, text(key)));
    ask_relaxed(f, "", key);
    expect_keys("");
    assert_false(listed.reply.has_more);
}

static void test_lists_of_one_turn_are_bounded(void **state)
{
    struct fixture *f = *state;
    fill(f);
    struct wire_list list = list_of("", "");
    uint32_t answered = 0;
    fixture_turn(f, 1);
    for (uint32_t i = 0; i < LIST_TURN_STEPS_MAX; i++) {
        ask(f, &list);
        struct wire_list_reply reply;
        assert_int_equal(
            wire_list_reply_decode(span_of(f->messages[0].data, f->messages[0].size_bytes), &reply),
            OK);
        if (reply.head.status != WIRE_STATUS_OK)
            break;
        answered++;
    }
    expect(f, WIRE_STATUS_OVERLOADED);
    /* Four keys, and the end. */
    assert_in_range(answered, (LIST_TURN_STEPS_MAX - LIST_STEPS_MAX) / 5, LIST_TURN_STEPS_MAX / 5);
    fixture_turn(f, 1);
    ask_relaxed(f, "", "");
    expect_keys("a ab b c ");
    assert_int_equal(engine_counters(f->engine)->lists_refused, 1);
}

static void test_lists_consistent_wait_as_reads_do(void **state)
{
    struct fixture *f = *state;
    fill(f);
    struct wire_list list = list_of("", "");
    list.is_consistent = true;
    ask(f, &list);
    assert_int_equal(f->message_count, 0);
    uint64_t read_id = engine_reads_wanted(f->engine);
    assert_true(read_id > 0);
    fixture_turn(f, 1);
    assert_int_equal(f->message_count, 0);
    engine_reads_released(f->engine, read_id, engine_applied_index(f->engine));
    fixture_turn(f, 1);
    expect(f, WIRE_STATUS_OK);
    expect_keys("a ab b c ");
    assert_int_equal(listed.reply.head.applied_index, engine_applied_index(f->engine));
}

static void test_lists_consistent_do_not_show_pending_writes(void **state)
{
    struct fixture *f = *state;
    fill(f);
    fixture_pend(f, 1, "b", "pending");
    fixture_pend(f, 2, "d", "pending");
    struct wire_list list = list_of("", "");
    list.is_consistent = true;
    ask(f, &list);
    engine_reads_released(f->engine, engine_reads_wanted(f->engine),
                          engine_applied_index(f->engine));
    engine_end_turn(f->engine);
    expect(f, WIRE_STATUS_OK);
    expect_keys("a ab b c ");
    for (uint32_t i = 0; i < listed.reply.entry_count; i++)
        assert_false(listed.entries[i].is_pending);
}

static void test_lists_consistent_are_refused_where_nobody_leads(void **state)
{
    struct fixture *f = *state;
    struct wire_list list = list_of("", "");
    list.is_consistent = true;
    list.timeout_us = 2000;
    ask(f, &list);
    fixture_turn(f, 5);
    fixture_turn(f, 0);
    expect(f, WIRE_STATUS_EXPIRED);
    list.timeout_us = 0;
    ask(f, &list);
    engine_leadership_lost(f->engine);
    expect(f, WIRE_STATUS_NOT_LEADER);
    f->view.has_fresh_quorum = false;
    fixture_begin(f);
    ask(f, &list);
    expect(f, WIRE_STATUS_NO_QUORUM);
    fixture_follow(f, 2, 2);
    ask(f, &list);
    expect(f, WIRE_STATUS_NOT_LEADER);
}

static void test_lists_relaxed_refuse_what_cannot_be_promised(void **state)
{
    struct fixture *f = *state;
    f->view.contact_age_ns = 3 * (uint64_t)FIXTURE_MS;
    fixture_begin(f);
    struct wire_list list = list_of("", "");
    list.min_index = engine_applied_index(f->engine) + 1;
    ask(f, &list);
    expect(f, WIRE_STATUS_TOO_STALE);
    list.min_index--;
    list.max_age_us = 2999;
    ask(f, &list);
    expect(f, WIRE_STATUS_TOO_STALE);
    list.max_age_us = 3000;
    ask(f, &list);
    expect(f, WIRE_STATUS_OK);
}

/* Keys of the cluster's own lie at the begin, and what is beside them is listed. */
static struct span table_of(uint8_t rights, const char *prefix)
{
    static uint8_t data[VALUE_SIZE_BYTES_MAX];
    struct rights_builder builder;
    struct span bytes;
    rights_builder_begin(&builder, data);
    rights_builder_principal(&builder, text("ann"), 0);
    rights_builder_line(&builder, rights, text(prefix));
    assert_int_equal(rights_builder_end(&builder, &bytes), OK);
    return bytes;
}

static void test_lists_leave_reserved_keys_out(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *bytes;
        size_t size_bytes;
    } keys[] = {{"\0pollu", 6}, {"\0polluy", 7}, {"a", 1}};
    uint64_t session = fixture_register(f);
    for (uint32_t i = 0; i < 3; i++) {
        struct wire_op op = op_set(i + 1, "", "v");
        op.key = span_of(keys[i].bytes, keys[i].size_bytes);
        assert_int_equal(fixture_do(f, session, &op).outcome, WIRE_OUTCOME_OK);
    }
    engine_set_rights(f->engine, &(struct rights){.is_all = true});
    const struct wire_op table = {.type = WIRE_OP_SWAP,
                                  .has_value = true,
                                  .seq = 4,
                                  .key = rights_key(),
                                  .value = table_of(RIGHT_READ, "")};
    assert_int_equal(fixture_do(f, session, &table).outcome, WIRE_OUTCOME_OK);
    ask_relaxed(f, "", "");
    assert_int_equal(listed.reply.entry_count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(
            span_is_equal(listed.entries[i].key, span_of(keys[i].bytes, keys[i].size_bytes)));
    struct wire_list list = list_of("", "");
    list.prefix = span_of("\0pollux", 7);
    ask(f, &list);
    expect(f, WIRE_STATUS_OK);
    assert_int_equal(listed.reply.entry_count, 0);
    assert_false(listed.reply.has_more);
    engine_set_rights(f->engine, &(struct rights){.is_free = true});
    ask(f, &list);
    expect(f, WIRE_STATUS_DENIED);
}

/* Whoever may read all keys with the prefix, and no one else; consistent and relaxed apart. */
static void test_lists_look_at_rights(void **state)
{
    struct fixture *f = *state;
    struct rights_table table;
    struct rights_principal ann;
    fill(f);
    assert_int_equal(rights_table_decode(table_of(RIGHT_RELAXED_READ, "a"), &table), OK);
    assert_true(rights_table_find(&table, text("ann"), &ann));
    engine_set_rights(f->engine, &(struct rights){.lines = ann.lines});
    struct wire_list list = list_of("", "");
    ask(f, &list);
    expect(f, WIRE_STATUS_DENIED);
    ask_relaxed(f, "a", "");
    expect_keys("a ab ");
    list = list_of("a", "");
    list.is_consistent = true;
    ask(f, &list);
    expect(f, WIRE_STATUS_DENIED);
}

static void test_lists_that_do_not_decode_are_counted(void **state)
{
    struct fixture *f = *state;
    struct address from = fixture_client();
    uint8_t bytes[LIST_QUESTION_BYTES] = {0};
    fixture_forget_messages(f);
    engine_receive(f->engine, &from, WIRE_LIST, span_of(bytes, sizeof(bytes)));
    assert_int_equal(f->message_count, 0);
    assert_int_equal(engine_counters(f->engine)->requests_malformed, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_lists_are_in_order_by_prefix_and_after),
        T(test_lists_have_values_that_fit_a_page),
        T(test_lists_end_where_the_page_is_full),
        T(test_lists_by_pages_have_every_key_once),
        T(test_lists_relaxed_show_pending_writes),
        T(test_lists_look_at_a_bounded_number_of_keys),
        T(test_lists_of_one_turn_are_bounded),
        T(test_lists_consistent_wait_as_reads_do),
        T(test_lists_consistent_do_not_show_pending_writes),
        T(test_lists_consistent_are_refused_where_nobody_leads),
        T(test_lists_relaxed_refuse_what_cannot_be_promised),
        T(test_lists_leave_reserved_keys_out),
        T(test_lists_look_at_rights),
        T(test_lists_that_do_not_decode_are_counted),
    };
#undef T
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
