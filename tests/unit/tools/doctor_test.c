/* What `pollux doctor --fix` runs: what is safe and nothing else; then it looks again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/server/fake_host.h"
#include "tools/doctor/doctor.h"

#include "security/key_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGES "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define CARD  FAKE_PCI FAKE_CARD

static void run(struct fake_host *fake, const char *name, bool is_mending)
{
    const struct check_task task = {.host = &fake->host, .config = &fake->config};
    fake->findings->count = 0;
    for (uint32_t i = 0; i < check_count(); i++) {
        if (strcmp(check_name(i), name) == 0)
            doctor_run(i, &task, is_mending, fake->findings);
    }
}

/* A few pages, and nothing that reserves them anew. */
static void make_pages(struct fake_host *fake)
{
    fake->config.is_hugepages = true;
    fake_host_put(fake, "/proc/meminfo", "MemAvailable: 999999 kB\nHugepagesize: 2048 kB\n");
    fake_host_put(fake, PAGES "nr_hugepages", "1\n");
    fake_host_put(fake, PAGES "free_hugepages", "32\n");
}

static void test_doctor_changes_nothing_unasked(void **state)
{
    struct fake_host *fake = *state;
    make_pages(fake);
    run(fake, "hugepages", false);
    assert_int_equal(check_findings_count(fake->findings, CHECK_WRONG), 2);
    assert_string_equal(fake_host_line(fake, PAGES "nr_hugepages"), "1");
    assert_false(host_has(&fake->host, "/etc/tmpfiles.d"));
}

static void test_doctor_mends_and_looks_again(void **state)
{
    struct fake_host *fake = *state;
    make_pages(fake);
    run(fake, "hugepages", true);
    assert_int_equal(fake->findings->count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        const struct check_finding *found = &fake->findings->list[i];
        assert_int_equal(found->state, CHECK_GOOD);
        assert_true(found->is_fixed);
        assert_non_null(strstr(found->command, "32"));
    }
    assert_string_equal(fake_host_line(fake, PAGES "nr_hugepages"), "32");
    assert_non_null(strstr(fake_host_line(fake, "/etc/tmpfiles.d/pollux-hugepages.conf"),
                           "hugepages-2048kB/nr_hugepages - - - - 32"));
}

/* It failed, or the kernel did not do what it was told. */
static void test_doctor_says_what_it_could_not_mend(void **state)
{
    struct fake_host *fake = *state;
    char path[PATH_MAX];
    make_pages(fake);
    (void)unlink(host_path(&fake->host, path, PAGES "nr_hugepages"));
    fake_host_put(fake, PAGES "nr_hugepages/in_the_way", "");
    run(fake, "hugepages", true);
    assert_int_equal(fake->findings->count, 2);
    assert_int_equal(check_findings_count(fake->findings, CHECK_WRONG), 1);
    assert_false(fake->findings->list[0].is_fixed);
    assert_true(fake->findings->list[1].is_fixed);
}

static void test_doctor_binds_a_card_that_nobody_uses(void **state)
{
    struct fake_host *fake = *state;
    fake_host_card(fake, FAKE_CARD, NULL);
    run(fake, "card", true);
    assert_string_equal(fake_host_line(fake, CARD "/driver_override"), "vfio-pci");
    assert_string_equal(fake_host_line(fake, "/sys/bus/pci/drivers_probe"), FAKE_CARD);
    assert_int_equal(fake->findings->count, 1);
    assert_int_equal(fake->findings->list[0].state, CHECK_WRONG); /* no kernel binds it here */
    assert_false(fake->findings->list[0].is_fixed);
}

/* Two things are wrong with one setting: the one is mended, and the other is told. */
static void test_doctor_tells_the_one_of_two_that_it_has_mended(void **state)
{
    struct fake_host *fake = *state;
    char path[PATH_MAX];
    char script[2 * PATH_MAX];
    fake_host_card(fake, FAKE_CARD, NULL);
    fake_host_put(fake, "/usr/sbin/driverctl", "");
    snprintf(fake->config.device, sizeof(fake->config.device), "03:00.0");
    snprintf(script, sizeof(script), "#!/bin/sh\nln -s drivers/vfio-pci %s%s/driver\n", fake->root,
             CARD);
    fake_host_put(fake, "/bin/driverctl", script);
    assert_int_equal(chmod(host_path(&fake->host, path, "/bin/driverctl"), 0700), 0);
    snprintf(script, sizeof(script), "%s/bin:%s", fake->root, getenv("PATH"));
    char *before = strdup(getenv("PATH"));
    assert_non_null(before);
    assert_int_equal(setenv("PATH", script, 1), 0);
    run(fake, "card", true);
    assert_int_equal(setenv("PATH", before, 1), 0);
    free(before);
    assert_int_equal(fake->findings->count, 2);
    assert_int_equal(fake->findings->list[0].state, CHECK_WRONG);
    assert_non_null(strstr(fake->findings->list[0].message, "not written in full"));
    assert_false(fake->findings->list[0].is_fixed);
    assert_int_equal(fake->findings->list[1].state, CHECK_GOOD);
    assert_true(fake->findings->list[1].is_fixed);
    assert_non_null(strstr(fake->findings->list[1].command, "driverctl set-override " FAKE_CARD));
}

/* The command for it may be printed; it never runs. */
static void test_doctor_leaves_a_card_that_is_used(void **state)
{
    static const char *const routes[] = {"000200C0", "00000000"};
    struct fake_host *fake = *state;
    fake_host_card(fake, FAKE_CARD, NULL);
    fake_host_put(fake, "/sys/bus/pci/drivers/e1000e/unbind", "");
    fake_host_link(fake, CARD "/driver", "../../drivers/e1000e");
    fake_host_put(fake, CARD "/net/eth1/mtu", "1500\n");
    for (size_t i = 0; i < 2; i++) {
        char route[64];
        snprintf(route, sizeof(route), "Iface\neth1\t%s\t00000000\n", routes[i]);
        fake_host_put(fake, "/proc/net/route", route);
        run(fake, "card", true);
        assert_int_equal(fake->findings->count, 1);
        assert_int_equal(fake->findings->list[0].state, CHECK_WRONG);
        assert_false(host_has(&fake->host, CARD "/driver_override"));
        assert_false(host_has(&fake->host, "/sys/bus/pci/drivers_probe"));
    }
}

static void test_doctor_leaves_the_command_line_of_the_kernel(void **state)
{
    struct fake_host *fake = *state;
    fake_host_put(fake, "/etc/default/grub", "GRUB_CMDLINE_LINUX=\"\"\n");
    fake_host_put(fake, "/sys/devices/system/cpu/online", "0-3\n");
    fake_host_card(fake, FAKE_CARD, "vfio-pci");
    fake_host_drop(fake, CARD "/iommu_group");
    fake_host_drop(fake, "/sys/class/iommu");
    run(fake, "cores", true);
    assert_non_null(strstr(fake->findings->list[0].command, "/etc/default/grub"));
    run(fake, "iommu", true);
    assert_non_null(strstr(fake->findings->list[0].command, "/etc/default/grub"));
    assert_string_equal(fake_host_line(fake, "/etc/default/grub"), "GRUB_CMDLINE_LINUX=\"\"");
}

static void test_doctor_closes_a_key_file_that_others_can_read(void **state)
{
    struct fake_host *fake = *state;
    struct stat status;
    struct key key = {.kind = KEY_OF_CLUSTER, .id = 1, .name = "test"};
    char reason[KEY_FILE_REASON_BYTES];
    fake->host.uid = geteuid();
    fake->config.security_mode = fake->config.clients_mode = SECURITY_REQUIRED;
    snprintf(fake->config.key_path, sizeof(fake->config.key_path), "%s/root.key", fake->root);
    secret_draw(key.secret.bytes, SECRET_SIZE_BYTES);
    assert_int_equal(key_file_write(fake->config.key_path, &key, reason), OK);
    assert_int_equal(chmod(fake->config.key_path, 0644), 0);
    run(fake, "security", false);
    assert_int_equal(check_findings_count(fake->findings, CHECK_WRONG), 1);
    run(fake, "security", true);
    assert_int_equal(check_findings_count(fake->findings, CHECK_WRONG), 0);
    assert_int_equal(stat(fake->config.key_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    uint32_t fixed = 0;
    for (uint32_t i = 0; i < fake->findings->count; i++)
        fixed += fake->findings->list[i].is_fixed;
    assert_int_equal(fixed, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_host_make, fake_host_remove)
    const struct CMUnitTest tests[] = {
        TEST(test_doctor_changes_nothing_unasked),
        TEST(test_doctor_mends_and_looks_again),
        TEST(test_doctor_says_what_it_could_not_mend),
        TEST(test_doctor_binds_a_card_that_nobody_uses),
        TEST(test_doctor_tells_the_one_of_two_that_it_has_mended),
        TEST(test_doctor_leaves_a_card_that_is_used),
        TEST(test_doctor_leaves_the_command_line_of_the_kernel),
        TEST(test_doctor_closes_a_key_file_that_others_can_read),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
