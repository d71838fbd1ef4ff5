/* What the checks find on a machine: for each the good state, each wrong one with its message and
 * command, and what cannot be known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/server/fake_host.h"

#include <string.h>

#define CPUS  "/sys/devices/system/cpu/"
#define CARD  FAKE_PCI FAKE_CARD
#define PAGES "/sys/kernel/mm/hugepages/hugepages-2048kB/"

/* A finding in this state that has the words, and whose command has those of `command` (NULL: there
 * is none). */
static const struct check_finding *expect(struct fake_host *fake, const char *name,
                                          enum check_state state, const char *words,
                                          const char *command)
{
    fake_host_check(fake, name);
    for (uint32_t i = 0; i < fake->findings->count; i++) {
        const struct check_finding *found = &fake->findings->list[i];
        char line[CHECK_SUBJECT_BYTES + CHECK_MESSAGE_BYTES + 4];
        snprintf(line, sizeof(line), "%s: %s", found->subject, found->message);
        if (found->state != state || strstr(line, words) == NULL)
            continue;
        if (command == NULL)
            assert_string_equal(found->command, "");
        else if (strstr(found->command, command) == NULL)
            fail_msg("'%s' is not in the command '%s'", command, found->command);
        return found;
    }
    for (uint32_t i = 0; i < fake->findings->count; i++)
        check_finding_print(&fake->findings->list[i], stdout);
    fail_msg("%s: no finding '%s' with '%s'", name, check_state_name(state), words);
    return NULL;
}

static void expect_nothing(struct fake_host *fake, const char *name)
{
    fake_host_check(fake, name);
    assert_int_equal(fake->findings->count, 0);
}

/* Each check that looks at files of the kernel says that it cannot know, and none says good. */
static void test_check_says_what_it_cannot_know(void **state)
{
    static const char *const names[] = {"card",         "cores",    "interrupts", "numa",
                                        "governor",     "mount",    "dax",        "idle-states",
                                        "clock-source", "hugepages"};
    struct fake_host *fake = *state;
    fake->config.is_hugepages = true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct check_finding *found = expect(fake, names[i], CHECK_UNKNOWN, "", NULL);
        assert_true(strlen(found->message) > 10);
        assert_int_equal(check_findings_count(fake->findings, CHECK_GOOD), 0);
    }
    fake_host_card(fake, FAKE_CARD, "vfio-pci");
    expect(fake, "memlock", CHECK_UNKNOWN, "/proc/self/limits cannot be read", NULL);
    fake_host_drop(fake, "/sys/kernel/iommu_groups/7/devices");
    expect(fake, "iommu", CHECK_UNKNOWN, "does not tell what else is", NULL);
    fake_host_put(fake, "/sys/devices/system/node/node0/size", "");
    fake_host_put(fake, "/sys/devices/system/node/node1/size", "");
    expect(fake, "numa", CHECK_UNKNOWN, "those of all of the lanes' cores", NULL);
    assert_int_equal(check_findings_count(fake->findings, CHECK_GOOD), 0);
}

static void test_check_finds_cards(void **state)
{
    struct fake_host *fake = *state;
    fake_host_card(fake, FAKE_CARD, "vfio-pci");
    expect(fake, "card", CHECK_GOOD, FAKE_CARD " is a network card, bound to vfio-pci", NULL);
    expect(fake, "card", CHECK_NOTE, "the card after a new start",
           "apt-get install driverctl && driverctl set-override " FAKE_CARD " vfio-pci");
    fake_host_link(fake, CARD "/driver", "drivers/mlx5_core");
    expect(fake, "card", CHECK_GOOD, "bound to mlx5_core", NULL);
    fake_host_link(fake, CARD "/driver", "drivers/uio_pci_generic");
    expect(fake, "card", CHECK_GOOD, "bound to uio_pci_generic", NULL);
    expect(fake, "hugepages", CHECK_WRONG,
           "[port] hugepages = false: card " FAKE_CARD " needs "
           "physical addresses",
           "hugepages = true");
    snprintf(fake->config.device, sizeof(fake->config.device), "net_memif0,role=client");
    expect(fake, "card", CHECK_GOOD, "[port] device: net_memif0,role=client: no card is needed",
           NULL);
    expect(fake, "hugepages", CHECK_GOOD, "none are needed", NULL);
    expect_nothing(fake, "iommu");
    expect_nothing(fake, "vfio");
    expect_nothing(fake, "memlock");
}

static void test_check_finds_addresses_that_are_no_card(void **state)
{
    struct fake_host *fake = *state;
    char *device = fake->config.device;
    fake_host_card(fake, FAKE_CARD, "e1000e");
    snprintf(device, CONFIG_TEXT_MAX, "03:00.0");
    expect(fake, "card", CHECK_WRONG, "not written in full: write " FAKE_CARD,
           "sed -i 's/^device *=.*/device = 0000:03:00.0/' '/etc/pollux/1.ini'");
    snprintf(device, CONFIG_TEXT_MAX, "0000:3:0");
    expect(fake, "card", CHECK_WRONG, "\"0000:3:0\" is neither the address of a card", "lspci -D");
    snprintf(device, CONFIG_TEXT_MAX, "0000:04:00.0");
    expect(fake, "card", CHECK_WRONG,
           "no device at the address 0000:04:00.0; network cards here: " FAKE_CARD " (e1000e)",
           "lspci -D");
    fake_host_put(fake, FAKE_PCI "0000:04:00.0/class", "0x010802\n");
    expect(fake, "card", CHECK_WRONG, "is no network card: its class is 010802", "lspci -D");
}

/* Who may lose the card: nobody, somebody, or whoever has logged in here. */
static void test_check_takes_no_card_that_is_used(void **state)
{
    struct fake_host *fake = *state;
    fake_host_card(fake, FAKE_CARD, NULL);
    assert_true(expect(fake, "card", CHECK_WRONG, "bound to no driver", "/drivers_probe")->is_safe);
    fake_host_link(fake, CARD "/driver", "drivers/e1000e");
    assert_false(
        expect(fake, "card", CHECK_WRONG, "no interface of it is seen", "driver/unbind")->is_safe);
    fake_host_put(fake, CARD "/net/eth1/mtu", "1500\n");
    fake_host_put(fake, "/sys/class/net/eth1/mtu", "1500\n");
    assert_true(expect(fake, "card", CHECK_WRONG, "(eth1), without an address: nobody uses it",
                       "driver/unbind")
                    ->is_safe);
    fake_host_put(fake, "/proc/net/ipv6_route",
                  "fe800000000000000000000000000000 40 00 00 00 00000100 00000001 00000000 "
                  "00000001     eth1\n");
    assert_true(expect(fake, "card", CHECK_WRONG, "without an address", "unbind")->is_safe);
    fake_host_put(fake, "/proc/net/ipv6_route",
                  "fd000000000000000000000000000000 40 00 00 00 00000100 00000001 00000000 "
                  "00000001     eth1\n");
    assert_false(expect(fake, "card", CHECK_WRONG, "its interface is in use", "unbind")->is_safe);
    fake_host_drop(fake, "/proc/net/ipv6_route");
    fake_host_put(fake, "/proc/net/route", "Iface\tDestination\neth1\t000200C0\t00000000\n");
    assert_false(expect(fake, "card", CHECK_WRONG, "its interface is in use", "unbind")->is_safe);
    fake_host_put(fake, "/proc/net/route", "Iface\tDestination\neth1\t00000000\t010200C0\n");
    expect(fake, "card", CHECK_WRONG, "carries the default route", NULL);
    fake_host_put(fake, "/proc/net/route", "Iface\tDestination\neth0\t00000000\t010200C0\n");
    assert_true(expect(fake, "card", CHECK_WRONG, "without an address", "unbind")->is_safe);
    fake_host_link(fake, "/sys/class/net/eth1/upper_bond0", "bond0");
    assert_false(expect(fake, "card", CHECK_WRONG, "its interface is in use", "unbind")->is_safe);
    fake_host_drop(fake, "/sys/class/net/eth1/upper_bond0");
    fake_host_drop(fake, "/proc/net/route");
    assert_false(expect(fake, "card", CHECK_WRONG, "its interface is in use", "unbind")->is_safe);
}

/* Nobody is told how to take away a card by which somebody is logged in; and all that is wrong is
 * told at once. */
static void test_check_tells_all_of_a_card(void **state)
{
    struct fake_host *fake = *state;
    fake_host_card(fake, FAKE_CARD, "e1000e");
    fake_host_put(fake, CARD "/net/eth1/mtu", "1500\n");
    fake_host_link(fake, "/sys/class/net/eth1/device", "../../../" FAKE_CARD);
    fake_host_put(fake, "/proc/net/route",
                  "Iface\tDestination\neth1\t000200C0\t0\t1\t0\t0\t0\t00FFFFFF\n");
    fake_host_put(fake, "/proc/net/tcp", "   0: 010200C0:0016 090200C0:D431 01 0:0 00:0 0\n");
    snprintf(fake->config.device, sizeof(fake->config.device), "eth1");
    expect(fake, "card", CHECK_WRONG,
           "a connection with 192.0.2.9 goes through its interface eth1: this machine is reached "
           "through it. Name another card",
           NULL);
    assert_int_equal(fake->findings->count, 1);
    fake_host_drop(fake, "/proc/net/tcp");
    expect(fake, "card", CHECK_WRONG, "eth1 is the kernel's name of the card " FAKE_CARD,
           "device = " FAKE_CARD "/'");
    expect(fake, "card", CHECK_WRONG, "its interface is in use", "unbind");
    fake_host_put(fake, "/proc/self/limits", "Max locked memory         8388608      8388608\n");
    expect(fake, "memlock", CHECK_WRONG, "may pin 8192KiB", "memlock unlimited");
    fake_host_drop(fake, "/sys/class/iommu");
    expect(fake, "iommu", CHECK_WRONG, "no IOMMU is in use", "iommu=pt");
}

/* A virtio card has its interface below another device. */
static void test_check_sees_the_interface_of_a_virtio_card(void **state)
{
    struct fake_host *fake = *state;
    fake_host_card(fake, FAKE_CARD, "virtio-pci");
    fake_host_put(fake, CARD "/virtio3/net/ens5/mtu", "1500\n");
    fake_host_put(fake, "/proc/net/route", "Iface\tDestination\nens5\t00000000\t010200C0\n");
    expect(fake, "card", CHECK_WRONG, "its interface ens5 carries the default route", NULL);
}

static void test_check_keeps_the_driver_over_a_new_start(void **state)
{
    struct fake_host *fake = *state;
    fake_host_card(fake, FAKE_CARD, NULL);
    fake_host_put(fake, "/usr/sbin/driverctl", "");
    expect(fake, "card", CHECK_WRONG, "bound to no driver",
           "driverctl set-override " FAKE_CARD " vfio-pci");
    fake_host_drop(fake, "/sys/bus/pci/drivers/vfio-pci");
    expect(fake, "card", CHECK_WRONG, "bound to no driver", "modprobe vfio-pci && driverctl");
    fake_host_put(fake, "/lib/systemd/system/pollux-card@.service", "");
    expect(fake, "card", CHECK_WRONG, "bound to no driver",
           "systemctl enable --now pollux-card@" FAKE_CARD);
    fake_host_link(fake, CARD "/driver", "drivers/vfio-pci");
    expect(fake, "card", CHECK_NOTE, "the card after a new start: neither pollux-card@",
           "pollux-card@" FAKE_CARD);
    fake_host_link(
        fake, "/etc/systemd/system/multi-user.target.wants/pollux-card@" FAKE_CARD ".service", "x");
    expect(fake, "card", CHECK_GOOD, "bound to vfio-pci", NULL);
    assert_int_equal(fake->findings->count, 1);
    fake_host_drop(fake, "/etc/systemd/system/multi-user.target.wants");
    fake_host_put(fake, "/etc/driverctl.d/" FAKE_CARD, "vfio-pci\n");
    expect(fake, "card", CHECK_GOOD, "bound to vfio-pci", NULL);
    assert_int_equal(fake->findings->count, 1);
}

static void test_check_finds_iommus(void **state)
{
    struct fake_host *fake = *state;
    fake_host_card(fake, FAKE_CARD, "e1000e"); /* what it will meet with vfio-pci */
    expect(fake, "iommu", CHECK_GOOD, "the card is in group 7", NULL);
    fake_host_card(fake, FAKE_CARD, "vfio-pci");
    expect(fake, "iommu", CHECK_GOOD, "the card is in group 7", NULL);
    fake_host_card(fake, "0000:03:00.1", "e1000e");
    assert_false(expect(fake, "iommu", CHECK_WRONG,
                        "shares the IOMMU group 7 with the device "
                        "0000:03:00.1",
                        "devices/0000:03:00.1/driver/unbind")
                     ->is_safe);
    fake_host_link(fake, FAKE_PCI "0000:03:00.1/driver", "drivers/pcieport");
    expect(fake, "iommu", CHECK_GOOD, "group 7", NULL); /* a bridge keeps nobody out */
    fake_host_link(fake, CARD "/driver", "drivers/uio_pci_generic");
    expect(fake, "iommu", CHECK_WRONG, "it would receive nothing", "vfio-pci");
    fake_host_put(fake, "/sys/kernel/iommu_groups/7/type", "identity\n");
    expect(fake, "iommu", CHECK_GOOD, "group 7", NULL);
    fake_host_drop(fake, CARD "/iommu_group");
    fake_host_drop(fake, "/sys/class/iommu");
    expect(fake, "iommu", CHECK_GOOD, "none stands between", NULL);
    fake_host_link(fake, CARD "/driver", "drivers/vfio-pci");
    assert_false(expect(fake, "iommu", CHECK_WRONG, "no IOMMU is in use on this machine",
                        "intel_iommu=on iommu=pt")
                     ->is_safe);
    fake_host_put(fake, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
    expect(fake, "iommu", CHECK_NOTE, "can write anywhere in memory", NULL);
    expect(fake, "hugepages", CHECK_WRONG, "(driver vfio-pci, without IOMMU)", "hugepages = true");
}

/* Which user may, the kernel says when the file is opened: here that it is missing. */
static void test_check_finds_who_may_open_the_card(void **state)
{
    struct fake_host *fake = *state;
    fake_host_card(fake, FAKE_CARD, "vfio-pci");
    expect(fake, "vfio", CHECK_GOOD, "/dev/vfio/7: user 0 may open it", NULL);
    fake_host_drop(fake, "/dev/vfio/7");
    expect(fake, "vfio", CHECK_WRONG, "cannot open /dev/vfio/7: No such file", NULL);
    fake_host_link(fake, "/dev/vfio/7", "7"); /* any other reason */
    expect(fake, "vfio", CHECK_WRONG, "cannot open /dev/vfio/7: Too many levels", "/dev/vfio/7");
    fake_host_link(fake, CARD "/driver", "drivers/e1000e");
    expect_nothing(fake, "vfio");
}

static void test_check_finds_a_low_memlock(void **state)
{
    struct fake_host *fake = *state;
    fake_host_card(fake, FAKE_CARD, "vfio-pci");
    fake_host_put(fake, "/proc/self/limits", "Max locked memory         8388608      8388608\n");
    fake_host_put(fake, "/proc/self/status", "CapEff:\t0000000000004000\n"); /* CAP_IPC_LOCK */
    expect(fake, "memlock", CHECK_GOOD, "take 64 MiB, and may be locked", NULL);
    fake_host_put(fake, "/proc/self/status", "CapEff:\t0000000000000000\n");
    expect(fake, "memlock", CHECK_WRONG, "may pin 8192KiB", "memlock unlimited");
    fake_host_put(fake, "/proc/self/limits", "Max locked memory         67108864     67108864\n");
    expect(fake, "memlock", CHECK_GOOD, "take 64 MiB", NULL);
    fake->config.lane_count = fake->config.shard_count = 2;
    expect(fake, "memlock", CHECK_WRONG, "buffers take 131072KiB", "memlock unlimited");
}

static void test_check_finds_too_few_huge_pages(void **state)
{
    struct fake_host *fake = *state;
    expect(fake, "hugepages", CHECK_UNKNOWN, "whether " FAKE_CARD " needs some is not known", NULL);
    fake_host_card(fake, FAKE_CARD, "vfio-pci");
    expect(fake, "hugepages", CHECK_GOOD, "none are needed", NULL);
    fake->config.is_hugepages = true;
    fake_host_put(fake, "/proc/meminfo", "MemAvailable: 100000 kB\nHugepagesize: 2048 kB\n");
    fake_host_put(fake, PAGES "nr_hugepages", "31\n");
    fake_host_put(fake, PAGES "free_hugepages", "31\n");
    assert_true(expect(fake, "hugepages", CHECK_WRONG,
                       "62 MiB are reserved, and the node needs 64 MiB", "echo 32 >")
                    ->is_safe);
    fake_host_put(fake, "/proc/meminfo", "MemAvailable: 3000 kB\nHugepagesize: 2048 kB\n");
    assert_false(expect(fake, "hugepages", CHECK_WRONG, "62 MiB are reserved", PAGES "nr_hugepages")
                     ->is_safe);
    fake_host_put(fake, PAGES "nr_hugepages", "32\n");
    expect(fake, "hugepages", CHECK_NOTE, "62 MiB of them free", NULL);
    fake_host_put(fake, PAGES "free_hugepages", "32\n");
    expect(fake, "hugepages", CHECK_GOOD, "64 MiB free, the node needs 64 MiB", NULL);
}

static void test_check_looks_for_huge_pages_where_the_card_is(void **state)
{
    static const char node0[] = "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/";
    static const char node1[] = "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/";
    struct fake_host *fake = *state;
    char path[PATH_MAX];
    fake->config.is_hugepages = true;
    fake_host_card(fake, FAKE_CARD, "vfio-pci");
    fake_host_put(fake, "/sys/devices/system/node/node1/cpulist", "4-7\n");
    fake_host_put(fake, PAGES "nr_hugepages", "512\n");
    fake_host_put(fake, PAGES "free_hugepages", "512\n");
    snprintf(path, sizeof(path), "%snr_hugepages", node0);
    fake_host_put(fake, path, "0\n");
    snprintf(path, sizeof(path), "%snr_hugepages", node1);
    fake_host_put(fake, path, "512\n");
    snprintf(path, sizeof(path), "%sfree_hugepages", node1);
    fake_host_put(fake, path, "512\n");
    expect(fake, "hugepages", CHECK_WRONG, "huge pages of NUMA node 0: 0 MiB are reserved", node0);
    fake_host_put(fake, CARD "/numa_node", "1\n");
    expect(fake, "hugepages", CHECK_GOOD, "huge pages of NUMA node 1: 1024 MiB free", NULL);
}

static void test_check_finds_huge_pages_that_a_new_start_loses(void **state)
{
    static const struct {
        const char *path;
        const char *enough;
        const char *few;
    } places[] = {
        {"/etc/sysctl.conf", "vm.nr_hugepages = 32\n", "vm.nr_hugepages=31\n"},
        {"/etc/sysctl.d/50-pages.conf", "#vm.nr_hugepages=1\nvm.nr_hugepages=32\n",
         "vm.nr_hugepages=8\n"},
        {"/etc/tmpfiles.d/pages.conf", "w " PAGES "nr_hugepages - - - - 32\n",
         "w " PAGES "nr_hugepages - - - - 4\n"},
        {"/proc/cmdline", "quiet hugepages=32\n", "hugepagesz=2M hugepages=16 quiet\n"},
        {"/proc/cmdline", "hugepagesz=1G hugepages=1\n", "hugepages=0:16,1:2\n"},
        {"/proc/cmdline", "hugepages=0:16,1:16\n", "hugepages=1\n"},
    };
    struct fake_host *fake = *state;
    fake->config.is_hugepages = true;
    fake_host_put(fake, PAGES "nr_hugepages", "32\n");
    fake_host_put(fake, PAGES "free_hugepages", "32\n");
    fake_host_put(fake, "/etc/sysctl.d/other.conf", "vm.swappiness = 1\n#vm.nr_hugepages=99\n");
    assert_true(expect(fake, "hugepages", CHECK_WRONG, "nothing reserves them",
                       "/etc/tmpfiles.d/pollux-hugepages.conf")
                    ->is_safe);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        fake_host_put(fake, places[i].path, places[i].few);
        expect(fake, "hugepages", CHECK_WRONG, "after a new start", "tmpfiles.d");
        fake_host_put(fake, places[i].path, places[i].enough);
        expect(fake, "hugepages", CHECK_GOOD, "after a new start: reserved by", NULL);
        fake_host_drop(fake, places[i].path);
    }
    fake_host_put(fake, "/etc/systemd/system/pages.service",
                  "ExecStart=sh -c 'echo $N >" PAGES "nr_hugepages'\n");
    expect(fake, "hugepages", CHECK_WRONG, "nothing reserves them", "tmpfiles.d"); /* not enabled */
    fake_host_link(fake, "/etc/systemd/system/sysinit.target.wants/pages.service",
                   "../pages.service");
    expect(fake, "hugepages", CHECK_GOOD, "reserved by /etc/systemd/system/pages.service", NULL);
}

static void test_check_knows_the_unit_that_reserves_huge_pages(void **state)
{
    static const char settings[] = "/etc/default/pollux-hugepages";
    struct fake_host *fake = *state;
    fake->config.is_hugepages = true;
    fake_host_put(fake, PAGES "nr_hugepages", "32\n");
    fake_host_put(fake, PAGES "free_hugepages", "32\n");
    fake_host_put(fake, "/usr/lib/systemd/system/pollux-hugepages.service", "");
    expect(fake, "hugepages", CHECK_WRONG, "nothing reserves them",
           "printf 'POLLUX_HUGEPAGES=32\\nPOLLUX_HUGEPAGES_SIZE=2048kB\\n");
    fake_host_link(fake, "/etc/systemd/system/multi-user.target.wants/pollux-hugepages.service",
                   "/usr/lib/systemd/system/pollux-hugepages.service");
    expect(fake, "hugepages", CHECK_GOOD, "reserved by pollux-hugepages.service", NULL);
    fake_host_put(fake, settings, "POLLUX_HUGEPAGES=31\n");
    expect(fake, "hugepages", CHECK_WRONG, "reserves 62 MiB",
           "systemctl enable --now pollux-hugepages.service");
    fake_host_put(fake, settings, "POLLUX_HUGEPAGES=1\nPOLLUX_HUGEPAGES_SIZE=1048576kB\n");
    expect(fake, "hugepages", CHECK_GOOD, "reserved by pollux-hugepages.service", NULL);
}

static void test_check_finds_cores_that_are_shared(void **state)
{
    struct fake_host *fake = *state;
    fake_host_put(fake, CPUS "online", "0-3\n");
    fake_host_put(fake, CPUS "isolated", "\n");
    assert_false(expect(fake, "cores", CHECK_WRONG, "core 2: a lane's core is not isolated",
                        "isolcpus=2 nohz_full=2")
                     ->is_safe);
    fake_host_put(fake, CPUS "isolated", "1-2\n");
    expect(fake, "cores", CHECK_NOTE, "core 2: isolated, but with a timer tick", NULL);
    fake_host_put(fake, CPUS "nohz_full", "2\n");
    expect(fake, "cores", CHECK_GOOD, "core 2: isolated, without", NULL);
    fake_host_put(fake, CPUS "isolated", "\n");
    fake_host_put(fake, "/sys/fs/cgroup/lanes/cpuset.cpus.partition", "isolated\n");
    fake_host_put(fake, "/sys/fs/cgroup/lanes/cpuset.cpus.effective", "2\n");
    expect(fake, "cores", CHECK_GOOD, "core 2: isolated", NULL);
    fake_host_put(fake, "/sys/fs/cgroup/lanes/cpuset.cpus.partition", "root\n");
    expect(fake, "cores", CHECK_WRONG, "not isolated", "isolcpus");
    fake->config.cores[0] = 4;
    expect(fake, "cores", CHECK_WRONG, "there is no core 4: the machine has 0-3", NULL);
    fake->config.core_count = 0;
    expect(fake, "cores", CHECK_NOTE, "[lane] cores: not set", NULL);
}

static void test_check_finds_interrupts_of_a_core(void **state)
{
    struct fake_host *fake = *state;
    fake_host_put(fake, CPUS "online", "0-3\n");
    fake_host_put(fake, "/proc/irq/default_smp_affinity", "f\n");
    fake_host_put(fake, "/proc/irq/24/smp_affinity_list", "0-3\n");
    fake_host_put(fake, "/proc/irq/24/effective_affinity_list", "1\n");
    fake_host_put(fake, "/proc/irq/24/eth0/x", "");
    fake_host_put(fake, "/proc/irq/25/smp_affinity_list", "2\n"); /* nobody's */
    expect(fake, "interrupts", CHECK_GOOD, "2, none of them on a lane's core", NULL);
    fake_host_put(fake, "/proc/irq/24/effective_affinity_list", "2\n");
    assert_true(expect(fake, "interrupts", CHECK_WRONG, "1 of 2 go to a lane's core (24)",
                       "for irq in 24; do echo 0-1,3 >")
                    ->is_safe);
    fake_host_drop(fake, "/proc/irq/24/effective_affinity_list");
    expect(fake, "interrupts", CHECK_WRONG, "1 of 2", "for irq in 24");
    fake_host_put(fake, "/proc/irq/24/smp_affinity_list", "0-1,3\n");
    expect(fake, "interrupts", CHECK_GOOD, "none of them", NULL);
    fake->config.core_count = 0;
    expect_nothing(fake, "interrupts");
}

static void test_check_finds_ways_between_numa_nodes(void **state)
{
    struct fake_host *fake = *state;
    fake_host_card(fake, FAKE_CARD, "vfio-pci");
    fake_host_put(fake, "/sys/devices/system/node/node0/cpulist", "0-3\n");
    expect(fake, "numa", CHECK_GOOD, "one node", NULL);
    fake_host_put(fake, "/sys/devices/system/node/node1/cpulist", "4-7\n");
    fake_host_put(fake, "/proc/self/mounts", "/dev/pmem1 / ext4 rw 0 0\n");
    fake_host_put(fake, "/sys/class/block/pmem1/device/numa_node", "1\n");
    expect(fake, "numa", CHECK_GOOD, FAKE_CARD ": at NUMA node 0", NULL);
    expect(fake, "numa", CHECK_WRONG,
           "/mnt/pollux/node1: it is at NUMA node 1, and a lane's core "
           "at node 0",
           "sed -i 's/^cores *=.*/cores = 7/'");
    fake->config.cores[0] = 5;
    expect(fake, "numa", CHECK_WRONG, FAKE_CARD ": it is at NUMA node 0", "cores = 3/");
    expect(fake, "numa", CHECK_GOOD, "/mnt/pollux/node1: at NUMA node 1", NULL);
    fake_host_put(fake, CARD "/numa_node", "-1\n");
    expect(fake, "numa", CHECK_UNKNOWN, FAKE_CARD ": the machine does not tell", NULL);
    fake->config.core_count = 0;
    expect(fake, "numa", CHECK_NOTE, "2 nodes, and [lane] cores is not set", NULL);
}

static void test_check_finds_cores_that_are_slow(void **state)
{
    struct fake_host *fake = *state;
    fake_host_put(fake, CPUS "online", "0-3\n");
    fake_host_put(fake, CPUS "cpu2/cpufreq/scaling_governor", "performance\n");
    fake_host_put(fake, CPUS "cpu3/cpufreq/scaling_governor", "powersave\n");
    expect(fake, "governor", CHECK_GOOD, "performance, on 1 cores", NULL);
    fake->config.cores[0] = 3;
    assert_true(expect(fake, "governor", CHECK_WRONG, "powersave on the cores 3",
                       "for cpu in 3; do echo performance >")
                    ->is_safe);
    fake_host_put(fake, CPUS "cpu3/cpuidle/state0/latency", "0\n");
    fake_host_put(fake, CPUS "cpu3/cpuidle/state1/latency", "2\n");
    expect(fake, "idle-states", CHECK_GOOD, "each is left in 10 us", NULL);
    fake_host_put(fake, CPUS "cpu3/cpuidle/state2/latency", "133\n");
    fake_host_put(fake, CPUS "cpu3/cpuidle/state2/disable", "0\n");
    assert_true(expect(fake, "idle-states", CHECK_WRONG, "states (2)", "for state in 2")->is_safe);
    fake_host_put(fake, CPUS "cpu3/cpuidle/state2/disable", "1\n");
    expect(fake, "idle-states", CHECK_GOOD, "each is left", NULL);
    fake_host_put(fake, CPUS "cpu3/cpuidle/state2/disable", "0\n");
    fake->config.idle_spin_turns = UINT32_MAX;
    expect(fake, "idle-states", CHECK_GOOD, "never sleep", NULL);
}

static void test_check_finds_slow_clocks(void **state)
{
    static const char current[] = "/sys/devices/system/clocksource/clocksource0/"
                                  "current_clocksource";
    static const char available[] = "/sys/devices/system/clocksource/clocksource0/"
                                    "available_clocksource";
    struct fake_host *fake = *state;
    fake_host_put(fake, current, "tsc\n");
    expect(fake, "clock-source", CHECK_GOOD, "clock source: tsc", NULL);
    fake_host_put(fake, current, "acpi_pm\n");
    expect(fake, "clock-source", CHECK_WRONG, "no faster one", "dmesg");
    fake_host_put(fake, available, "tsc hpet acpi_pm\n");
    assert_false(
        expect(fake, "clock-source", CHECK_WRONG, "acpi_pm: each turn", "echo tsc >")->is_safe);
    expect(fake, "clock", CHECK_NOTE, "no time service", "timedatectl");
    fake->host.is_clock_set = true;
    expect(fake, "clock", CHECK_GOOD, "kept by a time service", NULL);
}

static void test_check_finds_mounts_without_dax(void **state)
{
    struct fake_host *fake = *state;
    fake_host_put(fake, "/proc/self/mounts", "/dev/sda1 / ext4 rw 0 0\n");
    expect(fake, "dax", CHECK_UNKNOWN, "/sys/class/block is not there", NULL);
    fake_host_put(fake, "/sys/class/block/sda1/size", "1000\n");
    expect(fake, "dax", CHECK_GOOD, "the medium is file", NULL);
    fake->config.medium = MEDIUM_PMEM;
    expect(fake, "dax", CHECK_WRONG, "which is no persistent memory", NULL);
    fake_host_put(fake, "/proc/self/mounts", "/dev/pmem0 / ext4 rw,relatime 0 0\n");
    fake_host_put(fake, "/sys/class/block/pmem0/queue/dax", "1\n");
    assert_false(expect(fake, "dax", CHECK_WRONG, "mounted without DAX",
                        "mount -t ext4 -o dax=always /dev/pmem0 '/'")
                     ->is_safe);
    fake_host_put(fake, "/proc/self/mounts", "/dev/pmem0 / ext4 rw,dax=never 0 0\n");
    expect(fake, "dax", CHECK_WRONG, "mounted without DAX", "dax=always");
    fake_host_put(fake, "/proc/self/mounts", "/dev/pmem0 / ext4 rw,dax=always 0 0\n");
    expect(fake, "dax", CHECK_GOOD, "persistent memory with DAX", NULL);
}

/* The folder of the test stands for the mount: the directory must exist to be found. */
static void test_check_finds_a_mount_that_was_forgotten(void **state)
{
    struct fake_host *fake = *state;
    char text[512];
    char unit[512];
    snprintf(fake->config.directory, sizeof(fake->config.directory), "%s/node1", fake->root);
    fake_host_put(fake, "/proc/self/mounts", "/dev/sda1 / ext4 rw 0 0\n");
    expect(fake, "mount", CHECK_GOOD, "lies on the root file system", NULL);
    snprintf(text, sizeof(text), "# a table\n/dev/pmem0 %s ext4 dax=always 0 2\n", fake->root);
    fake_host_put(fake, "/etc/fstab", text);
    assert_true(expect(fake, "mount", CHECK_WRONG, "/etc/fstab names it, and it is not mounted",
                       "mount '/var/tmp/")
                    ->is_safe);
    fake_host_put(fake, "/node1/identity", ""); /* somebody's, below the mount */
    assert_false(expect(fake, "mount", CHECK_WRONG, "hidden below the mount", "mount")->is_safe);
    snprintf(text, sizeof(text), "/dev/sda1 / ext4 rw 0 0\n/dev/pmem0 %s ext4 rw,dax=always 0 0\n",
             fake->root);
    fake_host_put(fake, "/proc/self/mounts", text);
    expect(fake, "mount", CHECK_GOOD, "as /etc/fstab has it", NULL);
    fake_host_put(fake, "/etc/fstab", "/dev/sda1 / ext4 defaults 0 1\nUUID=1 none swap sw 0 0\n");
    assert_true(expect(fake, "mount", CHECK_WRONG, "neither /etc/fstab nor a unit",
                       "ext4 rw,dax=always,nofail 0 2\\n' >>")
                    ->is_safe);
    snprintf(text, sizeof(text), "/dev/a'b %s ext4 rw 0 0\n", fake->root);
    fake_host_put(fake, "/proc/self/mounts", text);
    expect(fake, "mount", CHECK_WRONG, "neither /etc/fstab nor a unit", NULL);
    snprintf(unit, sizeof(unit), "/etc/systemd/system/var-tmp-pollux\\x2dhost\\x2d%s.mount",
             strrchr(fake->root, '-') + 1);
    fake_host_put(fake, unit, "");
    expect(fake, "mount", CHECK_GOOD, "by a unit of systemd", NULL);
    fake_host_drop(fake, unit);
    fake_host_drop(fake, "/etc/fstab");
    expect(fake, "mount", CHECK_UNKNOWN, "there is no", NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_host_make, fake_host_remove)
    const struct CMUnitTest tests[] = {
        TEST(test_check_says_what_it_cannot_know),
        TEST(test_check_finds_cards),
        TEST(test_check_finds_addresses_that_are_no_card),
        TEST(test_check_takes_no_card_that_is_used),
        TEST(test_check_tells_all_of_a_card),
        TEST(test_check_sees_the_interface_of_a_virtio_card),
        TEST(test_check_keeps_the_driver_over_a_new_start),
        TEST(test_check_finds_iommus),
        TEST(test_check_finds_who_may_open_the_card),
        TEST(test_check_finds_a_low_memlock),
        TEST(test_check_finds_too_few_huge_pages),
        TEST(test_check_looks_for_huge_pages_where_the_card_is),
        TEST(test_check_finds_huge_pages_that_a_new_start_loses),
        TEST(test_check_knows_the_unit_that_reserves_huge_pages),
        TEST(test_check_finds_cores_that_are_shared),
        TEST(test_check_finds_interrupts_of_a_core),
        TEST(test_check_finds_ways_between_numa_nodes),
        TEST(test_check_finds_cores_that_are_slow),
        TEST(test_check_finds_slow_clocks),
        TEST(test_check_finds_mounts_without_dax),
        TEST(test_check_finds_a_mount_that_was_forgotten),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
