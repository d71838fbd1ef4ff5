/* See bus_guard_internal.h. The handler calls only what signal-safety(7) allows, and mmap(2), which
 * is one system call. */
#include "pmem/bus_guard_internal.h"

#include "base/check.h"
#include "base/limits.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096u

/* A log, two banks and two snapshots of each shard, and what a start looks at besides. */
#define BUS_GUARDS_MAX (5 * SHARDS_MAX + 16)

static _Atomic(struct bus_guard *) guards[BUS_GUARDS_MAX];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of those that install */
static struct sigaction action_before;

/* True: the page is one of a guard's, and reads as zeros now. */
static bool cover(const uint8_t *address)
{
    for (uint32_t i = 0; i < BUS_GUARDS_MAX; i++) {
        /* Pairs with the release in bus_guard_open: data and size are set. */
        struct bus_guard *guard = atomic_load_explicit(&guards[i], memory_order_acquire);
        if (guard == NULL || address < guard->data || address >= guard->data + guard->size_bytes)
            continue;
        size_t offset = (size_t)(address - guard->data) / PAGE_BYTES * PAGE_BYTES;
        /* Pairs with the acquire in bus_guard_has_fault: whoever read zeros from the page finds the
         * note. So the note comes first. */
        atomic_store_explicit(&guard->fault_offset, offset, memory_order_release);
        return mmap(guard->data + offset, PAGE_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
    }
    return false;
}

static void handle(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code > 0 && cover(info->si_addr))
        return;
    (void)sigaction(signal_number, &action_before, NULL); /* the same fault comes again */
}

/* With each mapping: others of the process may have put a handler of theirs in its place. */
static bool handler_install(void)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct sigaction found;
    sigemptyset(&action.sa_mask);
    pthread_mutex_lock(&mutex);
    bool is_installed = sigaction(SIGBUS, NULL, &found) == 0;
    if (is_installed && found.sa_sigaction != handle) {
        action_before = found;
        is_installed = sigaction(SIGBUS, &action, NULL) == 0;
    }
    pthread_mutex_unlock(&mutex);
    return is_installed;
}

enum error bus_guard_open(struct bus_guard *guard)
{
    CHECK(guard->data != NULL && guard->size_bytes > 0);
    if (!handler_install())
        return ERR_IO;
    atomic_init(&guard->fault_offset, BUS_GUARD_NONE);
    for (uint32_t i = 0; i < BUS_GUARDS_MAX; i++) {
        struct bus_guard *nobody = NULL;
        if (atomic_compare_exchange_strong(&guards[i], &nobody, guard))
            return OK;
    }
    return ERR_FULL;
}

void bus_guard_close(struct bus_guard *guard)
{
    for (uint32_t i = 0; i < BUS_GUARDS_MAX; i++) {
        struct bus_guard *self = guard;
        if (atomic_compare_exchange_strong(&guards[i], &self, NULL))
            return;
    }
}

bool bus_guard_has_fault(const struct bus_guard *guard, size_t *ret_offset)
{
    size_t offset = atomic_load_explicit(&guard->fault_offset, memory_order_acquire);
    if (offset == BUS_GUARD_NONE)
        return false;
    *ret_offset = offset;
    return true;
}

bool bus_guard_map_again(struct bus_guard *guard, int fd)
{
    if (mmap(guard->data, guard->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
             0) == MAP_FAILED)
        return false;
    atomic_store_explicit(&guard->fault_offset, BUS_GUARD_NONE, memory_order_release);
    return true;
}
