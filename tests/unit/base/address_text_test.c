/* The words for an address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/address.h"
#include "base/address_text.h"

static void test_address_ip_text_writes_ipv4_as_ipv4(void **state)
{
    (void)state;
    char text[ADDRESS_IP_TEXT_BYTES];
    struct address address = address_of_ipv4((uint8_t[]){10, 77, 0, 1}, 7400);
    assert_string_equal(address_ip_text(address.ip, text), "10.77.0.1");
}

static void test_address_ip_text_has_room_for_the_longest(void **state)
{
    (void)state;
    char text[ADDRESS_IP_TEXT_BYTES];
    uint8_t ip[16] = {0xfd, [15] = 2};
    assert_string_equal(address_ip_text(ip, text), "fd00::2");
    memset(ip, 0xab, sizeof(ip));
    assert_string_equal(address_ip_text(ip, text), "abab:abab:abab:abab:abab:abab:abab:abab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_ip_text_writes_ipv4_as_ipv4),
        cmocka_unit_test(test_address_ip_text_has_room_for_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
