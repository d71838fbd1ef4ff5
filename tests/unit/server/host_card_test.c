/* What a tree of sysfs, proc and dev says of a card, and what an operator reads of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/host_fault.h"
#include "tests/unit/server/fake_host.h"

#include <errno.h>
#include <string.h>

#define ADDRESS FAKE_CARD
#define DEVICE  FAKE_PCI FAKE_CARD
#define PAGES   "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
#define MIB     (UINT64_C(1) << 20)

static struct fake_host *fake;

/* A machine on which all is well: a card behind vfio-pci and an IOMMU, hugepages, root. */
static int machine_make(void **state)
{
    assert_int_equal(fake_host_make(state), 0);
    fake = *state;
    fake_host_put(fake, DEVICE "/class", "0x020000\n");
    fake_host_put(fake, DEVICE "/numa_node", "1\n");
    fake_host_link(fake, DEVICE "/driver", "../../../bus/pci/drivers/vfio-pci");
    fake_host_link(fake, DEVICE "/iommu_group", "../../../kernel/iommu_groups/7");
    fake_host_put(fake, "/sys/kernel/iommu_groups/7/type", "DMA-FQ\n");
    fake_host_link(fake, "/sys/kernel/iommu_groups/7/devices/" ADDRESS, "../../../../devices/x");
    fake_host_put(fake, "/sys/bus/pci/drivers/vfio-pci/new_id", "");
    fake_host_put(fake, "/sys/class/iommu/dmar0/x", "");
    fake_host_put(fake, "/dev/vfio/7", "");
    fake_host_put(fake, "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "100\n");
    fake_host_put(fake, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "80\n");
    fake_host_put(fake, "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages",
                  "30\n");
    fake_host_put(
        fake, "/proc/self/limits",
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max locked memory         unlimited            unlimited            bytes     \n");
    fake_host_put(fake, "/proc/self/status", "Name:\tx\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n");
    return 0;
}

static struct host_port look(struct host_need need, const char *device)
{
    struct host_port port;
    need.device = device;
    host_port_look(&fake->host, &need, &port);
    host_card_try(&fake->host, &port.card);
    return port;
}

/* The command as it is on a machine: without the root of the test. */
static void bare(char *command)
{
    size_t length = strlen(fake->root);
    for (char *at = strstr(command, fake->root); at != NULL; at = strstr(at, fake->root))
        memmove(at, at + length, strlen(at + length) + 1);
}

static void expect_port(const struct host_port *port, enum host_fault fault, const char *told,
                        const char *mended)
{
    struct host_finding finding = {.what = ""};
    assert_int_equal(host_fault_first(port), fault);
    if (fault != HOST_FAULT_NONE)
        host_fault_tell(fault, port, &finding);
    bare(finding.command);
    assert_string_equal(finding.what, told);
    if (strstr(finding.command, mended) == NULL)
        assert_string_equal(finding.command, mended);
}

static void expect_with(struct host_need need, const char *device, enum host_fault fault,
                        const char *told, const char *mended)
{
    struct host_port port = look(need, device);
    expect_port(&port, fault, told, mended);
}

#define CONFIG "/etc/pollux/1.ini"
static const struct host_need huge = {
    .memory_bytes = 64 * MIB, .config_path = CONFIG, .is_hugepages = true};
static const struct host_need small = {.memory_bytes = 64 * MIB, .config_path = CONFIG};

static void expect(const char *device, enum host_fault fault, const char *told, const char *mended)
{
    expect_with(huge, device, fault, told, mended);
}

static void test_host_card_that_can_be_used(void **state)
{
    (void)state;
    expect(ADDRESS, HOST_FAULT_NONE, "", "");
    expect(ADDRESS ",rx_mode=1", HOST_FAULT_NONE, "", "");
    expect_with(small, ADDRESS, HOST_FAULT_NONE, "", "");
    struct host_port port = look(huge, ADDRESS);
    assert_int_equal(port.card.numa_node, 1);
    assert_string_equal(port.card.file, "/dev/vfio/7");
    assert_int_equal(port.card.class_code, 0x020000);
    assert_int_equal(port.memory.huge_bytes, 200 * MIB);
    assert_int_equal(port.memory.huge_free_bytes, 160 * MIB);
    assert_int_equal(port.memory.near_free_bytes, 160 * MIB); /* one NUMA node: all is near */
    fake_host_put(fake, "/sys/devices/system/node/node0/cpulist", "0\n");
    port = look(huge, ADDRESS);
    assert_int_equal(port.memory.numa_node, 1);
    assert_int_equal(port.memory.near_free_bytes, 60 * MIB);
    assert_int_equal(port.memory.huge_free_bytes, 160 * MIB);
    assert_int_equal(host_fault_first(&port), HOST_FAULT_NONE); /* slow, and it starts */
    assert_true(host_fault_is(HOST_FAULT_PAGES_FAR, &port));
    assert_int_equal(look(huge, "net_tap0").memory.near_free_bytes, 160 * MIB);
    assert_true(host_card_is_meant(ADDRESS));
    assert_true(host_card_is_meant("eth1"));
    assert_true(host_card_is_meant("net0")); /* a name of an interface, and of no virtual port */
    assert_false(host_card_is_meant("net_tap0,iface=x"));
}

static void test_host_card_of_another_name(void **state)
{
    (void)state;
    expect("03:00.0", HOST_FAULT_SHORT_ADDRESS,
           "03:00.0 is the address " ADDRESS ", not written in full: write " ADDRESS,
           "device = " ADDRESS "/' '" CONFIG "'");
    expect("3:0.0", HOST_FAULT_SHORT_ADDRESS,
           "3:0.0 is the address " ADDRESS ", not written in full: write " ADDRESS,
           "device = " ADDRESS "/' '" CONFIG "'");
    expect("0000:04:00.0", HOST_FAULT_ABSENT,
           "there is no device at the address 0000:04:00.0; network cards here: " ADDRESS
           " (vfio-pci)",
           "lspci -D -nn -d ::02xx");
    expect("net", HOST_FAULT_NAME,
           "\"net\" is neither the address of a card, as 0000:03:00.0 is, "
           "nor a virtual port, as net_memif0 is; network cards here: " ADDRESS " (vfio-pci)",
           "lspci");
    expect("0000:03:00.0x", HOST_FAULT_NAME,
           "\"0000:03:00.0x\" is neither the address of a card, "
           "as 0000:03:00.0 is, nor a virtual port, as net_memif0 is; network cards here: " ADDRESS
           " (vfio-pci)",
           "lspci");
    fake_host_link(fake, DEVICE "/driver", "../../../bus/pci/drivers/e1000e");
    fake_host_put(fake, DEVICE "/net/eth1/address", "");
    fake_host_link(fake, "/sys/class/net/eth1/device", "../../../" ADDRESS);
    expect("eth1", HOST_FAULT_INTERFACE,
           "eth1 is the kernel's name of the card " ADDRESS ": write " ADDRESS,
           "device = " ADDRESS "/' '" CONFIG "'");
    fake_host_put(fake, DEVICE "/class", "0x010802\n");
    expect(ADDRESS, HOST_FAULT_NOT_NETWORK,
           "the device at " ADDRESS
           " is no network card: its class is 010802; network cards here: none",
           "lspci");
}

/* The kernel's name of a card of virtio belongs to a device one step below the card. */
static void test_host_card_of_virtio_by_name(void **state)
{
    (void)state;
    fake_host_link(fake, DEVICE "/driver", "../../../bus/pci/drivers/virtio-pci");
    fake_host_put(fake, DEVICE "/virtio3/net/eth2/address", "");
    fake_host_link(fake, "/sys/bus/virtio/devices/virtio3",
                   "../../pci/devices/" ADDRESS "/virtio3");
    fake_host_link(fake, "/sys/class/net/eth2/device", "../../../virtio3");
    expect("eth2", HOST_FAULT_INTERFACE,
           "eth2 is the kernel's name of the card " ADDRESS ": write " ADDRESS,
           "device = " ADDRESS "/' '" CONFIG "'");
    expect(ADDRESS, HOST_FAULT_KERNEL_DRIVER,
           "card " ADDRESS
           " is bound to the kernel's driver virtio-pci (eth2); its interface is in use. "
           "The command takes it away",
           "/driver/unbind");
}

static void test_host_card_without_its_driver(void **state)
{
    (void)state;
    fake_host_link(fake, DEVICE "/driver", "../../../bus/pci/drivers/e1000e");
    expect(ADDRESS, HOST_FAULT_KERNEL_DRIVER,
           "card " ADDRESS
           " is bound to the kernel's driver e1000e; no interface of it is seen here, so "
           "somebody may use it",
           "echo vfio-pci > " DEVICE "/driver_override && echo " ADDRESS " > " DEVICE
           "/driver/unbind && echo " ADDRESS " > /sys/bus/pci/drivers_probe");
    fake_host_link(fake, DEVICE "/driver", "../../../bus/pci/drivers/mlx5_core");
    expect(ADDRESS, HOST_FAULT_NONE, "", "");
    fake_host_drop(fake, DEVICE "/driver");
    expect(ADDRESS, HOST_FAULT_UNBOUND, "card " ADDRESS " is bound to no driver",
           "echo vfio-pci > " DEVICE "/driver_override && echo " ADDRESS
           " > /sys/bus/pci/drivers_probe");
    fake_host_drop(fake, "/sys/bus/pci/drivers/vfio-pci");
    expect(ADDRESS, HOST_FAULT_NO_MODULE,
           "card " ADDRESS " is bound to no driver, and the module vfio-pci is not loaded",
           "modprobe vfio-pci && echo vfio-pci > ");
}

static void test_host_card_without_iommu(void **state)
{
    (void)state;
    fake_host_drop(fake, "/sys/class/iommu/dmar0");
    expect(ADDRESS, HOST_FAULT_NO_IOMMU,
           "no IOMMU is in use on this machine, and vfio-pci needs one for " ADDRESS
           ": turn it on in the firmware (VT-d, AMD-Vi) and on the kernel's command line. On a "
           "machine that has none: modprobe vfio && echo Y > /sys/module/vfio/parameters/"
           "enable_unsafe_noiommu_mode, and the card can write anywhere in memory",
           "intel_iommu=on iommu=pt");
    /* Allowed to do without: then hugepages must have the physical addresses. */
    fake_host_put(fake, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
    fake_host_put(fake, "/dev/vfio/noiommu-7", "");
    expect(ADDRESS, HOST_FAULT_NONE, "", "");
    expect_with(small, ADDRESS, HOST_FAULT_PAGES_OFF,
                "card " ADDRESS " needs physical addresses (driver vfio-pci, without IOMMU), and "
                "only hugepages have them: set [port] hugepages = true, and reserve some",
                "hugepages = true/' '" CONFIG "'");
}

static void test_host_card_behind_uio(void **state)
{
    (void)state;
    fake_host_link(fake, DEVICE "/driver", "../../../bus/pci/drivers/uio_pci_generic");
    fake_host_put(fake, DEVICE "/uio/uio0/name", "");
    fake_host_put(fake, "/dev/uio0", "");
    expect(ADDRESS, HOST_FAULT_UIO_TRANSLATED,
           "card " ADDRESS " is bound to uio_pci_generic behind an IOMMU that translates addresses "
           "(DMA-FQ): it would receive nothing",
           "echo vfio-pci > ");
    fake_host_put(fake, "/sys/kernel/iommu_groups/7/type", "identity\n");
    expect(ADDRESS, HOST_FAULT_NONE, "", "");
    expect_with(small, ADDRESS, HOST_FAULT_PAGES_OFF,
                "card " ADDRESS " needs physical addresses (driver uio_pci_generic), and only "
                "hugepages have them: set [port] hugepages = true, and reserve some",
                "hugepages = true/' '" CONFIG "'");
    fake_host_put(fake, "/proc/self/status", "CapEff:\t0000000000000000\n");
    expect(ADDRESS, HOST_FAULT_NO_PERMISSION,
           "card " ADDRESS " needs physical addresses, which only root may look up: start polluxd "
           "as root with all capabilities, or bind the card to vfio-pci behind an IOMMU",
           "");
}

static void test_host_card_that_cannot_be_opened(void **state)
{
    (void)state;
    fake_host_drop(fake, "/dev/vfio/7");
    expect(ADDRESS, HOST_FAULT_NO_PERMISSION,
           "card " ADDRESS ": cannot open /dev/vfio/7: No such file or directory: let the process "
           "see it; in a container, hand it in",
           "");
    struct host_port port = look(huge, ADDRESS);
    port.card.file_errno = EACCES;
    expect_port(&port, HOST_FAULT_NO_PERMISSION,
                "card " ADDRESS ": cannot open /dev/vfio/7: Permission denied. Start polluxd as "
                "root, with [node] user: it gives its rights up when the port is open. Or give the "
                "file to the user, until the card is bound anew",
                "sudo chown \"$(id -un)\" /dev/vfio/7");
    port.card.file_errno = EBUSY;
    expect_port(&port, HOST_FAULT_IN_USE,
                "card " ADDRESS " is in use: another process has /dev/vfio/7; this node, if it "
                "runs now. fuser -v /dev/vfio/7 names the process",
                "");
}

/* vfio gives a group away as a whole. What the machine needs is not taken for it. */
static void test_host_card_that_shares_its_group(void **state)
{
    (void)state;
    const char *shared = "card " ADDRESS " shares the IOMMU group 7 with the device 0000:03:00.1, "
                         "which the kernel uses: vfio gives a group away as a whole. Take the "
                         "device from the kernel, too, or put the card into another slot";
    const char *needed = "card " ADDRESS " shares the IOMMU group 7 with the device 0000:03:00.1, "
                         "which the kernel uses: vfio gives a group away as a whole. This machine "
                         "needs that device: put the card into another slot";
    fake_host_link(fake, "/sys/kernel/iommu_groups/7/devices/0000:00:1c.0", "../x");
    fake_host_link(fake, "/sys/bus/pci/devices/0000:00:1c.0/driver", "../pcieport");
    expect(ADDRESS, HOST_FAULT_NONE, "", "");
    fake_host_link(fake, "/sys/kernel/iommu_groups/7/devices/0000:03:00.1", "../x");
    expect(ADDRESS, HOST_FAULT_NONE, "", "");
    fake_host_link(fake, "/sys/bus/pci/devices/0000:03:00.1/driver", "../e1000e");
    expect(ADDRESS, HOST_FAULT_GROUP_SHARED, shared,
           "echo 0000:03:00.1 > /sys/bus/pci/devices/0000:03:00.1/driver/unbind");
    fake_host_put(fake, FAKE_PCI "0000:03:00.1/class", "0x010802\n");
    expect(ADDRESS, HOST_FAULT_GROUP_SHARED, needed, "");
    fake_host_put(fake, FAKE_PCI "0000:03:00.1/class", "0x020000\n");
    fake_host_put(fake, FAKE_PCI "0000:03:00.1/net/eth3/address", "");
    fake_host_put(fake, "/proc/net/route", "Iface\tDestination\neth3\t00000000\t010200C0\n");
    expect(ADDRESS, HOST_FAULT_GROUP_SHARED, needed, "");
}

static void test_host_card_whose_memory_is_short(void **state)
{
    (void)state;
    fake_host_put(fake, "/proc/self/status", "CapEff:\t0000000000000000\n");
    fake_host_put(fake, "/proc/self/limits",
                  "Max locked memory         8388608      8388608  bytes\n");
    expect(ADDRESS, HOST_FAULT_MEMLOCK,
           "this process may pin 8192KiB of memory (memlock), and the card's buffers take 65536KiB"
           ": raise the limit, and log in anew; a unit of systemd has LimitMEMLOCK=infinity",
           "memlock unlimited");
    fake_host_put(fake, "/proc/self/status", "CapEff:\t0000000000004000\n");
    expect(ADDRESS, HOST_FAULT_NONE, "", "");
    fake_host_put(fake, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "31\n");
    expect(ADDRESS, HOST_FAULT_PAGES_TAKEN,
           "200 MiB are reserved, and 62 MiB of them free: the node needs 64 MiB. It has them if "
           "it runs now; else another process has them",
           "echo 101 >" PAGES);
    expect_with(small, ADDRESS, HOST_FAULT_NONE, "", "");
    fake_host_put(fake, "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
    fake_host_put(fake, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "0\n");
    expect(ADDRESS, HOST_FAULT_PAGES_FEW,
           "0 MiB are reserved, and the node needs 64 MiB ([port] memory_mib of each lane). If the "
           "kernel gives fewer than asked for, memory is in pieces: reserve them on its command "
           "line, and start the machine anew",
           "echo 32 >" PAGES);
}

/* A virtual port has no card: only its hugepages can be at fault. */
static void test_host_fault_of_a_virtual_port(void **state)
{
    (void)state;
    struct host_port port = look(huge, "net_memif0");
    assert_int_equal(host_fault_first(&port), HOST_FAULT_NONE);
    port.memory.huge_free_bytes = 0;
    assert_int_equal(host_fault_first(&port), HOST_FAULT_PAGES_TAKEN);
    port.need.is_hugepages = false;
    assert_int_equal(host_fault_first(&port), HOST_FAULT_NONE);
}

/* A card by which the machine is reached is not to be used under any name, and nobody is told how
 * to take it. */
static void test_host_card_that_the_machine_needs(void **state)
{
    (void)state;
    static const char told[] =
        "card " ADDRESS " is bound to the kernel's driver e1000e (eth1); its "
        "interface eth1 carries the default route: this machine is reached "
        "through it. Name another card";
    fake_host_link(fake, DEVICE "/driver", "../../../bus/pci/drivers/e1000e");
    fake_host_put(fake, DEVICE "/net/eth1/address", "");
    fake_host_link(fake, "/sys/class/net/eth1/device", "../../../" ADDRESS);
    fake_host_put(fake, "/proc/net/route", "Iface\tDestination\neth1\t00000000\t010200C0\n");
    expect(ADDRESS, HOST_FAULT_NEEDED, told, "");
    expect("03:00.0", HOST_FAULT_NEEDED, told, "");
    expect("eth1", HOST_FAULT_NEEDED, told, "");
    fake_host_put(fake, "/proc/net/route", "Iface\tDestination\n");
    fake_host_drop(fake, "/sys/class/iommu/dmar0");
    fake_host_put(fake, "/proc/self/status", "CapEff:\t0\n");
    fake_host_put(fake, "/proc/self/limits", "Max locked memory         8192      8192  bytes\n");
    /* All faults at once, each as if the others were mended: */
    struct host_port port = look(huge, "eth1");
    assert_int_equal(host_fault_first(&port), HOST_FAULT_INTERFACE);
    assert_true(host_fault_is(HOST_FAULT_NO_IOMMU, &port));
    assert_true(host_fault_is(HOST_FAULT_KERNEL_DRIVER, &port));
    assert_true(host_fault_is(HOST_FAULT_MEMLOCK, &port));
    assert_false(host_fault_is(HOST_FAULT_PAGES_FEW, &port));
    assert_false(host_fault_is(HOST_FAULT_NEEDED, &port));
}

/* No fault leaves an operator without words. */
static void test_host_fault_has_words(void **state)
{
    (void)state;
    struct host_port port = look(huge, ADDRESS);
    struct host_finding finding;
    for (int fault = 0; fault < HOST_FAULT_COUNT; fault++) {
        bool has_command = fault != HOST_FAULT_NEEDED && fault != HOST_FAULT_NO_PERMISSION &&
                           fault != HOST_FAULT_IN_USE;
        host_fault_tell((enum host_fault)fault, &port, &finding);
        assert_true(strlen(finding.subject) > 4);
        assert_true(strlen(finding.what) > 20 && strlen(finding.what) < HOST_WHAT_BYTES - 1);
        assert_int_equal(strlen(finding.command) > 20, has_command);
        assert_true(strlen(finding.command) < HOST_COMMAND_BYTES - 1);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, machine_make, fake_host_remove)
    static const struct CMUnitTest tests[] = {
        TEST(test_host_card_that_can_be_used),       TEST(test_host_card_of_another_name),
        TEST(test_host_card_of_virtio_by_name),      TEST(test_host_card_without_its_driver),
        TEST(test_host_card_without_iommu),          TEST(test_host_card_behind_uio),
        TEST(test_host_card_that_cannot_be_opened),  TEST(test_host_card_that_shares_its_group),
        TEST(test_host_card_that_the_machine_needs), TEST(test_host_card_whose_memory_is_short),
        TEST(test_host_fault_of_a_virtual_port),     TEST(test_host_fault_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
