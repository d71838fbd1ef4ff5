/*
 * pmem/file_reader.h on a simulated medium, in place of file_reader.c: files of nodes that are
 * stopped, and have nothing stored that is not persisted. Owner: one thread.
 */
#ifndef POLLUX_TESTS_SIM_FILE_READER_SIM_H
#define POLLUX_TESTS_SIM_FILE_READER_SIM_H

#include "pmem/file_reader.h"
#include "tests/sim/medium_sim.h"

/* Whose files are opened from here on. */
void file_reader_sim_use(const struct medium_sim *sim);

#endif
