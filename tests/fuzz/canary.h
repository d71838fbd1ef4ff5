/*
 * A bug on purpose. Built with -DFUZZ_CANARY a fuzz target falsifies what the code under test
 * answered, as a real bug would; a test proves that the corpus then makes the target fail, so that
 * its invariants do look.
 */
#ifndef POLLUX_TESTS_FUZZ_CANARY_H
#define POLLUX_TESTS_FUZZ_CANARY_H

#ifdef FUZZ_CANARY
#define CANARY(statement)                                                                          \
    do {                                                                                           \
        statement;                                                                                 \
    } while (0)
#else
#define CANARY(statement)                                                                          \
    do {                                                                                           \
    } while (0)
#endif

#endif
