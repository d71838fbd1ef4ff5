/*
 * What Linux says of a network card that DPDK is to take, and of the memory that its driver needs.
 * Looking and judging are two steps: host_card_look and host_memory_look collect facts,
 * host_fault_find decides from the facts alone, host_fault_tell and host_fault_mend have the words.
 *
 * All facts come from files below `root`: /sys, /proc/self and /dev. "" is this machine; a test
 * makes a tree of its own. Nothing is changed. A group of vfio is opened for a moment, as only
 * opening it says whether another process has it.
 *
 *     struct host_card card;
 *     struct host_memory memory;
 *     struct host_need need = {.memory_bytes = ..., .is_hugepages = true};
 *     host_card_look("", "0000:03:00.0", &card);
 *     host_memory_look("", &memory);
 *     enum host_fault fault = host_fault_find(&card, &memory, &need);
 *     host_fault_tell(fault, &card, &memory, &need, text, sizeof(text));
 *
 * Any thread. Sources: Documentation/ABI/testing/sysfs-bus-pci, sysfs-kernel-iommu_groups,
 * driver-api/vfio.rst of Linux; "Linux drivers" of DPDK's guide.
 */
#ifndef POLLUX_SERVER_HOST_CARD_H
#define POLLUX_SERVER_HOST_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_NAME_BYTES 64
#define HOST_TEXT_BYTES 512

/* Why a card cannot be used. The order is that in which an operator mends them. */
#define HOST_FAULT_LIST(X)                                                                         \
    X(NONE, "none")                                                                                \
    X(NAME, "no address")             /* neither an address nor the kernel's name of a card */     \
    X(ABSENT, "no such card")         /* nothing is at that address */                             \
    X(INTERFACE, "kernel's name")     /* "eth1" in place of its address */                         \
    X(SHORT_ADDRESS, "short address") /* "03:00.0", or letters in upper case */                    \
    X(NOT_NETWORK, "no network card") /* a disk, for example */                                    \
    X(NO_IOMMU, "no IOMMU")           /* vfio-pci cannot work without */                           \
    X(NO_MODULE, "missing module")    /* vfio-pci is not loaded, and the card not bound */         \
    X(UNBOUND, "not bound")           /* to any driver */                                          \
    X(KERNEL_DRIVER, "kernel driver") /* bound to the kernel's own */                              \
    X(GROUP_SHARED, "group shared")   /* another device of its group has a kernel driver */        \
    X(UIO_TRANSLATED, "uio, IOMMU")   /* uio behind an IOMMU that translates: receives nothing */  \
    X(NO_PERMISSION, "no permission") /* for its file in /dev */                                   \
    X(IN_USE, "in use")               /* by another process */                                     \
    X(NEEDS_HUGEPAGES, "hugepages off") /* and the driver needs physical addresses */              \
    X(HUGEPAGES_NONE, "no hugepages")   /* reserved at all */                                      \
    X(HUGEPAGES_FEW, "few hugepages")   /* fewer are free than the node takes */                   \
    X(MEMLOCK, "memlock too low")       /* for the memory that vfio pins */

enum host_fault {
#define X(name, text) HOST_FAULT_##name,
    HOST_FAULT_LIST(X)
#undef X
        HOST_FAULT_COUNT
};

/* What the caller wants of the machine. */
struct host_need {
    uint64_t memory_bytes; /* of packet buffers */
    bool is_hugepages;     /* [port] hugepages */
};

struct host_card {
    char device[HOST_NAME_BYTES];     /* as it was asked for, without arguments */
    char address[HOST_NAME_BYTES];    /* "0000:03:00.0"; empty: the device names none */
    char interface[HOST_NAME_BYTES];  /* the kernel's name of it, if the kernel has it */
    char driver[HOST_NAME_BYTES];     /* empty: not bound */
    char group[HOST_NAME_BYTES];      /* of the IOMMU; empty: none */
    char group_type[HOST_NAME_BYTES]; /* "DMA-FQ", "identity" ...; empty: unknown */
    char sharer[HOST_NAME_BYTES];     /* address of another device of the group that the kernel
                                           uses; empty: none */
    char file[HOST_NAME_BYTES];       /* in /dev, that DPDK opens; empty: none */
    int file_errno;                   /* why the file cannot be opened; 0: it can, or is none */
    uint32_t class_code;              /* 0x020000: Ethernet */
    int32_t numa_node;                /* -1: unknown, or the machine has one */
    bool is_present;
    bool is_vfio_loaded; /* the driver vfio-pci is there to bind to */
    bool has_iommu;      /* of any kind, in use */
    bool is_unsafe;      /* vfio works without IOMMU here */
};

struct host_memory {
    uint64_t huge_total_bytes; /* of all sizes of hugepages, on all NUMA nodes */
    uint64_t huge_free_bytes;
    uint64_t memlock_bytes; /* that this process may pin; UINT64_MAX: any */
    bool may_pin;           /* CAP_IPC_LOCK: memlock does not count */
    bool is_admin;          /* CAP_SYS_ADMIN: may look up physical addresses, as uio must */
};

/* Whether [port] device means a card, and no virtual port ("net_..."). */
bool host_card_is_meant(const char *device);

/* `device` as in [port] device: an address, perhaps with arguments behind a comma. */
void host_card_look(const char *root, const char *device, struct host_card *ret_card);
void host_memory_look(const char *root, struct host_memory *ret_memory);

/* Free bytes of hugepages on one NUMA node; of all where the machine has no nodes (-1). */
uint64_t host_memory_node_free_bytes(const char *root, int32_t numa_node);

/* Pure. The first fault in the order of the list. Without a card (NULL): of hugepages only. */
enum host_fault host_fault_find(const struct host_card *card, const struct host_memory *memory,
                                const struct host_need *need);

/* A short name ("not bound"); never NULL. */
const char *host_fault_name(enum host_fault fault);

/* What is wrong, with what: no full stop at the end. Empty for HOST_FAULT_NONE. `card` may be NULL
 * for the faults that are found without. */
void host_fault_tell(enum host_fault fault, const struct host_card *card,
                     const struct host_memory *memory, const struct host_need *need,
                     char ret_text[HOST_TEXT_BYTES]);

/* The commands, or the setting, that mend it: for a shell where they are commands. */
void host_fault_mend(enum host_fault fault, const struct host_card *card,
                     const struct host_memory *memory, const struct host_need *need,
                     char ret_text[HOST_TEXT_BYTES]);

#endif
