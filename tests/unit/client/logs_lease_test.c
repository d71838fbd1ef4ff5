/*
 * Leases of other hosts: given back before their end, and bounded where the clock that wrote them
 * is ahead. Against a store played by the test: one value, and a clock that is moved by hand.
 */
#include "client/logs_internal.h"
#include "tests/unit/client/fake_node.h"

#include <string.h>

#define DAY_US    (UINT64_C(24) * 3600 * 1000 * 1000)
#define SECOND_US UINT64_C(1000000)
#define SECOND_NS UINT64_C(1000000000)
#define SKEW_US   (PLX_LOGS_SKEW_NS / 1000)

struct shelf {
    size_t size_bytes; /* 0: nothing is stored */
    uint8_t value[LOGS_CURSOR_SIZE_BYTES];
    uint64_t wall_us;
    uint64_t nonce;
    bool is_lost; /* the next swap happens, its outcome is unknown, and its session is gone */
};

static struct plx_response shelf_get(void *context, struct plx_bytes key,
                                     const struct plx_call *call)
{
    const struct shelf *shelf = context;
    (void)key;
    assert_true(call->buffer_size_bytes >= shelf->size_bytes);
    memcpy(call->buffer, shelf->value, shelf->size_bytes);
    return (struct plx_response){.outcome = shelf->size_bytes == 0 ? PLX_NOT_FOUND : PLX_OK,
                                 .value_size_bytes = shelf->size_bytes};
}

static struct plx_response shelf_swap(void *context, struct plx_bytes key,
                                      struct plx_bytes new_value, struct plx_bytes old_value,
                                      const struct plx_call *call)
{
    struct shelf *shelf = context;
    (void)key;
    (void)call;
    if (old_value.size_bytes != shelf->size_bytes ||
        (shelf->size_bytes > 0 && memcmp(old_value.data, shelf->value, shelf->size_bytes) != 0))
        return (struct plx_response){.outcome = PLX_MISMATCH};
    memcpy(shelf->value, new_value.data, new_value.size_bytes);
    shelf->size_bytes = new_value.size_bytes;
    bool is_lost = shelf->is_lost;
    shelf->is_lost = false;
    return (struct plx_response){.outcome = is_lost ? PLX_UNKNOWN : PLX_OK};
}

static struct plx_response shelf_resolve(void *context, const struct plx_token *token,
                                         const struct plx_call *call)
{
    (void)context;
    (void)token;
    (void)call;
    return (struct plx_response){.outcome = PLX_E_SESSION_EXPIRED};
}

static uint64_t shelf_monotonic_ns(void *context)
{
    (void)context;
    return 1;
}

static uint64_t shelf_wall_us(void *context)
{
    return ((struct shelf *)context)->wall_us;
}

static uint64_t shelf_nonce(void *context)
{
    return ++((struct shelf *)context)->nonce;
}

static struct logs_store shelf_open(struct shelf *shelf)
{
    *shelf = (struct shelf){.wall_us = 10 * DAY_US};
    return (struct logs_store){.context = shelf,
                               .get = shelf_get,
                               .swap = shelf_swap,
                               .resolve = shelf_resolve,
                               .monotonic_ns = shelf_monotonic_ns,
                               .wall_us = shelf_wall_us,
                               .nonce = shelf_nonce,
                               .timeout_ns = 1000};
}

/* Three lines, lent for ten seconds. */
static struct plx_logs_result lend(const struct logs_store *store)
{
    const struct plx_logs_how how = {.lease_ns = 10 * SECOND_NS};
    const struct logs_source source = {
        .is_text = true, .text = plx_text("1 a\n2 b\n2 c\n"), .format = PLX_LOGS_INTEGER};
    return logs_take(store, "web1", &source, &how);
}

static struct plx_response release(const struct logs_store *store, const struct plx_logs_id *id)
{
    return logs_release(store, "web1", id, &(struct plx_call){.timeout_ns = 1000});
}

static struct plx_response confirm(const struct logs_store *store, const struct plx_logs_id *id)
{
    return logs_confirm(store, "web1", id, &(struct plx_call){.timeout_ns = 1000});
}

static void test_logs_released_lease_is_the_next_callers(void **state)
{
    (void)state;
    struct shelf shelf;
    struct logs_store store = shelf_open(&shelf);
    struct plx_logs_result first = lend(&store);
    assert_true(first.outcome == PLX_OK && first.count == 3);
    assert_true(lend(&store).is_leased);
    assert_int_equal(release(&store, &first.id).outcome, PLX_OK);
    struct plx_logs_result second = lend(&store);
    assert_true(second.outcome == PLX_OK && second.count == 3 && !second.is_leased);
    /* Asked again it does not touch the lease of somebody else. */
    assert_int_equal(release(&store, &first.id).outcome, PLX_OK);
    assert_int_equal(confirm(&store, &first.id).outcome, PLX_MISMATCH);
    assert_int_equal(confirm(&store, &second.id).outcome, PLX_OK);
}

static void test_logs_confirmed_lease_is_not_released(void **state)
{
    (void)state;
    struct shelf shelf;
    struct logs_store store = shelf_open(&shelf);
    struct plx_logs_result taken = lend(&store);
    assert_int_equal(confirm(&store, &taken.id).outcome, PLX_OK);
    assert_int_equal(release(&store, &taken.id).outcome, PLX_MISMATCH);
    assert_int_equal(lend(&store).count, 0);
    assert_int_equal(release(&store, &(struct plx_logs_id){0, 0}).outcome, PLX_E_ARGUMENT);
}

static void test_logs_release_settles_what_is_unknown(void **state)
{
    (void)state;
    struct shelf shelf;
    struct logs_store store = shelf_open(&shelf);
    struct plx_logs_result taken = lend(&store);
    shelf.is_lost = true;
    assert_int_equal(release(&store, &taken.id).outcome, PLX_OK);
    assert_false(lend(&store).is_leased);
}

/* A host whose clock is a day ahead holds others up for two lengths of its lease at most. */
static void test_logs_lease_of_a_clock_ahead_is_bounded(void **state)
{
    (void)state;
    struct shelf shelf;
    struct logs_store store = shelf_open(&shelf);
    uint64_t now_us = shelf.wall_us;
    shelf.wall_us = now_us + DAY_US;
    struct plx_logs_result ahead = lend(&store);
    shelf.wall_us = now_us;
    struct plx_logs_result refused = lend(&store);
    assert_true(refused.is_leased && refused.count == 0);
    assert_int_equal(refused.lease_left_ns, 10 * SECOND_NS + PLX_LOGS_SKEW_NS);
    /* It is not put off again by whoever asks meanwhile. */
    shelf.wall_us = now_us + 9 * SECOND_US;
    assert_int_equal(lend(&store).lease_left_ns, SECOND_NS + PLX_LOGS_SKEW_NS);
    struct plx_logs_state stands;
    const struct plx_call call = {.timeout_ns = 1000};
    assert_int_equal(logs_state(&store, "web1", &call, &stands).outcome, PLX_OK);
    assert_int_equal(stands.lease_left_ns, SECOND_NS + PLX_LOGS_SKEW_NS);
    shelf.wall_us = now_us + 10 * SECOND_US + SKEW_US;
    struct plx_logs_result next = lend(&store);
    assert_true(next.count == 3 && !next.is_leased);
    assert_int_equal(confirm(&store, &ahead.id).outcome, PLX_MISMATCH);
}

static void test_logs_bounded_lease_is_confirmed_by_its_holder(void **state)
{
    (void)state;
    struct shelf shelf;
    struct logs_store store = shelf_open(&shelf);
    shelf.wall_us += DAY_US;
    struct plx_logs_result ahead = lend(&store);
    shelf.wall_us -= DAY_US;
    assert_true(lend(&store).is_leased);
    assert_int_equal(confirm(&store, &ahead.id).outcome, PLX_OK);
    assert_int_equal(lend(&store).count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logs_released_lease_is_the_next_callers),
        cmocka_unit_test(test_logs_confirmed_lease_is_not_released),
        cmocka_unit_test(test_logs_release_settles_what_is_unknown),
        cmocka_unit_test(test_logs_lease_of_a_clock_ahead_is_bounded),
        cmocka_unit_test(test_logs_bounded_lease_is_confirmed_by_its_holder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
