/*
 * Endpoints: which node answers where, since when, and which of them leads. A write is transmitted
 * only to a node that said recently that it leads with a fresh quorum; so a call that meets no
 * leader has transmitted nothing, and its timeout is definite without asking anybody.
 *
 * Looking for a leader: the last one known is greeted first, then all, at growing intervals.
 */
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
    return PLX_OK;
}

int32_t leader_endpoint(const struct plx_client *client)
{
    int32_t best = -1;
    for (uint32_t i = 0; i < client->endpoint_count; i++) {
        const struct endpoint *endpoint = &client->endpoints[i];
        if (endpoint->leading_ns == 0 ||
            client->now_ns - endpoint->leading_ns > client->options.leader_fresh_ns)
            continue;
        /* A deposed leader that does not know yet has a lower term. */
        if (best < 0 || endpoint->term > client->endpoints[best].term)
            best = (int32_t)i;
    }
    return best;
}

void leader_wanted(struct plx_client *client)
{
    if (client->needs_leader)
        return;
    client->needs_leader = true;
    client->hello_due_ns = client->now_ns;
    client->hello_interval_ns = HELLO_FIRST_NS;
    client->hello_rounds = 0;
}

void leader_confirmed(struct plx_client *client, uint32_t endpoint)
{
    struct endpoint *leader = &client->endpoints[endpoint];
    leader->leading_ns = client->now_ns;
    if (leader_endpoint(client) == (int32_t)endpoint &&
        (client->last_leader != (int32_t)endpoint || client->last_leader_term < leader->term)) {
        client->last_leader = (int32_t)endpoint;
        client->last_leader_term = leader->term;
        client->statistics.leader_changes++;
        ops_redirect(client);
    }
    if (client->needs_leader) {
        client->needs_leader = false;
        op_wake_at(client, client->now_ns);
    }
}

void leader_lost(struct plx_client *client, uint32_t endpoint, uint16_t hint)
{
    client->endpoints[endpoint].leading_ns = 0;
    leader_wanted(client);
    for (uint32_t i = 0; i < client->endpoint_count && hint != 0; i++) {
        struct endpoint *other = &client->endpoints[i];
        if (other->node == hint && client->now_ns - other->greeted_ns >= HELLO_FIRST_NS)
            endpoint_greet(client, i);
    }
}

void endpoint_is_node(struct endpoint *endpoint, uint16_t node)
{
    if (endpoint->node != node)
        endpoint->journal_done_seq = 0; /* another has said so, of another journal */
    endpoint->node = node;
}

void endpoint_journal_done(struct plx_client *client, uint32_t at, uint64_t done_seq,
                           uint64_t applied_index)
{
    struct endpoint *endpoint = &client->endpoints[at];
    if (done_seq <= endpoint->journal_done_seq)
        return;
    endpoint->journal_done_seq = done_seq;
    endpoint->journal_done_index = applied_index;
    /* It was applied there by now; at which index nobody says. */
    if (pending_done(client, endpoint->node, done_seq) && client->seen_index < applied_index) {
        client->seen_index = applied_index;
        ops_bound_staleness(client);
    }
}

void endpoint_greet(struct plx_client *client, uint32_t at)
{
    struct endpoint *endpoint = &client->endpoints[at];
    uint8_t body[16];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    /* While it is unanswered the nonce stays, or a node slower than the hellos would never be
     * heard; it does not stay for long, so that an answer tells of a time not long ago. */
    if (endpoint->nonce == 0 || client->now_ns - endpoint->nonce_ns > NONCE_AGE_MAX_NS) {
        endpoint->nonce = prng_next(&client->prng) | 1;
        endpoint->nonce_ns = client->now_ns;
    }
    endpoint->greeted_ns = client->now_ns;
    wire_hello_encode(&writer, &(struct wire_hello){.nonce = endpoint->nonce});
    socket_send(client, at, WIRE_HELLO, span_of(body, writer.size_bytes));
    client->statistics.hellos++;
}

/* Whoever answers first is the home that is sought: by the turn of another, an answer that takes
 * longer than a home is waited for would always have come too early or too late. */
void endpoint_heard(struct plx_client *client, uint32_t at)
{
    client->endpoints[at].silence = 0;
    if (client->is_home_sought)
        client->home = at;
    client->is_home_sought = false;
}

void endpoint_ask(struct plx_client *client, uint16_t node)
{
    for (uint32_t i = 0; i < client->endpoint_count; i++) {
        struct endpoint *endpoint = &client->endpoints[i];
        if (endpoint->node == node && client->now_ns - endpoint->greeted_ns >= PENDING_WAIT_NS)
            endpoint_greet(client, i);
    }
}

void endpoint_hello_reply(struct plx_client *client, uint32_t at,
                          const struct wire_hello_reply *reply)
{
    struct endpoint *endpoint = &client->endpoints[at];
    /* An answer to an older hello may tell of a node that is not any more. */
    if (reply->nonce == 0 || reply->nonce != endpoint->nonce) {
        client->statistics.replies_late++;
        return;
    }
    endpoint->nonce = 0;
    endpoint_is_node(endpoint, reply->node);
    endpoint->incarnation = reply->incarnation;
    endpoint->term = reply->term;
    endpoint->heard_ns = client->now_ns;
    endpoint_heard(client, at);
    endpoint_journal_done(client, at, reply->journal_done_seq, reply->applied_index);
    if (reply->has_fresh_quorum)
        leader_confirmed(client, at);
    else
        endpoint->leading_ns = 0;
    op_wake_at(client, client->now_ns);
}

void endpoints_turn(struct plx_client *client)
{
    if (!client->needs_leader || client->now_ns < client->hello_due_ns)
        return;
    if (client->hello_rounds == 0 && client->last_leader >= 0) {
        endpoint_greet(client, (uint32_t)client->last_leader);
    } else {
        for (uint32_t i = 0; i < client->endpoint_count; i++)
            endpoint_greet(client, i);
    }
    client->hello_rounds++;
    uint64_t jitter = prng_range(&client->prng, 0, client->hello_interval_ns / 4);
    client->hello_due_ns = client->now_ns + client->hello_interval_ns + jitter;
    if (client->hello_rounds > 1 && client->hello_interval_ns < HELLO_MAX_NS)
        client->hello_interval_ns *= 2;
}
