/*
 * What a look at a node and its machine finds. `polluxd --check` prints it, and `pollux doctor`,
 * which also mends. No port is opened, and nothing is changed. The medium is asked with a file of
 * its own, which is gone afterwards, and a group of vfio is opened for a moment (host_card.h). The
 * node may run meanwhile.
 *
 * Main thread.
 */
#ifndef POLLUX_SERVER_CHECK_H
#define POLLUX_SERVER_CHECK_H

#include "server/config.h"
#include "server/check_finding.h"
#include "server/host.h"

#include <stdio.h>

struct check_task {
    const struct host *host;
    const struct config *config; /* NULL: there is none; only what needs none is looked at */
    const char *config_path;     /* for the commands */
};

/* The checks have numbers from 0. Each has a name. */
uint32_t check_count(void);
const char *check_name(uint32_t check);

/* Adds what one check finds. */
void check_run(uint32_t check, const struct check_task *task, struct check_findings *findings);

/* All of them, printed. True: nothing is wrong. */
bool check_print(const struct check_task *task, FILE *out);

#endif
