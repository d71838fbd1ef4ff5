/*
 * How a card reaches memory, and who may open it: the IOMMU, vfio, the limit of locked memory. See
 * check.h.
 *
 * Sources: the kernel's Documentation/driver-api/vfio.rst; getrlimit(2); limits.conf(5).
 */
#include "server/check_internal.h"

#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#define CLASS_BRIDGE    0x0604
#define MIB             (UINT64_C(1) << 20)
#define GROUP_TEXT_MAX  512
#define OTHER_READ_ONLY (S_IROTH | S_IWOTH)

/* ---- the IOMMU ---- */

struct group_others {
    const struct check *check;
    size_t used;
    char text[GROUP_TEXT_MAX];
};

/* A driver of the kernel there keeps vfio from the whole group. */
static void look_at_neighbour(void *context, const char *address)
{
    struct group_others *others = context;
    char driver[HOST_ENTRY_BYTES];
    if (strcmp(address, others->check->config->device) == 0 ||
        check_card_class(others->check, address) == CLASS_BRIDGE)
        return;
    enum check_driver kind = check_card_driver(others->check, address, driver);
    if (kind == CHECK_DRIVER_NONE || kind == CHECK_DRIVER_VFIO ||
        others->used + 64 > sizeof(others->text))
        return;
    others->used +=
        (size_t)snprintf(others->text + others->used, sizeof(others->text) - others->used,
                         "%s%.16s (%.24s)", others->used > 0 ? ", " : "", address, driver);
}

static void tell_group(struct check *check, const char *group, bool is_uio)
{
    const char *device = check->config->device;
    struct group_others others = {.check = check, .text = ""};
    char path[PATH_MAX];
    char type[HOST_LINE_BYTES];
    snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%s/type", group);
    if (is_uio && (!host_line(check->host, path, type) || strcmp(type, "identity") != 0)) {
        check_wrong(check, device,
                    "an IOMMU translates its addresses (group %s, type %s), and a uio driver knows "
                    "nothing of it: the card would receive nothing. Bind it to vfio-pci",
                    group, type[0] != '\0' ? type : "not told");
        check_card_bind(check, false);
        return;
    }
    snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%s/devices", group);
    if (!host_each(check->host, path, look_at_neighbour, &others))
        check_unknown(check, device, "%s%s cannot be read", check->host->root, path);
    else if (!is_uio && others.used > 0)
        check_wrong(check, device,
                    "it is in group %s of the IOMMU with %s: vfio takes a group only as a whole. "
                    "Bind these to vfio-pci, too, or put the card into another slot",
                    group, others.text);
    else
        check_good(check, device, "in group %s of the IOMMU", group);
}

static void tell_no_group(struct check *check)
{
    const char *device = check->config->device;
    const char *root = check->host->root;
    char line[HOST_LINE_BYTES] = "";
    (void)host_line(check->host, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", line);
    if (line[0] == 'Y') {
        check_note(check, device,
                   "no IOMMU: vfio works without (enable_unsafe_noiommu_mode), and the card can "
                   "write anywhere in memory");
        return;
    }
    check_wrong(check, device,
                "no IOMMU: turn it on in the firmware (VT-d, AMD-Vi) and on the kernel's command "
                "line, or bind the card to uio_pci_generic and set [port] hugepages = true");
    check_command(check,
                  "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&intel_iommu=on iommu=pt /' "
                  "%s/etc/default/grub && update-grub && reboot",
                  root);
}

void check_iommu(struct check *check)
{
    char path[PATH_MAX];
    char group[HOST_ENTRY_BYTES];
    char driver[HOST_ENTRY_BYTES];
    if (!check_has_card(check))
        return; /* what is wrong with the card was told */
    const char *device = check->config->device;
    enum check_driver kind = check_card_driver(check, device, driver);
    if (kind == CHECK_DRIVER_SHARED)
        return;
    if (host_link(check->host, check_card_path(path, device, "/iommu_group"), group))
        tell_group(check, group, kind == CHECK_DRIVER_UIO);
    else if (kind == CHECK_DRIVER_UIO)
        check_good(check, device, "no IOMMU stands between the card and the memory");
    else
        tell_no_group(check);
}

/* ---- who may open it ---- */

static bool may_open_device(const struct host *host, const struct stat *status)
{
    if (host->uid == 0 || (status->st_mode & OTHER_READ_ONLY) == OTHER_READ_ONLY)
        return true;
    return status->st_uid == host->uid && (status->st_mode & S_IRUSR) &&
           (status->st_mode & S_IWUSR);
}

static void look_at_device_file(struct check *check, const char *file)
{
    struct stat status;
    char path[PATH_MAX];
    const struct passwd *user = getpwuid(check->host->uid);
    if (stat(host_path(check->host, path, "%s", file), &status) != 0) {
        check_wrong(check, file, "it is not there: the module vfio-pci is not loaded");
        check_safe_command(check, "modprobe vfio-pci");
    } else if (!may_open_device(check->host, &status)) {
        check_wrong(check, file,
                    "user %u may not open it: start the node as root, with [node] user, or give "
                    "the file to that user (until the card is bound anew)",
                    (unsigned)check->host->uid);
        check_command(check, "chown '%s' %s", user != NULL ? user->pw_name : "USER", path);
    } else {
        check_good(check, file, "user %u may open it", (unsigned)check->host->uid);
    }
}

void check_vfio(struct check *check)
{
    char path[PATH_MAX];
    char group[HOST_ENTRY_BYTES];
    char driver[HOST_ENTRY_BYTES];
    char file[HOST_ENTRY_BYTES + 32];
    if (!check_has_card(check) ||
        check_card_driver(check, check->config->device, driver) != CHECK_DRIVER_VFIO)
        return;
    look_at_device_file(check, "/dev/vfio/vfio");
    if (!host_link(check->host, check_card_path(path, check->config->device, "/iommu_group"),
                   group))
        return;
    bool is_unsafe = false;
    snprintf(file, sizeof(file), "/sys/kernel/iommu_groups/%s/name", group);
    char line[HOST_LINE_BYTES];
    is_unsafe = host_line(check->host, file, line) && strcmp(line, "vfio-noiommu") == 0;
    snprintf(file, sizeof(file), "/dev/vfio/%s%s", is_unsafe ? "noiommu-" : "", group);
    look_at_device_file(check, file);
}

/* vfio locks what the card may write to; root is free of the limit. */
void check_memlock(struct check *check)
{
    const struct config *config = check->config;
    uint64_t needed_bytes = (uint64_t)config->memory_mib * MIB * config->lane_count;
    char driver[HOST_ENTRY_BYTES];
    if (!check_has_card(check) ||
        check_card_driver(check, config->device, driver) != CHECK_DRIVER_VFIO)
        return;
    if (check->host->uid == 0 || check->host->memlock_bytes == UINT64_MAX) {
        check_good(check, "memlock", "user %u may lock any memory", (unsigned)check->host->uid);
    } else if (check->host->memlock_bytes < needed_bytes) {
        check_wrong(check, "memlock",
                    "user %u may lock %lu KiB, and the card needs %lu MiB ([port] memory_mib of "
                    "each lane): raise the limit, then log in anew; a unit of systemd has "
                    "LimitMEMLOCK=infinity",
                    (unsigned)check->host->uid, (unsigned long)(check->host->memlock_bytes / 1024),
                    (unsigned long)(needed_bytes / MIB));
        check_command(check,
                      "printf '%%s - memlock unlimited\\n' \"$(id -un)\" | sudo tee "
                      "%s/etc/security/limits.d/pollux.conf",
                      check->host->root);
    } else {
        check_good(check, "memlock", "user %u may lock %lu MiB, the card needs %lu MiB",
                   (unsigned)check->host->uid, (unsigned long)(check->host->memlock_bytes / MIB),
                   (unsigned long)(needed_bytes / MIB));
    }
}
