/*
 * What keeps a node's port from working, or makes it slow: one judge, and for each fault one
 * message and one command. A start of a node tells the first fault. `polluxd --check` and `pollux
 * doctor` tell all: each is judged as if the others were mended.
 *
 * Main thread.
 */
#ifndef POLLUX_SERVER_HOST_FAULT_H
#define POLLUX_SERVER_HOST_FAULT_H

#include "server/host_card.h"
#include "server/host_finding.h"

/* The part of the machine that is at fault: `pollux doctor` has a check for each. */
enum host_part { HOST_PART_CARD, HOST_PART_IOMMU, HOST_PART_FILE, HOST_PART_PAGES, HOST_PART_LOCK };

/* The order is that in which an operator mends them. */
#define HOST_FAULT_LIST(X)                                                                         \
    X(NAME, CARD)            /* neither an address nor the kernel's name of a card */              \
    X(ABSENT, CARD)          /* nothing is at that address */                                      \
    X(NOT_NETWORK, CARD)     /* a disk, for example */                                             \
    X(NEEDED, CARD)          /* this machine is reached through it */                              \
    X(INTERFACE, CARD)       /* "eth1" in place of its address */                                  \
    X(SHORT_ADDRESS, CARD)   /* "03:00.0", or letters in upper case */                             \
    X(NO_IOMMU, IOMMU)       /* vfio-pci cannot work without */                                    \
    X(NO_MODULE, CARD)       /* vfio-pci is not loaded, and the card not bound */                  \
    X(UNBOUND, CARD)         /* to any driver */                                                   \
    X(KERNEL_DRIVER, CARD)   /* bound to the kernel's own */                                       \
    X(GROUP_SHARED, IOMMU)   /* another device of its group has a kernel driver */                 \
    X(UIO_TRANSLATED, IOMMU) /* uio behind an IOMMU that translates: receives nothing */           \
    X(NO_PERMISSION, FILE)   /* for its file in /dev */                                            \
    X(IN_USE, FILE)          /* by another process */                                              \
    X(PAGES_OFF, PAGES)      /* and the driver needs physical addresses */                         \
    X(PAGES_FEW, PAGES)      /* fewer are reserved than the node takes */                          \
    X(PAGES_TAKEN, PAGES)    /* fewer are free */                                                  \
    X(MEMLOCK, LOCK)         /* too low for the memory that vfio pins */                           \
    X(PAGES_FAR, PAGES)      /* slow: too few at the card's NUMA node */

enum host_fault {
#define X(name, part) HOST_FAULT_##name,
    HOST_FAULT_LIST(X)
#undef X
        HOST_FAULT_COUNT,
    HOST_FAULT_NONE = HOST_FAULT_COUNT
};

enum host_part host_fault_part(enum host_fault fault);

/* Pure. Whether the port has the fault, as if it had no other one that can be mended. */
bool host_fault_is(enum host_fault fault, const struct host_port *port);

/* Pure. The first fault that keeps the port from opening. */
enum host_fault host_fault_first(const struct host_port *port);

/* A node that runs has it itself: only a start can tell that it is a fault. */
bool host_fault_is_of_running(enum host_fault fault);

/* The card is a network card that may be used, and DPDK can have it as it is. */
bool host_port_is_bound(const struct host_port *port);
/* The same, when its driver has been mended, too. */
bool host_port_is_usable(const struct host_port *port);
/* DPDK reaches the card's memory by physical addresses. */
bool host_port_is_physical(const struct host_port *port);

/* The words: of a fault that the port has. Reads /etc and /usr, for the commands. */
void host_fault_tell(enum host_fault fault, const struct host_port *port,
                     struct host_finding *ret_finding);

/* Begins a finding on the huge pages that the port would take. */
void host_pages_begin(const struct host_memory *memory, struct host_finding *ret_finding);

#endif
