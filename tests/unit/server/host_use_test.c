/* What the kernel uses a card for, by its tables of interfaces, routes and connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/host_use.h"
#include "tests/unit/server/fake_host.h"

#include <string.h>

#define CARD FAKE_PCI FAKE_CARD
#define HEAD "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
#define TCP  "  sl  local_address rem_address   st tx_queue rx_queue\n"

static void expect(const struct fake_host *fake, enum host_use_kind kind)
{
    struct host_use use;
    host_use_look(&fake->host, FAKE_CARD, &use);
    assert_int_equal(use.kind, kind);
    assert_int_equal(host_use_is_needed(&use),
                     kind == HOST_USE_SESSION || kind == HOST_USE_DEFAULT);
}

/* 192.0.2.0/24 is the card's network; the way out of here is eth0. */
static void make_address(const struct fake_host *fake)
{
    fake_host_put(fake, CARD "/net/eth1/mtu", "1500\n");
    fake_host_put(fake, "/proc/net/route",
                  HEAD "eth0\t00000000\t010A0A0A\t0003\t0\t0\t0\t00000000\n"
                       "eth1\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n");
}

static void test_host_use_of_a_card_without_interface(void **state)
{
    expect(*state, HOST_USE_UNSEEN);
}

static void test_host_use_of_a_card_without_address(void **state)
{
    struct fake_host *fake = *state;
    fake_host_put(fake, CARD "/net/eth1/mtu", "1500\n");
    expect(fake, HOST_USE_SOME); /* the routes cannot be read */
    fake_host_put(fake, "/proc/net/route", HEAD);
    expect(fake, HOST_USE_NONE);
}

/* A login from 192.0.2.9 goes through the card, one from 198.51.100.7 through eth0. */
static void test_host_use_for_a_session(void **state)
{
    struct fake_host *fake = *state;
    struct host_use use;
    make_address(fake);
    expect(fake, HOST_USE_SOME);
    fake_host_put(fake, "/proc/net/tcp", TCP "   0: 010200C0:0016 076433C6:D431 01 0:0 00:0 0\n");
    expect(fake, HOST_USE_SOME);
    fake_host_put(fake, "/proc/net/tcp", TCP "   0: 010200C0:0016 090200C0:D431 0A 0:0 00:0 0\n");
    expect(fake, HOST_USE_SOME); /* it is not open */
    fake_host_put(fake, "/proc/net/tcp",
                  TCP "   0: 010200C0:0016 076433C6:D431 01 0:0 00:0 0\n"
                      "   1: 010200C0:0016 090200C0:D431 01 0:0 00:0 0\n");
    expect(fake, HOST_USE_SESSION);
    host_use_look(&fake->host, FAKE_CARD, &use);
    assert_string_equal(use.peer, "192.0.2.9");
    assert_string_equal(use.interface, "eth1");
}

/* As IPv4 of a socket for both, and as IPv6. */
static void test_host_use_for_a_session_of_ipv6(void **state)
{
    struct fake_host *fake = *state;
    struct host_use use;
    make_address(fake);
    fake_host_put(fake, "/proc/net/tcp6",
                  TCP "   0: 0000000000000000FFFF0000010200C0:0016 "
                      "0000000000000000FFFF0000090200C0:D431 01 0:0 00:0 0\n");
    expect(fake, HOST_USE_SESSION);
    fake_host_put(fake, "/proc/net/tcp6",
                  TCP "   0: 000000FD000000000000000001000000:0016 "
                      "000000FD000000000000000009000000:D431 01 0:0 00:0 0\n");
    expect(fake, HOST_USE_SOME);
    fake_host_put(
        fake, "/proc/net/ipv6_route",
        "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 "
        "00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth1\n");
    expect(fake, HOST_USE_SESSION);
    host_use_look(&fake->host, FAKE_CARD, &use);
    assert_string_equal(use.peer, "fd00::9");
    fake_host_put(
        fake, "/proc/net/ipv6_route",
        "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
        "fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth1\n");
    expect(fake, HOST_USE_DEFAULT);
}

/* The address, and the default route, lie on a VLAN of a bond that has the card. */
static void test_host_use_by_an_interface_above(void **state)
{
    struct fake_host *fake = *state;
    fake_host_put(fake, CARD "/net/eth1/mtu", "1500\n");
    fake_host_put(fake, "/proc/net/route", HEAD "bond0.7\t00000000\t010A0A0A\t0003\n");
    expect(fake, HOST_USE_NONE);
    fake_host_link(fake, "/sys/class/net/eth1/master", "../bond0");
    expect(fake, HOST_USE_SOME);
    fake_host_link(fake, "/sys/class/net/bond0/upper_bond0.7", "../bond0.7");
    expect(fake, HOST_USE_DEFAULT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_host_make, fake_host_remove)
    const struct CMUnitTest tests[] = {
        TEST(test_host_use_of_a_card_without_interface),
        TEST(test_host_use_of_a_card_without_address),
        TEST(test_host_use_for_a_session),
        TEST(test_host_use_for_a_session_of_ipv6),
        TEST(test_host_use_by_an_interface_above),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
