/* See address_text.h. */
#include "base/address_text.h"

#include "base/address.h"

#include <arpa/inet.h>
#include <assert.h>

static_assert(ADDRESS_IP_TEXT_BYTES >= INET6_ADDRSTRLEN, "the longest text of inet_ntop fits");

const char *address_ip_text(const uint8_t ip[16], char ret_text[ADDRESS_IP_TEXT_BYTES])
{
    struct address address = {.port = 0};
    memcpy(address.ip, ip, sizeof(address.ip));
    bool is_ipv4 = address_is_ipv4(&address);
    /* It fails only for a family that there is not, or for lack of room. */
    (void)inet_ntop(is_ipv4 ? AF_INET : AF_INET6, ip + (is_ipv4 ? 12 : 0), ret_text,
                    ADDRESS_IP_TEXT_BYTES);
    return ret_text;
}
