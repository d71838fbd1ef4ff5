/* How a card reaches memory, and who may open it: see check.h. host_fault.h judges. */
#include "server/check_internal.h"

#define MIB (UINT64_C(1) << 20)

static void tell_iommu_good(struct check *check, const struct host_port *port)
{
    const struct host_card *card = &port->card;
    bool is_vfio = host_card_driver(card) == HOST_DRIVER_VFIO;
    if (!card->has_iommu && is_vfio)
        check_note(check, "IOMMU",
                   "there is none: vfio works without (enable_unsafe_noiommu_mode), and the card "
                   "can write anywhere in memory");
    else if (card->group[0] == '\0')
        check_good(check, "IOMMU", "none stands between the card and the memory");
    else if (!card->is_group_seen)
        check_unknown(check, "IOMMU",
                      "the card is in group %s, and %s/sys/kernel/iommu_groups does not tell what "
                      "else is",
                      card->group, check->host->root);
    else
        check_good(check, "IOMMU",
                   "the card is in group %s, and the kernel uses nothing else there", card->group);
}

void check_iommu(struct check *check)
{
    struct host_port port;
    check_port_look(check, &port);
    if (host_port_is_usable(&port) && check_faults(check, HOST_PART_IOMMU, &port) == 0)
        tell_iommu_good(check, &port);
}

void check_vfio(struct check *check)
{
    struct host_port port;
    check_port_look(check, &port);
    host_card_try(check->host, &port.card);
    if (check_faults(check, HOST_PART_FILE, &port) == 0 && host_port_is_bound(&port) &&
        port.card.file[0] != '\0')
        check_good(check, port.card.file, "user %u may open it", (unsigned)check->host->uid);
}

/* vfio locks what the card may write to; root is free of the limit. */
void check_memlock(struct check *check)
{
    struct host_port port;
    check_port_look(check, &port);
    if (check_faults(check, HOST_PART_LOCK, &port) > 0 || !host_port_is_bound(&port) ||
        host_card_driver(&port.card) != HOST_DRIVER_VFIO)
        return;
    if (!port.memory.has_limits && !port.memory.may_pin)
        check_unknown(check, "memlock", "%s/proc/self/limits cannot be read: a container",
                      check->host->root);
    else
        check_good(check, "memlock", "the card's buffers take %lu MiB, and may be locked",
                   (unsigned long)(port.need.memory_bytes / MIB));
}
