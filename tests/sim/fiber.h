/*
 * A program with a stack of its own inside the one thread of the simulator: it runs when it is
 * entered and gives way where it waits. What it does between the two happens at one instant.
 */
#ifndef POLLUX_TESTS_SIM_FIBER_H
#define POLLUX_TESTS_SIM_FIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

struct fiber {
    ucontext_t context;
    ucontext_t outside; /* of whoever entered it */
    void *stack;
    bool is_live;
    void (*body)(void *argument);
    void *argument;
    /* For the sanitizers, which keep books about stacks. */
    void *fake_stack;
    const void *outside_stack;
    size_t outside_stack_size_bytes;
    void *tsan_fiber;
    void *tsan_outside;
};

/* Takes its stack; aborts without memory. */
void fiber_init(struct fiber *fiber);
/* It is not live (CHECK). */
void fiber_deinit(struct fiber *fiber);

/* Live from here on: `body` begins when it is entered first. Not live before (CHECK). */
void fiber_start(struct fiber *fiber, void (*body)(void *argument), void *argument);

/* Runs it until it gives way or ends. From outside of all fibers (CHECK). */
void fiber_enter(struct fiber *fiber);

/* From within: back to whoever entered it. */
void fiber_give_way(void);
/* From within: ends where it is; nothing on its stack is looked at again. */
_Noreturn void fiber_end(void);

#endif
