/*
 * What the data directory lies on: DAX, and the mount that fstab names, so that a forgotten one is
 * seen. See check.h.
 *
 * Sources: fstab(5), systemd.mount(5); the kernel's Documentation/filesystems/dax.rst.
 */
#include "server/check_internal.h"
#include "server/mount_point.h"
#include "server/node_files.h"

#include <string.h>
#include <unistd.h>

#define UNIT_BYTES 512

/* ---- DAX ---- */

void check_dax(struct check *check)
{
    const struct config *config = check->config;
    struct mount_point mount;
    struct host_finding finding;
    if (!mount_point_find(check->host, config->directory, &mount)) {
        check_unknown(check, "DAX", "%s/proc/self/mounts does not tell where %s lies",
                      check->host->root, config->directory);
        return;
    }
    switch (mount_point_dax(check->host, &mount, config->directory)) {
    case MOUNT_DAX_UNKNOWN:
        check_unknown(check, "DAX", "%s/sys/class/block is not there: a container",
                      check->host->root);
        return;
    case MOUNT_DAX_OFF:
        mount_point_tell_dax(&mount, &finding);
        check_wrong_finding(check, &finding);
        return;
    case MOUNT_DAX_ON:
        check_good(check, mount.folder, "%s, persistent memory with DAX", mount.device);
        return;
    case MOUNT_DAX_NEVER:
        break;
    }
    if (config->medium == MEDIUM_PMEM)
        check_wrong(check, "[node] medium = pmem",
                    "%.160s lies on %s (%s), which is no persistent memory: mount the file system "
                    "that is meant, or set medium = file",
                    config->directory, mount.device, mount.type);
    else
        check_good(check, "DAX", "%s (%s) is no persistent memory: the medium is file",
                   mount.device, mount.type);
}

/* ---- fstab ---- */

/* The name of the unit of a mount: "/mnt/pollux" is mnt-pollux.mount. */
static bool has_mount_unit(const struct check *check, const char *folder)
{
    char name[UNIT_BYTES];
    size_t used = 0;
    for (const char *at = folder + 1; *at != '\0' && used + 16 < sizeof(name); at++) {
        if (*at == '-')
            used += (size_t)snprintf(name + used, sizeof(name) - used, "\\x2d");
        else
            name[used++] = *at == '/' ? '-' : *at;
    }
    snprintf(name + used, sizeof(name) - used, ".mount");
    return host_has_unit(check->host, name);
}

/* The planned file system is not there: what lies below its folder is on another one. */
static void tell_forgotten(struct check *check, const struct mount_point *planned,
                           const struct mount_point *mount)
{
    const struct config *config = check->config;
    char identity[CONFIG_TEXT_MAX + 16];
    snprintf(identity, sizeof(identity), "%s/" NODE_IDENTITY_NAME, config->directory);
    bool has_node = access(identity, F_OK) == 0;
    check_wrong(check, planned->folder,
                "/etc/fstab names it, and it is not mounted: %.160s lies on %s, mounted at %s%s",
                config->directory, mount->device, mount->folder,
                has_node ? ". A node's files are there: they will be hidden below the mount" : "");
    if (has_node || !host_finding_is_plain(planned->folder))
        check_command(check, "mount '%s'", planned->folder);
    else
        check_safe_command(check, "mount '%s'", planned->folder);
}

static void tell_unplanned(struct check *check, const struct mount_point *mount)
{
    check_wrong(check, mount->folder,
                "%s is mounted there, and neither /etc/fstab nor a unit of systemd names it: it is "
                "missing after the next start of the machine",
                mount->device);
    bool is_plain = host_finding_is_plain(mount->device) && host_finding_is_plain(mount->folder) &&
                    host_finding_is_plain(mount->options);
    /* Its last line may lack an end. */
    if (mount->device[0] == '/' && is_plain)
        check_safe_command(check, "printf '\\n%s %s %s %s,nofail 0 2\\n' >>%s/etc/fstab",
                           mount->device, mount->folder, mount->type, mount->options,
                           check->host->root);
}

static bool is_in_memory(const struct mount_point *mount)
{
    return strcmp(mount->type, "tmpfs") == 0 || strcmp(mount->type, "ramfs") == 0;
}

void check_mount(struct check *check)
{
    const struct config *config = check->config;
    struct mount_point mount;
    struct mount_point planned;
    bool has_table;
    if (!mount_point_find(check->host, config->directory, &mount)) {
        check_unknown(check, "mount", "%s/proc/self/mounts does not tell where %s lies",
                      check->host->root, config->directory);
        return;
    }
    bool is_planned = mount_point_planned(check->host, config->directory, &planned, &has_table);
    if (is_planned && strlen(planned.folder) > strlen(mount.folder))
        tell_forgotten(check, &planned, &mount);
    else if (strcmp(mount.folder, "/") == 0)
        check_good(check, "mount", "%.160s lies on the root file system, %s", config->directory,
                   mount.device);
    else if (is_planned && strcmp(planned.folder, mount.folder) == 0)
        check_good(check, mount.folder, "%s is mounted there, as /etc/fstab has it", mount.device);
    else if (has_mount_unit(check, mount.folder))
        check_good(check, mount.folder, "%s is mounted there, by a unit of systemd", mount.device);
    else if (is_in_memory(&mount))
        check_note(check, mount.folder, "a file system in memory");
    else if (!has_table)
        check_unknown(check, mount.folder, "there is no %s/etc/fstab: a container",
                      check->host->root);
    else
        tell_unplanned(check, &mount);
}
