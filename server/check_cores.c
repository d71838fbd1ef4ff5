/*
 * The cores of the lanes: there, theirs alone, near the card and the medium. See check.h.
 *
 * Sources: the kernel's Documentation/admin-guide/kernel-parameters.txt (isolcpus, nohz_full),
 * Documentation/admin-guide/cgroup-v2.rst (cpuset.cpus.partition), Documentation/core-api/irq.
 */
#include "server/check_internal.h"
#include "server/mount_point.h"

#include <stdlib.h>
#include <string.h>

#define CPUS_TEXT_BYTES 256
#define INTERRUPTS_TEXT 384
#define CGROUPS         "/sys/fs/cgroup"
#define SYSTEM_CPUS     "/sys/devices/system/cpu"
#define NOT_PINNED      "not set: the lanes may run on any core, and share it with others"

struct host_cpus check_lane_cores(const struct config *config)
{
    struct host_cpus cpus = {{0}};
    for (uint32_t i = 0; i < config->core_count; i++)
        host_cpus_set(&cpus, (uint32_t)config->cores[i], true);
    return cpus;
}

/* ---- theirs alone ---- */

struct partitions {
    const struct check *check;
    struct host_cpus isolated;
};

static void add_partition(void *context, const char *name)
{
    struct partitions *partitions = context;
    char path[PATH_MAX];
    char line[HOST_LINE_BYTES];
    snprintf(path, sizeof(path), CGROUPS "/%.128s/cpuset.cpus.partition", name);
    if (!host_line(partitions->check->host, path, line) || strcmp(line, "isolated") != 0)
        return;
    snprintf(path, sizeof(path), CGROUPS "/%.128s/cpuset.cpus.effective", name);
    struct host_cpus cpus = host_cpus_read(partitions->check->host, path);
    for (size_t i = 0; i < HOST_CPUS_MAX / 64; i++)
        partitions->isolated.words[i] |= cpus.words[i];
}

static struct host_cpus isolated_cpus(const struct check *check)
{
    struct partitions partitions = {
        .check = check, .isolated = host_cpus_read(check->host, SYSTEM_CPUS "/isolated")};
    (void)host_each(check->host, CGROUPS, add_partition, &partitions);
    return partitions.isolated;
}

static void look_at_core(struct check *check, uint32_t core, const struct host_cpus *isolated)
{
    const struct config *config = check->config;
    char subject[32];
    char list[CPUS_TEXT_BYTES];
    struct host_cpus cores = check_lane_cores(config);
    struct host_cpus full = host_cpus_read(check->host, SYSTEM_CPUS "/nohz_full");
    host_cpus_text(&cores, list, sizeof(list));
    snprintf(subject, sizeof(subject), "core %u", core);
    if (!host_cpus_has(isolated, core)) {
        check_wrong(check, subject,
                    "a lane's core is not isolated: other processes may take it. Isolate it on the "
                    "kernel's command line, or in a cpuset partition");
        check_command(check,
                      "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&isolcpus=%s nohz_full=%s rcu_nocbs=%s /' "
                      "%s/etc/default/grub && update-grub && reboot",
                      list, list, list, check->host->root);
    } else if (!host_cpus_has(&full, core)) {
        check_note(check, subject,
                   "isolated, but with a timer tick (nohz_full=%s on the kernel's command line "
                   "ends it)",
                   list);
    } else {
        check_good(check, subject, "isolated, without a timer tick");
    }
}

void check_cores(struct check *check)
{
    const struct config *config = check->config;
    struct host_cpus online = host_cpus_read(check->host, SYSTEM_CPUS "/online");
    char list[CPUS_TEXT_BYTES];
    if (config->core_count == 0) {
        check_note(check, "[lane] cores", NOT_PINNED);
        return;
    }
    if (!host_has(check->host, SYSTEM_CPUS "/online")) {
        check_unknown(check, "[lane] cores", "%s" SYSTEM_CPUS " is not there: a container",
                      check->host->root);
        return;
    }
    struct host_cpus isolated = isolated_cpus(check);
    for (uint32_t i = 0; i < config->core_count; i++) {
        uint32_t core = (uint32_t)config->cores[i];
        if (host_cpus_has(&online, core))
            look_at_core(check, core, &isolated);
        else
            check_wrong(check, "[lane] cores", "there is no core %u: the machine has %s", core,
                        host_cpus_text(&online, list, sizeof(list)));
    }
}

/* ---- interrupts ---- */

struct interrupts {
    const struct check *check;
    struct host_cpus cores;
    uint32_t seen;
    uint32_t count;
    size_t used;
    char numbers[INTERRUPTS_TEXT];
    bool is_whole; /* the numbers are all of them */
};

/* Only what has an action: a folder with its name. */
static void look_for_action(void *context, const char *name)
{
    bool *has_action = context;
    *has_action |=
        strchr(name, '_') == NULL && strcmp(name, "node") != 0 && strcmp(name, "spurious") != 0;
}

static void look_at_interrupt(void *context, const char *number)
{
    struct interrupts *interrupts = context;
    const struct host *host = interrupts->check->host;
    char path[PATH_MAX];
    bool has_action = false;
    if (number[0] < '0' || number[0] > '9')
        return;
    snprintf(path, sizeof(path), "/proc/irq/%s/smp_affinity_list", number);
    if (!host_has(host, path))
        return;
    interrupts->seen++;
    struct host_cpus cpus = host_cpus_read(host, path);
    snprintf(path, sizeof(path), "/proc/irq/%s/effective_affinity_list", number);
    if (host_has(host, path))
        cpus = host_cpus_read(host, path);
    snprintf(path, sizeof(path), "/proc/irq/%s", number);
    (void)host_each(host, path, look_for_action, &has_action);
    bool is_shared = false;
    for (size_t i = 0; i < HOST_CPUS_MAX / 64; i++)
        is_shared |= (cpus.words[i] & interrupts->cores.words[i]) != 0;
    if (!has_action || !is_shared)
        return;
    interrupts->count++;
    if (interrupts->used + 16 > sizeof(interrupts->numbers)) {
        interrupts->is_whole = false;
        return;
    }
    interrupts->used += (size_t)snprintf(interrupts->numbers + interrupts->used,
                                         sizeof(interrupts->numbers) - interrupts->used, "%s%.10s",
                                         interrupts->used > 0 ? " " : "", number);
}

void check_interrupts(struct check *check)
{
    struct interrupts found = {
        .check = check, .cores = check_lane_cores(check->config), .numbers = "", .is_whole = true};
    struct host_cpus others = host_cpus_read(check->host, SYSTEM_CPUS "/online");
    char list[CPUS_TEXT_BYTES];
    if (check->config->core_count == 0)
        return;
    if (!host_each(check->host, "/proc/irq", look_at_interrupt, &found) || found.seen == 0) {
        check_unknown(check, "interrupts", "%s/proc/irq cannot be read: a container",
                      check->host->root);
        return;
    }
    if (found.count == 0) {
        check_good(check, "interrupts", "%u, none of them on a lane's core", found.seen);
        return;
    }
    for (size_t i = 0; i < HOST_CPUS_MAX / 64; i++)
        others.words[i] &= ~found.cores.words[i];
    host_cpus_text(&others, list, sizeof(list));
    check_wrong(check, "interrupts",
                "%u of %u go to a lane's core (%s%s). The command moves them until the next start "
                "of the machine; those that the kernel manages itself stay, and irqbalance moves "
                "them again unless it knows the cores (IRQBALANCE_BANNED_CPULIST)",
                found.count, found.seen, found.numbers, found.is_whole ? "" : " ...");
    if (list[0] != '\0')
        check_safe_command(check,
                           "for irq in %s; do echo %s >%s/proc/irq/$irq/smp_affinity_list; done",
                           found.numbers, list, check->host->root);
}

/* ---- near the card and the medium ---- */

/* The NUMA node of what the data directory lies on. */
static int32_t medium_numa_node(const struct check *check)
{
    static const char *const files[] = {"device/numa_node", "device/device/numa_node",
                                        "../device/numa_node"};
    struct mount_point mount;
    char path[PATH_MAX];
    int64_t node;
    if (!mount_point_find(check->host, check->config->directory, &mount))
        return HOST_NO_NUMA_NODE;
    const char *slash = strrchr(mount.device, '/');
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && slash != NULL; i++) {
        snprintf(path, sizeof(path), "/sys/class/block/%s/%s", slash + 1, files[i]);
        if (host_number(check->host, path, &node))
            return (int32_t)node;
    }
    return HOST_NO_NUMA_NODE;
}

static void tell_other_node(struct check *check, const char *subject, int32_t node, int32_t other)
{
    struct host_cpus near;
    char path[PATH_MAX];
    char list[CPUS_TEXT_BYTES];
    snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/cpulist", (int)node);
    near = host_cpus_read(check->host, path);
    host_cpus_text(&near, list, sizeof(list));
    check_wrong(check, subject,
                "it is at NUMA node %d, and a lane's core at node %d: each packet or record goes "
                "from one to the other. Choose [lane] cores among %s",
                (int)node, (int)other, list);
    if (check->config_path != NULL && check->config->core_count == 1) {
        uint32_t last = 0;
        for (uint32_t cpu = 0; cpu < HOST_CPUS_MAX; cpu++)
            last = host_cpus_has(&near, cpu) ? cpu : last;
        check_command(check, "sed -i 's/^cores *=.*/cores = %u/' '%s'", last, check->config_path);
    }
}

static void look_at_distance(struct check *check, const char *subject, int32_t node)
{
    const struct config *config = check->config;
    uint32_t known = 0;
    if (node == HOST_NO_NUMA_NODE) {
        check_unknown(check, subject, "the machine does not tell its NUMA node");
        return;
    }
    for (uint32_t i = 0; i < config->core_count; i++) {
        int32_t other = host_numa_node_of(check->host, (uint32_t)config->cores[i]);
        known += other != HOST_NO_NUMA_NODE;
        if (other != HOST_NO_NUMA_NODE && other != node) {
            tell_other_node(check, subject, node, other);
            return;
        }
    }
    if (known < config->core_count)
        check_unknown(check, subject,
                      "at NUMA node %d; the machine does not tell those of all of "
                      "the lanes' cores",
                      (int)node);
    else
        check_good(check, subject, "at NUMA node %d, as the lanes' cores", (int)node);
}

void check_numa(struct check *check)
{
    struct host_port port;
    uint32_t nodes = host_numa_nodes(check->host);
    if (nodes == 0)
        check_unknown(check, "NUMA", "%s/sys/devices/system/node is not there: a container",
                      check->host->root);
    else if (nodes == 1)
        check_good(check, "NUMA", "the machine has one node");
    else if (check->config->core_count == 0)
        check_note(check, "NUMA",
                   "the machine has %u nodes, and [lane] cores is not set: the lanes "
                   "may be far from the card and the medium",
                   nodes);
    if (nodes < 2 || check->config->core_count == 0)
        return;
    check_port_look(check, &port);
    if (port.has_card)
        look_at_distance(check, check->config->device, port.card.numa_node);
    look_at_distance(check, check->config->directory, medium_numa_node(check));
}
