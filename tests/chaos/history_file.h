/*
 * A history from its file: the JSON lines that history_write (tests/sim/history.h) and pollux-bench
 * --history write. Lines may come in any order; each operation has a line "invoke" and at most one
 * other line. Ids are 0 and up, without a gap.
 *
 * Keys are numbered anew, and values named after their operations, as judge_history wants them. A
 * value that no operation of the file writes gets a name that no operation has.
 */
#ifndef POLLUX_TESTS_CHAOS_HISTORY_FILE_H
#define POLLUX_TESTS_CHAOS_HISTORY_FILE_H

#include "tests/sim/history.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* False: the file is no history; ret_reason names the line or the operation. After true the caller
 * deinits *ret_history. */
bool history_file_read(FILE *file, struct history *ret_history, uint32_t *ret_key_count,
                       char *ret_reason, size_t reason_size);

#endif
