/* Memory of the machine for a card's driver: see host_card.h. Sources: hugetlbpage.rst of
 * Documentation/admin-guide/mm, proc_meminfo(5), proc_pid_limits(5), proc_pid_status(5),
 * capabilities(7). */
#include "server/host_card.h"

#include <stdlib.h>
#include <string.h>

#define CAP_IPC_LOCK  14
#define CAP_SYS_ADMIN 21
#define KIB           UINT64_C(1024)
#define PAGE_PREFIX   "hugepages-"

struct pages {
    const struct host *host;
    const char *folder;  /* below which the sizes lie */
    uint64_t page_bytes; /* the usual size */
    uint64_t all_bytes;
    uint64_t free_bytes;
    uint64_t taken_pages; /* of the usual size */
    bool is_seen;
};

static void add_size(void *context, const char *name)
{
    struct pages *pages = context;
    char path[PATH_MAX];
    int64_t all = 0;
    int64_t free_count = 0;
    if (strncmp(name, PAGE_PREFIX, strlen(PAGE_PREFIX)) != 0)
        return;
    uint64_t size_bytes = strtoull(name + strlen(PAGE_PREFIX), NULL, 10) * KIB;
    snprintf(path, sizeof(path), "%s/%s/nr_hugepages", pages->folder, name);
    (void)host_number(pages->host, path, &all);
    snprintf(path, sizeof(path), "%s/%s/free_hugepages", pages->folder, name);
    (void)host_number(pages->host, path, &free_count);
    pages->all_bytes += (uint64_t)all * size_bytes;
    pages->free_bytes += (uint64_t)free_count * size_bytes;
    if (size_bytes == pages->page_bytes && all > free_count)
        pages->taken_pages = (uint64_t)(all - free_count);
}

const char *host_pages_folder(int32_t numa_node, char ret_folder[HOST_ENTRY_BYTES])
{
    if (numa_node == HOST_NO_NUMA_NODE)
        snprintf(ret_folder, HOST_ENTRY_BYTES, "/sys/kernel/mm/hugepages");
    else
        snprintf(ret_folder, HOST_ENTRY_BYTES, "/sys/devices/system/node/node%d/hugepages",
                 (int)numa_node);
    return ret_folder;
}

static struct pages pages_look(const struct host *host, int32_t numa_node, uint64_t page_bytes)
{
    char folder[HOST_ENTRY_BYTES];
    struct pages pages = {
        .host = host, .folder = host_pages_folder(numa_node, folder), .page_bytes = page_bytes};
    pages.is_seen = host_each(host, folder, add_size, &pages);
    pages.folder = NULL;
    return pages;
}

/* In bytes; 0: the machine does not tell. */
static uint64_t meminfo(const struct host *host, const char *key)
{
    char value[HOST_LINE_BYTES];
    return host_field(host, "/proc/meminfo", key, value) ? strtoull(value, NULL, 10) * KIB : 0;
}

void host_memory_look(const struct host *host, int32_t numa_node, struct host_memory *ret_memory)
{
    char locked[HOST_LINE_BYTES];
    char rights[HOST_LINE_BYTES];
    uint64_t page_bytes = meminfo(host, "Hugepagesize:");
    page_bytes = page_bytes == 0 ? 2048 * KIB : page_bytes;
    numa_node = host_numa_nodes(host) < 2 ? HOST_NO_NUMA_NODE : numa_node;
    struct pages all = pages_look(host, HOST_NO_NUMA_NODE, page_bytes);
    struct pages near = pages_look(host, numa_node, page_bytes);
    bool has_limits = host_field(host, "/proc/self/limits", "Max locked memory", locked);
    bool is_bounded = has_limits && strncmp(locked, "unlimited", 9) != 0;
    (void)host_field(host, "/proc/self/status", "CapEff:", rights);
    uint64_t capabilities = strtoull(rights, NULL, 16);
    *ret_memory = (struct host_memory){
        .huge_bytes = all.all_bytes,
        .huge_free_bytes = all.free_bytes,
        .near_bytes = near.all_bytes,
        .near_free_bytes = near.free_bytes,
        .near_taken_pages = near.taken_pages,
        .page_bytes = page_bytes,
        .available_bytes = meminfo(host, "MemAvailable:"),
        .memlock_bytes = is_bounded ? strtoull(locked, NULL, 10) : UINT64_MAX,
        .numa_node = numa_node,
        .has_pages = all.is_seen && near.is_seen,
        .has_limits = has_limits,
        .may_pin = (capabilities >> CAP_IPC_LOCK & 1) != 0,
        .is_admin = (capabilities >> CAP_SYS_ADMIN & 1) != 0,
    };
}
