/* The commands that mend what keeps a card from being used: see host_card.h. */
#include "server/host_card.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MIB            (UINT64_C(1) << 20)
#define HUGEPAGE_BYTES (2 * MIB)

#define DEVICE_FOLDER "/sys/bus/pci/devices/"

__attribute__((format(printf, 2, 3))) static void write_way(char ret_text[HOST_TEXT_BYTES],
                                                            const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(ret_text, HOST_TEXT_BYTES, format, arguments);
    va_end(arguments);
}

/* From whatever driver it has to vfio-pci, until the next boot. */
static void mend_binding(const struct host_card *card, char ret_text[HOST_TEXT_BYTES])
{
    const char *address = card->address;
    const char *load = card->is_vfio_loaded ? "" : "modprobe vfio-pci && ";
    if (card->driver[0] == '\0')
        write_way(ret_text,
                  "%secho vfio-pci > " DEVICE_FOLDER "%s/driver_override && echo %s > "
                  "/sys/bus/pci/drivers_probe",
                  load, address, address);
    else
        write_way(ret_text,
                  "%secho vfio-pci > " DEVICE_FOLDER
                  "%s/driver_override && echo %s > " DEVICE_FOLDER
                  "%s/driver/unbind && echo %s > /sys/bus/pci/drivers_probe",
                  load, address, address, address, address);
}

static void mend_name(enum host_fault fault, const struct host_card *card,
                      char ret_text[HOST_TEXT_BYTES])
{
    if (fault == HOST_FAULT_INTERFACE || fault == HOST_FAULT_SHORT_ADDRESS)
        write_way(ret_text, "set [port] device = %s", card->address);
    else
        write_way(ret_text, "set [port] device to an address that this command lists: "
                            "grep -l ^0x02 " DEVICE_FOLDER "*/class");
}

static void mend_access(enum host_fault fault, const struct host_card *card,
                        char ret_text[HOST_TEXT_BYTES])
{
    if (fault == HOST_FAULT_NO_IOMMU)
        write_way(ret_text, "turn the IOMMU on in the firmware (VT-d, AMD-Vi) and boot with "
                            "intel_iommu=on or amd_iommu=on; on a machine that has none: modprobe "
                            "vfio enable_unsafe_noiommu_mode=1 && echo Y > /sys/module/vfio/"
                            "parameters/enable_unsafe_noiommu_mode && modprobe vfio-pci");
    else if (fault == HOST_FAULT_GROUP_SHARED)
        write_way(ret_text,
                  "echo %s > " DEVICE_FOLDER "%s/driver/unbind, or put the card into "
                  "another slot",
                  card->sharer, card->sharer);
    else if (fault == HOST_FAULT_IN_USE)
        write_way(ret_text, "stop the process that this command names: fuser -v %s", card->file);
    else if (card->file_errno == ENOENT)
        write_way(ret_text, "let the process see %s: in a container, hand it in", card->file);
    else if (card->file_errno != 0)
        write_way(ret_text, "start polluxd as root; it gives its rights up when the port is open");
    else
        write_way(ret_text, "start polluxd as root with all capabilities, or bind the card to "
                            "vfio-pci behind an IOMMU");
}

static void mend_memory(enum host_fault fault, const struct host_memory *memory,
                        const struct host_need *need, char ret_text[HOST_TEXT_BYTES])
{
    uint64_t missing = need->memory_bytes > memory->huge_free_bytes
                           ? need->memory_bytes - memory->huge_free_bytes
                           : 0;
    uint64_t pages = (memory->huge_total_bytes + missing + HUGEPAGE_BYTES - 1) / HUGEPAGE_BYTES;
    if (fault == HOST_FAULT_NEEDS_HUGEPAGES)
        write_way(ret_text,
                  "set [port] hugepages = true, and reserve some: sysctl "
                  "vm.nr_hugepages=%" PRIu64,
                  pages);
    else if (fault == HOST_FAULT_MEMLOCK)
        write_way(ret_text, "raise the limit of whoever starts polluxd: LimitMEMLOCK=infinity in a "
                            "unit of systemd, ulimit -l unlimited in a shell");
    else
        write_way(ret_text, "sysctl vm.nr_hugepages=%" PRIu64 ", or set [port] memory_mib lower",
                  pages);
}

void host_fault_mend(enum host_fault fault, const struct host_card *card,
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
        mend_name(fault, card, ret_text);
        return;
    case HOST_FAULT_NO_MODULE:
    case HOST_FAULT_UNBOUND:
    case HOST_FAULT_KERNEL_DRIVER:
    case HOST_FAULT_UIO_TRANSLATED:
        mend_binding(card, ret_text);
        return;
    case HOST_FAULT_NO_IOMMU:
    case HOST_FAULT_GROUP_SHARED:
    case HOST_FAULT_NO_PERMISSION:
    case HOST_FAULT_IN_USE:
        mend_access(fault, card, ret_text);
        return;
    case HOST_FAULT_NEEDS_HUGEPAGES:
    case HOST_FAULT_HUGEPAGES_NONE:
    case HOST_FAULT_HUGEPAGES_FEW:
    case HOST_FAULT_MEMLOCK:
        mend_memory(fault, memory, need, ret_text);
        return;
    case HOST_FAULT_NONE:
    case HOST_FAULT_COUNT:
        return;
    }
}
