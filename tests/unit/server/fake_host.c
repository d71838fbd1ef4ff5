/* See fake_host.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/server/fake_host.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int fake_host_make(void **state)
{
    struct fake_host *fake = calloc(1, sizeof(*fake));
    assert_non_null(fake);
    fake->findings = calloc(1, sizeof(*fake->findings));
    assert_non_null(fake->findings);
    snprintf(fake->root, sizeof(fake->root), "/var/tmp/pollux-host-XXXXXX");
    assert_non_null(mkdtemp(fake->root));
    fake->host = (struct host){.root = fake->root};
    fake->config = (struct config){.id = 1,
                                   .cluster = "test",
                                   .device = FAKE_CARD,
                                   .directory = "/mnt/pollux/node1",
                                   .shard_count = 1,
                                   .lane_count = 1,
                                   .cores = {2},
                                   .core_count = 1,
                                   .memory_mib = 64,
                                   .log_size_bytes = 16 << 20,
                                   .keys_max = 1000,
                                   .keys_capacity = 1000,
                                   .store_size_bytes = 1 << 20,
                                   .store_capacity_bytes = 1 << 20,
                                   .sessions_max = 16,
                                   .sessions_capacity = 16,
                                   .session_ttl_ns = UINT64_C(3600000000000),
                                   .election_timeout_min_ns = 150000000,
                                   .election_timeout_max_ns = 300000000,
                                   .peer_count = 1};
    fake->config.peers[0] =
        (struct config_peer){.id = 1, .address = address_of_ipv4((uint8_t[]){10, 77, 0, 1}, 7400)};
    *state = fake;
    return 0;
}

static int drop(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

int fake_host_remove(void **state)
{
    struct fake_host *fake = *state;
    assert_int_equal(nftw(fake->root, drop, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(fake->findings);
    free(fake);
    return 0;
}

/* Returns the path below the root, whose folder is there. */
static const char *place(const struct fake_host *fake, const char *path, char ret_path[PATH_MAX])
{
    (void)host_path(&fake->host, ret_path, "%s", path);
    for (char *slash = ret_path + strlen(fake->root); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        if (slash == ret_path + strlen(fake->root))
            continue;
        *slash = '\0';
        (void)mkdir(ret_path, 0755);
        *slash = '/';
    }
    return ret_path;
}

void fake_host_put(const struct fake_host *fake, const char *path, const char *text)
{
    char full[PATH_MAX];
    int fd = open(place(fake, path, full), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

void fake_host_link(const struct fake_host *fake, const char *path, const char *target)
{
    char full[PATH_MAX];
    (void)unlink(place(fake, path, full));
    assert_int_equal(symlink(target, full), 0);
}

void fake_host_drop(const struct fake_host *fake, const char *path)
{
    char full[PATH_MAX];
    assert_int_equal(nftw(host_path(&fake->host, full, "%s", path), drop, 16, FTW_DEPTH | FTW_PHYS),
                     0);
}

const char *fake_host_line(const struct fake_host *fake, const char *path)
{
    static char line[HOST_LINE_BYTES];
    assert_true(host_line(&fake->host, path, line));
    return line;
}

void fake_host_card(const struct fake_host *fake, const char *address, const char *driver)
{
    char path[PATH_MAX];
    char target[PATH_MAX];
    snprintf(path, sizeof(path), FAKE_PCI "%s/class", address);
    fake_host_put(fake, path, "0x020000\n");
    snprintf(path, sizeof(path), FAKE_PCI "%s/numa_node", address);
    fake_host_put(fake, path, "0\n");
    snprintf(path, sizeof(path), FAKE_PCI "%s/iommu_group", address);
    fake_host_link(fake, path, "../../../kernel/iommu_groups/7");
    snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/7/devices/%s", address);
    fake_host_put(fake, path, "");
    fake_host_put(fake, "/sys/kernel/iommu_groups/7/type", "DMA\n");
    fake_host_put(fake, "/sys/class/iommu/dmar0/name", "");
    fake_host_put(fake, "/dev/vfio/7", "");
    fake_host_put(fake, "/sys/bus/pci/drivers/vfio-pci/bind", "");
    fake_host_put(fake, "/proc/net/route", "Iface\tDestination\tGateway\n");
    snprintf(path, sizeof(path), FAKE_PCI "%s/driver", address);
    snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", driver == NULL ? "" : driver);
    if (driver != NULL)
        fake_host_link(fake, path, target);
}

void fake_host_check(struct fake_host *fake, const char *name)
{
    const struct check_task task = {
        .host = &fake->host, .config = &fake->config, .config_path = "/etc/pollux/1.ini"};
    fake->findings->count = 0;
    for (uint32_t i = 0; i < check_count(); i++) {
        if (strcmp(check_name(i), name) == 0) {
            check_run(i, &task, fake->findings);
            return;
        }
    }
    fail_msg("there is no check %s", name);
}
