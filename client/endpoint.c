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

static struct candidate candidate_of(const struct sockaddr *name, uint16_t port)
{
    struct candidate candidate = {.scope = 0};
    if (name->sa_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, name, sizeof(ipv4));
        candidate.address = address_of_ipv4((const uint8_t *)&ipv4.sin_addr.s_addr, port);
        return candidate;
    }
    struct sockaddr_in6 ipv6;
    memcpy(&ipv6, name, sizeof(ipv6));
    memcpy(candidate.address.ip, &ipv6.sin6_addr, sizeof(candidate.address.ip));
    candidate.address.port = port;
    candidate.scope = ipv6.sin6_scope_id;
    return candidate;
}

/* Splits a copy of the name. */
static bool name_split(const char *name, char copy[ENDPOINT_NAME_SIZE], char **ret_host,
                       uint16_t *ret_port)
{
    char *port_text;
    memcpy(copy, name, strlen(name) + 1);
    return endpoint_split(copy, ret_host, &port_text) && port_parse(port_text, ret_port);
}

uint32_t endpoint_resolve(const char *name, struct candidate ret_found[CANDIDATES_MAX],
                          const char **ret_why)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *all;
    char copy[ENDPOINT_NAME_SIZE];
    char *host;
    uint16_t port;
    uint32_t count = 0;
    CHECK(name_split(name, copy, &host, &port));
    int error = getaddrinfo(host, NULL, &hints, &all);
    *ret_why = error == 0 ? "it has no address" : gai_strerror(error);
    if (error != 0)
        return 0;
    for (const struct addrinfo *at = all; at != NULL && count < CANDIDATES_MAX; at = at->ai_next) {
        if (at->ai_family == AF_INET || at->ai_family == AF_INET6)
            ret_found[count++] = candidate_of(at->ai_addr, port);
    }
    freeaddrinfo(all);
    return count;
}

/* Whether it is a name that somebody may give another address. */
static bool is_numeric(const char *name)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found;
    char copy[ENDPOINT_NAME_SIZE];
    char *host;
    uint16_t port;
    CHECK(name_split(name, copy, &host, &port));
    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return false;
    freeaddrinfo(found);
    return true;
}

static void endpoint_use(struct endpoint *endpoint, const struct candidate *candidate)
{
    endpoint->address = candidate->address;
    endpoint->scope = candidate->scope;
}

static bool is_candidate(const struct endpoint *endpoint, const struct address *address)
{
    for (uint32_t i = 0; i < endpoint->candidate_count; i++) {
        if (address_is_equal(&endpoint->candidates[i].address, address))
            return true;
    }
    return false;
}

void endpoint_found(struct plx_client *client, uint32_t at, const struct candidate *found,
                    uint32_t count)
{
    struct endpoint *endpoint = &client->endpoints[at];
    if (count == 0)
        return;
    memcpy(endpoint->candidates, found, count * sizeof(*found));
    endpoint->candidate_count = count;
    if (!is_candidate(endpoint, &endpoint->address)) {
        endpoint->is_confirmed = false;
        endpoint_use(endpoint, &found[0]);
    }
}

void endpoint_heard(struct plx_client *client, uint32_t at, const struct address *from,
                    uint16_t shard)
{
    struct endpoint *endpoint = &client->endpoints[at];
    struct address address = *from;
    address.port = (uint16_t)(address.port - shard);
    for (uint32_t i = 0; i < endpoint->candidate_count && !endpoint->is_confirmed; i++) {
        if (!address_is_equal(&endpoint->candidates[i].address, &address))
            continue;
        endpoint_use(endpoint, &endpoint->candidates[i]);
        endpoint->is_confirmed = true;
    }
}

void endpoint_missed(struct plx_client *client, uint32_t at, uint32_t misses)
{
    if (misses >= UNCONFIRMED_MISSES)
        client->endpoints[at].is_confirmed = false;
}

uint32_t endpoint_ways(const struct endpoint *endpoint)
{
    if (endpoint->is_confirmed || endpoint->candidate_count <= 1)
        return endpoint->address.port != 0;
    return endpoint->candidate_count;
}

struct candidate endpoint_way(const struct plx_client *client, uint32_t at, uint32_t way)
{
    const struct endpoint *endpoint = &client->endpoints[at];
    if (way > 0 && way <= endpoint->candidate_count)
        return endpoint->candidates[way - 1];
    return (struct candidate){endpoint->address, endpoint->scope};
}

/* The text of an endpoint, and where it leads now. */
static enum plx_outcome endpoint_parse(struct endpoint *endpoint, struct span text,
                                       char *ret_reason, size_t reason_size)
{
    char copy[ENDPOINT_NAME_SIZE];
    char *host;
    uint16_t port;
    int shown = (int)(text.size_bytes < ENDPOINT_NAME_SIZE ? text.size_bytes : ENDPOINT_NAME_SIZE);
    bool is_good = text.size_bytes > 0 && text.size_bytes < sizeof(copy);
    if (is_good) {
        memcpy(endpoint->name, text.data, text.size_bytes);
        endpoint->name[text.size_bytes] = '\0';
        is_good = name_split(endpoint->name, copy, &host, &port);
    }
    if (!is_good) {
        reason_write(ret_reason, reason_size, "endpoints: '%.*s' is not HOST:PORT", shown,
                     (const char *)text.data);
        return PLX_E_ARGUMENT;
    }
    const char *why;
    endpoint->is_name = !is_numeric(endpoint->name);
    endpoint->candidate_count = endpoint_resolve(endpoint->name, endpoint->candidates, &why);
    endpoint->lookup_due_ns = clock_monotonic_ns() + LOOKUP_AGAIN_NS;
    if (endpoint->candidate_count > 0)
        endpoint_use(endpoint, &endpoint->candidates[0]);
    else
        reason_write(ret_reason, reason_size, "endpoints: cannot resolve '%s': %s", endpoint->name,
                     why);
    return PLX_OK;
}

/* One that leads nowhere now may lead somewhere later; where none does, that is no cluster. */
static bool leads_somewhere(const struct plx_client *client)
{
    for (uint32_t i = 0; i < client->endpoint_count; i++) {
        if (client->endpoints[i].candidate_count > 0)
            return true;
    }
    return false;
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
    if (!leads_somewhere(client))
        return PLX_E_ARGUMENT;
    reason_write(ret_reason, reason_size, "%s", "");
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
    struct address address = *from;
    address.port = (uint16_t)(address.port - shard);
    for (uint32_t i = 0; i < client->reach_count; i++) {
        if (address_is_equal(&client->endpoints[i].address, &address))
            return (int32_t)i;
    }
    for (uint32_t i = 0; i < client->endpoint_count; i++) {
        if (is_candidate(&client->endpoints[i], &address))
            return (int32_t)i;
    }
    return -1;
}
