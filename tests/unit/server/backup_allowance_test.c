/* Snapshots for backups: some at once, then few, however many are asked for. */
#include "server/backup_allowance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S   UINT64_C(1000000000)
#define DAY (24 * 3600 * S)

static void test_backup_allowance_lets_some_come_at_once(void **state)
{
    (void)state;
    struct backup_allowance allowance = {0};
    uint64_t now_ns = 100 * S;
    for (uint32_t i = 0; i < BACKUP_SNAPSHOTS_BURST; i++) {
        assert_true(backup_allowance_wait_ns(&allowance, now_ns) == 0);
        backup_allowance_take(&allowance, now_ns);
        assert_true(backup_allowance_wait_ns(&allowance, now_ns) >= BACKUP_SNAPSHOT_GAP_NS);
        now_ns += BACKUP_SNAPSHOT_GAP_NS;
    }
    uint64_t wait_ns = backup_allowance_wait_ns(&allowance, now_ns);
    assert_true(wait_ns > BACKUP_SNAPSHOT_GAP_NS && wait_ns <= BACKUP_SNAPSHOT_NS);
    assert_true(backup_allowance_wait_ns(&allowance, now_ns + wait_ns) == 0);
    assert_true(backup_allowance_wait_ns(&allowance, now_ns + wait_ns - 1) == 1);
}

/* Whoever asks at every moment gets no more than that. */
static void test_backup_allowance_bounds_a_day(void **state)
{
    (void)state;
    struct backup_allowance allowance = {0};
    uint64_t taken = 0;
    for (uint64_t now_ns = S; now_ns < DAY; now_ns += S) {
        if (backup_allowance_wait_ns(&allowance, now_ns) > 0)
            continue;
        backup_allowance_take(&allowance, now_ns);
        taken++;
    }
    assert_true(taken <= DAY / BACKUP_SNAPSHOT_NS + BACKUP_SNAPSHOTS_BURST);
    assert_true(taken >= DAY / BACKUP_SNAPSHOT_NS);
}

static void test_backup_allowance_comes_back(void **state)
{
    (void)state;
    struct backup_allowance allowance = {0};
    for (uint32_t i = 0; i < BACKUP_SNAPSHOTS_BURST; i++)
        backup_allowance_take(&allowance, (i + 1) * BACKUP_SNAPSHOT_GAP_NS);
    assert_true(backup_allowance_wait_ns(&allowance, DAY) == 0);
    for (uint32_t i = 0; i < BACKUP_SNAPSHOTS_BURST; i++) {
        uint64_t now_ns = DAY + i * BACKUP_SNAPSHOT_GAP_NS;
        assert_true(backup_allowance_wait_ns(&allowance, now_ns) == 0);
        backup_allowance_take(&allowance, now_ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_allowance_lets_some_come_at_once),
        cmocka_unit_test(test_backup_allowance_bounds_a_day),
        cmocka_unit_test(test_backup_allowance_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
