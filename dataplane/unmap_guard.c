/* Bursts and the munmap that waits for them. Source: membarrier(2), sched_yield(2). */
#include "dataplane/unmap_guard.h"

#include <linux/membarrier.h>
#include <rte_interrupts.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WAIT_STEPS_MAX 10000000 /* only a stopped thread takes so long */
#define SETTLE_STEPS   1000     /* far longer than a store stays in a store buffer */

static _Atomic(struct unmap_guard *) guards[UNMAP_GUARDS_MAX];

static int membarrier(int command)
{
    return (int)syscall(SYS_membarrier, command, 0, 0);
}

enum error unmap_guard_open(struct unmap_guard *guard)
{
    /* Registering again is harmless; a kernel without it is told apart in unmap_guard_wait. */
    (void)membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
    atomic_init(&guard->is_in_burst, 0);
    for (uint32_t i = 0; i < UNMAP_GUARDS_MAX; i++) {
        struct unmap_guard *nobody = NULL;
        if (atomic_compare_exchange_strong(&guards[i], &nobody, guard)) {
            return OK;
        }
    }
    return ERR_FULL;
}

void unmap_guard_close(struct unmap_guard *guard)
{
    for (uint32_t i = 0; i < UNMAP_GUARDS_MAX; i++) {
        struct unmap_guard *self = guard;
        if (atomic_compare_exchange_strong(&guards[i], &self, NULL)) {
            return;
        }
    }
}

void unmap_guard_wait(void)
{
    if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0) {
        for (uint32_t steps = 0; steps < SETTLE_STEPS; steps++) {
            (void)sched_yield();
        }
    }
    for (uint32_t i = 0; i < UNMAP_GUARDS_MAX; i++) {
        struct unmap_guard *guard = atomic_load(&guards[i]);
        if (guard == NULL) {
            continue;
        }
        for (uint32_t steps = 0; steps < WAIT_STEPS_MAX; steps++) {
            /* Pairs with the release store in unmap_guard_end. */
            if (atomic_load_explicit(&guard->is_in_burst, memory_order_acquire) == 0) {
                break;
            }
            (void)sched_yield();
        }
    }
}

int munmap(void *address, size_t size_bytes)
{
    if (rte_thread_is_intr() != 0) {
        unmap_guard_wait();
    }
    return (int)syscall(SYS_munmap, address, size_bytes);
}
