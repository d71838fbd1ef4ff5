/* Lists, from a node that the test plays in a thread of its own. */
#include "client/include/pollux_list.h"
#include "tests/unit/client/fake_thread.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_KEYS       2
#define KEYS_TEXT_BYTES 64

static const char *const keys[] = {"a", "b", "b2", "c", "d"};

/* How the node behaves; read by its thread only. */
struct listing_node {
    struct fake fake;
    struct fake_thread thread;
    uint32_t refusals; /* so many questions are answered with: */
    enum wire_status refusal;
    uint32_t lies;         /* so many repeat the page before, or what does not begin so */
    uint32_t empty;        /* so many pages have no key, but end behind "a" */
    bool is_deaf;          /* to lists */
    bool counts_lists;     /* among its counters */
    bool is_another;       /* answers as if it had been started anew */
    uint32_t asked;        /* read after the join */
    uint32_t statuses;     /* the same */
    struct wire_list last; /* its fields but for the spans; the same */
};

static void page_send(struct listing_node *node, const struct wire_list *list)
{
    uint8_t body[LIST_PAGE_BYTES_MAX];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_reply head = fake_reply_head(&node->fake, list->number, WIRE_STATUS_OK);
    bool is_lie = node->lies > 0;
    bool is_empty = !is_lie && node->empty > 0;
    uint32_t count = 0;
    struct span last = span_of("a", 1);
    bool has_more = is_empty;
    head.incarnation += node->is_another;
    node->lies -= is_lie;
    node->empty -= is_empty;
    wire_list_reply_begin(&writer, &head);
    for (uint32_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !is_empty; i++) {
        struct span key = span_of(keys[i], strlen(keys[i]));
        bool is_wanted = span_compare(list->after, key) < 0 &&
                         (list->prefix.size_bytes == 0 || key.data[0] == list->prefix.data[0]);
        if (is_wanted == is_lie)
            continue;
        has_more = count == PAGE_KEYS;
        if (has_more)
            break;
        last = key;
        count++;
        wire_list_reply_add(&writer, &(struct wire_list_entry){.key = key,
                                                               .version = 40 + i,
                                                               .value_size_bytes = 3,
                                                               .has_value = list->has_values,
                                                               .value = span_of("one", 3)});
    }
    wire_list_reply_end(&writer, has_more ? &last : NULL);
    assert_false(writer.is_overflow);
    fake_send(&node->fake, WIRE_LIST_REPLY, span_of(body, writer.size_bytes));
}

static void status_send(struct listing_node *node)
{
    uint8_t body[512];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_hello_reply hello = {.incarnation = node->fake.incarnation,
                                     .node = node->fake.id,
                                     .node_count = 1,
                                     .shard_count = 1,
                                     .lane_count = 1,
                                     .session_ttl_ns = FAKE_SESSION_TTL_NS};
    node->statuses++;
    wire_hello_reply_encode(&writer, &hello);
    wire_counter_add(&writer, "engine_lists_refused", 0);
    if (node->counts_lists)
        wire_counter_add(&writer, "engine_lists", 0);
    fake_send(&node->fake, WIRE_STATUS_REPLY, span_of(body, writer.size_bytes));
}

static void answer(struct listing_node *node)
{
    struct wire_list list;
    if (node->fake.type == WIRE_STATUS)
        status_send(node);
    if (node->fake.type != WIRE_LIST)
        return;
    assert_int_equal(wire_list_decode(node->fake.body, &list), OK);
    node->asked++;
    node->last = list;
    if (node->is_deaf)
        return;
    if (node->refusals > 0) {
        node->refusals--;
        fake_refuse(&node->fake, WIRE_LIST_REPLY, list.number, node->refusal);
        return;
    }
    page_send(node, &list);
}

static void listing_turn(void *context)
{
    struct listing_node *node = context;
    while (fake_try(&node->fake))
        answer(node);
}

static struct plx_client *begin_with(struct listing_node *node, bool reads_own)
{
    node->thread = (struct fake_thread){.fake = &node->fake, .turn = listing_turn, .context = node};
    fake_thread_start(&node->thread, 1);
    struct plx_options options = fake_options(&node->fake, 1);
    options.read_your_writes = reads_own;
    return fake_client(&options);
}

static struct plx_client *begin(struct listing_node *node)
{
    return begin_with(node, false);
}

static void end(struct listing_node *node, struct plx_client *client, void *memory)
{
    plx_close(client);
    fake_thread_stop(&node->thread);
    free(memory);
}

static const struct plx_call patient = {.timeout_ns = UINT64_C(5000000000)};
static const struct plx_call relaxed = {.timeout_ns = UINT64_C(5000000000), .is_relaxed = true};
static const struct plx_call impatient = {.timeout_ns = UINT64_C(300000000)};

static struct plx_list *list_new(const struct plx_list_query *query, void **ret_memory)
{
    struct plx_list *list;
    *ret_memory = malloc(plx_list_size());
    assert_non_null(*ret_memory);
    assert_int_equal(plx_list_begin(*ret_memory, plx_list_size(), query, &list), PLX_OK);
    return list;
}

/* All that is left of the list, a space behind each key; how it ends. */
static enum plx_outcome walk(struct plx_client *client, struct plx_list *list,
                             const struct plx_call *call, char *ret_keys)
{
    struct plx_list_entry entry;
    enum plx_outcome outcome;
    size_t used = 0;
    while ((outcome = plx_list(client, list, call, &entry)) == PLX_OK) {
        assert_true(used + entry.key.size_bytes + 2 < KEYS_TEXT_BYTES);
        memcpy(ret_keys + used, entry.key.data, entry.key.size_bytes);
        used += entry.key.size_bytes;
        ret_keys[used++] = ' ';
        assert_int_equal(entry.value_size_bytes, 3);
        assert_int_equal(entry.node, 1);
        assert_int_equal(entry.shard, 0);
    }
    ret_keys[used] = '\0';
    assert_null(entry.key.data);
    return outcome;
}

static void expect_walk(struct listing_node *node, const struct plx_list_query *query,
                        const struct plx_call *call, const char *expected)
{
    char all[KEYS_TEXT_BYTES];
    void *memory;
    struct plx_client *client = begin(node);
    struct plx_list *list = list_new(query, &memory);
    assert_int_equal(walk(client, list, call, all), PLX_NOT_FOUND);
    assert_string_equal(all, expected);
    assert_int_equal(walk(client, list, call, all), PLX_NOT_FOUND);
    assert_string_equal(all, "");
    end(node, client, memory);
}

static void test_list_walks_all_pages(void **state)
{
    (void)state;
    struct listing_node node = {.empty = 0};
    expect_walk(&node, &(struct plx_list_query){.has_values = false}, &patient, "a b b2 c d ");
    assert_int_equal(node.asked, 3);
    assert_true(node.last.is_consistent && !node.last.has_values && node.last.timeout_us > 0);
}

static void test_list_begins_behind_a_key_and_keeps_to_a_prefix(void **state)
{
    (void)state;
    struct listing_node node = {.empty = 0};
    expect_walk(&node, &(struct plx_list_query){.after = plx_text("b")}, &patient, "b2 c d ");
    node = (struct listing_node){.empty = 0};
    expect_walk(&node, &(struct plx_list_query){.prefix = plx_text("b")}, &patient, "b b2 ");
    node = (struct listing_node){.empty = 0};
    expect_walk(&node, &(struct plx_list_query){.prefix = plx_text("x")}, &patient, "");
}

static void test_list_relaxed_asks_the_preferred_node(void **state)
{
    (void)state;
    struct listing_node node = {.empty = 0};
    expect_walk(&node, &(struct plx_list_query){.has_values = true}, &relaxed, "a b b2 c d ");
    assert_true(!node.last.is_consistent && node.last.has_values);
}

static void test_list_goes_on_over_a_page_without_a_key(void **state)
{
    (void)state;
    struct listing_node node = {.empty = 1};
    expect_walk(&node, &(struct plx_list_query){.has_values = true}, &patient, "b b2 c d ");
}

static void test_list_asks_again_where_it_is_refused_for_now(void **state)
{
    (void)state;
    static const enum wire_status passing[] = {WIRE_STATUS_NOT_LEADER, WIRE_STATUS_NO_QUORUM,
                                               WIRE_STATUS_OVERLOADED, WIRE_STATUS_EXPIRED};
    for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
        struct listing_node node = {.refusals = 2, .refusal = passing[i]};
        expect_walk(&node, &(struct plx_list_query){.has_values = true}, &patient, "a b b2 c d ");
        assert_int_equal(node.asked, 5);
    }
}

static void test_list_takes_no_answer_that_goes_back(void **state)
{
    (void)state;
    struct listing_node node = {.lies = 2};
    expect_walk(&node, &(struct plx_list_query){.after = plx_text("b")}, &patient, "b2 c d ");
    assert_in_range(node.asked, 4, 5);
    node = (struct listing_node){.lies = 2};
    expect_walk(&node, &(struct plx_list_query){.prefix = plx_text("b")}, &patient, "b b2 ");
}

static void expect_end(struct listing_node *node, const struct plx_call *call,
                       enum plx_outcome expected)
{
    char all[KEYS_TEXT_BYTES];
    void *memory;
    struct plx_client *client = begin_with(node, false);
    struct plx_list *list = list_new(&(struct plx_list_query){.has_values = false}, &memory);
    assert_int_equal(walk(client, list, call, all), expected);
    assert_string_equal(all, "");
    end(node, client, memory);
}

static void test_list_says_what_will_not_pass(void **state)
{
    (void)state;
    struct listing_node node = {.refusals = 9, .refusal = WIRE_STATUS_TOO_STALE};
    expect_end(&node, &relaxed, PLX_E_TOO_STALE);
    node = (struct listing_node){.refusals = 9, .refusal = WIRE_STATUS_BAD_REQUEST};
    expect_end(&node, &patient, PLX_E_ARGUMENT);
    node = (struct listing_node){.is_another = true, .counts_lists = true};
    expect_end(&node, &impatient, PLX_TIMEOUT);
}

static void test_list_of_an_older_node_is_not_supported(void **state)
{
    (void)state;
    struct listing_node node = {.is_deaf = true};
    expect_end(&node, &patient, PLX_E_UNSUPPORTED);
    assert_true(node.statuses > 0);
    node = (struct listing_node){.is_deaf = true};
    expect_end(&node, &relaxed, PLX_E_UNSUPPORTED);
    node = (struct listing_node){.is_deaf = true, .counts_lists = true};
    expect_end(&node, &impatient, PLX_TIMEOUT);
    assert_true(node.statuses > 0);
}

/* A call that found no time loses nothing. */
static void test_list_goes_on_after_a_timeout(void **state)
{
    (void)state;
    char all[KEYS_TEXT_BYTES];
    void *memory;
    struct listing_node node = {.refusals = 1000, .refusal = WIRE_STATUS_OVERLOADED};
    struct plx_client *client = begin(&node);
    struct plx_list *list = list_new(&(struct plx_list_query){.has_values = false}, &memory);
    static const struct plx_call brief = {.timeout_ns = UINT64_C(30000000)};
    assert_int_equal(walk(client, list, &brief, all), PLX_TIMEOUT);
    assert_int_equal(walk(client, list, &patient, all), PLX_NOT_FOUND);
    assert_string_equal(all, "a b b2 c d ");
    end(&node, client, memory);
}

static void test_list_refuses_arguments(void **state)
{
    (void)state;
    static const char long_key[PLX_KEY_SIZE_BYTES_MAX + 1];
    struct plx_list_query query = {.has_values = false};
    struct plx_list_entry entry;
    struct plx_list *list;
    char *memory = malloc(plx_list_size());
    assert_int_equal(plx_list_begin(NULL, plx_list_size(), &query, &list), PLX_E_ARGUMENT);
    assert_null(list);
    assert_int_equal(plx_list_begin(memory, plx_list_size() - 1, &query, &list), PLX_E_ARGUMENT);
    assert_int_equal(plx_list_begin(memory, plx_list_size(), NULL, &list), PLX_E_ARGUMENT);
    assert_int_equal(plx_list_begin(memory, plx_list_size(), &query, NULL), PLX_E_ARGUMENT);
    query.prefix = (struct plx_bytes){long_key, sizeof(long_key)};
    assert_int_equal(plx_list_begin(memory, plx_list_size(), &query, &list), PLX_E_TOO_LARGE);
    query = (struct plx_list_query){.after = {long_key, sizeof(long_key)}};
    assert_int_equal(plx_list_begin(memory, plx_list_size(), &query, &list), PLX_E_TOO_LARGE);
    assert_null(list);
    query.after.size_bytes--;
    assert_int_equal(plx_list_begin(memory, plx_list_size(), &query, &list), PLX_OK);
    assert_int_equal(plx_list(NULL, list, NULL, &entry), PLX_E_ARGUMENT);
    struct plx_options options;
    plx_options_init(&options);
    options.endpoints = "127.0.0.1:1";
    options.cluster = "test";
    struct plx_client *client = fake_client(&options);
    assert_int_equal(plx_list(client, NULL, NULL, &entry), PLX_E_ARGUMENT);
    assert_int_equal(plx_list(client, list, NULL, NULL), PLX_E_ARGUMENT);
    struct plx_call call = {.min_index = 1};
    assert_int_equal(plx_list(client, list, &call, &entry), PLX_E_ARGUMENT);
    call = (struct plx_call){.timeout_ns = 1000000};
    assert_int_equal(plx_list(client, list, &call, &entry), PLX_TIMEOUT);
    plx_close(client);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_walks_all_pages),
        cmocka_unit_test(test_list_begins_behind_a_key_and_keeps_to_a_prefix),
        cmocka_unit_test(test_list_relaxed_asks_the_preferred_node),
        cmocka_unit_test(test_list_goes_on_over_a_page_without_a_key),
        cmocka_unit_test(test_list_asks_again_where_it_is_refused_for_now),
        cmocka_unit_test(test_list_takes_no_answer_that_goes_back),
        cmocka_unit_test(test_list_says_what_will_not_pass),
        cmocka_unit_test(test_list_of_an_older_node_is_not_supported),
        cmocka_unit_test(test_list_goes_on_after_a_timeout),
        cmocka_unit_test(test_list_refuses_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
