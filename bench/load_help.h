/* What pollux-bench --help prints. */
#ifndef POLLUX_BENCH_LOAD_HELP_H
#define POLLUX_BENCH_LOAD_HELP_H

#include <stdio.h>

/* Prints the whole text. Any thread. */
void load_help_print(FILE *to);

#endif
