/*
 * `pollux doctor`: looks at a node, its machine and its peers, and mends what is safe. The checks
 * of server/check.h, and those that ask over the network: peers.c, path.c.
 *
 * Main thread.
 */
#ifndef POLLUX_TOOLS_DOCTOR_DOCTOR_H
#define POLLUX_TOOLS_DOCTOR_DOCTOR_H

#include "server/check.h"

/* A node that is asked. */
struct doctor_peers {
    const char *endpoints; /* NULL: those of [peers] */
    const char *cluster;   /* NULL: that of the configuration */
    const char *key_file;  /* NULL: that of the configuration */
};

struct doctor_found {
    struct check_findings *findings;
    const char *name; /* of the check that finds */
};

/* Adds what was found. Returns it. */
struct check_finding *doctor_tell(const struct doctor_found *found, enum check_state state,
                                  const char *subject, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* peers.c: who answers, of which cluster, with which formats and settings. `config` may be NULL. */
void doctor_peers(const struct doctor_peers *peers, const struct config *config,
                  const struct doctor_found *found);

/* path.c: how large packets to each peer may be. */
void doctor_paths(const struct config *config, const char *config_path,
                  const struct doctor_found *found);

/* mend.c: runs one check; with `is_mending` also the safe commands of what it finds, and then the
 * check again. What is done is told on standard error. */
void doctor_run(uint32_t check, const struct check_task *task, bool is_mending,
                struct check_findings *findings);

/* report.c: the findings as text, or as JSON. */
void doctor_report(const struct check_findings *findings, bool is_json);

#endif
