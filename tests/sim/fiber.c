/* Fibers over ucontext; the sanitizers are told of every switch. */
#include "tests/sim/fiber.h"

#include "base/check.h"

#include <sys/mman.h>

#define STACK_SIZE_BYTES ((size_t)1024 * 1024) /* pages that are never touched cost nothing */
#define GUARD_SIZE_BYTES ((size_t)4096)

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define HAS_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define HAS_TSAN 1
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef HAS_TSAN
#include <sanitizer/tsan_interface.h>
#endif

static struct fiber *current;

/* ---- what the sanitizers are told ---- */

/* Inlined without fail: ThreadSanitizer keeps a stack of calls for each fiber, and would see the
 * end of a call on another than its beginning. */
#define TELLS static inline __attribute__((always_inline)) void

TELLS note_entering(struct fiber *fiber, void **ret_fake_stack)
{
#ifdef HAS_ASAN
    __sanitizer_start_switch_fiber(ret_fake_stack, fiber->stack, STACK_SIZE_BYTES);
#endif
#ifdef HAS_TSAN
    fiber->tsan_outside = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber->tsan_fiber, 0);
#endif
    (void)fiber;
    (void)ret_fake_stack;
}

TELLS note_entered(struct fiber *fiber)
{
#ifdef HAS_ASAN
    __sanitizer_finish_switch_fiber(fiber->fake_stack, &fiber->outside_stack,
                                    &fiber->outside_stack_size_bytes);
#endif
    (void)fiber;
}

/* One that ends gives its fake stack back. */
TELLS note_leaving(struct fiber *fiber, bool is_end)
{
#ifdef HAS_ASAN
    __sanitizer_start_switch_fiber(is_end ? NULL : &fiber->fake_stack, fiber->outside_stack,
                                   fiber->outside_stack_size_bytes);
#endif
#ifdef HAS_TSAN
    __tsan_switch_to_fiber(fiber->tsan_outside, 0);
#endif
    (void)fiber;
    (void)is_end;
}

TELLS note_left(void *fake_stack)
{
#ifdef HAS_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
#endif
    (void)fake_stack;
}

/* A new life on the same stack: frames of the old one are no obstacle. */
static void note_start(struct fiber *fiber)
{
    fiber->fake_stack = NULL;
#ifdef HAS_ASAN
    __asan_unpoison_memory_region(fiber->stack, STACK_SIZE_BYTES);
#endif
#ifdef HAS_TSAN
    if (fiber->tsan_fiber != NULL)
        __tsan_destroy_fiber(fiber->tsan_fiber);
    fiber->tsan_fiber = __tsan_create_fiber(0);
#endif
}

static void note_deinit(struct fiber *fiber)
{
#ifdef HAS_TSAN
    if (fiber->tsan_fiber != NULL)
        __tsan_destroy_fiber(fiber->tsan_fiber);
#endif
    (void)fiber;
}

/* ---- fibers ---- */

void fiber_init(struct fiber *fiber)
{
    *fiber = (struct fiber){.is_live = false};
    void *memory = mmap(NULL, GUARD_SIZE_BYTES + STACK_SIZE_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    CHECK(mprotect(memory, GUARD_SIZE_BYTES, PROT_NONE) == 0);
    fiber->stack = (char *)memory + GUARD_SIZE_BYTES;
}

void fiber_deinit(struct fiber *fiber)
{
    CHECK(!fiber->is_live);
    note_deinit(fiber);
    munmap((char *)fiber->stack - GUARD_SIZE_BYTES, GUARD_SIZE_BYTES + STACK_SIZE_BYTES);
    fiber->stack = NULL;
}

static void fiber_main(void)
{
    note_entered(current);
    current->body(current->argument);
    fiber_end();
}

void fiber_start(struct fiber *fiber, void (*body)(void *argument), void *argument)
{
    CHECK(!fiber->is_live);
    fiber->is_live = true;
    fiber->body = body;
    fiber->argument = argument;
    note_start(fiber);
    CHECK(getcontext(&fiber->context) == 0);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = STACK_SIZE_BYTES;
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, fiber_main, 0);
}

void fiber_enter(struct fiber *fiber)
{
    void *fake_stack = NULL;
    CHECK(current == NULL && fiber->is_live);
    current = fiber;
    note_entering(fiber, &fake_stack);
    CHECK(swapcontext(&fiber->outside, &fiber->context) == 0);
    note_left(fake_stack);
    current = NULL;
}

void fiber_give_way(void)
{
    struct fiber *fiber = current;
    CHECK(fiber != NULL);
    note_leaving(fiber, false);
    CHECK(swapcontext(&fiber->context, &fiber->outside) == 0);
    note_entered(fiber);
}

void fiber_end(void)
{
    struct fiber *fiber = current;
    CHECK(fiber != NULL);
    fiber->is_live = false;
    note_leaving(fiber, true);
    setcontext(&fiber->outside);
    CHECK(false);
    __builtin_unreachable();
}
