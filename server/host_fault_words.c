/*
 * The message and the command of each fault: see host_fault.h.
 *
 * Sources: driverctl(8); getrlimit(2), limits.conf(5); the kernel's admin-guide/mm/hugetlbpage.rst.
 */
#include "server/host_fault.h"

#include <errno.h>
#include <string.h>

#define KIB         UINT64_C(1024)
#define MIB         (1024 * KIB)
#define CARDS_BYTES 512

/* ---- the card ---- */

/* Takes the card from whatever driver it has, and gives it to vfio-pci. */
static void run_bind(const struct host_port *port, struct host_finding *finding)
{
    const struct host_card *card = &port->card;
    const char *root = port->host->root;
    const char *address = card->address;
    const char *module = card->is_vfio_loaded ? "" : "modprobe vfio-pci && ";
    if (host_has_unit(port->host, "pollux-card@.service"))
        host_finding_run(finding, "systemctl enable --now pollux-card@%s", address);
    else if (host_has(port->host, "/usr/sbin/driverctl"))
        host_finding_run(finding, "%sdriverctl set-override %s vfio-pci", module, address);
    else if (card->driver[0] == '\0')
        host_finding_run(finding,
                         "%secho vfio-pci > %s" HOST_DEVICES "/%s/driver_override && echo %s > %s"
                         "/sys/bus/pci/drivers_probe",
                         module, root, address, address, root);
    else
        host_finding_run(finding,
                         "%secho vfio-pci > %s" HOST_DEVICES
                         "/%s/driver_override && echo %s > %s" HOST_DEVICES
                         "/%s/driver/unbind && echo %s > %s"
                         "/sys/bus/pci/drivers_probe",
                         module, root, address, address, root, address, address, root);
}

/* Another device is to be named. */
static void tell_other(enum host_fault fault, const struct host_port *port,
                       struct host_finding *finding)
{
    const struct host_card *card = &port->card;
    char cards[CARDS_BYTES];
    if (fault == HOST_FAULT_NAME)
        host_finding_say(finding,
                         "\"%s\" is neither the address of a card, as 0000:03:00.0 is, nor a "
                         "virtual port, as net_memif0 is",
                         card->device);
    else if (fault == HOST_FAULT_ABSENT)
        host_finding_say(finding, "there is no device at the address %s", card->address);
    else
        host_finding_say(finding, "the device at %s is no network card: its class is %06x",
                         card->address, (unsigned)card->class_code);
    host_finding_say(finding, "; network cards here: %s",
                     host_cards_text(port->host, cards, sizeof(cards)));
    host_finding_run(finding, "lspci -D -nn -d ::02xx");
}

static void say_bound(const struct host_card *card, struct host_finding *finding)
{
    bool has_name = card->use.interface[0] != '\0';
    host_finding_say(finding, "card %s is bound to the kernel's driver %s%s%s%s", card->address,
                     card->driver, has_name ? " (" : "", card->use.interface, has_name ? ")" : "");
}

/* There is no command: whoever ran it would lose this machine. */
static void tell_needed(const struct host_card *card, struct host_finding *finding)
{
    say_bound(card, finding);
    if (card->use.kind == HOST_USE_DEFAULT)
        host_finding_say(finding, "; its interface %s carries the default route",
                         card->use.interface);
    else
        host_finding_say(finding, "; a connection with %s goes through its interface %s",
                         card->use.peer, card->use.interface);
    host_finding_say(finding, ": this machine is reached through it. Name another card");
}

static void tell_spelling(enum host_fault fault, const struct host_port *port,
                          struct host_finding *finding)
{
    const struct host_card *card = &port->card;
    if (fault == HOST_FAULT_INTERFACE)
        host_finding_say(finding, "%s is the kernel's name of the card %s", card->device,
                         card->address);
    else
        host_finding_say(finding, "%s is the address %s, not written in full", card->device,
                         card->address);
    host_finding_say(finding, ": write %s", card->address);
    if (port->need.config_path != NULL)
        host_finding_run(finding, "sed -i 's/^device *=.*/device = %s/' '%s'", card->address,
                         port->need.config_path);
}

static void tell_unbound(enum host_fault fault, const struct host_port *port,
                         struct host_finding *finding)
{
    host_finding_say(finding, "card %s is bound to no driver%s", port->card.address,
                     fault == HOST_FAULT_NO_MODULE ? ", and the module vfio-pci is not loaded"
                                                   : "");
    run_bind(port, finding);
    finding->is_safe = true;
}

static void tell_kernel(const struct host_port *port, struct host_finding *finding)
{
    const struct host_card *card = &port->card;
    say_bound(card, finding);
    switch (card->use.kind) {
    case HOST_USE_UNSEEN:
        host_finding_say(finding, "; no interface of it is seen here, so somebody may use it");
        break;
    case HOST_USE_NONE:
        host_finding_say(finding, ", without an address: nobody uses it");
        finding->is_safe = true;
        break;
    case HOST_USE_SOME:
        host_finding_say(finding, "; its interface is in use. The command takes it away");
        break;
    case HOST_USE_SESSION: /* a fault of its own */
    case HOST_USE_DEFAULT:
        return;
    }
    run_bind(port, finding);
}

/* ---- its way to memory ---- */

static void tell_no_iommu(const struct host_port *port, struct host_finding *finding)
{
    host_finding_say(finding,
                     "no IOMMU is in use on this machine, and vfio-pci needs one for %s: turn it "
                     "on in the firmware (VT-d, AMD-Vi) and on the kernel's command line. On a "
                     "machine that has none: modprobe vfio && echo Y > /sys/module/vfio/parameters/"
                     "enable_unsafe_noiommu_mode, and the card can write anywhere in memory",
                     port->card.address);
    host_finding_run(finding,
                     "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&intel_iommu=on iommu=pt /' "
                     "%s/etc/default/grub && update-grub && reboot",
                     port->host->root);
}

/* A disk, or the way to this machine, is not taken from the kernel. */
static void tell_shared(const struct host_port *port, struct host_finding *finding)
{
    const struct host_card *card = &port->card;
    bool is_needed = card->sharer_class_code >> 16 == HOST_CLASS_STORAGE ||
                     host_use_is_needed(&card->sharer_use);
    host_finding_say(finding,
                     "card %s shares the IOMMU group %s with the device %s, which the kernel uses: "
                     "vfio gives a group away as a whole. %s the card into another slot",
                     card->address, card->group, card->sharer,
                     is_needed ? "This machine needs that device: put"
                               : "Take the device from the kernel, too, or put");
    if (!is_needed)
        host_finding_run(finding, "echo %s > %s" HOST_DEVICES "/%s/driver/unbind", card->sharer,
                         port->host->root, card->sharer);
}

static void tell_permission(const struct host_port *port, struct host_finding *finding)
{
    const struct host_card *card = &port->card;
    if (card->file_errno == 0) {
        host_finding_say(finding,
                         "card %s needs physical addresses, which only root may look up: start "
                         "polluxd as root with all capabilities, or bind the card to vfio-pci "
                         "behind an IOMMU",
                         card->address);
        return;
    }
    host_finding_say(finding, "card %s: cannot open %s: %s", card->address, card->file,
                     strerror(card->file_errno));
    if (card->file_errno == ENOENT) {
        host_finding_say(finding, ": let the process see it; in a container, hand it in");
        return;
    }
    host_finding_say(finding, ". Start polluxd as root, with [node] user: it gives its rights up "
                              "when the port is open. Or give the file to the user, until the card "
                              "is bound anew");
    host_finding_run(finding, "sudo chown \"$(id -un)\" %s%s", port->host->root, card->file);
}

static void tell_access(enum host_fault fault, const struct host_port *port,
                        struct host_finding *finding)
{
    const struct host_card *card = &port->card;
    if (fault == HOST_FAULT_GROUP_SHARED) {
        tell_shared(port, finding);
    } else if (fault == HOST_FAULT_UIO_TRANSLATED) {
        host_finding_say(finding,
                         "card %s is bound to %s behind an IOMMU that translates addresses (%s): "
                         "it would receive nothing",
                         card->address, card->driver, card->group_type);
        run_bind(port, finding);
    } else if (fault == HOST_FAULT_IN_USE) {
        host_finding_say(finding,
                         "card %s is in use: another process has %s; this node, if it runs now. "
                         "fuser -v %s names the process",
                         card->address, card->file, card->file);
    } else {
        tell_permission(port, finding);
    }
}

/* ---- memory ---- */

static void tell_pages_off(const struct host_port *port, struct host_finding *finding)
{
    host_finding_say(finding,
                     "card %s needs physical addresses (driver %s%s), and only hugepages have "
                     "them: set [port] hugepages = true, and reserve some",
                     port->card.address, port->card.driver,
                     host_card_driver(&port->card) == HOST_DRIVER_UIO ? "" : ", without IOMMU");
    if (port->need.config_path != NULL)
        host_finding_run(finding,
                         "sed -i '/^hugepages *=/d; s/^\\[port\\]/&\\nhugepages = true/' '%s'",
                         port->need.config_path);
}

/* As many as others have, and the node's. That takes memory from others: unasked only where there
 * is twice as much. */
static void run_reserve(const struct host_port *port, struct host_finding *finding)
{
    const struct host_memory *memory = &port->memory;
    char folder[HOST_ENTRY_BYTES];
    uint64_t needed_bytes = port->need.memory_bytes;
    uint64_t missing_bytes =
        needed_bytes > memory->near_free_bytes ? needed_bytes - memory->near_free_bytes : 0;
    uint64_t pages =
        memory->near_taken_pages + (needed_bytes + memory->page_bytes - 1) / memory->page_bytes;
    host_finding_run(finding, "echo %lu >%s%s/hugepages-%lukB/nr_hugepages", (unsigned long)pages,
                     port->host->root, host_pages_folder(memory->numa_node, folder),
                     (unsigned long)(memory->page_bytes / KIB));
    finding->is_safe = memory->available_bytes >= 2 * missing_bytes;
}

static void tell_pages(enum host_fault fault, const struct host_port *port,
                       struct host_finding *finding)
{
    const struct host_memory *memory = &port->memory;
    unsigned long needed_mib = (unsigned long)(port->need.memory_bytes / MIB);
    if (fault == HOST_FAULT_PAGES_TAKEN)
        host_finding_say(finding,
                         "%lu MiB are reserved, and %lu MiB of them free: the node needs %lu MiB. "
                         "It has them if it runs now; else another process has them",
                         (unsigned long)(memory->huge_bytes / MIB),
                         (unsigned long)(memory->huge_free_bytes / MIB), needed_mib);
    else
        host_finding_say(finding,
                         "%lu MiB are reserved, and the node needs %lu MiB ([port] memory_mib of "
                         "each lane)%s. If the kernel gives fewer than asked for, memory is in "
                         "pieces: reserve them on its command line, and start the machine anew",
                         (unsigned long)(memory->near_bytes / MIB), needed_mib,
                         fault == HOST_FAULT_PAGES_FAR
                             ? ": the packet buffers lie on another NUMA node than the card"
                             : "");
    run_reserve(port, finding);
}

static void tell_memlock(const struct host_port *port, struct host_finding *finding)
{
    host_finding_say(finding,
                     "this process may pin %luKiB of memory (memlock), and the card's buffers take "
                     "%luKiB: raise the limit, and log in anew; a unit of systemd has "
                     "LimitMEMLOCK=infinity",
                     (unsigned long)(port->memory.memlock_bytes / KIB),
                     (unsigned long)(port->need.memory_bytes / KIB));
    host_finding_run(finding,
                     "printf '%%s - memlock unlimited\\n' \"$(id -un)\" | sudo tee "
                     "%s/etc/security/limits.d/pollux.conf",
                     port->host->root);
}

/* ---- all ---- */

void host_pages_begin(const struct host_memory *memory, struct host_finding *ret_finding)
{
    if (memory->numa_node == HOST_NO_NUMA_NODE)
        host_finding_begin(ret_finding, "huge pages");
    else
        host_finding_begin(ret_finding, "huge pages of NUMA node %d", (int)memory->numa_node);
}

static void begin(enum host_fault fault, const struct host_port *port, struct host_finding *finding)
{
    switch (host_fault_part(fault)) {
    case HOST_PART_CARD:
        host_finding_begin(finding, "[port] device");
        return;
    case HOST_PART_IOMMU:
        host_finding_begin(finding, "IOMMU");
        return;
    case HOST_PART_FILE:
        host_finding_begin(finding, "%s",
                           port->card.file[0] != '\0' ? port->card.file : "[port] device");
        return;
    case HOST_PART_PAGES:
        if (fault == HOST_FAULT_PAGES_OFF)
            host_finding_begin(finding, "[port] hugepages = false");
        else
            host_pages_begin(&port->memory, finding);
        return;
    case HOST_PART_LOCK:
        host_finding_begin(finding, "memlock");
        return;
    }
}

void host_fault_tell(enum host_fault fault, const struct host_port *port,
                     struct host_finding *ret_finding)
{
    begin(fault, port, ret_finding);
    switch (fault) {
    case HOST_FAULT_NAME:
    case HOST_FAULT_ABSENT:
    case HOST_FAULT_NOT_NETWORK:
        tell_other(fault, port, ret_finding);
        return;
    case HOST_FAULT_NEEDED:
        tell_needed(&port->card, ret_finding);
        return;
    case HOST_FAULT_INTERFACE:
    case HOST_FAULT_SHORT_ADDRESS:
        tell_spelling(fault, port, ret_finding);
        return;
    case HOST_FAULT_NO_IOMMU:
        tell_no_iommu(port, ret_finding);
        return;
    case HOST_FAULT_NO_MODULE:
    case HOST_FAULT_UNBOUND:
        tell_unbound(fault, port, ret_finding);
        return;
    case HOST_FAULT_KERNEL_DRIVER:
        tell_kernel(port, ret_finding);
        return;
    case HOST_FAULT_GROUP_SHARED:
    case HOST_FAULT_UIO_TRANSLATED:
    case HOST_FAULT_NO_PERMISSION:
    case HOST_FAULT_IN_USE:
        tell_access(fault, port, ret_finding);
        return;
    case HOST_FAULT_PAGES_OFF:
        tell_pages_off(port, ret_finding);
        return;
    case HOST_FAULT_PAGES_FEW:
    case HOST_FAULT_PAGES_TAKEN:
    case HOST_FAULT_PAGES_FAR:
        tell_pages(fault, port, ret_finding);
        return;
    case HOST_FAULT_MEMLOCK:
        tell_memlock(port, ret_finding);
        return;
    case HOST_FAULT_COUNT:
        return;
    }
}
