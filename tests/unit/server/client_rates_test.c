/* How much a client may ask, by name or by host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/check.h"
#include "base/le.h"
#include "security/random_stream.h"
#include "server/client_rates.h"

#define SECOND_NS UINT64_C(1000000000)
#define MS_NS     UINT64_C(1000000)
#define NOW_NS    (UINT64_C(1000) * SECOND_NS)
#define RATE      1000u

static const struct secret seed = {{9}};
static const struct address here = {
    .ip = {[10] = 255, 255, 10, 0, 0, 1}, .port = 4000, .room = ADDRESS_PROVEN};
static struct arena arena;
static struct client_rates *rates;
static uint64_t wait_ns;

static int teardown(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static void open(uint64_t operations, uint64_t bytes)
{
    const struct client_rates_limits limits = {operations, bytes};
    assert_int_equal(arena_init(&arena, client_rates_arena_bytes() + 4096), OK);
    rates = client_rates_init(&arena, &seed, &limits);
}

static struct client_rates_payer named(const char *name)
{
    return (struct client_rates_payer){.name = span_of(name, strlen(name)), .from = &here};
}

static enum client_rates_verdict take(const struct client_rates_payer *payer, uint32_t operations,
                                      uint64_t bytes, uint64_t now_ns)
{
    const struct client_rates_request request = {operations, bytes};
    wait_ns = 0;
    return client_rates_take(rates, payer, &request, now_ns, &wait_ns);
}

/* One by one, until no more are within. */
static uint32_t use_up(const struct client_rates_payer *payer, uint64_t now_ns)
{
    uint32_t count = 0;
    while (count < 10 * RATE && take(payer, 1, 0, now_ns) == RATE_WITHIN)
        count++;
    return count;
}

static void test_client_rates_hold_in_the_mean(void **state)
{
    (void)state;
    const struct client_rates_payer ann = named("ann");
    open(RATE, 0);
    uint32_t count = 0;
    for (uint64_t ms = 0; ms < 10000; ms++)
        count += use_up(&ann, NOW_NS + ms * MS_NS);
    assert_in_range(count, 11 * RATE - 10, 11 * RATE + 10); /* with a second's worth at once */
}

static void test_client_rates_are_of_each_client(void **state)
{
    (void)state;
    const struct client_rates_payer ann = named("ann");
    const struct client_rates_payer bob = named("bob");
    struct address port = here;
    struct address other = here;
    const struct client_rates_payer host = {.from = &here};
    const struct client_rates_payer same = {.from = &port};
    const struct client_rates_payer another = {.from = &other};
    port.port++;
    other.ip[15]++;
    open(RATE, 0);
    assert_in_range(use_up(&ann, NOW_NS), RATE, RATE + 1);
    assert_in_range(use_up(&bob, NOW_NS), RATE, RATE + 1);
    assert_in_range(use_up(&host, NOW_NS), RATE, RATE + 1); /* whose key had a name came from it */
    assert_int_equal(use_up(&same, NOW_NS), 0);
    assert_in_range(use_up(&another, NOW_NS), RATE, RATE + 1);
}

/* What is asked again and again is within when its time has come. */
static void test_client_rates_are_not_taken_by_what_is_refused(void **state)
{
    (void)state;
    const struct client_rates_payer ann = named("ann");
    open(RATE, 0);
    (void)use_up(&ann, NOW_NS);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_not_equal(take(&ann, 1, 0, NOW_NS), RATE_WITHIN);
    assert_int_equal(use_up(&ann, NOW_NS + 10 * MS_NS), 10);
}

/* Nobody is too large for a small rate, and who takes much waits for it. */
static void test_client_rates_let_large_requests_in(void **state)
{
    (void)state;
    const struct client_rates_payer ann = named("ann");
    open(0, 1000);
    assert_int_equal(take(&ann, 64, 4000, NOW_NS), RATE_WITHIN);
    assert_int_equal(take(&ann, 1, 1, NOW_NS + 2900 * MS_NS), RATE_OVER);
    assert_in_range(wait_ns, 100 * MS_NS, 101 * MS_NS);
    assert_int_equal(take(&ann, 1, 1, NOW_NS + 2900 * MS_NS + wait_ns), RATE_WITHIN);
}

/* What was sent to a client counts, too; but no debt is for ever. */
static void test_client_rates_count_what_is_sent(void **state)
{
    (void)state;
    const struct client_rates_payer ann = named("ann");
    const struct client_rates_payer bob = named("bob");
    open(0, 1000);
    client_rates_note_sent(rates, &ann, 2000, NOW_NS);
    assert_int_equal(take(&bob, 1, 1, NOW_NS), RATE_WITHIN);
    assert_int_equal(take(&ann, 1, 1, NOW_NS), RATE_OVER);
    assert_int_equal(take(&ann, 1, 1, NOW_NS + SECOND_NS + 1), RATE_WITHIN);
    client_rates_note_sent(rates, &ann, UINT64_C(1) << 32, NOW_NS);
    assert_int_equal(take(&ann, 1, 1, NOW_NS + CLIENT_RATES_DEBT_NS - SECOND_NS - MS_NS),
                     RATE_OVER);
    assert_int_equal(take(&ann, 1, 1, NOW_NS + CLIENT_RATES_DEBT_NS), RATE_WITHIN);
}

/* Each is told another time, and all of them are within then. */
static void test_client_rates_tell_each_when_to_come_again(void **state)
{
    (void)state;
    const struct client_rates_payer ann = named("ann");
    uint64_t waits_ns[20];
    open(RATE, 0);
    (void)use_up(&ann, NOW_NS);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(take(&ann, 1, 0, NOW_NS), RATE_OVER);
        waits_ns[i] = wait_ns;
        assert_true(i == 0 || wait_ns >= waits_ns[i - 1] + SECOND_NS / RATE);
    }
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(take(&ann, 1, 0, NOW_NS + waits_ns[i]), RATE_WITHIN);
}

static void test_client_rates_end_answers_to_a_flood(void **state)
{
    (void)state;
    const struct client_rates_payer ann = named("ann");
    uint32_t told = 0;
    open(RATE, 0);
    (void)use_up(&ann, NOW_NS);
    while (told < 10 * RATE && take(&ann, 1, 0, NOW_NS) == RATE_OVER)
        told++;
    assert_in_range(told, RATE, RATE + 2);
    assert_int_equal(take(&ann, 1, 0, NOW_NS), RATE_FLOOD);
    assert_int_equal(take(&ann, 1, 0, NOW_NS + SECOND_NS), RATE_WITHIN);
}

/* However many others come: one who is over stays over, and one who asks little is within. */
static void flood_of_hosts(uint16_t room)
{
    struct address from = here;
    const struct client_rates_payer stranger = {.from = &from};
    from.room = room;
    for (uint32_t i = 0; i < 100 * CLIENT_RATES_PLACES; i++) {
        from.ip[12] = 11;
        le32_store(from.ip + 12, le32_load(from.ip + 12) ^ i << 8);
        for (uint32_t j = 0; j < 20; j++)
            (void)take(&stranger, 64, 0, NOW_NS);
    }
}

static void test_client_rates_keep_unproven_hosts_apart(void **state)
{
    (void)state;
    const struct client_rates_payer ann = named("ann");
    const struct client_rates_payer host = {.from = &here};
    open(RATE, 0);
    (void)use_up(&ann, NOW_NS);
    flood_of_hosts(56);
    assert_int_not_equal(take(&ann, 1, 0, NOW_NS), RATE_WITHIN);
    assert_in_range(use_up(&host, NOW_NS), RATE, RATE + 1);
    flood_of_hosts(ADDRESS_PROVEN);
    assert_int_not_equal(take(&host, 1, 0, NOW_NS), RATE_WITHIN); /* shares a place, or has one */
    assert_int_not_equal(take(&ann, 1, 0, NOW_NS), RATE_WITHIN);
    const struct client_rates_payer bob = named("bob");
    assert_in_range(use_up(&bob, NOW_NS), RATE, RATE + 1);
}

/* A hundred clients at once have a hundred budgets. */
static void test_client_rates_have_a_place_for_each(void **state)
{
    (void)state;
    open(RATE, 0);
    for (uint32_t i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof(name), "client-%u", i);
        const struct client_rates_payer payer = named(name);
        assert_in_range(use_up(&payer, NOW_NS), RATE, RATE + 1);
    }
}

/* A place is given to another one when nothing is to be remembered of who had it. */
static void test_client_rates_forget_who_is_whole(void **state)
{
    (void)state;
    open(RATE, 0);
    for (uint32_t i = 0; i < 20 * CLIENT_RATES_PLACES; i++) {
        char name[16];
        snprintf(name, sizeof(name), "client-%u", i);
        const struct client_rates_payer payer = named(name);
        assert_int_equal(take(&payer, 64, 0, NOW_NS + i * 65 * MS_NS / 8), RATE_WITHIN);
    }
}

static void test_client_rates_let_the_root_alone(void **state)
{
    (void)state;
    const struct client_rates_payer root = named(SECRET_ROOT_CLIENT);
    const struct client_rates_payer ann = named("ann");
    const struct client_rates_payer host = {.from = &here};
    open(RATE, 0);
    assert_true(client_rates_is_free(&root));
    assert_false(client_rates_is_free(&ann));
    assert_false(client_rates_is_free(&host));
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_client_rates_hold_in_the_mean),
        TEST(test_client_rates_are_of_each_client),
        TEST(test_client_rates_are_not_taken_by_what_is_refused),
        TEST(test_client_rates_let_large_requests_in),
        TEST(test_client_rates_count_what_is_sent),
        TEST(test_client_rates_tell_each_when_to_come_again),
        TEST(test_client_rates_end_answers_to_a_flood),
        TEST(test_client_rates_keep_unproven_hosts_apart),
        TEST(test_client_rates_have_a_place_for_each),
        TEST(test_client_rates_forget_who_is_whole),
        TEST(test_client_rates_let_the_root_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
