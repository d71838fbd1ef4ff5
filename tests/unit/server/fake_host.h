/* A machine of made files: what the checks read below /proc, /sys, /etc and /dev. */
#ifndef POLLUX_TESTS_UNIT_SERVER_FAKE_HOST_H
#define POLLUX_TESTS_UNIT_SERVER_FAKE_HOST_H

#include "server/check.h"

struct fake_host {
    char root[64];
    struct host host;
    struct config config;
    struct check_findings *findings;
};

#define FAKE_CARD "0000:03:00.0"
#define FAKE_PCI  "/sys/bus/pci/devices/"

/* Setup and teardown of cmocka; the state is a struct fake_host. */
int fake_host_make(void **state);
int fake_host_remove(void **state);

/* A file with this text, and the folders above it. */
void fake_host_put(const struct fake_host *fake, const char *path, const char *text);
/* A symbolic link with the folders above it. */
void fake_host_link(const struct fake_host *fake, const char *path, const char *target);
void fake_host_drop(const struct fake_host *fake, const char *path);
/* The first line of a file, without its end. */
const char *fake_host_line(const struct fake_host *fake, const char *path);

/* A card with this driver (NULL: none) in group 7 of the IOMMU, at NUMA node 0. */
void fake_host_card(const struct fake_host *fake, const char *address, const char *driver);

/* Runs the check with this name. */
void fake_host_check(struct fake_host *fake, const char *name);

#endif
