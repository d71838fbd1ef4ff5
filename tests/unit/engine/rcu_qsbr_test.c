/* Grace periods against a reader thread that this test steers. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "engine/state/rcu.h"

/* The reader: in one turn until step 1, ending turns until step 2, offline until step 3. */
struct reader {
    _Atomic int wanted;
    _Atomic int done;
};

static void wait_for(const _Atomic int *value, int wanted)
{
    while (atomic_load(value) < wanted)
        sched_yield();
}

static void *reader_run(void *context)
{
    struct reader *reader = context;
    rcu_thread_begin();
    atomic_store(&reader->done, 1);
    wait_for(&reader->wanted, 1);
    while (atomic_load(&reader->wanted) < 2) {
        rcu_turn();
        sched_yield();
    }
    rcu_offline();
    atomic_store(&reader->done, 2);
    wait_for(&reader->wanted, 3);
    rcu_online();
    rcu_thread_end();
    return NULL;
}

static void wait_over(struct rcu_grace *grace)
{
    while (!rcu_grace_is_over(grace)) {
        rcu_turn();
        sched_yield();
    }
}

static void test_rcu_grace_waits_for_every_reader(void **state)
{
    (void)state;
    struct reader reader = {0};
    pthread_t thread;
    struct rcu_grace *grace = rcu_grace_new();
    assert_non_null(grace);
    assert_true(rcu_grace_is_over(grace));
    assert_int_equal(pthread_create(&thread, NULL, reader_run, &reader), 0);
    wait_for(&reader.done, 1);
    rcu_grace_begin(grace);
    for (int i = 0; i < 10000; i++) {
        rcu_turn();
        assert_false(rcu_grace_is_over(grace));
    }
    atomic_store(&reader.wanted, 1);
    wait_over(grace);

    /* Who is offline is not waited for. */
    atomic_store(&reader.wanted, 2);
    wait_for(&reader.done, 2);
    rcu_grace_begin(grace);
    wait_over(grace);
    rcu_wait();
    atomic_store(&reader.wanted, 3);
    rcu_offline();
    assert_int_equal(pthread_join(thread, NULL), 0);
    rcu_online();
    rcu_grace_free(grace);
}

static void test_rcu_grace_is_freed_while_it_runs(void **state)
{
    (void)state;
    struct rcu_grace *grace = rcu_grace_new();
    assert_non_null(grace);
    rcu_grace_begin(grace);
    rcu_grace_free(grace);
    rcu_grace_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rcu_grace_waits_for_every_reader),
        cmocka_unit_test(test_rcu_grace_is_freed_while_it_runs),
    };
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
