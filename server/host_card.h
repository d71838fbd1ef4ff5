/*
 * What the machine has of what [port] asks for: a network card, and the memory that its driver
 * needs. Facts only; server/host_fault.h judges them.
 *
 *     struct host_port port;
 *     host_port_look(host, &need, &port);
 *     host_card_try(host, &port.card);
 *     enum host_fault fault = host_fault_first(&port);
 *
 * Nothing is changed. host_card_try opens the card's file in /dev for a moment, as only opening it
 * says whether another process has it.
 *
 * Main thread. Sources: Documentation/ABI/testing/sysfs-bus-pci, sysfs-kernel-iommu_groups,
 * driver-api/vfio.rst of Linux; "Linux drivers" of DPDK's guide.
 */
#ifndef POLLUX_SERVER_HOST_CARD_H
#define POLLUX_SERVER_HOST_CARD_H

#include "server/host.h"
#include "server/host_use.h"

#define HOST_CLASS_NETWORK 0x02
#define HOST_CLASS_STORAGE 0x01
#define HOST_DEVICES       "/sys/bus/pci/devices"

/* What the caller wants of the machine. */
struct host_need {
    const char *device;      /* [port] device */
    const char *config_path; /* for the commands that mend it; NULL: not known */
    uint64_t memory_bytes;   /* of packet buffers */
    bool is_hugepages;       /* [port] hugepages */
};

enum host_driver {
    HOST_DRIVER_NONE,
    HOST_DRIVER_KERNEL,
    HOST_DRIVER_BOTH, /* the kernel's, and DPDK uses the card beside it */
    HOST_DRIVER_VFIO,
    HOST_DRIVER_UIO
};

struct host_card {
    char device[HOST_ENTRY_BYTES];     /* as it was asked for, without arguments */
    char address[HOST_ENTRY_BYTES];    /* "0000:03:00.0"; empty: the device names none */
    char driver[HOST_ENTRY_BYTES];     /* empty: not bound */
    char group[HOST_ENTRY_BYTES];      /* of the IOMMU; empty: none */
    char group_type[HOST_ENTRY_BYTES]; /* "DMA-FQ", "identity" ...; empty: unknown */
    char sharer[HOST_ENTRY_BYTES];     /* address of another device of the group that the kernel
                                           uses; empty: none */
    char file[HOST_ENTRY_BYTES];       /* in /dev, that DPDK opens; empty: none */
    int file_errno;                    /* why the file cannot be opened; 0: it can, or is none, or
                                           was not tried */
    uint32_t class_code;               /* 0x020000: Ethernet */
    uint32_t sharer_class_code;
    int32_t numa_node;          /* HOST_NO_NUMA_NODE: unknown, or the machine has one */
    struct host_use use;        /* what the kernel uses it for */
    struct host_use sharer_use; /* the same of that other device */
    bool is_present;            /* something is at the address */
    bool is_by_name;            /* asked for by the kernel's name of its interface */
    bool is_vfio_loaded;        /* the driver vfio-pci is there to bind to */
    bool has_iommu;             /* of any kind, in use */
    bool is_unsafe;             /* vfio works without IOMMU here */
    bool is_group_seen;         /* the devices of its group can be listed */
};

struct host_memory {
    uint64_t huge_bytes; /* reserved, in all sizes of huge pages, on all NUMA nodes */
    uint64_t huge_free_bytes;
    uint64_t near_bytes; /* the same at the card's NUMA node */
    uint64_t near_free_bytes;
    uint64_t near_taken_pages; /* there, of the usual size, in use */
    uint64_t page_bytes;       /* of a huge page of the usual size */
    uint64_t available_bytes;  /* for whoever asks, without swapping */
    uint64_t memlock_bytes;    /* that this process may pin; UINT64_MAX: any */
    int32_t numa_node;         /* that of "near"; HOST_NO_NUMA_NODE: the whole machine */
    bool has_pages;            /* the kernel tells of huge pages */
    bool has_limits;           /* and of memlock_bytes */
    bool may_pin;              /* CAP_IPC_LOCK: memlock does not count */
    bool is_admin;             /* CAP_SYS_ADMIN: may look up physical addresses, as uio must */
};

struct host_port {
    const struct host *host;
    struct host_need need;
    struct host_card card; /* all zero if no card is meant */
    struct host_memory memory;
    bool has_card; /* the device means one */
};

/* Whether [port] device means a card: whatever is not the name of a virtual port ("net_..."). So
 * "eth1" means one, and is told to be the wrong name of it. */
bool host_card_is_meant(const char *device);

/* "0000:03:00.0" below root as `file` of it, which begins with a slash or is empty. */
const char *host_card_path(char ret_path[PATH_MAX], const char *address, const char *file);

enum host_driver host_card_driver(const struct host_card *card);

/* Whether the card can be opened: file_errno. */
void host_card_try(const struct host *host, struct host_card *card);

/* "0000:03:00.0 (e1000e), ...": the network cards of this machine; "none". Returns ret_text. */
const char *host_cards_text(const struct host *host, char *ret_text, size_t text_size);

/* Where the sizes of huge pages of a NUMA node lie, or of the machine (HOST_NO_NUMA_NODE). */
const char *host_pages_folder(int32_t numa_node, char ret_folder[HOST_ENTRY_BYTES]);

void host_memory_look(const struct host *host, int32_t numa_node, struct host_memory *ret_memory);

/* All but file_errno. */
void host_port_look(const struct host *host, const struct host_need *need,
                    struct host_port *ret_port);

#endif
