/*
 * The stage of one scenario: a cluster of cores and the commands that move it. README.md lists the
 * commands. What a command does is told to `out`, and each transition also goes to `trace`.
 */
#ifndef POLLUX_TESTS_SCENARIO_STAGE_H
#define POLLUX_TESTS_SCENARIO_STAGE_H

#include "tests/scenario/narrator.h"

#define STAGE_WORDS_MAX 64

struct stage {
    struct narrator narrator;
    struct cluster *cluster; /* NULL until the command `cluster` */
    FILE *trace;             /* NULL: no trace */
};

/* Does one command, cut into words (changed). False: no such command, or wrong arguments. */
bool stage_command(struct stage *stage, char *line);

void stage_deinit(struct stage *stage);

#endif
