/* What keeps a card from being used, and what mends it: see host_card.h. */
#include "server/host_card.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CLASS_NETWORK 0x02
#define MIB           (UINT64_C(1) << 20)
#define HUGEPAGE_MIB  2

static bool is_vfio(const struct host_card *card)
{
    return strcmp(card->driver, "vfio-pci") == 0;
}

static bool is_uio(const struct host_card *card)
{
    return strcmp(card->driver, "uio_pci_generic") == 0 || strcmp(card->driver, "igb_uio") == 0;
}

/* DPDK uses such a card beside the kernel's driver. */
static bool is_shared_with_kernel(const struct host_card *card)
{
    static const char *const drivers[] = {"mlx4_core", "mlx5_core", "mana"};
    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
        if (strcmp(card->driver, drivers[i]) == 0)
            return true;
    }
    return false;
}

static enum host_fault find_in_name(const struct host_card *card)
{
    if (card->address[0] == '\0')
        return HOST_FAULT_NAME;
    if (!card->is_present)
        return HOST_FAULT_ABSENT;
    if (strcmp(card->device, card->interface) == 0)
        return HOST_FAULT_INTERFACE;
    if (strcmp(card->device, card->address) != 0)
        return HOST_FAULT_SHORT_ADDRESS;
    return card->class_code >> 16 == CLASS_NETWORK ? HOST_FAULT_NONE : HOST_FAULT_NOT_NETWORK;
}

static enum host_fault find_in_driver(const struct host_card *card)
{
    if (is_shared_with_kernel(card) || is_uio(card))
        return HOST_FAULT_NONE;
    if (!card->has_iommu && !card->is_unsafe)
        return HOST_FAULT_NO_IOMMU;
    if (is_vfio(card))
        return HOST_FAULT_NONE;
    if (card->driver[0] != '\0')
        return HOST_FAULT_KERNEL_DRIVER;
    return card->is_vfio_loaded ? HOST_FAULT_UNBOUND : HOST_FAULT_NO_MODULE;
}

static enum host_fault find_in_access(const struct host_card *card,
                                      const struct host_memory *memory,
                                      const struct host_need *need)
{
    bool is_physical = is_uio(card) || (is_vfio(card) && !card->has_iommu);
    if (is_vfio(card) && card->has_iommu && card->sharer[0] != '\0')
        return HOST_FAULT_GROUP_SHARED;
    if (is_uio(card) && strncmp(card->group_type, "DMA", 3) == 0)
        return HOST_FAULT_UIO_TRANSLATED;
    if (card->file_errno == EBUSY)
        return HOST_FAULT_IN_USE;
    if (card->file_errno != 0 || (is_physical && !memory->is_admin))
        return HOST_FAULT_NO_PERMISSION;
    return is_physical && !need->is_hugepages ? HOST_FAULT_NEEDS_HUGEPAGES : HOST_FAULT_NONE;
}

static enum host_fault find_in_hugepages(const struct host_memory *memory,
                                         const struct host_need *need)
{
    if (!need->is_hugepages)
        return HOST_FAULT_NONE;
    if (memory->huge_total_bytes == 0)
        return HOST_FAULT_HUGEPAGES_NONE;
    return memory->huge_free_bytes < need->memory_bytes ? HOST_FAULT_HUGEPAGES_FEW
                                                        : HOST_FAULT_NONE;
}

enum host_fault host_fault_find(const struct host_card *card, const struct host_memory *memory,
                                const struct host_need *need)
{
    enum host_fault fault = HOST_FAULT_NONE;
    if (card != NULL) {
        fault = find_in_name(card);
        if (fault == HOST_FAULT_NONE)
            fault = find_in_driver(card);
        if (fault == HOST_FAULT_NONE)
            fault = find_in_access(card, memory, need);
    }
    if (fault == HOST_FAULT_NONE)
        fault = find_in_hugepages(memory, need);
    if (fault == HOST_FAULT_NONE && card != NULL && is_vfio(card) && card->has_iommu &&
        !memory->may_pin && memory->memlock_bytes < need->memory_bytes)
        return HOST_FAULT_MEMLOCK;
    return fault;
}

const char *host_fault_name(enum host_fault fault)
{
    static const char *const names[] = {
#define X(name, text) text,
        HOST_FAULT_LIST(X)
#undef X
    };
    return fault < HOST_FAULT_COUNT ? names[fault] : "unknown";
}

__attribute__((format(printf, 2, 3))) static void write_text(char ret_text[HOST_TEXT_BYTES],
                                                             const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(ret_text, HOST_TEXT_BYTES, format, arguments);
    va_end(arguments);
}

static void tell_name(enum host_fault fault, const struct host_card *card,
                      char ret_text[HOST_TEXT_BYTES])
{
    if (fault == HOST_FAULT_NAME)
        write_text(ret_text,
                   "\"%s\" is neither the address of a card, as 0000:03:00.0 is, nor a virtual "
                   "port, as net_memif0 is",
                   card->device);
    else if (fault == HOST_FAULT_ABSENT)
        write_text(ret_text, "there is no device at the address %s", card->address);
    else if (fault == HOST_FAULT_INTERFACE)
        write_text(ret_text, "%s is the kernel's name of the card %s", card->device, card->address);
    else if (fault == HOST_FAULT_SHORT_ADDRESS)
        write_text(ret_text, "%s is the address %s, not written in full", card->device,
                   card->address);
    else
        write_text(ret_text, "the device at %s is no network card: its class is %06x",
                   card->address, (unsigned)card->class_code);
}

static void tell_driver(enum host_fault fault, const struct host_card *card,
                        char ret_text[HOST_TEXT_BYTES])
{
    bool has_name = card->interface[0] != '\0';
    if (fault == HOST_FAULT_NO_IOMMU)
        write_text(ret_text, "no IOMMU is in use on this machine, and vfio-pci needs one for %s",
                   card->address);
    else if (fault == HOST_FAULT_NO_MODULE)
        write_text(ret_text, "card %s is bound to no driver, and the module vfio-pci is not loaded",
                   card->address);
    else if (fault == HOST_FAULT_UNBOUND)
        write_text(ret_text, "card %s is bound to no driver", card->address);
    else
        write_text(ret_text, "card %s is bound to the kernel's driver %s%s%s%s", card->address,
                   card->driver, has_name ? " (" : "", card->interface, has_name ? ")" : "");
}

static void tell_access(enum host_fault fault, const struct host_card *card,
                        char ret_text[HOST_TEXT_BYTES])
{
    if (fault == HOST_FAULT_GROUP_SHARED)
        write_text(ret_text,
                   "card %s shares the IOMMU group %s with the device %s, which the kernel uses: "
                   "vfio gives a group away as a whole",
                   card->address, card->group, card->sharer);
    else if (fault == HOST_FAULT_UIO_TRANSLATED)
        write_text(ret_text,
                   "card %s is bound to %s behind an IOMMU that translates addresses (%s): it "
                   "would receive nothing",
                   card->address, card->driver, card->group_type);
    else if (fault == HOST_FAULT_IN_USE)
        write_text(ret_text, "card %s is in use: another process has %s", card->address,
                   card->file);
    else if (fault == HOST_FAULT_NO_PERMISSION && card->file_errno == 0)
        write_text(ret_text, "card %s needs physical addresses, which only root may look up",
                   card->address);
    else if (fault == HOST_FAULT_NO_PERMISSION)
        write_text(ret_text, "card %s: cannot open %s: %s", card->address, card->file,
                   strerror(card->file_errno));
    else
        write_text(ret_text,
                   "card %s needs physical addresses (driver %s%s), and only hugepages have them",
                   card->address, card->driver, is_uio(card) ? "" : ", without IOMMU");
}

static void tell_memory(enum host_fault fault, const struct host_memory *memory,
                        const struct host_need *need, char ret_text[HOST_TEXT_BYTES])
{
    if (fault == HOST_FAULT_HUGEPAGES_NONE)
        write_text(ret_text, "[port] hugepages = true, and no hugepages are reserved");
    else if (fault == HOST_FAULT_HUGEPAGES_FEW)
        write_text(ret_text,
                   "[port] hugepages = true takes %" PRIu64 "MiB, and %" PRIu64 "MiB of %" PRIu64
                   "MiB reserved are free",
                   need->memory_bytes / MIB, memory->huge_free_bytes / MIB,
                   memory->huge_total_bytes / MIB);
    else
        write_text(ret_text,
                   "this process may pin %" PRIu64 "KiB of memory (memlock), and the card's "
                   "buffers take %" PRIu64 "KiB",
                   memory->memlock_bytes / 1024, need->memory_bytes / 1024);
}

void host_fault_tell(enum host_fault fault, const struct host_card *card,
                     const struct host_memory *memory, const struct host_need *need,
                     char ret_text[HOST_TEXT_BYTES])
{
    ret_text[0] = '\0';
    switch (fault) {
    case HOST_FAULT_NAME:
    case HOST_FAULT_ABSENT:
    case HOST_FAULT_INTERFACE:
    case HOST_FAULT_SHORT_ADDRESS:
    case HOST_FAULT_NOT_NETWORK:
        tell_name(fault, card, ret_text);
        return;
    case HOST_FAULT_NO_IOMMU:
    case HOST_FAULT_NO_MODULE:
    case HOST_FAULT_UNBOUND:
    case HOST_FAULT_KERNEL_DRIVER:
        tell_driver(fault, card, ret_text);
        return;
    case HOST_FAULT_GROUP_SHARED:
    case HOST_FAULT_UIO_TRANSLATED:
    case HOST_FAULT_NO_PERMISSION:
    case HOST_FAULT_IN_USE:
    case HOST_FAULT_NEEDS_HUGEPAGES:
        tell_access(fault, card, ret_text);
        return;
    case HOST_FAULT_HUGEPAGES_NONE:
    case HOST_FAULT_HUGEPAGES_FEW:
    case HOST_FAULT_MEMLOCK:
        tell_memory(fault, memory, need, ret_text);
        return;
    case HOST_FAULT_NONE:
    case HOST_FAULT_COUNT:
        return;
    }
}
