/*
 * The machine as its checks see it: what the kernel tells in files below /proc and /sys, and what
 * operators have written below /etc. All of it is read below one folder: "" on a machine, a folder
 * with made files in tests. Nothing else of the server reads such files.
 *
 * Main thread.
 */
#ifndef POLLUX_SERVER_HOST_H
#define POLLUX_SERVER_HOST_H

#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define HOST_LINE_BYTES   4096
#define HOST_LINES_MAX    4096u
#define HOST_NODES_MAX    64u /* NUMA nodes that are looked for */
#define HOST_ENTRIES_MAX  4096u
#define HOST_ENTRY_BYTES  256
#define HOST_CPUS_MAX     1024u
#define HOST_NO_NUMA_NODE (-1)

struct host {
    const char *root;  /* what comes before each path: "", or a folder */
    uid_t uid;         /* whoever would start the node */
    bool is_clock_set; /* the kernel counts its clock as kept by others */
};

/* This machine, and this process's user and limits. */
void host_init(struct host *ret_host);

/* The path below the root. Returns ret_path. */
const char *host_path(const struct host *host, char ret_path[PATH_MAX], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

bool host_has(const struct host *host, const char *path);

/* A file, to be read line by line; NULL: it cannot be read. The caller closes it. */
FILE *host_open(const struct host *host, const char *path);

/* The first line of a file, without its end. False: it cannot be read; ret_line is "". */
bool host_line(const struct host *host, const char *path, char ret_line[HOST_LINE_BYTES]);

/* The number that a file begins with, decimal or 0x. False: there is none. */
bool host_number(const struct host *host, const char *path, int64_t *ret_number);

/* What stands behind `key` on the first line that begins with it, without the space before it.
 * False: the file cannot be read, or has no such line; ret_value is "". */
bool host_field(const struct host *host, const char *path, const char *key,
                char ret_value[HOST_LINE_BYTES]);

/* The last part of what a symbolic link names. False: it is none; ret_name is "". */
bool host_link(const struct host *host, const char *path, char ret_name[HOST_ENTRY_BYTES]);

/* Calls back for each entry of a folder, in no order, but for those that begin with a dot. False:
 * the folder cannot be read. */
bool host_each(const struct host *host, const char *path,
               void (*entry)(void *context, const char *name), void *context);
/* One entry of a folder. False: it has none; ret_name is "". */
bool host_entry(const struct host *host, const char *path, char ret_name[HOST_ENTRY_BYTES]);

/* Whether systemd has a unit of this name, and whether it starts with the machine. */
bool host_has_unit(const struct host *host, const char *unit);
bool host_has_enabled(const struct host *host, const char *unit);

/* A set of CPUs. */
struct host_cpus {
    uint64_t words[HOST_CPUS_MAX / 64];
};

/* "0-3,8": what the kernel's lists of CPUs look like. What cannot be read is left out. */
struct host_cpus host_cpus_parse(const char *list);
/* The list in a file; empty where there is none. */
struct host_cpus host_cpus_read(const struct host *host, const char *path);
bool host_cpus_has(const struct host_cpus *cpus, uint32_t cpu);
void host_cpus_set(struct host_cpus *cpus, uint32_t cpu, bool is_in);
/* As a list. Returns ret_text, cut where it is too long. */
const char *host_cpus_text(const struct host_cpus *cpus, char *ret_text, size_t text_size);

/* The NUMA node that has this CPU; HOST_NO_NUMA_NODE: none is known. */
int32_t host_numa_node_of(const struct host *host, uint32_t cpu);
/* How many NUMA nodes the machine has; 0: it does not tell. */
uint32_t host_numa_nodes(const struct host *host);

#endif
