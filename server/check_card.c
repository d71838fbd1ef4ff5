/*
 * The network card that [port] device names: see check.h. host_card.h judges it, for a start of a
 * node, too, and tells one fault at a time. Each check here asks as if the faults of the others
 * were mended, so that all are told at once.
 *
 * Sources: the kernel's Documentation/ABI/testing/sysfs-bus-pci; DPDK 22.11, Linux Drivers.
 */
#include "server/check_internal.h"

#include <string.h>

#define CLASS_NETWORK  0x02
#define CARDS_TEXT_MAX 512
#define DEVICES        "/sys/bus/pci/devices"
#define MIB            (UINT64_C(1) << 20)

static const char *device_path(char ret_path[PATH_MAX], const char *address, const char *file)
{
    snprintf(ret_path, PATH_MAX, DEVICES "/%s%s", address, file);
    return ret_path;
}

bool check_card_look(const struct check *check, struct check_card *ret_card)
{
    const struct config *config = check->config;
    if (!host_card_is_meant(config->device) || !host_has(check->host, DEVICES))
        return false;
    host_card_look(check->host->root, config->device, &ret_card->facts);
    host_memory_look(check->host->root, &ret_card->memory);
    ret_card->need =
        (struct host_need){.memory_bytes = (uint64_t)config->memory_mib * MIB * config->lane_count,
                           .is_hugepages = config->is_hugepages};
    return true;
}

/* As if everything but the card and its driver were as it should be. */
static enum host_fault judge_driver(const struct check_card *card)
{
    struct host_card facts = card->facts;
    facts.has_iommu = true;
    facts.sharer[0] = '\0';
    facts.group_type[0] = '\0';
    facts.file_errno = 0;
    return check_card_judge(&facts, &card->need);
}

enum host_fault check_card_judge(const struct host_card *facts, const struct host_need *need)
{
    static const struct host_memory ample = {.huge_total_bytes = UINT64_MAX,
                                             .huge_free_bytes = UINT64_MAX,
                                             .memlock_bytes = UINT64_MAX,
                                             .may_pin = true,
                                             .is_admin = true};
    const struct host_need pages = {.memory_bytes = need->memory_bytes, .is_hugepages = true};
    return host_fault_find(facts, &ample, &pages);
}

const char *check_card_text(enum host_fault fault, const struct check_card *card,
                            char ret_text[HOST_TEXT_BYTES])
{
    host_fault_tell(fault, &card->facts, &card->memory, &card->need, ret_text);
    return ret_text;
}

bool check_card_is_bound(const struct check_card *card)
{
    return card->facts.is_present && judge_driver(card) == HOST_FAULT_NONE;
}

int32_t check_card_numa_node(const struct check *check)
{
    struct check_card card;
    return check->config != NULL && check_card_look(check, &card) ? card.facts.numa_node
                                                                  : HOST_NO_NUMA_NODE;
}

/* ---- the cards that there are ---- */

struct card_list {
    const struct check *check;
    size_t used;
    char text[CARDS_TEXT_MAX];
};

static void list_card(void *context, const char *address)
{
    struct card_list *list = context;
    char driver[HOST_ENTRY_BYTES];
    char path[PATH_MAX];
    int64_t class = 0;
    if (!host_number(list->check->host, device_path(path, address, "/class"), &class) ||
        class >> 16 != CLASS_NETWORK || list->used + 2 * strlen(address) + 48 > sizeof(list->text))
        return;
    if (!host_link(list->check->host, device_path(path, address, "/driver"), driver))
        snprintf(driver, sizeof(driver), "no driver");
    list->used += (size_t)snprintf(list->text + list->used, sizeof(list->text) - list->used,
                                   "%s%s (%.24s)", list->used > 0 ? ", " : "", address, driver);
}

static const char *cards_text(const struct check *check, struct card_list *list)
{
    *list = (struct card_list){.check = check, .text = ""};
    (void)host_each(check->host, DEVICES, list_card, list);
    return list->used > 0 ? list->text : "none";
}

/* ---- what the kernel uses the card for ---- */

struct card_use {
    const struct check *check;
    const char *address;
    uint32_t interfaces;
    bool has_default_route;
    bool is_used; /* it has an address, or carries another interface */
    char name[HOST_ENTRY_BYTES];
};

static void look_at_link(void *context, const char *name)
{
    struct card_use *use = context;
    use->is_used |= strncmp(name, "upper_", 6) == 0 || strcmp(name, "master") == 0;
}

/* Tables of routes: "INTERFACE DESTINATION ..." and "DESTINATION PREFIX ... INTERFACE". An address
 * is a route, too; those of a link's own addresses (fe80) and of multicast (ff00) are on each. */
static void look_at_routes(struct card_use *use, const char *interface)
{
    char line[HOST_LINE_BYTES];
    char name[HOST_ENTRY_BYTES];
    char destination[HOST_ENTRY_BYTES];
    char prefix[HOST_ENTRY_BYTES];
    FILE *ipv4 = host_open(use->check->host, "/proc/net/route");
    FILE *ipv6 = host_open(use->check->host, "/proc/net/ipv6_route");
    use->is_used |= ipv4 == NULL; /* not known: rather not */
    while (ipv4 != NULL && fgets(line, sizeof(line), ipv4) != NULL) {
        if (sscanf(line, "%255s %255s", name, destination) != 2 || strcmp(name, interface) != 0)
            continue;
        use->is_used = true;
        use->has_default_route |= strcmp(destination, "00000000") == 0;
    }
    while (ipv6 != NULL && fgets(line, sizeof(line), ipv6) != NULL) {
        const char *last = strrchr(line, ' ');
        if (last == NULL || sscanf(line, "%255s %255s", destination, prefix) != 2 ||
            sscanf(last, "%255s", name) != 1 || strcmp(name, interface) != 0 ||
            strncmp(destination, "fe80", 4) == 0 || strncmp(destination, "ff", 2) == 0)
            continue;
        use->is_used = true;
        use->has_default_route |= strcmp(prefix, "00") == 0;
    }
    if (ipv4 != NULL)
        fclose(ipv4);
    if (ipv6 != NULL)
        fclose(ipv6);
}

static void look_at_use(void *context, const char *interface)
{
    struct card_use *use = context;
    char path[PATH_MAX];
    use->interfaces++;
    snprintf(use->name, sizeof(use->name), "%.255s", interface);
    snprintf(path, sizeof(path), "/sys/class/net/%s", interface);
    (void)host_each(use->check->host, path, look_at_link, use);
    look_at_routes(use, interface);
}

/* A virtio card has its interface one folder below. */
static void look_below(void *context, const char *name)
{
    struct card_use *use = context;
    char path[PATH_MAX];
    char below[128];
    if (strncmp(name, "virtio", 6) != 0)
        return;
    snprintf(below, sizeof(below), "/%.64s/net", name);
    (void)host_each(use->check->host, device_path(path, use->address, below), look_at_use, use);
}

static struct card_use card_use(const struct check *check, const char *address)
{
    struct card_use use = {.check = check, .address = address, .name = ""};
    char path[PATH_MAX];
    (void)host_each(check->host, device_path(path, address, "/net"), look_at_use, &use);
    (void)host_each(check->host, device_path(path, address, ""), look_below, &use);
    return use;
}

/* ---- the card ---- */

void check_card_bind(struct check *check, const char *address, bool is_safe)
{
    const char *root = check->host->root;
    const char *module =
        host_has(check->host, "/sys/bus/pci/drivers/vfio-pci") ? "" : "modprobe vfio-pci && ";
    void (*command)(struct check *, const char *, ...) =
        is_safe ? check_safe_command : check_command;
    if (host_has_unit(check->host, "pollux-card@.service"))
        command(check, "systemctl enable --now pollux-card@%s", address);
    else if (host_has(check->host, "/usr/sbin/driverctl"))
        command(check, "%sdriverctl set-override %s vfio-pci", module, address);
    else
        command(check,
                "%secho vfio-pci >%s" DEVICES "/%s/driver_override && { [ ! -e %s" DEVICES
                "/%s/driver ] || echo %s >%s" DEVICES "/%s/driver/unbind; } && echo %s >%s"
                "/sys/bus/pci/drivers_probe",
                module, root, address, root, address, address, root, address, address, root);
}

/* A driver that is bound by hand is lost with the next start of the machine. */
static void tell_bound(struct check *check, const struct host_card *card)
{
    char unit[HOST_ENTRY_BYTES];
    char path[PATH_MAX];
    check_good(check, "[port] device", "%s is a network card, bound to %s", card->address,
               card->driver);
    snprintf(unit, sizeof(unit), "pollux-card@%s.service", card->address);
    snprintf(path, sizeof(path), "/etc/driverctl.d/%s", card->address);
    bool is_of_kernel = card->interface[0] != '\0';
    if (is_of_kernel || host_has_enabled(check->host, unit) || host_has(check->host, path))
        return;
    check_note(check, "the card after a new start",
               "neither pollux-card@ nor driverctl binds it to %s: unless something else does, the "
               "kernel's driver has it then",
               card->driver);
    if (host_has_unit(check->host, "pollux-card@.service"))
        check_command(check, "systemctl enable pollux-card@%s", card->address);
    else
        check_command(
            check, "%sdriverctl set-override %s %s",
            host_has(check->host, "/usr/sbin/driverctl") ? "" : "apt-get install driverctl && ",
            card->address, card->driver);
}

static void tell_kernel(struct check *check, const struct host_card *card, const char *text)
{
    struct card_use use = card_use(check, card->address);
    bool is_lonely = use.interfaces > 0 && !use.is_used;
    if (use.has_default_route) {
        check_wrong(check, "[port] device",
                    "%s; its interface %s carries the default route: this machine is reached "
                    "through it. Name another card",
                    text, use.name);
        return;
    }
    check_wrong(check, "[port] device", "%s%s%s%s", text, is_lonely ? ", without an address: " : "",
                is_lonely ? "nobody uses it" : "",
                use.is_used           ? "; its interface is in use. The command takes it away"
                : use.interfaces == 0 ? "; no interface of it is seen here, so somebody may use it"
                                      : "");
    check_card_bind(check, card->address, is_lonely);
}

/* The setting is to be corrected. */
static void tell_setting(struct check *check, enum host_fault fault, const struct host_card *card,
                         const char *text)
{
    struct card_list list;
    if (fault != HOST_FAULT_INTERFACE && fault != HOST_FAULT_SHORT_ADDRESS) {
        check_wrong(check, "[port] device", "%s; network cards here: %s", text,
                    cards_text(check, &list));
        check_command(check, "lspci -D -nn -d ::02xx");
        return;
    }
    check_wrong(check, "[port] device", "%s: write %s", text, card->address);
    if (check->config_path != NULL)
        check_command(check, "sed -i 's/^device *=.*/device = %s/' '%s'", card->address,
                      check->config_path);
}

static void judge_card(struct check *check, const struct check_card *card)
{
    const struct host_card *facts = &card->facts;
    char text[HOST_TEXT_BYTES];
    enum host_fault fault = judge_driver(card);
    (void)check_card_text(fault, card, text);
    switch (fault) {
    case HOST_FAULT_NAME:
    case HOST_FAULT_ABSENT:
    case HOST_FAULT_INTERFACE:
    case HOST_FAULT_SHORT_ADDRESS:
    case HOST_FAULT_NOT_NETWORK:
        tell_setting(check, fault, facts, text);
        return;
    case HOST_FAULT_NO_MODULE:
    case HOST_FAULT_UNBOUND:
        check_wrong(check, "[port] device", "%s", text);
        check_card_bind(check, facts->address, true);
        return;
    case HOST_FAULT_KERNEL_DRIVER:
        tell_kernel(check, facts, text);
        return;
    case HOST_FAULT_NONE:
        tell_bound(check, facts);
        return;
    default: /* of other checks */
        return;
    }
}

void check_card(struct check *check)
{
    struct card_list list;
    struct check_card card;
    if (check->config != NULL && !host_card_is_meant(check->config->device))
        check_good(check, "[port] device", "%.160s: no card is needed", check->config->device);
    else if (!host_has(check->host, DEVICES))
        check_unknown(check, "[port] device", "%s" DEVICES " is not there: a container, or no PCI",
                      check->host->root);
    else if (check->config == NULL)
        check_note(check, "[port] device", "network cards here: %s", cards_text(check, &list));
    else if (check_card_look(check, &card))
        judge_card(check, &card);
}
