/*
 * A log on the simulated medium, and a view of it: shared by the tests of log_view.h. A record says
 * which it is.
 */
#ifndef POLLUX_TESTS_UNIT_PMEM_LOG_VIEW_FIXTURE_H
#define POLLUX_TESTS_UNIT_PMEM_LOG_VIEW_FIXTURE_H

#include "pmem/log_view.h"
#include "tests/sim/medium_sim.h"
#include "tests/sim/view_reader.h"

#define LOG_VIEW_FIXTURE_PATH     "/media/one.log"
#define LOG_VIEW_FIXTURE_SEGMENT  4096u
#define LOG_VIEW_FIXTURE_SEGMENTS 6u
#define LOG_VIEW_FIXTURE_TABLE    8192u
#define LOG_VIEW_FIXTURE_RECORDS  (12u * 1024) /* where they begin */
#define LOG_VIEW_FIXTURE_BYTES                                                                     \
    (LOG_VIEW_FIXTURE_RECORDS + LOG_VIEW_FIXTURE_SEGMENTS * LOG_VIEW_FIXTURE_SEGMENT)
#define LOG_VIEW_FIXTURE_PAYLOAD 400u
#define LOG_VIEW_FIXTURE_ROOM    448u /* of a record */

extern const struct log_identity log_view_fixture_owner;

struct log_view_fixture {
    struct medium_sim *sim;
    struct arena arena;
    struct log *log;
    struct log_recovery recovery;
    struct view_reader reader;
    struct log_view *view;
    struct view_findings findings;
    char note[VIEW_NOTE_BYTES];
    uint32_t stores;
};

int log_view_fixture_setup(void **state);
int log_view_fixture_teardown(void **state);

/* The log is closed and opened again, as at a start. */
void log_view_fixture_open(struct log_view_fixture *fixture);
void log_view_fixture_reopen(struct log_view_fixture *fixture);

void log_view_fixture_append(struct log_view_fixture *fixture, uint64_t term);
void log_view_fixture_persist(struct log_view_fixture *fixture);
/* Each durable before the next one. */
void log_view_fixture_append_many(struct log_view_fixture *fixture, uint32_t count);
/* Goes round the ring: appends, drops and wipes. */
void log_view_fixture_run_round(struct log_view_fixture *fixture);
void log_view_fixture_flip(struct log_view_fixture *fixture, size_t offset);

/* A view in place of the one before, and its findings. */
enum error log_view_fixture_try(struct log_view_fixture *fixture,
                                const struct log_identity *identity);
const struct log_view_state *log_view_fixture_view(struct log_view_fixture *fixture);

/* The records of the view are these. */
void log_view_fixture_expect(struct log_view_fixture *fixture, uint64_t first_index,
                             uint64_t last_index);
uint32_t log_view_fixture_count(struct log_view_fixture *fixture, enum log_view_fate fate);

#endif
