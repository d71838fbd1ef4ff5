/* See tests/unit/client/fake_thread.h. */
#include "tests/unit/client/fake_thread.h"

#include <sys/select.h>

#define WAIT_US 2000

static void *fake_thread_run(void *context)
{
    struct fake_thread *thread = context;
    while (!atomic_load_explicit(&thread->is_stopped, memory_order_relaxed)) {
        struct timeval wait = {.tv_usec = WAIT_US};
        fd_set set;
        FD_ZERO(&set);
        FD_SET(thread->fake->fds[0], &set);
        (void)select(thread->fake->fds[0] + 1, &set, NULL, NULL, &wait);
        thread->turn(thread->context);
    }
    return NULL;
}

void fake_thread_start(struct fake_thread *thread, uint16_t id)
{
    fake_open(thread->fake, id);
    assert_int_equal(pthread_create(&thread->thread, NULL, fake_thread_run, thread), 0);
}

void fake_thread_stop(struct fake_thread *thread)
{
    atomic_store_explicit(&thread->is_stopped, true, memory_order_relaxed);
    assert_int_equal(pthread_join(thread->thread, NULL), 0);
    fake_close(thread->fake);
}
