/*
 * What is wrong with the machine, for whoever reads it: in the log of a start, or in the words of
 * `pollux doctor`.
 *
 * Main thread.
 */
#ifndef POLLUX_SERVER_HOST_FINDING_H
#define POLLUX_SERVER_HOST_FINDING_H

#include <stdbool.h>
#include <stddef.h>

#define HOST_SUBJECT_BYTES 384
#define HOST_WHAT_BYTES    1024
#define HOST_COMMAND_BYTES 1024

struct host_finding {
    char subject[HOST_SUBJECT_BYTES]; /* a setting, a file, a part of the machine */
    char what[HOST_WHAT_BYTES];       /* what is wrong, and what to do: no full stop at the end */
    char command[HOST_COMMAND_BYTES]; /* for a shell; empty: there is none */
    bool is_safe;                     /* it takes nothing from anybody: it may run unasked */
};

/* All empty but the subject. */
void host_finding_begin(struct host_finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Adds to `what`. */
void host_finding_say(struct host_finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Sets `command`. One that would be cut is none. */
void host_finding_run(struct host_finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The words can stand in a command that runs unasked: no quote, no space, nothing that a shell or
 * fstab reads in another way. */
bool host_finding_is_plain(const char *words);

/* "SUBJECT: WHAT; COMMAND". Returns ret_text. */
const char *host_finding_text(const struct host_finding *finding, char *ret_text, size_t text_size);

#endif
