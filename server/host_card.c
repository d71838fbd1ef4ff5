/* Facts of a card: see host_card.h. */
#include "server/host_card.h"

#include "server/host_file_internal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP_DEVICES_MAX 256
#define DEVICES           "/sys/bus/pci/devices"
#define GROUPS            "/sys/kernel/iommu_groups"

bool host_card_is_meant(const char *device)
{
    return strncmp(device, "net_", 4) != 0;
}

static void fact_path(const char *address, const char *fact, char ret_path[HOST_PATH_BYTES])
{
    (void)snprintf(ret_path, HOST_PATH_BYTES, DEVICES "/%.63s/%.32s", address, fact);
}

/* "03:00.0" and "0000:03:00.0", in letters of either case, as sysfs writes it. */
static bool address_parse(const char *text, char ret_address[HOST_NAME_BYTES])
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
    (void)snprintf(ret_address, HOST_NAME_BYTES, "%04x:%02x:%02x.%x", domain, bus, slot, function);
    return true;
}

/* The kernel's name of a card, in place of its address. */
static void find_by_interface(const char *root, struct host_card *card)
{
    char path[HOST_PATH_BYTES];
    char name[HOST_NAME_BYTES];
    if (card->device[0] == '\0' || strchr(card->device, '/') != NULL)
        return;
    (void)snprintf(path, sizeof(path), "/sys/class/net/%.63s/device", card->device);
    /* A card of virtio is one step below the device of PCI. */
    if (host_file_link(root, path, name, sizeof(name)) && !address_parse(name, card->address)) {
        (void)snprintf(path, sizeof(path), "/sys/bus/virtio/devices/%.63s/..", name);
        char whole[HOST_PATH_BYTES];
        char full[4096];
        (void)snprintf(whole, sizeof(whole), "%.200s%.200s", root, path);
        if (realpath(whole, full) != NULL && strrchr(full, '/') != NULL)
            (void)address_parse(strrchr(full, '/') + 1, card->address);
    }
}

static void look_at_interface(const char *root, struct host_card *card)
{
    char path[HOST_PATH_BYTES];
    char below[HOST_NAME_BYTES];
    fact_path(card->address, "net", path);
    if (host_file_entry(root, path, 0, card->interface, sizeof(card->interface)))
        return;
    card->interface[0] = '\0';
    fact_path(card->address, "", path);
    for (unsigned i = 0; i < GROUP_DEVICES_MAX; i++) {
        if (!host_file_entry(root, path, i, below, sizeof(below)))
            return;
        if (strncmp(below, "virtio", 6) != 0)
            continue;
        (void)snprintf(path, sizeof(path), DEVICES "/%.63s/%.63s/net", card->address, below);
        if (!host_file_entry(root, path, 0, card->interface, sizeof(card->interface)))
            card->interface[0] = '\0';
        return;
    }
}

static bool is_of_user(const char *driver)
{
    static const char *const drivers[] = {"vfio-pci", "uio_pci_generic", "igb_uio"};
    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
        if (strcmp(driver, drivers[i]) == 0)
            return true;
    }
    return false;
}

/* vfio gives a group away as a whole. Bridges ("pcieport") may stay where they are. */
static void look_at_group(const char *root, struct host_card *card)
{
    char folder[HOST_PATH_BYTES];
    char path[HOST_PATH_BYTES];
    char name[HOST_NAME_BYTES];
    char driver[HOST_NAME_BYTES];
    (void)snprintf(path, sizeof(path), GROUPS "/%.63s/type", card->group);
    (void)host_file_read(root, path, card->group_type, sizeof(card->group_type));
    (void)snprintf(folder, sizeof(folder), GROUPS "/%.63s/devices", card->group);
    for (unsigned i = 0; i < GROUP_DEVICES_MAX; i++) {
        if (!host_file_entry(root, folder, i, name, sizeof(name)))
            return;
        fact_path(name, "driver", path);
        if (strcmp(name, card->address) != 0 &&
            host_file_link(root, path, driver, sizeof(driver)) && !is_of_user(driver) &&
            strcmp(driver, "pcieport") != 0) {
            (void)snprintf(card->sharer, sizeof(card->sharer), "%s", name);
            return;
        }
    }
}

static void find_file(const char *root, struct host_card *card)
{
    char path[HOST_PATH_BYTES];
    char name[HOST_NAME_BYTES];
    if (strcmp(card->driver, "vfio-pci") == 0 && card->group[0] != '\0') {
        (void)snprintf(card->file, sizeof(card->file), "/dev/vfio/%s%.40s",
                       card->is_unsafe && !card->has_iommu ? "noiommu-" : "", card->group);
    } else if (is_of_user(card->driver) && strcmp(card->driver, "vfio-pci") != 0) {
        fact_path(card->address, "uio", path);
        if (host_file_entry(root, path, 0, name, sizeof(name)))
            (void)snprintf(card->file, sizeof(card->file), "/dev/%.40s", name);
    }
}

/* vfio lets one process open a group; uio lets any. */
static void look_at_file(const char *root, struct host_card *card)
{
    char path[HOST_PATH_BYTES];
    find_file(root, card);
    if (card->file[0] == '\0')
        return;
    (void)snprintf(path, sizeof(path), "%s%s", root, card->file);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    card->file_errno = fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
}

static void look_at_vfio(const char *root, struct host_card *card)
{
    char text[HOST_NAME_BYTES];
    card->is_vfio_loaded = host_file_exists(root, "/sys/bus/pci/drivers/vfio-pci");
    card->has_iommu = host_file_entry(root, "/sys/class/iommu", 0, text, sizeof(text));
    card->is_unsafe = host_file_read(root, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
                                     text, sizeof(text)) &&
                      (text[0] == 'Y' || text[0] == '1');
}

static void look_at_device(const char *root, struct host_card *card)
{
    char path[HOST_PATH_BYTES];
    char text[HOST_NAME_BYTES];
    fact_path(card->address, "class", path);
    card->is_present = host_file_read(root, path, text, sizeof(text));
    card->class_code = (uint32_t)strtoul(text, NULL, 16);
    if (!card->is_present)
        return;
    fact_path(card->address, "numa_node", path);
    if (host_file_read(root, path, text, sizeof(text)))
        card->numa_node = (int32_t)strtol(text, NULL, 10);
    fact_path(card->address, "driver", path);
    (void)host_file_link(root, path, card->driver, sizeof(card->driver));
    fact_path(card->address, "iommu_group", path);
    if (host_file_link(root, path, card->group, sizeof(card->group)))
        look_at_group(root, card);
    look_at_interface(root, card);
    look_at_file(root, card);
}

void host_card_look(const char *root, const char *device, struct host_card *ret_card)
{
    *ret_card = (struct host_card){.numa_node = -1};
    (void)snprintf(ret_card->device, sizeof(ret_card->device), "%.*s", (int)strcspn(device, ","),
                   device);
    look_at_vfio(root, ret_card);
    if (!address_parse(ret_card->device, ret_card->address))
        find_by_interface(root, ret_card);
    if (ret_card->address[0] != '\0')
        look_at_device(root, ret_card);
}
