/* Memory of the machine for a card's driver: see host_card.h. Sources: hugetlbpage.rst of
 * Documentation/admin-guide/mm, proc_pid_limits(5), proc_pid_status(5), capabilities(7). */
#include "server/host_card.h"

#include "server/host_file_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZES_MAX       16
#define FILE_BYTES      8192
#define CAP_IPC_LOCK    14
#define CAP_SYS_ADMIN   21
#define KIB             1024u
#define HUGEPAGE_PREFIX "hugepages-"

static uint64_t number_read(const char *root, const char *path)
{
    char text[32];
    return host_file_read(root, path, text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;
}

/* Sums `what` (free_hugepages, nr_hugepages) over the sizes of a folder, in bytes. */
static uint64_t huge_bytes(const char *root, const char *folder, const char *what)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < SIZES_MAX; i++) {
        char name[HOST_NAME_BYTES];
        char path[HOST_PATH_BYTES];
        if (!host_file_entry(root, folder, i, name, sizeof(name)))
            break;
        if (strncmp(name, HUGEPAGE_PREFIX, strlen(HUGEPAGE_PREFIX)) != 0)
            continue;
        (void)snprintf(path, sizeof(path), "%.200s/%.63s/%.32s", folder, name, what);
        bytes += strtoull(name + strlen(HUGEPAGE_PREFIX), NULL, 10) * KIB * number_read(root, path);
    }
    return bytes;
}

uint64_t host_memory_node_free_bytes(const char *root, int32_t numa_node)
{
    char folder[HOST_PATH_BYTES];
    if (numa_node < 0)
        return huge_bytes(root, "/sys/kernel/mm/hugepages", "free_hugepages");
    (void)snprintf(folder, sizeof(folder), "/sys/devices/system/node/node%d/hugepages", numa_node);
    return huge_bytes(root, folder, "free_hugepages");
}

static uint64_t memlock_read(const char *root)
{
    static const char key[] = "Max locked memory";
    char text[FILE_BYTES];
    if (!host_file_read(root, "/proc/self/limits", text, sizeof(text)))
        return UINT64_MAX;
    const char *line = strstr(text, key);
    if (line == NULL)
        return UINT64_MAX;
    line += strlen(key);
    line += strspn(line, " ");
    return strncmp(line, "unlimited", 9) == 0 ? UINT64_MAX : strtoull(line, NULL, 10);
}

static uint64_t capabilities_read(const char *root)
{
    static const char key[] = "CapEff:";
    char text[FILE_BYTES];
    if (!host_file_read(root, "/proc/self/status", text, sizeof(text)))
        return 0;
    const char *line = strstr(text, key);
    return line == NULL ? 0 : strtoull(line + strlen(key), NULL, 16);
}

void host_memory_look(const char *root, struct host_memory *ret_memory)
{
    uint64_t capabilities = capabilities_read(root);
    *ret_memory = (struct host_memory){
        .huge_total_bytes = huge_bytes(root, "/sys/kernel/mm/hugepages", "nr_hugepages"),
        .huge_free_bytes = huge_bytes(root, "/sys/kernel/mm/hugepages", "free_hugepages"),
        .memlock_bytes = memlock_read(root),
        .may_pin = (capabilities >> CAP_IPC_LOCK & 1) != 0,
        .is_admin = (capabilities >> CAP_SYS_ADMIN & 1) != 0,
    };
}
