/* See bench/gauge_cluster.h. */
#include "bench/gauge_cluster.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UDP_PORT        7000
#define TURN_NS         UINT64_C(1000)
#define SETTLE_NS       UINT64_C(1000000)
#define SETTLE_ROUNDS   20000
#define LOG_BYTES       (UINT64_C(64) << 20)
#define JOURNAL_BYTES   JOURNAL_SIZE_BYTES_MIN
#define REQUEST_BYTES   PACKET_PAYLOAD_SIZE_BYTES_MAX
#define PORT_NAME_BYTES 16
#define ETHERNET_BYTES  14
#define IPV4_TO_OFFSET  (ETHERNET_BYTES + 16)
#define ARP_TO_OFFSET   (ETHERNET_BYTES + 24)
#define FRAME_BYTES_MIN (ARP_TO_OFFSET + 4)

static void need(enum error error, const char *reason)
{
    if (error != OK) {
        fprintf(stderr, "gauge: %s: %s\n", error_name(error), reason);
        exit(EXIT_FAILURE);
    }
}

struct address gauge_cluster_address(uint32_t host)
{
    const uint8_t ipv4[4] = {10, 0, 0, (uint8_t)(host + 1)};
    return address_of_ipv4(ipv4, UDP_PORT);
}

/* ---- the network ---- */

void gauge_network_begin(void)
{
    static char names[GAUGE_PORTS][PORT_NAME_BYTES];
    char reason[512] = "";
    char prefix[64];
    snprintf(prefix, sizeof(prefix), "pollux_gauge_%d", getpid());
    struct dp_environment_options environment = {
        .program = "gauge", .file_prefix = prefix, .vdev_count = GAUGE_PORTS};
    for (uint32_t i = 0; i < GAUGE_PORTS; i++) {
        snprintf(names[i], sizeof(names[i]), "net_ring%u", i);
        environment.vdevs[i] = names[i];
    }
    need(dp_start(&environment, reason, sizeof(reason)), reason);
}

void gauge_network_end(void)
{
    dp_stop();
}

static void ports_open(struct gauge_cluster *cluster, const struct gauge_options *gauge)
{
    char reason[512] = "";
    for (uint32_t host = 0; host < cluster->host_count; host++) {
        char name[PORT_NAME_BYTES];
        snprintf(name, sizeof(name), "net_ring%u", gauge->first_port + host);
        struct dp_frame_port_options options = {
            .name = name,
            .queue_count = 1,
            .ring_size = 512,
            .pool_size = gauge->mtu_bytes <= MTU_USUAL ? 2048 : 512,
            .mtu_bytes = gauge->mtu_bytes <= MTU_USUAL ? MTU_USUAL : MTU_MAX};
        need(dp_frame_port_open(&options, &cluster->frames[host], reason, sizeof(reason)), reason);
    }
}

static struct dp_port_options port_options(const struct gauge_cluster *cluster, uint32_t host)
{
    return (struct dp_port_options){.frames = cluster->frames[host],
                                    .ipv4 = gauge_cluster_address(host),
                                    .ipv4_prefix_bits = 24};
}

/* The host that a frame is for: the last byte of its IPv4 address. */
static uint32_t frame_host(struct dp_frame *frame)
{
    const uint8_t *bytes = dp_frame_data(frame);
    CHECK(dp_frame_size_bytes(frame) >= FRAME_BYTES_MIN);
    bool is_arp = bytes[12] == 0x08 && bytes[13] == 0x06;
    return (uint32_t)bytes[(is_arp ? ARP_TO_OFFSET : IPV4_TO_OFFSET) + 3] - 1;
}

void gauge_cluster_route(struct gauge_cluster *cluster, uint32_t host)
{
    struct dp_frame *sent[DP_FRAME_BURST_MAX];
    uint32_t count = dp_frame_rx(cluster->frames[host], 0, sent, DP_FRAME_BURST_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t to = frame_host(sent[i]);
        if (to >= cluster->host_count || to == host) /* a host that announces itself */
            dp_frame_free(sent[i]);
        else
            CHECK(dp_frame_tx(cluster->frames[to], 0, &sent[i], 1) == 1);
    }
    CHECK(count < DP_FRAME_BURST_MAX);
}

/* ---- the nodes ---- */

static struct replica_options replica_options_of(uint32_t host, uint32_t node_count,
                                                 const char *path)
{
    struct replica_options options = {
        .cluster_id = GAUGE_CLUSTER_ID,
        .raft = {.self = {.id = (uint16_t)(host + 1)},
                 .founder_count = node_count,
                 .election_timeout_min_ns = UINT64_C(150000000),
                 .election_timeout_max_ns = UINT64_C(300000000),
                 .heartbeat_interval_ns = UINT64_C(50000000),
                 .append_entries_max = APPEND_ENTRIES_MAX,
                 .append_size_bytes_soft = APPEND_SIZE_BYTES_SOFT,
                 .inflight_max = 64,
                 .trail_runs_max = 65536,
                 .seed = 42 + host},
        .engine = {.shard_count = 1,
                   .lane_count = 1,
                   .incarnation = 1 + host,
                   .hash_key = {{1, host}},
                   .keys_max = 65536,
                   .blocks_max = 262144,
                   .sessions_max = 1024,
                   .session_ttl_ns = UINT64_C(1) << 60,
                   .batches_inflight_max = 4096,
                   .reads_pending_max = 4096,
                   .pending_max = 2048},
        .log = {.path = path,
                .size_bytes = LOG_BYTES,
                .is_created = true,
                .birth = host + 1,
                .start = host + 1,
                .identity = {.cluster_id = GAUGE_CLUSTER_ID, .node = (uint16_t)(host + 1)}},
        .journal = {.path = path, .size_bytes = JOURNAL_BYTES},
        .medium_stall_ns = UINT64_C(1) << 60};
    for (uint32_t i = 0; i < node_count; i++) {
        options.raft.founders[i] = (uint16_t)(i + 1);
        options.peers[i] = gauge_cluster_address(i);
    }
    return options;
}

static void node_open(struct gauge_cluster *cluster, uint32_t host,
                      const struct gauge_options *gauge)
{
    char path[256];
    struct lane_report report;
    snprintf(path, sizeof(path), "%s/port%u", gauge->folder, gauge->first_port + host);
    struct replica_options replica = replica_options_of(host, cluster->node_count, path);
    replica.raft.format_max = gauge->format_max;
    struct lane_options options = {.lane_count = 1,
                                   .shard_count = 1,
                                   .replicas = &replica,
                                   .replica_count = 1,
                                   .unproven_rate = gauge->unproven_rate,
                                   .client_rates = gauge->client_rates,
                                   .mtu_bytes = gauge->mtu_bytes,
                                   .port = port_options(cluster, host)};
    need(lane_open(&options, cluster->now_ns, &cluster->lanes[host], &report), report.reason);
}

void gauge_cluster_turn(struct gauge_cluster *cluster, uint32_t host)
{
    cluster->now_ns += TURN_NS;
    enum lane_result result = lane_turn(cluster->lanes[host], cluster->now_ns);
    CHECK(result == LANE_IDLE || result == LANE_WORKED);
}

static bool is_settled(const struct gauge_cluster *cluster, uint32_t host)
{
    struct raft_status status;
    replica_raft_status(lane_replica(cluster->lanes[host], 0), &status);
    return status.role == RAFT_LEADER && status.has_own_commit;
}

/* Each host runs once, and what it sends arrives. */
static void round_run(struct gauge_cluster *cluster)
{
    for (uint32_t host = 0; host < cluster->node_count; host++) {
        gauge_cluster_turn(cluster, host);
        gauge_cluster_route(cluster, host);
    }
}

static void elect(struct gauge_cluster *cluster)
{
    uint32_t leader = cluster->node_count;
    for (uint32_t i = 0; i < SETTLE_ROUNDS && leader == cluster->node_count; i++) {
        cluster->now_ns += SETTLE_NS;
        round_run(cluster);
        for (uint32_t host = 0; host < cluster->node_count; host++)
            leader = is_settled(cluster, host) ? host : leader;
    }
    CHECK(leader < cluster->node_count);
    cluster->leader = leader;
    for (uint32_t i = 0; i < cluster->node_count - 1; i++)
        cluster->followers[i] = (leader + 1 + i) % cluster->node_count;
}

/* ---- the client ---- */

static void client_send(struct gauge_cluster *cluster, uint32_t host, uint8_t type,
                        struct span body)
{
    struct wire_keys keys = wire_keys_none();
    struct wire_message_header header = {.type = type,
                                         .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                         .cluster_id = GAUGE_CLUSTER_ID,
                                         .message_id = ++cluster->message_id};
    struct address to = gauge_cluster_address(host);
    uint8_t *room = dp_port_tx_reserve(cluster->client, 0, &to);
    if (room != NULL) /* else a query for the route has left */
        dp_port_tx_commit(cluster->client, wire_piece_encode(room, &keys, &header, body, 0));
    dp_port_tx_flush(cluster->client);
    gauge_cluster_route(cluster, cluster->node_count);
}

static void send_write(struct gauge_cluster *cluster, const struct wire_op *op, uint64_t session)
{
    uint8_t request[REQUEST_BYTES];
    uint8_t body[REQUEST_BYTES];
    struct wire_writer ops = {.data = request, .capacity_bytes = sizeof(request)};
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    wire_request_begin(&ops, session, session == 0 ? 0 : op->seq);
    wire_request_add(&ops, op);
    struct wire_write write = {.packet_number = ++cluster->number,
                               .incarnation = 1 + cluster->leader,
                               .request = span_of(request, ops.size_bytes)};
    wire_write_encode(&writer, &write);
    CHECK(!ops.is_overflow && !writer.is_overflow);
    client_send(cluster, cluster->leader, WIRE_WRITE, span_of(body, writer.size_bytes));
}

void gauge_cluster_send_set(struct gauge_cluster *cluster, uint32_t session, struct span key,
                            struct span value)
{
    struct gauge_session *of = &cluster->sessions[session];
    struct wire_op op = {
        .type = WIRE_OP_SET, .has_value = true, .seq = ++of->seq, .key = key, .value = value};
    send_write(cluster, &op, of->id);
}

void gauge_cluster_send_get(struct gauge_cluster *cluster, uint32_t host, struct span key)
{
    uint8_t body[REQUEST_BYTES];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_read read = {.request_number = ++cluster->number};
    struct wire_read_op op = {.key = key};
    wire_read_begin(&writer, &read);
    wire_read_add(&writer, &op);
    CHECK(!writer.is_overflow);
    client_send(cluster, host, WIRE_READ, span_of(body, writer.size_bytes));
}

/* Decodes one answer; returns the number of its request. */
static uint64_t answer_decode(struct gauge_cluster *cluster, const struct dp_datagram *got)
{
    struct wire_keys keys = wire_keys_none();
    struct wire_packet packet;
    struct wire_reply reply;
    size_t cursor = 0;
    CHECK(wire_packet_decode(span_of(got->data, got->size_bytes), &keys, GAUGE_CLUSTER_ID,
                             &packet) == OK);
    CHECK(wire_reply_decode(packet.payload, &reply) == OK);
    CHECK(reply.status == WIRE_STATUS_OK);
    CHECK(wire_reply_op_decode(reply.ops, &cursor, &cluster->answer) == OK);
    return reply.number;
}

static bool take_answer(struct gauge_cluster *cluster)
{
    struct dp_datagram got[RX_BURST_MAX];
    uint32_t count = dp_port_rx(cluster->client, cluster->now_ns, got, RX_BURST_MAX);
    dp_port_tx_flush(cluster->client);
    gauge_cluster_route(cluster, cluster->node_count);
    if (count == 0)
        return false;
    CHECK(count == 1);
    CHECK(answer_decode(cluster, &got[0]) == cluster->number);
    return true;
}

void gauge_cluster_take_answer(struct gauge_cluster *cluster)
{
    CHECK(take_answer(cluster));
    CHECK(cluster->answer.outcome == WIRE_OUTCOME_OK);
}

void gauge_cluster_take_answers(struct gauge_cluster *cluster, uint32_t count)
{
    struct dp_datagram got[RX_BURST_MAX];
    bool has_answer[RX_BURST_MAX] = {false};
    CHECK(dp_port_rx(cluster->client, cluster->now_ns, got, RX_BURST_MAX) == count);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t back = cluster->number - answer_decode(cluster, &got[i]);
        CHECK(back < count && !has_answer[back]);
        CHECK(cluster->answer.outcome == WIRE_OUTCOME_OK);
        has_answer[back] = true;
    }
}

uint64_t gauge_cluster_last_index(const struct gauge_cluster *cluster)
{
    struct raft_status status;
    replica_raft_status(lane_replica(cluster->lanes[cluster->leader], 0), &status);
    return status.last_index;
}

/* The first packets find no route: they are sent again until an answer comes. */
static void open_session(struct gauge_cluster *cluster, uint32_t session)
{
    /* Odd: the seqs begin at 1. */
    struct wire_op op = {.type = WIRE_OP_REGISTER, .seq = 4711 + 2 * (uint64_t)session};
    bool is_open = false;
    for (uint32_t i = 0; i < SETTLE_ROUNDS && !is_open; i++) {
        send_write(cluster, &op, 0);
        round_run(cluster);
        round_run(cluster);
        is_open = take_answer(cluster);
    }
    CHECK(is_open && cluster->answer.outcome == WIRE_OUTCOME_OK);
    cluster->sessions[session].id = cluster->answer.version;
}

/* Client and host learn the way to each other; whatever is stored there. */
static void introduce(struct gauge_cluster *cluster, uint32_t host)
{
    bool is_known = false;
    for (uint32_t i = 0; i < SETTLE_ROUNDS && !is_known; i++) {
        gauge_cluster_send_get(cluster, host, span_of("hello", 5));
        round_run(cluster);
        is_known = take_answer(cluster);
    }
    CHECK(is_known);
}

void gauge_cluster_open(struct gauge_cluster *cluster, const struct gauge_options *gauge)
{
    char reason[512] = "";
    CHECK(gauge->node_count <= GAUGE_NODES_MAX && gauge->session_count <= GAUGE_SESSIONS_MAX);
    CHECK(gauge->first_port + gauge->node_count + 1 <= GAUGE_PORTS);
    *cluster = (struct gauge_cluster){
        .node_count = gauge->node_count, .host_count = gauge->node_count + 1, .now_ns = 1000000000};
    ports_open(cluster, gauge);
    for (uint32_t host = 0; host < cluster->node_count; host++)
        node_open(cluster, host, gauge);
    struct dp_port_options options = port_options(cluster, cluster->node_count);
    need(dp_port_open(&options, &cluster->client, reason, sizeof(reason)), reason);
    elect(cluster);
    for (uint32_t session = 0; session < gauge->session_count; session++)
        open_session(cluster, session);
    for (uint32_t host = 0; host < cluster->node_count; host++)
        introduce(cluster, host);
}

void gauge_cluster_close(struct gauge_cluster *cluster)
{
    for (uint32_t host = 0; host < cluster->node_count; host++)
        lane_close(cluster->lanes[host]);
    dp_port_close(cluster->client);
    for (uint32_t host = 0; host < cluster->host_count; host++)
        dp_frame_port_close(cluster->frames[host]);
}
