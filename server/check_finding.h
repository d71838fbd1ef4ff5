/*
 * What a check of a node or its machine finds: one line for whoever reads it, and the command that
 * mends what is wrong. `polluxd --check` and `pollux doctor` print the same findings.
 *
 * Main thread.
 */
#ifndef POLLUX_SERVER_CHECK_FINDING_H
#define POLLUX_SERVER_CHECK_FINDING_H

#include "server/host_finding.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CHECK_FINDINGS_MAX  512u
#define CHECK_SUBJECT_BYTES HOST_SUBJECT_BYTES
#define CHECK_MESSAGE_BYTES 2048u
#define CHECK_COMMAND_BYTES HOST_COMMAND_BYTES

enum check_state {
    CHECK_GOOD,
    CHECK_NOTE,   /* as it may be, and asks for a look */
    CHECK_WRONG,  /* the message says what to do */
    CHECK_UNKNOWN /* it could not be looked at: the message says why */
};

struct check_finding {
    const char *name; /* of the check; static */
    enum check_state state;
    bool is_safe;  /* the command takes nothing from anybody: it may run unasked */
    bool is_fixed; /* the command has run, and now this is found */
    char subject[CHECK_SUBJECT_BYTES];
    char message[CHECK_MESSAGE_BYTES];
    char command[CHECK_COMMAND_BYTES]; /* for a shell; empty: there is none */
};

struct check_findings {
    uint32_t count;
    struct check_finding list[CHECK_FINDINGS_MAX];
};

/* The next one, all zero but its name. Where there is no room, the last one is used again, so that
 * whoever counts states still finds the last. */
struct check_finding *check_findings_add(struct check_findings *findings, const char *name);

/* How many are in this state. */
uint32_t check_findings_count(const struct check_findings *findings, enum check_state state);

/* "good", "note", "wrong" or "unknown". */
const char *check_state_name(enum check_state state);

/* "wrong SUBJECT: MESSAGE", and below it the command, where there is one. */
void check_finding_print(const struct check_finding *finding, FILE *out);

#endif
