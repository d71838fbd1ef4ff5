/*
 * Logs handed out once, against a store played by the test: one value, swapped under a mutex, which
 * may leave the outcome of a swap unknown, and two clocks that stand still until they are moved.
 */
#include "base/prng.h"
#include "client/logs_internal.h"
#include "tests/unit/client/fake_node.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define CALLERS_MAX 4
#define LOGS_MAX    2000

enum play {
    PLAY_PLAIN,
    PLAY_DONE_UNKNOWN,   /* the swap happens, and its outcome is unknown */
    PLAY_UNDONE_UNKNOWN, /* it does not happen, and its outcome is unknown */
    PLAY_TIMEOUT,
    PLAY_RACE,    /* somebody else changes the cursor first */
    PLAY_NO_ROOM, /* the logs of a majority are full */
};

struct store {
    pthread_mutex_t mutex;
    bool has_value;
    uint8_t value[LOGS_CURSOR_SIZE_BYTES];
    size_t size_bytes;
    enum play play;  /* of the next swap alone */
    bool is_expired; /* tokens are answered so */
    bool is_cut_off; /* and tokens are not answered */
    uint64_t monotonic_ns;
    uint64_t wall_us;
    uint64_t nonce;
    uint32_t swaps;
    uint64_t swap_takes_ns;
    uint64_t resolve_timeout_ns; /* of the last one that was asked for; 0: none was */
    struct prng prng;
    bool is_random; /* each swap plays anything */
    char key[LOGS_KEY_SIZE];
};

static struct plx_response answer(const struct store *store, enum plx_outcome outcome,
                                  const struct plx_call *call)
{
    struct plx_response response = {.outcome = outcome};
    if (store->has_value && (outcome == PLX_OK || outcome == PLX_MISMATCH)) {
        size_t size = store->size_bytes < call->buffer_size_bytes ? store->size_bytes
                                                                  : call->buffer_size_bytes;
        memcpy(call->buffer, store->value, size);
        response.value_size_bytes = store->size_bytes;
    }
    return response;
}

static struct plx_response fake_get(void *context, struct plx_bytes key,
                                    const struct plx_call *call)
{
    struct store *store = context;
    pthread_mutex_lock(&store->mutex);
    assert_true(key.size_bytes < sizeof(store->key));
    memcpy(store->key, key.data, key.size_bytes);
    store->key[key.size_bytes] = '\0';
    struct plx_response response = answer(store, store->has_value ? PLX_OK : PLX_NOT_FOUND, call);
    pthread_mutex_unlock(&store->mutex);
    return response;
}

static bool swap_applies(struct store *store, struct plx_bytes new_value, struct plx_bytes old)
{
    bool is_absent = plx_is_absent(old);
    bool is_equal = store->has_value == !is_absent &&
                    (is_absent || (old.size_bytes == store->size_bytes &&
                                   memcmp(old.data, store->value, old.size_bytes) == 0));
    if (is_equal) {
        memcpy(store->value, new_value.data, new_value.size_bytes);
        store->size_bytes = new_value.size_bytes;
        store->has_value = true;
    }
    return is_equal;
}

/* What somebody else does to the cursor: the log with timestamp 1 is taken. */
static void race(struct store *store)
{
    struct logs_cursor cursor = {.serial = 0};
    (void)logs_cursor_move(&cursor, (struct plx_logs_position){1, 1}, 1, 4711);
    logs_cursor_encode(&cursor, store->value);
    store->size_bytes = LOGS_CURSOR_SIZE_BYTES;
    store->has_value = true;
}

static struct plx_response fake_swap(void *context, struct plx_bytes key,
                                     struct plx_bytes new_value, struct plx_bytes old_value,
                                     const struct plx_call *call)
{
    struct store *store = context;
    (void)key;
    pthread_mutex_lock(&store->mutex);
    enum play play = store->play;
    if (store->is_random)
        play = (enum play)prng_range(&store->prng, PLAY_PLAIN, PLAY_TIMEOUT);
    store->play = PLAY_PLAIN;
    store->swaps++;
    store->monotonic_ns += store->swap_takes_ns;
    if (play == PLAY_RACE)
        race(store);
    enum plx_outcome outcome = play == PLAY_NO_ROOM ? PLX_E_OVERLOADED : PLX_TIMEOUT;
    if (play != PLAY_TIMEOUT && play != PLAY_NO_ROOM && play != PLAY_UNDONE_UNKNOWN)
        outcome = swap_applies(store, new_value, old_value) ? PLX_OK : PLX_MISMATCH;
    struct plx_response response = answer(store, outcome, call);
    if (play == PLAY_DONE_UNKNOWN || play == PLAY_UNDONE_UNKNOWN) {
        response = (struct plx_response){.outcome = PLX_UNKNOWN};
        response.token =
            (struct plx_token){.cluster_id = 1, .session = 2, .seq = (uint64_t)outcome + 1};
    }
    pthread_mutex_unlock(&store->mutex);
    return response;
}

/* The token's seq is the truth that it stands for. */
static struct plx_response fake_resolve(void *context, const struct plx_token *token,
                                        const struct plx_call *call)
{
    struct store *store = context;
    assert_false(call->is_blocking);
    store->resolve_timeout_ns = call->timeout_ns;
    if (store->is_expired)
        return (struct plx_response){.outcome = PLX_E_SESSION_EXPIRED};
    if (store->is_cut_off)
        return (struct plx_response){.outcome = PLX_UNKNOWN};
    return (struct plx_response){.outcome = (enum plx_outcome)(token->seq - 1)};
}

static uint64_t fake_monotonic_ns(void *context)
{
    return ((struct store *)context)->monotonic_ns;
}

static uint64_t fake_wall_us(void *context)
{
    return ((struct store *)context)->wall_us;
}

static uint64_t fake_nonce(void *context)
{
    struct store *store = context;
    pthread_mutex_lock(&store->mutex);
    uint64_t nonce = ++store->nonce;
    pthread_mutex_unlock(&store->mutex);
    return nonce;
}

static struct logs_store open_store(struct store *store)
{
    *store = (struct store){.wall_us = 1000000, .monotonic_ns = 1};
    assert_int_equal(pthread_mutex_init(&store->mutex, NULL), 0);
    prng_init(&store->prng, 5);
    return (struct logs_store){.context = store,
                               .get = fake_get,
                               .swap = fake_swap,
                               .resolve = fake_resolve,
                               .monotonic_ns = fake_monotonic_ns,
                               .wall_us = fake_wall_us,
                               .nonce = fake_nonce,
                               .timeout_ns = 1000};
}

static const struct plx_logs_how plain;

static struct plx_logs_result take_times(const struct logs_store *store, const int64_t *timestamps,
                                         size_t count, const struct plx_logs_how *how)
{
    static struct plx_log logs[LOGS_MAX];
    assert_true(count <= LOGS_MAX);
    for (size_t i = 0; i < count; i++)
        logs[i] = (struct plx_log){.timestamp = timestamps[i]};
    const struct logs_source source = {.logs = logs, .count = count};
    return logs_take(store, "web1", &source, how);
}

static struct plx_logs_result take_text(const struct logs_store *store, const char *text)
{
    const struct logs_source source = {
        .is_text = true, .text = plx_text(text), .format = PLX_LOGS_INTEGER};
    return logs_take(store, "web1", &source, &plain);
}

static void test_logs_takes_each_log_once(void **state)
{
    (void)state;
    struct store fake;
    struct logs_store store = open_store(&fake);
    const int64_t times[] = {-3, 1, 1, 2, 9};
    struct plx_logs_result result = take_times(&store, times, 3, &plain);
    assert_int_equal(result.outcome, PLX_OK);
    assert_string_equal(fake.key, "pollux/logs/web1");
    assert_true(result.first == 0 && result.count == 3);
    result = take_times(&store, times, 5, &plain);
    assert_true(result.outcome == PLX_OK && result.first == 3 && result.count == 2);
    assert_true(result.end.timestamp == 9 && result.end.count == 1);
    result = take_times(&store, times, 5, &plain);
    assert_true(result.outcome == PLX_OK && result.first == 5 && result.count == 0);
    assert_int_equal(fake.swaps, 2);
    result = take_times(&store, times, 0, &plain);
    assert_true(result.outcome == PLX_OK && result.count == 0);
    struct plx_logs_state found;
    assert_int_equal(logs_state(&store, "web1", &(struct plx_call){0}, &found).outcome, PLX_OK);
    assert_true(found.handed_out == 5 && found.position.timestamp == 9 && found.serial == 2);
}

static void test_logs_tells_equal_timestamps_apart(void **state)
{
    (void)state;
    struct store fake;
    struct logs_store store = open_store(&fake);
    const int64_t times[] = {4, 7, 7, 7, 7};
    assert_int_equal(take_times(&store, times, 2, &plain).count, 2);
    for (size_t count = 3; count <= 5; count++) {
        struct plx_logs_result result = take_times(&store, times, count, &plain);
        assert_true(result.first == count - 1 && result.count == 1);
        assert_true(result.end.count == count - 1);
    }
    assert_int_equal(take_times(&store, times, 5, &plain).count, 0);
}

static void test_logs_counts_on_from_the_logs_before(void **state)
{
    (void)state;
    struct store fake;
    struct logs_store store = open_store(&fake);
    const int64_t times[] = {7, 7, 7, 8};
    struct plx_logs_result result = take_times(&store, times, 2, &plain);
    /* A new file goes on with the same timestamp; without `before` two of its logs would be
     * lost. */
    const struct plx_logs_how how = {.before = result.end};
    result = take_times(&store, times + 2, 2, &how);
    assert_true(result.outcome == PLX_OK && result.first == 0 && result.count == 2);
    assert_int_equal(take_times(&store, times, 4, &plain).count, 0);
    const struct plx_logs_how later = {.before = {.timestamp = 9, .count = 1}};
    result = take_times(&store, times, 4, &later);
    assert_true(result.fault == PLX_LOGS_BACKWARD && result.line == 1);
}

static void test_logs_names_the_line_at_fault_and_moves_nothing(void **state)
{
    (void)state;
    struct store fake;
    struct logs_store store = open_store(&fake);
    struct plx_logs_result result = take_text(&store, "1 a\n2 b\nx c\n");
    assert_int_equal(result.outcome, PLX_E_ARGUMENT);
    assert_true(result.fault == PLX_LOGS_MALFORMED && result.line == 3 && result.count == 0);
    result = take_text(&store, "1 a\n5 b\n4 c\n6 d\n");
    assert_true(result.fault == PLX_LOGS_BACKWARD && result.line == 3);
    assert_int_equal(result.outcome, PLX_E_ARGUMENT);
    result = take_text(&store, "1 a\n\n2 b\n");
    assert_true(result.fault == PLX_LOGS_MALFORMED && result.line == 2);
    const int64_t times[] = {3, 2};
    result = take_times(&store, times, 2, &plain);
    assert_true(result.fault == PLX_LOGS_BACKWARD && result.line == 2);
    assert_true(fake.swaps == 0 && !fake.has_value);
    const struct logs_source none = {.count = 0};
    assert_int_equal(logs_take(&store, "", &none, &plain).fault, PLX_LOGS_NAME);
    char name[PLX_LOGS_SERVER_SIZE_BYTES_MAX + 2];
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(logs_take(&store, name, &none, &plain).fault, PLX_LOGS_NAME);
    fake.has_value = true;
    fake.size_bytes = 3;
    assert_int_equal(take_text(&store, "1 a\n").fault, PLX_LOGS_FOREIGN);
}

static void test_logs_leaves_a_line_that_is_being_written(void **state)
{
    (void)state;
    struct store fake;
    struct logs_store store = open_store(&fake);
    struct plx_logs_result result = take_text(&store, "1 a\n2 b\n2 hal");
    assert_true(result.count == 2 && result.offset_bytes == 0 && result.size_bytes == 8);
    result = take_text(&store, "1 a\n2 b\n2 half\n3");
    assert_true(result.first == 2 && result.count == 1);
    assert_true(result.offset_bytes == 8 && result.size_bytes == 7);
    result = take_text(&store, "1 a\n2 b\n2 half\n3");
    assert_true(result.count == 0 && result.offset_bytes == 15 && result.size_bytes == 0);
}

static void test_logs_begins_anew_where_somebody_was_first(void **state)
{
    (void)state;
    struct store fake;
    struct logs_store store = open_store(&fake);
    const int64_t times[] = {1, 2};
    fake.play = PLAY_RACE;
    struct plx_logs_result result = take_times(&store, times, 2, &plain);
    assert_true(result.outcome == PLX_OK && result.first == 1 && result.count == 1);
    assert_int_equal(fake.swaps, 2);
}

static void test_logs_without_room_are_not_handed_out(void **state)
{
    (void)state;
    struct store fake;
    struct logs_store store = open_store(&fake);
    const int64_t times[] = {1, 2};
    fake.play = PLAY_NO_ROOM;
    struct plx_logs_result result = take_times(&store, times, 2, &plain);
    assert_true(result.outcome == PLX_E_OVERLOADED && result.count == 0 && fake.swaps == 1);
    result = take_times(&store, times, 2, &plain);
    assert_true(result.outcome == PLX_OK && result.count == 2);
}

static void test_logs_settles_an_unknown_swap_before_it_decides(void **state)
{
    (void)state;
    struct store fake;
    struct logs_store store = open_store(&fake);
    const int64_t times[] = {1, 2, 3, 4, 5, 6};
    fake.play = PLAY_DONE_UNKNOWN;
    struct plx_logs_result result = take_times(&store, times, 1, &plain);
    assert_true(result.outcome == PLX_OK && result.count == 1 && fake.swaps == 1);
    fake.play = PLAY_UNDONE_UNKNOWN;
    result = take_times(&store, times, 2, &plain);
    assert_true(result.outcome == PLX_TIMEOUT && result.count == 0 && result.id.serial == 0);
    fake.play = PLAY_TIMEOUT;
    assert_int_equal(take_times(&store, times, 2, &plain).outcome, PLX_TIMEOUT);
    /* The session is gone: the cursor itself tells. */
    fake.is_expired = true;
    fake.play = PLAY_DONE_UNKNOWN;
    result = take_times(&store, times, 2, &plain);
    assert_true(result.outcome == PLX_OK && result.first == 1 && result.count == 1);
    fake.play = PLAY_UNDONE_UNKNOWN;
    result = take_times(&store, times, 3, &plain);
    assert_true(result.outcome == PLX_OK && result.first == 2 && result.count == 1);
    /* Nobody answers: the logs are kept with the token, and handed out to nobody else. */
    fake.is_expired = false;
    fake.is_cut_off = true;
    fake.play = PLAY_DONE_UNKNOWN;
    result = take_times(&store, times, 5, &plain);
    assert_true(result.outcome == PLX_UNKNOWN && result.token.seq != 0);
    assert_true(result.first == 3 && result.count == 2);
    assert_int_equal(logs_confirm(&store, "web1", &result.id, &(struct plx_call){0}).outcome,
                     PLX_OK);
    assert_int_equal(take_times(&store, times, 5, &plain).count, 0);
}

/* A call ends within its own time and the wait for a fence, however many steps it takes. */
static void test_logs_settles_within_the_time_of_the_call(void **state)
{
    (void)state;
    struct store fake;
    struct logs_store store = open_store(&fake);
    const int64_t times[] = {1};
    store.fence_wait_ns = 500;
    fake.swap_takes_ns = 1200;
    fake.is_cut_off = true;
    fake.play = PLAY_DONE_UNKNOWN;
    assert_int_equal(take_times(&store, times, 1, &plain).outcome, PLX_UNKNOWN);
    assert_int_equal(fake.resolve_timeout_ns, 300);
    (void)open_store(&fake);
    fake.swap_takes_ns = 1500;
    fake.play = PLAY_DONE_UNKNOWN;
    struct plx_logs_result result = take_times(&store, times, 1, &plain);
    assert_true(result.outcome == PLX_UNKNOWN && result.token.seq != 0 && result.count == 1);
    assert_int_equal(fake.resolve_timeout_ns, 0);
}

static const struct plx_logs_how lend = {.lease_ns = 2000000};

static void test_logs_lease_is_confirmed_once(void **state)
{
    (void)state;
    struct store fake;
    struct logs_store store = open_store(&fake);
    const struct plx_call call = {0};
    const int64_t times[] = {1, 2, 2};
    struct plx_logs_result lease = take_times(&store, times, 2, &lend);
    assert_true(lease.outcome == PLX_OK && lease.count == 2 && lease.lease_left_ns == 2000000);
    struct plx_logs_result other = take_times(&store, times, 3, &plain);
    assert_true(other.outcome == PLX_OK && other.is_leased && other.count == 0);
    assert_int_equal(other.lease_left_ns, 2000000 + PLX_LOGS_SKEW_NS);
    struct plx_logs_state found;
    assert_int_equal(logs_state(&store, "web1", &call, &found).outcome, PLX_OK);
    assert_true(found.leased == 2 && found.handed_out == 0 && found.lease.nonce == lease.id.nonce);
    for (int i = 0; i < 2; i++)
        assert_int_equal(logs_confirm(&store, "web1", &lease.id, &call).outcome, PLX_OK);
    other = take_times(&store, times, 3, &plain);
    assert_true(!other.is_leased && other.first == 2 && other.count == 1);
}

static void test_logs_leased_to_somebody_else_are_not_given(void **state)
{
    (void)state;
    struct store fake;
    struct logs_store store = open_store(&fake);
    const int64_t times[] = {1, 2};
    const struct plx_logs_how for_ever = {.lease_ns = UINT64_MAX};
    struct plx_logs_result lease = take_times(&store, times, 2, &for_ever);
    assert_true(lease.outcome == PLX_OK && lease.count == 2);
    assert_true(lease.lease_left_ns > (uint64_t)INT64_MAX);
    struct plx_logs_result other = take_text(&store, "1 a\n2 b\n3 c\n");
    assert_true(other.outcome == PLX_OK && other.is_leased && other.count == 0);
    assert_true(other.first == 3 && other.offset_bytes == 12 && other.size_bytes == 0);
    struct plx_logs_state found = {.serial = 99};
    assert_int_equal(logs_state(&store, "", &(struct plx_call){0}, &found).outcome, PLX_E_ARGUMENT);
    assert_int_equal(found.serial, 0);
}

static void test_logs_lease_that_is_over_goes_to_the_next(void **state)
{
    (void)state;
    struct store fake;
    struct logs_store store = open_store(&fake);
    const struct plx_call call = {0};
    const int64_t times[] = {1, 2};
    struct plx_logs_result dead = take_times(&store, times, 2, &lend);
    fake.wall_us += 2000 + PLX_LOGS_SKEW_NS / 1000 - 1;
    assert_true(take_times(&store, times, 2, &lend).is_leased);
    fake.wall_us++;
    struct plx_logs_result next = take_times(&store, times, 2, &lend);
    assert_true(next.outcome == PLX_OK && next.first == 0 && next.count == 2);
    assert_int_equal(logs_confirm(&store, "web1", &dead.id, &call).outcome, PLX_MISMATCH);
    assert_int_equal(logs_confirm(&store, "web1", &next.id, &call).outcome, PLX_OK);
    assert_int_equal(logs_confirm(&store, "web1", &dead.id, &call).outcome, PLX_MISMATCH);
    /* Over, but nobody else has come: it is still confirmed. */
    const int64_t more[] = {1, 2, 3};
    struct plx_logs_result late = take_times(&store, more, 3, &lend);
    fake.wall_us += 1000000000;
    assert_int_equal(logs_confirm(&store, "web1", &late.id, &call).outcome, PLX_OK);
}

static void test_logs_confirm_settles_what_is_unknown(void **state)
{
    (void)state;
    struct store fake;
    struct logs_store store = open_store(&fake);
    const struct plx_call call = {0};
    int64_t times[40] = {0};
    struct plx_logs_result lease = take_times(&store, times, 1, &lend);
    fake.play = PLAY_TIMEOUT;
    struct plx_response response = logs_confirm(&store, "web1", &lease.id, &call);
    assert_true(response.outcome == PLX_TIMEOUT && response.timeout);
    fake.is_cut_off = true;
    fake.play = PLAY_UNDONE_UNKNOWN;
    response = logs_confirm(&store, "web1", &lease.id, &call);
    assert_true(response.outcome == PLX_UNKNOWN && response.token.seq != 0);
    /* It did not happen, which the cursor tells: it is done again. */
    fake.is_expired = true;
    fake.play = PLAY_UNDONE_UNKNOWN;
    assert_int_equal(logs_confirm(&store, "web1", &lease.id, &call).outcome, PLX_OK);
    for (size_t i = 2; i <= PLX_LOGS_REMEMBERED + 1; i++)
        assert_int_equal(take_times(&store, times, i, &plain).count, 1);
    response = logs_confirm(&store, "web1", &lease.id, &call);
    assert_true(response.outcome == PLX_UNKNOWN && response.token.session == 0);
    assert_int_equal(logs_confirm(&store, "web1", &(struct plx_logs_id){0, 1}, &call).outcome,
                     PLX_E_ARGUMENT);
}

/* Callers on one growing log, whose swaps end in every way. */
struct caller {
    const struct logs_store *store;
    const struct plx_log *logs;
    atomic_uint *handed_out;
};

static void *caller_run(void *context)
{
    const struct caller *caller = context;
    for (size_t count = 1; count <= LOGS_MAX;) {
        const struct logs_source source = {.logs = caller->logs, .count = count};
        const struct plx_logs_how how = {.lease_ns = count % 3 == 0 ? 1000 : 0};
        struct plx_logs_result result = logs_take(caller->store, "web1", &source, &how);
        if (result.outcome == PLX_TIMEOUT || result.is_leased)
            continue;
        assert_int_equal(result.outcome, PLX_OK);
        if (result.count > 0 && how.lease_ns > 0) {
            enum plx_outcome outcome = PLX_TIMEOUT;
            while (outcome == PLX_TIMEOUT)
                outcome =
                    logs_confirm(caller->store, "web1", &result.id, &(struct plx_call){0}).outcome;
            assert_int_equal(outcome, PLX_OK);
        }
        for (size_t i = 0; i < result.count; i++)
            atomic_fetch_add(&caller->handed_out[result.first + i], 1);
        count++;
    }
    return NULL;
}

static void test_logs_hands_out_once_among_threads(void **state)
{
    (void)state;
    static struct plx_log logs[LOGS_MAX];
    static atomic_uint handed_out[LOGS_MAX];
    struct store fake;
    struct logs_store store = open_store(&fake);
    pthread_t threads[CALLERS_MAX];
    fake.is_random = true;
    for (size_t i = 0; i < LOGS_MAX; i++)
        logs[i].timestamp = (int64_t)(i / 7);
    struct caller caller = {&store, logs, handed_out};
    for (size_t i = 0; i < CALLERS_MAX; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, caller_run, &caller), 0);
    for (size_t i = 0; i < CALLERS_MAX; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < LOGS_MAX; i++)
        assert_int_equal(atomic_load(&handed_out[i]), 1);
}

/* The same through a handle: a consistent get, then a swap from absent. */
static void *node_run(void *context)
{
    struct fake *node = context;
    for (int answered = 0; answered < 2;) {
        if (!fake_try(node))
            continue;
        if (node->type == WIRE_READ) {
            assert_true(node->read.is_consistent);
            fake_answer(node, WIRE_READ_REPLY, node->read.request_number,
                        &(struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND});
        } else {
            assert_int_equal(node->ops[0].type, WIRE_OP_SWAP);
            assert_false(node->ops[0].has_old);
            assert_int_equal(node->ops[0].value.size_bytes, LOGS_CURSOR_SIZE_BYTES);
            fake_outcome_all(node, WIRE_OUTCOME_OK);
        }
        answered++;
    }
    return NULL;
}

static void test_logs_take_swaps_through_a_handle(void **state)
{
    (void)state;
    struct fake node;
    pthread_t thread;
    fake_open(&node, 1);
    struct plx_options options = fake_options(&node, 1);
    options.rto_min_ns = 100 * 1000 * 1000; /* nothing is sent twice */
    struct plx_client *client = fake_client(&options);
    assert_int_equal(pthread_create(&thread, NULL, node_run, &node), 0);
    struct plx_logs_result result = plx_logs_take_text(
        client, "web1", plx_text("1970-01-01T00:00:01Z a\n"), PLX_LOGS_RFC3339, NULL);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(result.outcome, PLX_OK);
    assert_true(result.count == 1 && result.end.timestamp == 1000000000);
    plx_close(client);
    fake_close(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logs_takes_each_log_once),
        cmocka_unit_test(test_logs_tells_equal_timestamps_apart),
        cmocka_unit_test(test_logs_counts_on_from_the_logs_before),
        cmocka_unit_test(test_logs_names_the_line_at_fault_and_moves_nothing),
        cmocka_unit_test(test_logs_leaves_a_line_that_is_being_written),
        cmocka_unit_test(test_logs_begins_anew_where_somebody_was_first),
        cmocka_unit_test(test_logs_without_room_are_not_handed_out),
        cmocka_unit_test(test_logs_settles_an_unknown_swap_before_it_decides),
        cmocka_unit_test(test_logs_settles_within_the_time_of_the_call),
        cmocka_unit_test(test_logs_lease_is_confirmed_once),
        cmocka_unit_test(test_logs_leased_to_somebody_else_are_not_given),
        cmocka_unit_test(test_logs_lease_that_is_over_goes_to_the_next),
        cmocka_unit_test(test_logs_confirm_settles_what_is_unknown),
        cmocka_unit_test(test_logs_hands_out_once_among_threads),
        cmocka_unit_test(test_logs_take_swaps_through_a_handle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
