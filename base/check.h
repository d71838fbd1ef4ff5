/*
 * Assertions. CHECK is on in every build: it states what our own code promises, and a broken
 * promise stops the process before it can spread. DCHECK is for costly walks: debug, simulator,
 * fuzz builds. Neither is ever applied to bytes from a network or a medium, and neither has side
 * effects.
 */
#ifndef POLLUX_BASE_CHECK_H
#define POLLUX_BASE_CHECK_H

#include <assert.h> /* static_assert */

/* Prints place and condition to standard error and aborts. Any thread. Never returns. */
_Noreturn void check_failed(const char *file, int line, const char *condition);

#define CHECK(condition)                                                                           \
    (__builtin_expect(!!(condition), 1) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

#ifdef POLLUX_DEBUG
#define DCHECK(condition) CHECK(condition)
#else
#define DCHECK(condition) ((void)sizeof(!!(condition)))
#endif

#endif
