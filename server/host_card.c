/* Facts of a card: see host_card.h. */
#include "server/host_card.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUPS "/sys/kernel/iommu_groups"

bool host_card_is_meant(const char *device)
{
    return strncmp(device, "net_", 4) != 0;
}

const char *host_card_path(char ret_path[PATH_MAX], const char *address, const char *file)
{
    snprintf(ret_path, PATH_MAX, HOST_DEVICES "/%s%s", address, file);
    return ret_path;
}

static enum host_driver driver_kind(const char *driver)
{
    static const struct {
        const char *name;
        enum host_driver kind;
    } drivers[] = {
        {"", HOST_DRIVER_NONE},          {"vfio-pci", HOST_DRIVER_VFIO},
        {"igb_uio", HOST_DRIVER_UIO},    {"uio_pci_generic", HOST_DRIVER_UIO},
        {"mlx4_core", HOST_DRIVER_BOTH}, {"mlx5_core", HOST_DRIVER_BOTH},
        {"mana", HOST_DRIVER_BOTH},
    };
    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
        if (strcmp(driver, drivers[i].name) == 0)
            return drivers[i].kind;
    }
    return HOST_DRIVER_KERNEL;
}

enum host_driver host_card_driver(const struct host_card *card)
{
    return driver_kind(card->driver);
}

/* "03:00.0" and "0000:03:00.0", in letters of either case, as sysfs writes it. */
static bool address_parse(const char *text, char ret_address[HOST_ENTRY_BYTES])
{
    unsigned domain = 0;
    unsigned bus, slot, function;
    int end = 0;
    bool is_full = sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &end) == 4;
    if (!is_full || text[end] != '\0') {
        domain = 0;
        end = 0;
        if (sscanf(text, "%2x:%2x.%1x%n", &bus, &slot, &function, &end) != 3 || text[end] != '\0')
            return false;
    }
    (void)snprintf(ret_address, HOST_ENTRY_BYTES, "%04x:%02x:%02x.%x", domain, bus, slot, function);
    return true;
}

/* The kernel's name of a card, in place of its address. A card of virtio is one step below the
 * device of PCI. */
static void find_by_interface(const struct host *host, struct host_card *card)
{
    char path[PATH_MAX];
    char full[PATH_MAX];
    char name[HOST_ENTRY_BYTES];
    if (card->device[0] == '\0' || strchr(card->device, '/') != NULL)
        return;
    snprintf(path, sizeof(path), "/sys/class/net/%s/device", card->device);
    card->is_by_name = host_link(host, path, name);
    if (!card->is_by_name || address_parse(name, card->address))
        return;
    (void)host_path(host, path, "/sys/bus/virtio/devices/%s/..", name);
    if (realpath(path, full) != NULL && strrchr(full, '/') != NULL)
        (void)address_parse(strrchr(full, '/') + 1, card->address);
}

static uint32_t class_code_of(const struct host *host, const char *address)
{
    char path[PATH_MAX];
    int64_t class = 0;
    (void)host_number(host, host_card_path(path, address, "/class"), &class);
    return (uint32_t) class;
}

struct group {
    const struct host *host;
    struct host_card *card;
};

/* Bridges ("pcieport") may stay where they are. */
static void look_at_sharer(void *context, const char *address)
{
    struct group *group = context;
    struct host_card *card = group->card;
    char path[PATH_MAX];
    char driver[HOST_ENTRY_BYTES];
    if (card->sharer[0] != '\0' || strcmp(address, card->address) == 0 ||
        !host_link(group->host, host_card_path(path, address, "/driver"), driver) ||
        strcmp(driver, "pcieport") == 0)
        return;
    enum host_driver kind = driver_kind(driver);
    if (kind == HOST_DRIVER_VFIO || kind == HOST_DRIVER_UIO)
        return;
    snprintf(card->sharer, sizeof(card->sharer), "%.255s", address);
    card->sharer_class_code = class_code_of(group->host, address);
    host_use_look(group->host, address, &card->sharer_use);
}

/* vfio gives a group away as a whole. */
static void look_at_group(const struct host *host, struct host_card *card)
{
    struct group group = {.host = host, .card = card};
    char path[PATH_MAX];
    char line[HOST_LINE_BYTES];
    if (!host_link(host, host_card_path(path, card->address, "/iommu_group"), card->group))
        return;
    snprintf(path, sizeof(path), GROUPS "/%s/type", card->group);
    (void)host_line(host, path, line);
    snprintf(card->group_type, sizeof(card->group_type), "%.255s", line);
    snprintf(path, sizeof(path), GROUPS "/%s/devices", card->group);
    card->is_group_seen = host_each(host, path, look_at_sharer, &group);
}

static void find_file(const struct host *host, struct host_card *card)
{
    char path[PATH_MAX];
    char name[HOST_ENTRY_BYTES];
    enum host_driver driver = host_card_driver(card);
    if (driver == HOST_DRIVER_VFIO && card->group[0] != '\0')
        snprintf(card->file, sizeof(card->file), "/dev/vfio/%s%.200s",
                 card->is_unsafe && !card->has_iommu ? "noiommu-" : "", card->group);
    else if (driver == HOST_DRIVER_UIO &&
             host_entry(host, host_card_path(path, card->address, "/uio"), name))
        snprintf(card->file, sizeof(card->file), "/dev/%.200s", name);
}

/* vfio lets one process open a group; uio lets any. */
void host_card_try(const struct host *host, struct host_card *card)
{
    char path[PATH_MAX];
    if (card->file[0] == '\0')
        return;
    int fd = open(host_path(host, path, "%s", card->file), O_RDWR | O_CLOEXEC | O_NONBLOCK);
    card->file_errno = fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
}

static void look_at_vfio(const struct host *host, struct host_card *card)
{
    char text[HOST_LINE_BYTES];
    char name[HOST_ENTRY_BYTES];
    card->is_vfio_loaded = host_has(host, "/sys/bus/pci/drivers/vfio-pci");
    card->has_iommu = host_entry(host, "/sys/class/iommu", name);
    (void)host_line(host, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", text);
    card->is_unsafe = text[0] == 'Y' || text[0] == '1';
}

static void look_at_device(const struct host *host, struct host_card *card)
{
    char path[PATH_MAX];
    int64_t node;
    card->is_present = host_has(host, host_card_path(path, card->address, "/class"));
    if (!card->is_present)
        return;
    card->class_code = class_code_of(host, card->address);
    if (host_number(host, host_card_path(path, card->address, "/numa_node"), &node))
        card->numa_node = (int32_t)node;
    (void)host_link(host, host_card_path(path, card->address, "/driver"), card->driver);
    look_at_group(host, card);
    find_file(host, card);
    host_use_look(host, card->address, &card->use);
}

static void find_card(const struct host *host, const char *device, struct host_card *ret_card)
{
    *ret_card = (struct host_card){.numa_node = HOST_NO_NUMA_NODE};
    snprintf(ret_card->device, sizeof(ret_card->device), "%.*s", (int)strcspn(device, ","), device);
    look_at_vfio(host, ret_card);
    if (!address_parse(ret_card->device, ret_card->address))
        find_by_interface(host, ret_card);
    if (ret_card->address[0] != '\0')
        look_at_device(host, ret_card);
}

void host_port_look(const struct host *host, const struct host_need *need,
                    struct host_port *ret_port)
{
    *ret_port = (struct host_port){.host = host,
                                   .need = *need,
                                   .card = {.numa_node = HOST_NO_NUMA_NODE},
                                   .has_card = host_card_is_meant(need->device)};
    if (ret_port->has_card)
        find_card(host, need->device, &ret_port->card);
    host_memory_look(host, ret_port->card.numa_node, &ret_port->memory);
}

/* ---- the cards that there are ---- */

struct card_list {
    const struct host *host;
    char *text;
    size_t text_size;
    size_t used;
};

static void list_card(void *context, const char *address)
{
    struct card_list *list = context;
    char driver[HOST_ENTRY_BYTES];
    char path[PATH_MAX];
    if (class_code_of(list->host, address) >> 16 != HOST_CLASS_NETWORK ||
        list->used + strlen(address) + 32 > list->text_size)
        return;
    if (!host_link(list->host, host_card_path(path, address, "/driver"), driver))
        snprintf(driver, sizeof(driver), "no driver");
    list->used += (size_t)snprintf(list->text + list->used, list->text_size - list->used,
                                   "%s%s (%.24s)", list->used > 0 ? ", " : "", address, driver);
}

const char *host_cards_text(const struct host *host, char *ret_text, size_t text_size)
{
    struct card_list list = {.host = host, .text = ret_text, .text_size = text_size};
    ret_text[0] = '\0';
    (void)host_each(host, HOST_DEVICES, list_card, &list);
    if (list.used == 0)
        snprintf(ret_text, text_size, "none");
    return ret_text;
}
