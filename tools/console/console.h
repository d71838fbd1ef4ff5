/*
 * Standard input, output and error of a command: the one place through which a command writes.
 * After console_begin, printf and fprintf(stderr, ...) go through here.
 *
 * - What is written to a terminal, and all of standard error, has control characters made visible
 *   (escape.h, ESCAPE_LINES). Into a pipe or a file, bytes of standard output go as they are.
 * - A write that fails is remembered: console_end tells it, and the exit status says it. A pipe
 *   that nobody reads is such a failure, and no signal.
 * - A descriptor of the three that is closed is held, so that no file and no socket gets its
 *   number: what would be written there, such as a message, would go into that file.
 *
 * Owner: the main thread; any thread may print.
 */
#ifndef POLLUX_TOOLS_CONSOLE_CONSOLE_H
#define POLLUX_TOOLS_CONSOLE_CONSOLE_H

#include <stdbool.h>

/* First in main. The name, which must stay valid, begins the messages. */
void console_begin(const char *program);

/* Writes out what was printed so far. False: not all of standard output could be written, and
 * nobody may take it for printed. */
bool console_is_whole(void);

/* Whether standard output is open, and somebody reads it if it is a pipe. A full disk shows only
 * when something is written. */
bool console_can_print(void);

/* Something that should have been printed could not be made: as if writing it had failed so. */
void console_lost(int error_number);

/*
 * Last in main: the exit status. `status`, if all was written, or if it is not 0 already: then it
 * says what became of the command. Else status_unwritten. A message tells it. Closes standard
 * output.
 */
int console_end(int status, int status_unwritten);

#endif
