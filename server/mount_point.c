/* See mount_point.h. The kernel's table of mounts is in proc(5), /proc/pid/mounts; fstab(5) has the
 * same form. */
#include "server/mount_point.h"

#include "server/node_files.h"

#include <fcntl.h>
#include <mntent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MOUNTS_MAX 65536

/* The path, or the nearest folder above it, with every link followed. False: none was found. */
static bool find_existing(const char *path, char ret_existing[PATH_MAX])
{
    char above[PATH_MAX];
    snprintf(above, sizeof(above), "%s", path[0] != '\0' ? path : ".");
    for (size_t i = 0; i < sizeof(above); i++) {
        if (realpath(above, ret_existing) != NULL)
            return true;
        char *slash = strrchr(above, '/');
        if (slash == NULL)
            return realpath(".", ret_existing) != NULL;
        slash[slash == above ? 1 : 0] = '\0';
    }
    return false;
}

static bool is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    if (length == 1)
        return true;
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* The deepest folder of a table that has the path; of two at one place the later one lies above. */
static bool find_in_table(FILE *table, const char *path, struct mount_point *ret_mount)
{
    *ret_mount = (struct mount_point){.folder = ""};
    for (uint32_t i = 0; i < MOUNTS_MAX; i++) {
        struct mntent entry;
        char buffer[2 * PATH_MAX];
        if (getmntent_r(table, &entry, buffer, sizeof(buffer)) == NULL)
            break;
        if (entry.mnt_dir[0] != '/' || !is_below(path, entry.mnt_dir) ||
            strlen(entry.mnt_dir) < strlen(ret_mount->folder))
            continue;
        snprintf(ret_mount->device, sizeof(ret_mount->device), "%s", entry.mnt_fsname);
        snprintf(ret_mount->type, sizeof(ret_mount->type), "%s", entry.mnt_type);
        snprintf(ret_mount->options, sizeof(ret_mount->options), "%s", entry.mnt_opts);
        snprintf(ret_mount->folder, sizeof(ret_mount->folder), "%s", entry.mnt_dir);
    }
    return ret_mount->folder[0] != '\0';
}

bool mount_point_find(const struct host *host, const char *path, struct mount_point *ret_mount)
{
    char existing[PATH_MAX];
    if (!find_existing(path, existing))
        return false;
    FILE *table = host_open(host, "/proc/self/mounts");
    if (table == NULL)
        return false;
    bool is_found = find_in_table(table, existing, ret_mount);
    fclose(table);
    return is_found;
}

bool mount_point_planned(const struct host *host, const char *path, struct mount_point *ret_mount,
                         bool *ret_has_table)
{
    FILE *table = host_open(host, "/etc/fstab");
    *ret_has_table = table != NULL;
    if (table == NULL)
        return false;
    bool is_found = find_in_table(table, path, ret_mount);
    fclose(table);
    return is_found;
}

/* ---- DAX ---- */

static bool has_option(const struct mount_point *mount, const char *option)
{
    char copy[sizeof(mount->options)];
    char *rest = copy;
    snprintf(copy, sizeof(copy), "%s", mount->options);
    for (char *word = strsep(&rest, ","); word != NULL; word = strsep(&rest, ",")) {
        if (strcmp(word, option) == 0)
            return true;
    }
    return false;
}

/* The device is persistent memory, and can be mapped past the page cache. */
static bool is_dax_device(const struct host *host, const char *name)
{
    char path[PATH_MAX];
    int64_t is_dax = 0;
    snprintf(path, sizeof(path), "/sys/class/block/%s/queue/dax", name);
    if (!host_number(host, path, &is_dax)) {
        /* a partition: its disk has the queue */
        snprintf(path, sizeof(path), "/sys/class/block/%s/../queue/dax", name);
        (void)host_number(host, path, &is_dax);
    }
    return is_dax != 0;
}

/* A mount without the option has it for single files, too (FS_XFLAG_DAX of their folder). */
static bool is_dax_file(const char *directory)
{
    char path[PATH_MAX];
    struct statx status;
    snprintf(path, sizeof(path), "%.4000s/" NODE_IDENTITY_NAME, directory);
    return statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, &status) == 0 &&
           (status.stx_attributes & STATX_ATTR_DAX) != 0;
}

enum mount_dax mount_point_dax(const struct host *host, const struct mount_point *mount,
                               const char *directory)
{
    const char *slash = strrchr(mount->device, '/');
    if (slash == NULL)
        return MOUNT_DAX_NEVER; /* of no device: a file system in memory, or over others */
    if (!host_has(host, "/sys/class/block"))
        return MOUNT_DAX_UNKNOWN;
    if (!is_dax_device(host, slash + 1))
        return MOUNT_DAX_NEVER;
    bool is_on =
        has_option(mount, "dax") || has_option(mount, "dax=always") || is_dax_file(directory);
    return is_on ? MOUNT_DAX_ON : MOUNT_DAX_OFF;
}

void mount_point_tell_dax(const struct mount_point *mount, struct host_finding *ret_finding)
{
    host_finding_begin(ret_finding, "%.380s", mount->folder);
    host_finding_say(ret_finding,
                     "%s is persistent memory, mounted without DAX: each write goes through the "
                     "page cache and a sync. Stop the node, and mount it with dax=always, here and "
                     "in /etc/fstab",
                     mount->device);
    host_finding_run(ret_finding, "umount '%s' && mount -t %s -o dax=always %s '%s'", mount->folder,
                     mount->type, mount->device, mount->folder);
}

/* ---- words ---- */

void mount_point_describe(const char *path, char *ret_text, size_t text_size)
{
    char existing[PATH_MAX];
    struct mount_point mount;
    struct host host;
    host_init(&host);
    if (!mount_point_find(&host, path, &mount) || !find_existing(path, existing)) {
        snprintf(ret_text, text_size, "%.160s: where it lies cannot be found out", path);
        return;
    }
    snprintf(ret_text, text_size, "%.160s lies on %.120s (%.30s), mounted at %.120s%s", existing,
             mount.device, mount.type, mount.folder,
             mount_point_dax(&host, &mount, path) == MOUNT_DAX_OFF ? " without DAX" : "");
}
