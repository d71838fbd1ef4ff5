/* Where a node may start without authentication. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/exposure.h"

#include <stdio.h>
#include <string.h>

static void test_exposure_knows_what_is_of_this_host(void **state)
{
    (void)state;
    static const char *const local[] = {"net_memif0,role=client,id=0,socket=/run/1.sock",
                                        "net_memif",
                                        "net_ring0",
                                        "net_null0,size=64",
                                        "net_af_packet0,iface=lo",
                                        "net_af_packet1,iface=lo,qpairs=2",
                                        "net_af_xdp0,start_queue=0,iface=lo"};
    static const char *const other[] = {"0000:03:00.0",
                                        "net_tap0",
                                        "net_af_packet0,iface=eth0",
                                        "net_af_packet0,iface=lo0",
                                        "net_af_packet0,xiface=lo",
                                        "net_af_packet0",
                                        "net_memifx0",
                                        "net_memif_bridge0,peer=eth0",
                                        "net_ring0x",
                                        "net_tap0,iface=lo",
                                        "eth_net_memif0",
                                        ""};
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
        assert_true(exposure_is_local(local[i]));
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        assert_false(exposure_is_local(other[i]));
}

static struct config config_of(const char *device, enum security_mode mode,
                               enum security_mode clients)
{
    struct config config = {.security_mode = mode, .clients_mode = clients};
    snprintf(config.device, sizeof(config.device), "%s", device);
    return config;
}

/* Refused, and the reason has these words. */
static void refuses(const struct config *config, const char *first, const char *second)
{
    char reason[512] = "";
    assert_int_equal(exposure_check(config, reason, sizeof(reason)), ERR_PERMISSION);
    assert_non_null(strstr(reason, first));
    assert_non_null(strstr(reason, second));
    assert_non_null(strstr(reason, config->device));
    assert_non_null(strstr(reason, "open_port = true"));
}

static void allows(const struct config *config)
{
    char reason[512] = "untouched";
    assert_int_equal(exposure_check(config, reason, sizeof(reason)), OK);
    assert_string_equal(reason, "untouched");
}

static void test_exposure_without_keys_is_for_this_host(void **state)
{
    (void)state;
    struct config config = config_of("net_memif0,id=0", SECURITY_NONE, SECURITY_NONE);
    allows(&config);
    config = config_of("net_tap0", SECURITY_NONE, SECURITY_NONE);
    refuses(&config, "[security] mode is not set", "mode = required");
    config.is_mode_written = true;
    refuses(&config, "[security] mode = none", "mode = required");
}

static void test_exposure_is_refused_for_clients_too(void **state)
{
    (void)state;
    struct config config = config_of("0000:03:00.0", SECURITY_REQUIRED, SECURITY_NONE);
    refuses(&config, "[security] clients is not set", "clients = required");
    config.is_clients_written = true;
    refuses(&config, "[security] clients = none", "clients = required");
    config.clients_mode = SECURITY_ACCEPT;
    allows(&config);
    config.clients_mode = SECURITY_REQUIRED;
    allows(&config);
    config.security_mode = SECURITY_NONE;
    refuses(&config, "[security] mode is not set", "mode = required");
}

/* Forced, but only in so many words: the setting alone may have been there for the other one. */
static void test_exposure_is_written_out(void **state)
{
    (void)state;
    struct config config = config_of("net_tap0", SECURITY_NONE, SECURITY_NONE);
    config.is_open_port = true;
    refuses(&config, "mode is not set", "mode = none");
    config.is_mode_written = true;
    refuses(&config, "clients is not set", "clients = none");
    config.is_clients_written = true;
    allows(&config);
    config.is_open_port = false;
    refuses(&config, "mode = none", "mode = none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exposure_knows_what_is_of_this_host),
        cmocka_unit_test(test_exposure_without_keys_is_for_this_host),
        cmocka_unit_test(test_exposure_is_refused_for_clients_too),
        cmocka_unit_test(test_exposure_is_written_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
