/* A log on the simulated medium, for tests that open it again and again. Whatever fails here fails
 * the test. */
#ifndef POLLUX_TESTS_UNIT_PMEM_LOG_FIXTURE_H
#define POLLUX_TESTS_UNIT_PMEM_LOG_FIXTURE_H

#include "pmem/log.h"
#include "tests/sim/medium_sim.h"

#define LOG_FIXTURE_PATH "/media/one.log"

struct log_fixture {
    struct medium_sim *sim;
    struct arena arena;
    struct log *log;
    struct log_recovery recovery; /* of the last open */
    struct log_options options;   /* of the next open */
};

/* A medium in use, and a log of this size that is not open yet. */
struct log_fixture *log_fixture_new(const struct medium_sim_options *medium, size_t size_bytes,
                                    size_t segment_size_bytes);

/* As log_open; in an arena of its own. */
MUST_USE enum error log_fixture_open(struct log_fixture *fixture);

/* Closes the log and opens it again. */
void log_fixture_reopen(struct log_fixture *fixture);

/* Everything that was appended is durable, and the log knows it. Returns up to which record it
 * vouches for that. */
uint64_t log_fixture_persist(struct log_fixture *fixture);

/* Of cmocka: `*state` is the fixture, and the log is open. */
int log_fixture_teardown(void **state);

#endif
