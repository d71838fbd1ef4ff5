/* The checks of check.h, for the check*.c files only. */
#ifndef POLLUX_SERVER_CHECK_INTERNAL_H
#define POLLUX_SERVER_CHECK_INTERNAL_H

#include "server/check.h"
#include "server/host_fault.h"
#include "server/node_options.h"

struct check {
    const char *name;
    const struct host *host;
    const struct config *config;
    const char *config_path;
    const struct node_options *options; /* of the configuration; NULL: the check needs none */
    struct check_findings *findings;
    struct check_finding *last;
};

__attribute__((format(printf, 3, 4))) void check_good(struct check *check, const char *subject,
                                                      const char *format, ...);
/* What is as it may be, and asks for a look. */
__attribute__((format(printf, 3, 4))) void check_note(struct check *check, const char *subject,
                                                      const char *format, ...);
__attribute__((format(printf, 3, 4))) void check_wrong(struct check *check, const char *subject,
                                                       const char *format, ...);
/* A message that begins with its subject and a colon. */
void check_wrong_text(struct check *check, const char *text);
/* It cannot be known, and why. */
__attribute__((format(printf, 3, 4))) void check_unknown(struct check *check, const char *subject,
                                                         const char *format, ...);

/* The command that mends the last finding. */
__attribute__((format(printf, 2, 3))) void check_command(struct check *check, const char *format,
                                                         ...);
/* The same, and it may run unasked: it takes nothing from anybody, and needs no new start of the
 * machine. */
__attribute__((format(printf, 2, 3))) void check_safe_command(struct check *check,
                                                              const char *format, ...);

/* A finding of the machine, which a start tells, too. */
void check_wrong_finding(struct check *check, const struct host_finding *finding);

/* check_peers.c: addresses that cannot be, or cannot be reached. */
void check_peers(struct check *check);

/* check_sizes.c: files that overrule settings, and room for those to be made. */
void check_files(struct check *check);
/* The memory of the machine. */
void check_memory(struct check *check);

/* check_keys.c: [security], and the key files: there, of the right owner, for nobody else. */
void check_security(struct check *check);

/* check_card.c: the network card, and its driver. */
void check_card(struct check *check);

/* What the machine has of what [port] asks for. The card's file is not opened. */
void check_port_look(const struct check *check, struct host_port *ret_port);
/* Tells each fault of this part of the machine. Returns how many there are. */
uint32_t check_faults(struct check *check, enum host_part part, const struct host_port *port);

/* check_vfio.c: how the card reaches memory; who may open it, and lock memory for it. */
void check_iommu(struct check *check);
void check_vfio(struct check *check);
void check_memlock(struct check *check);

/* check_hugepages.c: enough of them, on the card's NUMA node, also after a new start. */
void check_hugepages(struct check *check);

/* check_cores.c: the cores of lanes: there, theirs alone, near the card and the medium. */
void check_cores(struct check *check);
void check_interrupts(struct check *check);
void check_numa(struct check *check);
/* The cores of the lanes; none where [lane] cores is not set. */
struct host_cpus check_lane_cores(const struct config *config);

/* check_power.c: what makes a core, or the clock, slow. */
void check_governor(struct check *check);
void check_idle_states(struct check *check);
void check_clock_source(struct check *check);
void check_clock(struct check *check);

/* check_mount.c: what the data directory lies on: DAX, and the mount that fstab names. */
void check_dax(struct check *check);
void check_mount(struct check *check);

#endif
