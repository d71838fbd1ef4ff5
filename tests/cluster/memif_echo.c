/*
 * A host behind a switch: attaches one memif port and sends every datagram back to its sender. The
 * smallest peer that proves ports, ARP, NAT and checksums with real processes.
 *
 * usage: memif_echo SOCKET HOST UDP_PORT  (its address is 10.77.0.HOST)
 */
#include "dataplane/frame.h"
#include "dataplane/port.h"
#include "server/idle.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REASON_BYTES 512
#define POOL_SIZE    2048
#define RING_SIZE    512
#define MEMORY_MIB   64
#define SLEEP_MAX_NS 50000

static volatile sig_atomic_t is_stopping;

static void on_signal(int number)
{
    (void)number;
    is_stopping = 1;
}

static uint64_t clock_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000ULL + (uint64_t)time.tv_nsec;
}

/* Decimal text from 1 to `max`; 0: it is not. */
static uint16_t number_of(const char *text, unsigned long max)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    return *end == '\0' && value <= max ? (uint16_t)value : 0;
}

static enum error open_port(char **argv, struct dp_frame_port **ret_frames,
                            struct dp_port **ret_port, char *reason)
{
    char vdev[256];
    char prefix[64];
    const uint8_t ip[4] = {10, 77, 0, (uint8_t)number_of(argv[2], 253)};
    snprintf(vdev, sizeof(vdev), "net_memif0,role=client,id=0,socket=%s,socket-abstract=no",
             argv[1]);
    snprintf(prefix, sizeof(prefix), "memif-echo-%d", (int)getpid());
    struct dp_environment_options environment = {.program = argv[0],
                                                 .file_prefix = prefix,
                                                 .vdevs = {vdev},
                                                 .vdev_count = 1,
                                                 .memory_mib = MEMORY_MIB};
    enum error error = dp_start(&environment, reason, REASON_BYTES);
    if (error != OK) {
        return error;
    }
    struct dp_frame_port_options frames = {
        .name = "net_memif0", .queue_count = 1, .ring_size = RING_SIZE, .pool_size = POOL_SIZE};
    error = dp_frame_port_open(&frames, ret_frames, reason, REASON_BYTES);
    if (error != OK) {
        return error;
    }
    struct dp_port_options port = {.frames = *ret_frames,
                                   .ipv4 = address_of_ipv4(ip, number_of(argv[3], UINT16_MAX)),
                                   .ipv4_prefix_bits = 24};
    return dp_port_open(&port, ret_port, reason, REASON_BYTES);
}

static uint32_t echo_burst(struct dp_port *port)
{
    struct dp_datagram datagrams[RX_BURST_MAX];
    uint64_t now_ns = clock_ns();
    uint32_t count = dp_port_rx(port, now_ns, datagrams, RX_BURST_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *answer = dp_port_tx_reserve(port, 0, &datagrams[i].from);
        if (answer != NULL) {
            memcpy(answer, datagrams[i].data, datagrams[i].size_bytes);
            dp_port_tx_commit(port, datagrams[i].size_bytes);
        }
    }
    dp_port_tx_flush(port);
    dp_port_tick(port, now_ns);
    return count;
}

static void report(const struct dp_port *port)
{
    const struct dp_counters *counters = dp_port_counters(port);
    printf("rx %lu tx %lu", (unsigned long)counters->rx_packets,
           (unsigned long)counters->tx_packets);
    for (int i = 0; i < DP_DROP_COUNT; i++) {
        printf(" %s %lu", dp_drop_name((enum dp_drop)i), (unsigned long)counters->drops[i]);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    char reason[REASON_BYTES] = "";
    struct dp_frame_port *frames = NULL;
    struct dp_port *port = NULL;
    struct sigaction action = {.sa_handler = on_signal};
    struct idle idle = {
        .options = {.spin_turns = 64, .yield_turns = 256, .sleep_max_ns = SLEEP_MAX_NS}};
    if (argc != 4 || number_of(argv[2], 253) == 0 || number_of(argv[3], UINT16_MAX) == 0) {
        fprintf(stderr, "usage: memif_echo SOCKET HOST UDP_PORT\n");
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    if (open_port(argv, &frames, &port, reason) != OK) {
        fprintf(stderr, "memif_echo: %s\n", reason);
        return EXIT_FAILURE;
    }
    idle_thread_begin();
    while (!is_stopping) {
        if (echo_burst(port) > 0) {
            idle_reset(&idle);
            continue;
        }
        dp_frame_port_look(frames);
        uint64_t wait_ns = idle_wait(&idle, clock_ns(), UINT64_MAX);
        if (wait_ns > 0) {
            idle_sleep(wait_ns);
        }
    }
    report(port);
    dp_port_close(port);
    dp_frame_port_close(frames);
    dp_stop();
    return EXIT_SUCCESS;
}
