/* Judges a port: see host_fault.h. */
#include "server/host_fault.h"

#include <errno.h>
#include <string.h>

static bool is_network(const struct host_port *port)
{
    return port->card.is_present && port->card.class_code >> 16 == HOST_CLASS_NETWORK;
}

static bool is_needed(const struct host_port *port)
{
    return is_network(port) && host_card_driver(&port->card) == HOST_DRIVER_KERNEL &&
           host_use_is_needed(&port->card.use);
}

bool host_port_is_usable(const struct host_port *port)
{
    return port->has_card && is_network(port) && !is_needed(port);
}

bool host_port_is_bound(const struct host_port *port)
{
    enum host_driver driver = host_card_driver(&port->card);
    return host_port_is_usable(port) && driver != HOST_DRIVER_NONE && driver != HOST_DRIVER_KERNEL;
}

/* A card without a driver of DPDK's is to be given to vfio-pci. */
static bool is_for_vfio(const struct host_port *port)
{
    enum host_driver driver = host_card_driver(&port->card);
    return host_port_is_usable(port) && driver != HOST_DRIVER_BOTH && driver != HOST_DRIVER_UIO;
}

static bool is_for_uio(const struct host_port *port)
{
    return host_port_is_usable(port) && host_card_driver(&port->card) == HOST_DRIVER_UIO;
}

/* Where there is none, it is to be turned on, unless somebody has allowed vfio to do without. */
static bool is_translated(const struct host_port *port)
{
    return is_for_vfio(port) && (port->card.has_iommu || !port->card.is_unsafe);
}

bool host_port_is_physical(const struct host_port *port)
{
    return is_for_uio(port) || (is_for_vfio(port) && !is_translated(port));
}

static bool is_card_fault(enum host_fault fault, const struct host_port *port)
{
    const struct host_card *card = &port->card;
    enum host_driver driver = host_card_driver(card);
    bool is_usable = host_port_is_usable(port);
    bool is_exact = strcmp(card->device, card->address) == 0;
    if (!port->has_card)
        return false;
    switch (fault) {
    case HOST_FAULT_NAME:
        return card->address[0] == '\0';
    case HOST_FAULT_ABSENT:
        return card->address[0] != '\0' && !card->is_present;
    case HOST_FAULT_NOT_NETWORK:
        return card->is_present && !is_network(port);
    case HOST_FAULT_NEEDED:
        return is_needed(port);
    case HOST_FAULT_INTERFACE:
        return is_usable && card->is_by_name;
    case HOST_FAULT_SHORT_ADDRESS:
        return is_usable && !card->is_by_name && !is_exact;
    case HOST_FAULT_NO_MODULE:
        return is_usable && driver == HOST_DRIVER_NONE && !card->is_vfio_loaded;
    case HOST_FAULT_UNBOUND:
        return is_usable && driver == HOST_DRIVER_NONE && card->is_vfio_loaded;
    case HOST_FAULT_KERNEL_DRIVER:
        return is_usable && driver == HOST_DRIVER_KERNEL;
    default: /* of other parts */
        return false;
    }
}

static bool is_access_fault(enum host_fault fault, const struct host_port *port)
{
    const struct host_card *card = &port->card;
    switch (fault) {
    case HOST_FAULT_NO_IOMMU:
        return is_for_vfio(port) && !card->has_iommu && !card->is_unsafe;
    case HOST_FAULT_GROUP_SHARED:
        return is_for_vfio(port) && card->has_iommu && card->sharer[0] != '\0';
    case HOST_FAULT_UIO_TRANSLATED:
        return is_for_uio(port) && strncmp(card->group_type, "DMA", 3) == 0;
    case HOST_FAULT_NO_PERMISSION:
        return host_port_is_bound(port) &&
               ((card->file_errno != 0 && card->file_errno != EBUSY) ||
                (host_port_is_physical(port) && !port->memory.is_admin));
    case HOST_FAULT_IN_USE:
        return host_port_is_bound(port) && card->file_errno == EBUSY;
    default: /* of other parts */
        return false;
    }
}

static bool is_memory_fault(enum host_fault fault, const struct host_port *port)
{
    const struct host_memory *memory = &port->memory;
    uint64_t needed_bytes = port->need.memory_bytes;
    bool is_off = host_port_is_physical(port) && !port->need.is_hugepages;
    bool is_asked = memory->has_pages && (port->need.is_hugepages || is_off);
    bool is_reserved = memory->huge_bytes >= needed_bytes;
    switch (fault) {
    case HOST_FAULT_PAGES_OFF:
        return is_off;
    case HOST_FAULT_PAGES_FEW:
        return is_asked && !is_reserved;
    case HOST_FAULT_PAGES_TAKEN:
        return is_asked && is_reserved && memory->huge_free_bytes < needed_bytes;
    case HOST_FAULT_PAGES_FAR:
        return is_asked && is_reserved && memory->near_bytes < needed_bytes;
    case HOST_FAULT_MEMLOCK:
        return is_translated(port) && memory->has_limits && !memory->may_pin &&
               memory->memlock_bytes < needed_bytes;
    default: /* of other parts */
        return false;
    }
}

enum host_part host_fault_part(enum host_fault fault)
{
    static const enum host_part parts[] = {
#define X(name, part) HOST_PART_##part,
        HOST_FAULT_LIST(X)
#undef X
    };
    return parts[fault];
}

bool host_fault_is(enum host_fault fault, const struct host_port *port)
{
    switch (host_fault_part(fault)) {
    case HOST_PART_CARD:
        return is_card_fault(fault, port);
    case HOST_PART_IOMMU:
    case HOST_PART_FILE:
        return is_access_fault(fault, port);
    case HOST_PART_PAGES:
    case HOST_PART_LOCK:
        return is_memory_fault(fault, port);
    }
    return false;
}

enum host_fault host_fault_first(const struct host_port *port)
{
    for (int fault = 0; fault < HOST_FAULT_COUNT; fault++) {
        if (fault != HOST_FAULT_PAGES_FAR && host_fault_is((enum host_fault)fault, port))
            return (enum host_fault)fault;
    }
    return HOST_FAULT_NONE;
}

bool host_fault_is_of_running(enum host_fault fault)
{
    return fault == HOST_FAULT_IN_USE || fault == HOST_FAULT_PAGES_TAKEN;
}
