/*
 * What the data plane costs a datagram, without a network: one port over net_ring, which hands each
 * frame sent back to the receiver, so each datagram is built, sent, received and parsed once in one
 * thread. Fixed work: `datagrams` of each size, in bursts. Prints nanoseconds a datagram both ways
 * together, each way alone from timestamps around the bursts, the driver alone with bare frames,
 * and a checksum of all payload that arrived.
 *
 * Usage: dataplane_ring [datagrams a size]
 */
#include "base/crc32c.h"
#include "base/le.h"
#include "dataplane/frame.h"
#include "dataplane/port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BURST           32
#define DATAGRAMS_UNSET 4000000
#define BURSTS_MAX      UINT64_C(1000000000)

static const uint8_t own_ip[4] = {10, 0, 0, 1};
static const uint8_t peer_ip[4] = {10, 0, 0, 2};
static const uint32_t sizes[] = {64, 256, 1024, PACKET_SIZE_BYTES_USUAL};

struct figures {
    uint64_t datagrams;
    uint64_t tx_ns;
    uint64_t rx_ns;
    uint32_t checksum;
};

static uint64_t clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void need(enum error error, const char *reason)
{
    if (error != OK) {
        (void)fprintf(stderr, "dataplane_ring: %s: %s\n", error_name(error), reason);
        exit(EXIT_FAILURE);
    }
}

static struct dp_port *port_open(struct dp_frame_port *frames, const uint8_t ip[4])
{
    char reason[512] = "";
    struct dp_port *port;
    struct dp_port_options options = {
        .frames = frames, .ipv4 = address_of_ipv4(ip, 7000), .ipv4_prefix_bits = 24};
    need(dp_port_open(&options, &port, reason, sizeof(reason)), reason);
    return port;
}

/* The peer's answer to the query fills the table, as on a real link. */
static void resolve(struct dp_port *port, struct dp_port *peer, const struct address *to)
{
    struct dp_datagram got[RX_BURST_MAX];
    (void)dp_port_tx_reserve(port, 0, to);
    dp_port_tx_flush(port);
    (void)dp_port_rx(peer, 1, got, RX_BURST_MAX);
    dp_port_tx_flush(peer);
    (void)dp_port_rx(port, 2, got, RX_BURST_MAX);
}

static void burst_send(struct dp_port *port, const struct address *to, uint32_t size_bytes,
                       uint64_t first)
{
    for (uint32_t i = 0; i < BURST; i++) {
        uint8_t *room = dp_port_tx_reserve(port, 0, to);
        if (room != NULL) {
            le64_store(room, first + i);
            dp_port_tx_commit(port, size_bytes);
        }
    }
    dp_port_tx_flush(port);
}

static struct figures datagrams_measure(struct dp_port *port, struct dp_port *peer, uint64_t count,
                                        uint32_t size_bytes)
{
    struct address to = address_of_ipv4(peer_ip, 7000);
    struct dp_datagram got[RX_BURST_MAX];
    struct figures figures = {.datagrams = 0};
    for (uint64_t burst = 0; figures.datagrams < count && burst < BURSTS_MAX; burst++) {
        uint64_t begin_ns = clock_ns();
        burst_send(port, &to, size_bytes, burst * BURST);
        uint64_t sent_ns = clock_ns();
        uint32_t received = dp_port_rx(peer, sent_ns, got, RX_BURST_MAX);
        figures.rx_ns += clock_ns() - sent_ns;
        figures.tx_ns += sent_ns - begin_ns;
        for (uint32_t i = 0; i < received; i++) {
            figures.checksum = crc32c(figures.checksum, got[i].data, 8);
        }
        figures.datagrams += received;
    }
    return figures;
}

/* The same bursts through the driver alone. */
static double driver_ns(struct dp_frame_port *frames, uint64_t count)
{
    struct dp_frame *burst[BURST];
    for (uint32_t i = 0; i < BURST; i++) {
        burst[i] = dp_frame_new(frames, 0);
        dp_frame_set_size_bytes(burst[i], 60);
    }
    uint64_t begin_ns = clock_ns();
    uint64_t moved = 0;
    while (moved < count) {
        uint32_t sent = dp_frame_tx(frames, 0, burst, BURST);
        moved += dp_frame_rx(frames, 0, burst, sent);
    }
    double each_ns = (double)(clock_ns() - begin_ns) / (double)moved;
    for (uint32_t i = 0; i < BURST; i++) {
        dp_frame_free(burst[i]);
    }
    return each_ns;
}

static struct dp_frame_port *frames_open(void)
{
    char reason[512] = "";
    char prefix[64];
    struct dp_frame_port *frames;
    (void)snprintf(prefix, sizeof(prefix), "pollux_bench_%d", getpid());
    struct dp_environment_options environment = {.program = "dataplane_ring",
                                                 .file_prefix = prefix,
                                                 .vdevs = {"net_ring0"},
                                                 .vdev_count = 1};
    need(dp_start(&environment, reason, sizeof(reason)), reason);
    struct dp_frame_port_options options = {
        .name = "net_ring0", .queue_count = 1, .ring_size = 512, .pool_size = 4096};
    need(dp_frame_port_open(&options, &frames, reason, sizeof(reason)), reason);
    return frames;
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : DATAGRAMS_UNSET;
    struct dp_frame_port *frames = frames_open();
    struct dp_port *port = port_open(frames, own_ip);
    struct dp_port *peer = port_open(frames, peer_ip);
    struct address to = address_of_ipv4(peer_ip, 7000);
    resolve(port, peer, &to);
    (void)printf("net_ring, one thread, bursts of %d; driver alone %.1f ns a frame both ways\n",
                 BURST, driver_ns(frames, count));
    (void)printf("payload  datagrams/s   send ns   receive ns   checksum\n");
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct figures figures = datagrams_measure(port, peer, count, sizes[i]);
        double each = (double)figures.datagrams;
        (void)printf("%7u  %11.0f  %8.1f  %11.1f   %08x\n", sizes[i],
                     each * 1e9 / (double)(figures.tx_ns + figures.rx_ns),
                     (double)figures.tx_ns / each, (double)figures.rx_ns / each, figures.checksum);
    }
    dp_port_close(port);
    dp_port_close(peer);
    dp_frame_port_close(frames);
    dp_stop();
    return EXIT_SUCCESS;
}
