/*
 * The network card that [port] device names: see check.h.
 *
 * Sources: the kernel's Documentation/ABI/testing/sysfs-bus-pci, Documentation/driver-api/vfio.rst;
 * DPDK 22.11, Linux Drivers.
 */
#include "server/check_internal.h"

#include <ctype.h>
#include <string.h>

#define CLASS_NETWORK  0x0200 /* Ethernet controller: the upper half of the class */
#define CARDS_TEXT_MAX 512
#define DEVICES        "/sys/bus/pci/devices"
#define DRIVERS        "/sys/bus/pci/drivers"

/* Hexadecimal digits and what parts them: "0000:03:00.0", where x is a digit. */
static bool has_form(const char *text, const char *shape)
{
    size_t i = 0;
    for (; shape[i] != '\0'; i++) {
        bool is_here =
            shape[i] == 'x' ? isxdigit((unsigned char)text[i]) != 0 : text[i] == shape[i];
        if (!is_here)
            return false;
    }
    return text[i] == '\0';
}

bool check_is_card(const struct config *config)
{
    return strncmp(config->device, "net_", 4) != 0 && strchr(config->device, ':') != NULL;
}

const char *check_card_path(char ret_path[PATH_MAX], const char *address, const char *file)
{
    snprintf(ret_path, PATH_MAX, DEVICES "/%s%s", address, file);
    return ret_path;
}

int64_t check_card_class(const struct check *check, const char *address)
{
    char path[PATH_MAX];
    int64_t class = 0;
    return host_number(check->host, check_card_path(path, address, "/class"), &class) ? class >> 8
                                                                                      : -1;
}

enum check_driver check_card_driver(const struct check *check, const char *address,
                                    char ret_name[HOST_ENTRY_BYTES])
{
    char path[PATH_MAX];
    snprintf(ret_name, HOST_ENTRY_BYTES, "no driver");
    if (!host_link(check->host, check_card_path(path, address, "/driver"), ret_name))
        return CHECK_DRIVER_NONE;
    if (strcmp(ret_name, "vfio-pci") == 0)
        return CHECK_DRIVER_VFIO;
    if (strcmp(ret_name, "uio_pci_generic") == 0 || strcmp(ret_name, "igb_uio") == 0)
        return CHECK_DRIVER_UIO;
    if (strcmp(ret_name, "mlx4_core") == 0 || strcmp(ret_name, "mlx5_core") == 0)
        return CHECK_DRIVER_SHARED;
    return CHECK_DRIVER_KERNEL;
}

int32_t check_card_numa_node(const struct check *check)
{
    char path[PATH_MAX];
    int64_t node = HOST_NO_NUMA_NODE;
    if (check->config == NULL || !check_is_card(check->config) ||
        !host_number(check->host, check_card_path(path, check->config->device, "/numa_node"),
                     &node))
        return HOST_NO_NUMA_NODE;
    return (int32_t)node;
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
    if (check_card_class(list->check, address) != CLASS_NETWORK ||
        list->used + 2 * strlen(address) + 48 > sizeof(list->text))
        return;
    (void)check_card_driver(list->check, address, driver);
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
    (void)host_each(use->check->host, check_card_path(path, use->check->config->device, below),
                    look_at_use, use);
}

static struct card_use card_use(const struct check *check)
{
    struct card_use use = {.check = check, .name = ""};
    char path[PATH_MAX];
    const char *address = check->config->device;
    (void)host_each(check->host, check_card_path(path, address, "/net"), look_at_use, &use);
    (void)host_each(check->host, check_card_path(path, address, ""), look_below, &use);
    return use;
}

/* ---- the card ---- */

/* A driver that is bound by hand is lost with the next start of the machine. */
static void tell_bound(struct check *check, const char *driver)
{
    const char *device = check->config->device;
    char unit[HOST_ENTRY_BYTES];
    char path[PATH_MAX];
    check_good(check, device, "a network card, bound to %s", driver);
    snprintf(unit, sizeof(unit), "pollux-card@%.64s.service", device);
    snprintf(path, sizeof(path), "/etc/driverctl.d/%s", device);
    if (host_has_enabled(check->host, unit) || host_has(check->host, path))
        return;
    check_note(check, "the card after a new start",
               "neither pollux-card@ nor driverctl binds it to %s: unless something else does, the "
               "kernel's driver has it then",
               driver);
    check_card_bind(check, false);
}

/* Gives the card to vfio-pci. `is_safe`: nobody uses it. */
void check_card_bind(struct check *check, bool is_safe)
{
    const char *address = check->config->device;
    const char *root = check->host->root;
    const char *module = host_has(check->host, DRIVERS "/vfio-pci") ? "" : "modprobe vfio-pci && ";
    void (*command)(struct check *, const char *, ...) =
        is_safe ? check_safe_command : check_command;
    if (host_has_unit(check->host, "pollux-card@.service")) {
        command(check, "systemctl enable --now pollux-card@%s", address);
        return;
    }
    if (host_has(check->host, "/usr/sbin/driverctl")) {
        command(check, "%sdriverctl set-override %s vfio-pci", module, address);
        return;
    }
    command(check,
            "%secho vfio-pci >%s" DEVICES "/%s/driver_override && { [ ! -e %s" DEVICES
            "/%s/driver ] || echo %s >%s" DEVICES "/%s/driver/unbind; } && echo %s >%s"
            "/sys/bus/pci/drivers_probe",
            module, root, address, root, address, address, root, address, address, root);
}

static void tell_unbound(struct check *check)
{
    check_wrong(check, check->config->device,
                "no driver has the card: bind it to vfio-pci. It is lost with the next start of "
                "the machine, unless driverctl (a Debian package) keeps it");
    check_card_bind(check, true);
}

static void tell_kernel(struct check *check, const char *driver)
{
    const char *device = check->config->device;
    struct card_use use = card_use(check);
    if (use.has_default_route) {
        check_wrong(check, device,
                    "the kernel's driver %s has the card, and its interface %s carries the default "
                    "route: this machine is reached through it. Name another card in [port] device",
                    driver, use.name);
        return;
    }
    if (use.is_used || use.interfaces == 0) {
        check_wrong(check, device,
                    "the kernel's driver %s has the card%s%s%s. The command takes it from there: "
                    "see first that nobody needs it",
                    driver, use.is_used ? ", and its interface " : "", use.name,
                    use.is_used ? " is in use" : ", and no interface of it is seen here");
        check_card_bind(check, false);
        return;
    }
    check_wrong(check, device, "the kernel's driver %s has the card (interface %s, no address)",
                driver, use.name);
    check_card_bind(check, true);
}

static void tell_card(struct check *check)
{
    const char *device = check->config->device;
    char driver[HOST_ENTRY_BYTES];
    switch (check_card_driver(check, device, driver)) {
    case CHECK_DRIVER_NONE:
        tell_unbound(check);
        return;
    case CHECK_DRIVER_KERNEL:
        tell_kernel(check, driver);
        return;
    case CHECK_DRIVER_UIO:
        if (check->config->is_hugepages) {
            tell_bound(check, driver);
            return;
        }
        check_wrong(check, device,
                    "the driver %s needs huge pages: set [port] hugepages = true, or bind the card "
                    "to vfio-pci",
                    driver);
        check_card_bind(check, false);
        return;
    case CHECK_DRIVER_VFIO:
        tell_bound(check, driver);
        return;
    case CHECK_DRIVER_SHARED:
        check_good(check, device, "a network card, bound to %s", driver);
        return;
    }
}

/* The address is one, of a card that is there. False: something else was told. */
static bool look_for_card(struct check *check)
{
    const char *device = check->config->device;
    char path[PATH_MAX];
    struct card_list list;
    if (has_form(device, "xx:xx.x")) {
        check_wrong(check, "[port] device",
                    "%s is a short address: write it in full, with the domain: 0000:%s", device,
                    device);
        if (check->config_path != NULL)
            check_command(check, "sed -i 's/^device = %s/device = 0000:%s/' '%s'", device, device,
                          check->config_path);
        return false;
    }
    if (!has_form(device, "xxxx:xx:xx.x")) {
        check_wrong(check, "[port] device",
                    "%s is no address of a card, such as 0000:03:00.0; network cards here: %s",
                    device, cards_text(check, &list));
        return false;
    }
    if (!host_has(check->host, DEVICES)) {
        check_unknown(check, device, "%s" DEVICES " is not there: a container, or no PCI",
                      check->host->root);
        return false;
    }
    if (!host_has(check->host, check_card_path(path, device, ""))) {
        check_wrong(check, device, "there is no such device; network cards here: %s",
                    cards_text(check, &list));
        check_command(check, "lspci -D -nn -d ::0200");
        return false;
    }
    if (check_card_class(check, device) != CLASS_NETWORK) {
        check_wrong(check, device, "is no network card (class 0x%04x); network cards here: %s",
                    (unsigned)check_card_class(check, device), cards_text(check, &list));
        check_command(check, "lspci -D -nn -d ::0200");
        return false;
    }
    return true;
}

void check_card(struct check *check)
{
    struct card_list list;
    if (check->config == NULL) {
        if (!host_has(check->host, DEVICES))
            check_unknown(check, "cards", "%s" DEVICES " is not there: a container, or no PCI",
                          check->host->root);
        else
            check_note(check, "cards", "network cards for [port] device: %s",
                       cards_text(check, &list));
    } else if (!check_is_card(check->config)) {
        check_good(check, "[port] device", "%.160s: no card is needed", check->config->device);
    } else if (look_for_card(check)) {
        tell_card(check);
    }
}

bool check_has_card(const struct check *check)
{
    char path[PATH_MAX];
    return check_is_card(check->config) && has_form(check->config->device, "xxxx:xx:xx.x") &&
           host_has(check->host, check_card_path(path, check->config->device, ""));
}
