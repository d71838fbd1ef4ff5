/* Exit statuses of `pollux` beside those of outcomes (plx_outcome_exit_code). */
#ifndef POLLUX_TOOLS_CLI_CLI_EXIT_H
#define POLLUX_TOOLS_CLI_CLI_EXIT_H

#define CLI_EXIT_USAGE       2
#define CLI_EXIT_UNREACHABLE 6
/* It took effect, or there was an answer, and not all of the output could be written. */
#define CLI_EXIT_UNWRITTEN 8

#endif
