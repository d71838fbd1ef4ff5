/* What a tree of sysfs, proc and dev says of a card, and what an operator reads of it. */
#include "server/host_card.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ADDRESS "0000:03:00.0"
#define DEVICE  "/sys/bus/pci/devices/" ADDRESS
#define MIB     (UINT64_C(1) << 20)

static char root[64];

static void path_of(const char *path, char ret_path[512])
{
    (void)snprintf(ret_path, 512, "%s%s", root, path);
}

static void make_folders(const char *whole)
{
    char folder[512];
    for (const char *at = strchr(whole + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        (void)snprintf(folder, sizeof(folder), "%.*s", (int)(at - whole), whole);
        assert_true(mkdir(folder, 0700) == 0 || errno == EEXIST);
    }
}

static void has_file(const char *path, const char *text)
{
    char whole[512];
    path_of(path, whole);
    make_folders(whole);
    (void)unlink(whole);
    int fd = open(whole, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void has_link(const char *path, const char *target)
{
    char whole[512];
    path_of(path, whole);
    make_folders(whole);
    (void)unlink(whole);
    assert_int_equal(symlink(target, whole), 0);
}

static void lacks(const char *path)
{
    char whole[512];
    path_of(path, whole);
    assert_true(unlink(whole) == 0 || rmdir(whole) == 0);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static void remove_tree(void)
{
    assert_int_equal(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* A machine on which all is well: a card behind vfio-pci and an IOMMU, hugepages, root. */
static int machine_make(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof(root), "/tmp/host_card_XXXXXX");
    assert_non_null(mkdtemp(root));
    has_file(DEVICE "/class", "0x020000\n");
    has_file(DEVICE "/numa_node", "1\n");
    has_link(DEVICE "/driver", "../../../bus/pci/drivers/vfio-pci");
    has_link(DEVICE "/iommu_group", "../../../kernel/iommu_groups/7");
    has_file("/sys/kernel/iommu_groups/7/type", "DMA-FQ\n");
    has_link("/sys/kernel/iommu_groups/7/devices/" ADDRESS, "../../../../devices/x");
    has_file("/sys/bus/pci/drivers/vfio-pci/new_id", "");
    has_file("/sys/class/iommu/dmar0/x", "");
    has_file("/dev/vfio/7", "");
    has_file("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "100\n");
    has_file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "80\n");
    has_file("/sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages", "30\n");
    has_file("/proc/self/limits",
             "Limit                     Soft Limit           Hard Limit           Units     \n"
             "Max locked memory         unlimited            unlimited            bytes     \n");
    has_file("/proc/self/status", "Name:\tx\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n");
    return 0;
}

static int machine_remove(void **state)
{
    (void)state;
    remove_tree();
    return 0;
}

struct finding {
    struct host_card card;
    struct host_memory memory;
    struct host_need need;
    char told[HOST_TEXT_BYTES];
    char mended[HOST_TEXT_BYTES];
};

static void expect_with(struct host_need need, const char *device, enum host_fault fault,
                        const char *told, const char *mended)
{
    struct finding found = {.need = need};
    host_card_look(root, device, &found.card);
    host_memory_look(root, &found.memory);
    assert_string_equal(host_fault_name(host_fault_find(&found.card, &found.memory, &need)),
                        host_fault_name(fault));
    host_fault_tell(fault, &found.card, &found.memory, &need, found.told);
    host_fault_mend(fault, &found.card, &found.memory, &need, found.mended);
    assert_string_equal(found.told, told);
    if (strstr(found.mended, mended) == NULL)
        assert_string_equal(found.mended, mended);
}

static const struct host_need huge = {.memory_bytes = 64 * MIB, .is_hugepages = true};
static const struct host_need small = {.memory_bytes = 64 * MIB};

static void expect(const char *device, enum host_fault fault, const char *told, const char *mended)
{
    expect_with(huge, device, fault, told, mended);
}

static void test_host_card_that_can_be_used(void **state)
{
    (void)state;
    struct host_card card;
    struct host_memory memory;
    expect(ADDRESS, HOST_FAULT_NONE, "", "");
    expect(ADDRESS ",rx_mode=1", HOST_FAULT_NONE, "", "");
    expect_with(small, ADDRESS, HOST_FAULT_NONE, "", "");
    host_card_look(root, ADDRESS, &card);
    host_memory_look(root, &memory);
    assert_int_equal(card.numa_node, 1);
    assert_string_equal(card.file, "/dev/vfio/7");
    assert_int_equal(card.class_code, 0x020000);
    assert_int_equal(memory.huge_total_bytes, 200 * MIB);
    assert_int_equal(memory.huge_free_bytes, 160 * MIB);
    assert_int_equal(host_memory_node_free_bytes(root, 1), 60 * MIB);
    assert_int_equal(host_memory_node_free_bytes(root, 0), 0);
    assert_int_equal(host_memory_node_free_bytes(root, -1), 160 * MIB);
    assert_true(host_card_is_meant(ADDRESS));
    assert_true(host_card_is_meant("eth1"));
    assert_false(host_card_is_meant("net_tap0,iface=x"));
}

static void test_host_card_of_another_name(void **state)
{
    (void)state;
    expect("03:00.0", HOST_FAULT_SHORT_ADDRESS,
           "03:00.0 is the address " ADDRESS ", not written in full",
           "set [port] device = " ADDRESS);
    expect("3:0.0", HOST_FAULT_SHORT_ADDRESS,
           "3:0.0 is the address " ADDRESS ", not written in full", "set [port] device = " ADDRESS);
    expect("0000:04:00.0", HOST_FAULT_ABSENT, "there is no device at the address 0000:04:00.0",
           "grep -l ^0x02 /sys/bus/pci/devices/*/class");
    expect("net", HOST_FAULT_NAME,
           "\"net\" is neither the address of a card, as 0000:03:00.0 is, "
           "nor a virtual port, as net_memif0 is",
           "/class");
    expect("0000:03:00.0x", HOST_FAULT_NAME,
           "\"0000:03:00.0x\" is neither the address of a card, "
           "as 0000:03:00.0 is, nor a virtual port, as net_memif0 is",
           "/class");
    has_link(DEVICE "/driver", "../../../bus/pci/drivers/e1000e");
    has_file(DEVICE "/net/eth1/address", "");
    has_link("/sys/class/net/eth1/device", "../../../" ADDRESS);
    expect("eth1", HOST_FAULT_INTERFACE, "eth1 is the kernel's name of the card " ADDRESS,
           "set [port] device = " ADDRESS);
    has_file(DEVICE "/class", "0x010802\n");
    expect(ADDRESS, HOST_FAULT_NOT_NETWORK,
           "the device at " ADDRESS " is no network card: its class is 010802", "/class");
}

/* The kernel's name of a card of virtio belongs to a device one step below the card. */
static void test_host_card_of_virtio_by_name(void **state)
{
    (void)state;
    has_link(DEVICE "/driver", "../../../bus/pci/drivers/virtio-pci");
    has_file(DEVICE "/virtio3/net/eth2/address", "");
    has_link("/sys/bus/virtio/devices/virtio3", "../../pci/devices/" ADDRESS "/virtio3");
    has_link("/sys/class/net/eth2/device", "../../../virtio3");
    expect("eth2", HOST_FAULT_INTERFACE, "eth2 is the kernel's name of the card " ADDRESS,
           "set [port] device = " ADDRESS);
    expect(ADDRESS, HOST_FAULT_KERNEL_DRIVER,
           "card " ADDRESS " is bound to the kernel's driver virtio-pci (eth2)", "/driver/unbind");
}

static void test_host_card_without_its_driver(void **state)
{
    (void)state;
    has_link(DEVICE "/driver", "../../../bus/pci/drivers/e1000e");
    expect(ADDRESS, HOST_FAULT_KERNEL_DRIVER,
           "card " ADDRESS " is bound to the kernel's driver e1000e",
           "echo vfio-pci > " DEVICE "/driver_override && echo " ADDRESS " > " DEVICE
           "/driver/unbind && echo " ADDRESS " > /sys/bus/pci/drivers_probe");
    has_link(DEVICE "/driver", "../../../bus/pci/drivers/mlx5_core");
    expect(ADDRESS, HOST_FAULT_NONE, "", "");
    lacks(DEVICE "/driver");
    expect(ADDRESS, HOST_FAULT_UNBOUND, "card " ADDRESS " is bound to no driver",
           "echo vfio-pci > " DEVICE "/driver_override && echo " ADDRESS
           " > /sys/bus/pci/drivers_probe");
    lacks("/sys/bus/pci/drivers/vfio-pci/new_id");
    lacks("/sys/bus/pci/drivers/vfio-pci");
    expect(ADDRESS, HOST_FAULT_NO_MODULE,
           "card " ADDRESS " is bound to no driver, and the module vfio-pci is not loaded",
           "modprobe vfio-pci && echo vfio-pci > ");
}

static void test_host_card_without_iommu(void **state)
{
    (void)state;
    lacks("/sys/class/iommu/dmar0/x");
    lacks("/sys/class/iommu/dmar0");
    expect(ADDRESS, HOST_FAULT_NO_IOMMU,
           "no IOMMU is in use on this machine, and vfio-pci needs one for " ADDRESS,
           "enable_unsafe_noiommu_mode");
    /* Allowed to do without: then hugepages must have the physical addresses. */
    has_file("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
    has_file("/dev/vfio/noiommu-7", "");
    expect(ADDRESS, HOST_FAULT_NONE, "", "");
    expect_with(small, ADDRESS, HOST_FAULT_NEEDS_HUGEPAGES,
                "card " ADDRESS " needs physical addresses (driver vfio-pci, without IOMMU), and "
                "only hugepages have them",
                "set [port] hugepages = true, and reserve some: sysctl vm.nr_hugepages=100");
}

static void test_host_card_behind_uio(void **state)
{
    (void)state;
    has_link(DEVICE "/driver", "../../../bus/pci/drivers/uio_pci_generic");
    has_file(DEVICE "/uio/uio0/name", "");
    has_file("/dev/uio0", "");
    expect(ADDRESS, HOST_FAULT_UIO_TRANSLATED,
           "card " ADDRESS " is bound to uio_pci_generic behind an IOMMU that translates addresses "
           "(DMA-FQ): it would receive nothing",
           "echo vfio-pci > ");
    has_file("/sys/kernel/iommu_groups/7/type", "identity\n");
    expect(ADDRESS, HOST_FAULT_NONE, "", "");
    expect_with(small, ADDRESS, HOST_FAULT_NEEDS_HUGEPAGES,
                "card " ADDRESS " needs physical addresses (driver uio_pci_generic), and only "
                "hugepages have them",
                "hugepages = true");
    has_file("/proc/self/status", "CapEff:\t0000000000000000\n");
    expect(ADDRESS, HOST_FAULT_NO_PERMISSION,
           "card " ADDRESS " needs physical addresses, which only root may look up",
           "start polluxd as root");
}

static void test_host_card_that_cannot_be_opened(void **state)
{
    (void)state;
    struct host_card card;
    struct host_memory memory;
    char told[HOST_TEXT_BYTES];
    lacks("/dev/vfio/7");
    expect(ADDRESS, HOST_FAULT_NO_PERMISSION,
           "card " ADDRESS ": cannot open /dev/vfio/7: No such file or directory",
           "in a container");
    host_card_look(root, ADDRESS, &card);
    host_memory_look(root, &memory);
    card.file_errno = EACCES;
    assert_int_equal(host_fault_find(&card, &memory, &huge), HOST_FAULT_NO_PERMISSION);
    card.file_errno = EBUSY;
    assert_int_equal(host_fault_find(&card, &memory, &huge), HOST_FAULT_IN_USE);
    host_fault_tell(HOST_FAULT_IN_USE, &card, &memory, &huge, told);
    assert_string_equal(told, "card " ADDRESS " is in use: another process has /dev/vfio/7");
    has_file("/dev/vfio/7", "");
    has_link("/sys/kernel/iommu_groups/7/devices/0000:00:1c.0", "../x");
    has_link("/sys/bus/pci/devices/0000:00:1c.0/driver", "../pcieport");
    expect(ADDRESS, HOST_FAULT_NONE, "", "");
    has_link("/sys/kernel/iommu_groups/7/devices/0000:03:00.1", "../x");
    expect(ADDRESS, HOST_FAULT_NONE, "", "");
    has_link("/sys/bus/pci/devices/0000:03:00.1/driver", "../e1000e");
    expect(ADDRESS, HOST_FAULT_GROUP_SHARED,
           "card " ADDRESS " shares the IOMMU group 7 with the device 0000:03:00.1, which the "
           "kernel uses: vfio gives a group away as a whole",
           "echo 0000:03:00.1 > /sys/bus/pci/devices/0000:03:00.1/driver/unbind");
}

static void test_host_card_whose_memory_is_short(void **state)
{
    (void)state;
    has_file("/proc/self/status", "CapEff:\t0000000000000000\n");
    has_file("/proc/self/limits", "Max locked memory         8388608      8388608  bytes\n");
    expect(ADDRESS, HOST_FAULT_MEMLOCK,
           "this process may pin 8192KiB of memory (memlock), and the card's buffers take 65536KiB",
           "LimitMEMLOCK=infinity");
    has_file("/proc/self/status", "CapEff:\t0000000000004000\n");
    expect(ADDRESS, HOST_FAULT_NONE, "", "");
    has_file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "31\n");
    expect(ADDRESS, HOST_FAULT_HUGEPAGES_FEW,
           "[port] hugepages = true takes 64MiB, and 62MiB of 200MiB reserved are free",
           "sysctl vm.nr_hugepages=101");
    expect_with(small, ADDRESS, HOST_FAULT_NONE, "", "");
    has_file("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
    has_file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "0\n");
    expect(ADDRESS, HOST_FAULT_HUGEPAGES_NONE,
           "[port] hugepages = true, and no hugepages are reserved", "sysctl vm.nr_hugepages=32");
}

/* A virtual port has no card: only its hugepages can be at fault. */
static void test_host_fault_of_a_virtual_port(void **state)
{
    (void)state;
    struct host_memory memory;
    host_memory_look(root, &memory);
    assert_int_equal(host_fault_find(NULL, &memory, &huge), HOST_FAULT_NONE);
    memory.huge_free_bytes = 0;
    assert_int_equal(host_fault_find(NULL, &memory, &small), HOST_FAULT_NONE);
    assert_int_equal(host_fault_find(NULL, &memory, &huge), HOST_FAULT_HUGEPAGES_FEW);
}

/* No fault leaves an operator without words. */
static void test_host_fault_has_words(void **state)
{
    (void)state;
    struct finding found = {.need = huge};
    host_card_look(root, ADDRESS, &found.card);
    host_memory_look(root, &found.memory);
    for (int fault = HOST_FAULT_NONE + 1; fault < HOST_FAULT_COUNT; fault++) {
        enum host_fault each = (enum host_fault)fault;
        host_fault_tell(each, &found.card, &found.memory, &found.need, found.told);
        host_fault_mend(each, &found.card, &found.memory, &found.need, found.mended);
        assert_true(strlen(found.told) > 20 && strlen(found.told) < HOST_TEXT_BYTES - 1);
        assert_true(strlen(found.mended) > 20 && strlen(found.mended) < HOST_TEXT_BYTES - 1);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, machine_make, machine_remove)
    static const struct CMUnitTest tests[] = {
        TEST(test_host_card_that_can_be_used),      TEST(test_host_card_of_another_name),
        TEST(test_host_card_of_virtio_by_name),     TEST(test_host_card_without_its_driver),
        TEST(test_host_card_without_iommu),         TEST(test_host_card_behind_uio),
        TEST(test_host_card_that_cannot_be_opened), TEST(test_host_card_whose_memory_is_short),
        TEST(test_host_fault_of_a_virtual_port),    TEST(test_host_fault_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
