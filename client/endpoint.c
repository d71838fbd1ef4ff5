/* Endpoints: read from the options, and told apart by the addresses that packets come from. */
#include "client/client_internal.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* Splits "host:port" or "[host]:port" in place; false when it is neither. */
static bool endpoint_split(char *text, char **ret_host, char **ret_port)
{
    char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || colon[1] == '\0')
        return false;
    char *host = text;
    if (text[0] == '[') {
        if (colon[-1] != ']')
            return false;
        host = text + 1;
        colon[-1] = '\0';
    }
    *colon = '\0';
    *ret_host = host;
    *ret_port = colon + 1;
    return host[0] != '\0';
}

static bool port_parse(const char *text, uint16_t *ret_port)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || port == 0 || port > UINT16_MAX)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

static bool host_resolve(const char *host, uint16_t port, struct address *ret_address,
                         const char **ret_reason)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found;
    int error = getaddrinfo(host, NULL, &hints, &found);
    if (error != 0) {
        *ret_reason = gai_strerror(error);
        return false;
    }
    if (found->ai_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, found->ai_addr, sizeof(ipv4));
        *ret_address = address_of_ipv4((const uint8_t *)&ipv4.sin_addr.s_addr, port);
    } else {
        struct sockaddr_in6 ipv6;
        memcpy(&ipv6, found->ai_addr, sizeof(ipv6));
        memcpy(ret_address->ip, &ipv6.sin6_addr, sizeof(ret_address->ip));
        ret_address->port = port;
    }
    freeaddrinfo(found);
    return true;
}

static enum plx_outcome endpoint_parse(struct endpoint *endpoint, struct span text,
                                       char *ret_reason, size_t reason_size)
{
    char copy[ENDPOINT_NAME_SIZE];
    int shown = (int)(text.size_bytes < ENDPOINT_NAME_SIZE ? text.size_bytes : ENDPOINT_NAME_SIZE);
    if (text.size_bytes == 0 || text.size_bytes >= sizeof(copy)) {
        reason_write(ret_reason, reason_size, "endpoints: '%.*s' is not HOST:PORT", shown,
                     (const char *)text.data);
        return PLX_E_ARGUMENT;
    }
    memcpy(copy, text.data, text.size_bytes);
    copy[text.size_bytes] = '\0';
    memcpy(endpoint->name, copy, text.size_bytes + 1);
    char *host;
    char *port_text;
    uint16_t port;
    if (!endpoint_split(copy, &host, &port_text) || !port_parse(port_text, &port)) {
        reason_write(ret_reason, reason_size, "endpoints: '%s' is not HOST:PORT", endpoint->name);
        return PLX_E_ARGUMENT;
    }
    const char *why = "";
    if (!host_resolve(host, port, &endpoint->address, &why)) {
        reason_write(ret_reason, reason_size, "endpoints: cannot resolve '%s': %s", host, why);
        return PLX_E_ARGUMENT;
    }
    return PLX_OK;
}

enum plx_outcome endpoints_parse(struct plx_client *client, const char *text, char *ret_reason,
                                 size_t reason_size)
{
    if (text == NULL || text[0] == '\0') {
        reason_write(ret_reason, reason_size, "endpoints: none given");
        return PLX_E_ARGUMENT;
    }
    for (const char *at = text; at != NULL;) {
        if (client->endpoint_count == PLX_ENDPOINTS_MAX) {
            reason_write(ret_reason, reason_size, "endpoints: more than %d", PLX_ENDPOINTS_MAX);
            return PLX_E_ARGUMENT;
        }
        const char *comma = strchr(at, ',');
        struct span part = span_of(at, comma == NULL ? strlen(at) : (size_t)(comma - at));
        enum plx_outcome outcome = endpoint_parse(&client->endpoints[client->endpoint_count], part,
                                                  ret_reason, reason_size);
        if (outcome != PLX_OK)
            return outcome;
        client->endpoint_count++;
        at = comma == NULL ? NULL : comma + 1;
    }
    client->reach_count = client->endpoint_count;
    return PLX_OK;
}

struct address endpoint_address(const struct plx_client *client, uint32_t endpoint, uint16_t shard)
{
    struct address address = client->endpoints[endpoint].address;
    address.port = (uint16_t)(address.port + shard);
    return address;
}

int32_t endpoint_find(const struct plx_client *client, const struct address *from, uint16_t shard)
{
    for (uint32_t i = 0; i < client->reach_count; i++) {
        struct address address = endpoint_address(client, i, shard);
        if (address_is_equal(&address, from))
            return (int32_t)i;
    }
    return -1;
}
