/*
 * Requests that come too late, for tests/cluster/sessions. The library sends none, but a network
 * may deliver one, so this speaks to the nodes itself. First a swap that comes after its fence.
 * Then a retry under a session that has expired: a swap that creates a key is executed and
 * answered; another client deletes the key and writes on until the session is gone; the same swap
 * comes again, at every node. Executed then, either would create a key.
 *
 * usage: late SERVERS CLUSTER
 */
#include "client/include/pollux.h"
#include "client/include/pollux_cluster.h"
#include "wire/wire.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct wire_keys keys = {.is_sealed = false};

#define KEY        "late/key"
#define FENCED_KEY "late/fenced"
#define TRIES_MAX  200
#define REPLY_MS   100
#define WRITES_MAX 200000
#define LIFE_S     21 /* a little more than session_ttl in tests/cluster/sessions */

static struct plx_client *client;
static uint64_t cluster_id;
static int fd;
static uint64_t number; /* of the last packet sent */

/* One op under the session, as one packet to the node. */
static void send_op(size_t endpoint, uint64_t incarnation, uint64_t session,
                    const struct wire_op *op)
{
    uint8_t inner[256];
    uint8_t body[512];
    uint8_t packet[PACKET_SIZE_BYTES_USUAL];
    struct wire_writer request = {.data = inner, .capacity_bytes = sizeof(inner)};
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    wire_request_begin(&request, session, 0);
    wire_request_add(&request, op);
    const struct wire_write write = {.packet_number = ++number,
                                     .incarnation = incarnation,
                                     .request = span_of(inner, request.size_bytes)};
    wire_write_encode(&writer, &write);
    const struct wire_message_header header = {.type = WIRE_WRITE,
                                               .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_USUAL,
                                               .cluster_id = cluster_id,
                                               .message_id = number};
    uint32_t size = wire_piece_encode(packet, &keys, &header, span_of(body, writer.size_bytes), 0);
    const char *port = strrchr(plx_endpoint_name(client, endpoint), ':') + 1;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    (void)sendto(fd, packet, size, 0, (struct sockaddr *)&to, sizeof(to));
}

/* The answer to the packet sent last; false: none in time, or a refusal. */
static bool receive_outcome(struct wire_reply_op *ret_op)
{
    uint8_t bytes[PACKET_SIZE_BYTES_USUAL + 1];
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    while (poll(&readable, 1, REPLY_MS) > 0) {
        struct wire_packet packet;
        struct wire_reply reply;
        size_t cursor = 0;
        ssize_t size = recv(fd, bytes, sizeof(bytes), 0);
        if (size < 0 ||
            wire_packet_decode(span_of(bytes, (size_t)size), &keys, cluster_id, &packet) != OK ||
            packet.header.type != WIRE_WRITE_REPLY ||
            wire_reply_decode(packet.payload, &reply) != OK || reply.number != number)
            continue;
        return reply.status == WIRE_STATUS_OK && reply.op_count == 1 &&
               wire_reply_op_decode(reply.ops, &cursor, ret_op) == OK;
    }
    return false;
}

/* Sends until the node answers; the outcome, or 0. */
static uint8_t ask_node(size_t endpoint, uint64_t session, const struct wire_op *op,
                        uint64_t *ret_version)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        static struct plx_node node;
        struct wire_reply_op reply;
        if (plx_ping(client, endpoint, 0, 0, &node) != PLX_OK)
            continue;
        send_op(endpoint, node.incarnation, session, op);
        if (receive_outcome(&reply)) {
            *ret_version = reply.version;
            return reply.outcome;
        }
    }
    return 0;
}

static size_t find_leader(struct plx_node *node)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        size_t endpoint = (size_t)i % plx_endpoint_count(client);
        if (plx_status(client, endpoint, 0, 0, node) == PLX_OK && node->has_fresh_quorum)
            return endpoint;
    }
    return 0;
}

static uint64_t count_expired(void)
{
    static struct plx_node node;
    (void)find_leader(&node);
    for (uint32_t i = 0; i < node.counter_count; i++) {
        if (strcmp(node.counters[i].name, "engine_sessions_expired") == 0)
            return node.counters[i].value;
    }
    return 0;
}

/* Writes, which moves the time of the log, until a session that is in use has expired. One with
 * nothing open ends sooner, and says nothing of this one. */
static bool await_expiry(void)
{
    const struct plx_call call = {.is_blocking = true};
    uint64_t before = count_expired();
    time_t until = time(NULL) + LIFE_S;
    for (int i = 0; i < WRITES_MAX; i++) {
        if (plx_set(client, plx_text("late/other"), plx_text("x"), &call).outcome != PLX_OK)
            return false;
        if (i % 100 == 0 && time(NULL) > until && count_expired() > before)
            return true;
    }
    return false;
}

/* The retry at every node, until each says that the session is gone. */
static bool is_gone_everywhere(uint64_t session, const struct wire_op *swap)
{
    uint64_t version;
    for (size_t endpoint = 0; endpoint < plx_endpoint_count(client); endpoint++) {
        uint8_t outcome = 0;
        /* A node that has not applied as much yet tells the outcome that it remembers. */
        for (int i = 0; i < TRIES_MAX && outcome != WIRE_OUTCOME_NO_SESSION; i++)
            outcome = ask_node(endpoint, session, swap, &version);
        if (outcome != WIRE_OUTCOME_NO_SESSION)
            return false;
    }
    return true;
}

static struct wire_op creation(const char *key, uint64_t seq)
{
    return (struct wire_op){.type = WIRE_OP_SWAP,
                            .has_value = true,
                            .seq = seq,
                            .key = span_of(key, strlen(key)),
                            .value = span_of("1", 1)};
}

static enum plx_outcome get(const char *key)
{
    return plx_get(client, plx_text(key), &(struct plx_call){.is_blocking = true}).outcome;
}

/* A swap behind its own fence: each time it is told that it never happens. */
static bool is_barred(size_t leader, uint64_t session)
{
    const struct wire_op fence = {.type = WIRE_OP_FENCE, .seq = 2};
    const struct wire_op swap = creation(FENCED_KEY, 2);
    uint64_t version;
    uint8_t fenced = ask_node(leader, session, &fence, &version);
    uint8_t first = ask_node(leader, session, &swap, &version);
    uint8_t second = ask_node(leader, session, &swap, &version);
    enum plx_outcome found = get(FENCED_KEY);
    printf("fence=%s late=%s,%s found=%s\n", wire_outcome_name(fenced), wire_outcome_name(first),
           wire_outcome_name(second), plx_outcome_name(found));
    return fenced == WIRE_OUTCOME_FENCED && first == WIRE_OUTCOME_FENCED &&
           second == WIRE_OUTCOME_FENCED && found == PLX_NOT_FOUND;
}

static bool is_never_repeated(size_t leader, uint64_t session)
{
    const struct plx_call call = {.is_blocking = true};
    const struct wire_op swap = creation(KEY, 1);
    uint64_t version;
    uint8_t first = ask_node(leader, session, &swap, &version);
    enum plx_outcome deleted =
        plx_swap(client, plx_text(KEY), PLX_ABSENT, plx_text("1"), &call).outcome;
    uint8_t again = ask_node(leader, session, &swap, &version);
    bool has_expired = await_expiry() && is_gone_everywhere(session, &swap);
    enum plx_outcome found = get(KEY);
    struct plx_cluster cluster;
    plx_cluster(client, &cluster);
    const struct plx_token token = {.cluster_id = cluster_id,
                                    .session = session,
                                    .seq = 1,
                                    .era = cluster.era,
                                    .cluster = cluster.number};
    enum plx_outcome resolved = plx_resolve(client, &token, &call).outcome;
    printf("first=%s deleted=%s retry=%s expired=%d found=%s resolved=%s\n",
           wire_outcome_name(first), plx_outcome_name(deleted), wire_outcome_name(again),
           has_expired, plx_outcome_name(found), plx_outcome_name(resolved));
    return first == WIRE_OUTCOME_OK && deleted == PLX_OK && again == WIRE_OUTCOME_OK &&
           has_expired && found == PLX_NOT_FOUND && resolved == PLX_E_SESSION_EXPIRED;
}

static int run(void)
{
    static struct plx_node node;
    const struct wire_op enter = {.type = WIRE_OP_REGISTER, .seq = 4711};
    uint64_t session = 0;
    size_t leader = find_leader(&node);
    if (ask_node(leader, 0, &enter, &session) != WIRE_OUTCOME_OK)
        return EXIT_FAILURE;
    bool is_good = is_barred(leader, session);
    return is_never_repeated(leader, session) && is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct plx_options options;
    char reason[256];
    if (argc != 3)
        return EXIT_FAILURE;
    plx_options_init(&options);
    options.endpoints = argv[1];
    options.cluster = argv[2];
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || plx_open(&options, &client, reason, sizeof(reason)) != PLX_OK) {
        fprintf(stderr, "late: %s\n", fd < 0 ? "no socket" : reason);
        return EXIT_FAILURE;
    }
    cluster_id = wire_cluster_id(argv[2]);
    int status = run();
    plx_close(client);
    close(fd);
    return status;
}
