/* See node_port.h. */
#include "server/node_port.h"

#include "dataplane/frame.h"
#include "server/host_fault.h"
#include "server/log_event.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the machine has of what [port] asks for, and whether the card can be opened. */
static void look_at_machine(const struct config *config, struct host *host, struct host_port *port)
{
    const struct host_need need = {.device = config->device,
                                   .memory_bytes = config_packet_bytes(config),
                                   .is_hugepages = config->is_hugepages};
    host_init(host);
    host_port_look(host, &need, port);
    host_card_try(host, &port->card);
}

/* The IPv6 address that the port has; NULL: none. */
static const uint8_t *ipv6_of(const struct config *config)
{
    static const uint8_t nobody[16] = {0};
    const struct config_peer *self = config_self(config);
    if (!address_is_ipv4(&self->address))
        return self->address.ip;
    return memcmp(config->ipv6.ip, nobody, sizeof(nobody)) == 0 ? NULL : config->ipv6.ip;
}

/* Those of all nodes and of the address' own solicited-node group (RFC 2464 section 7, RFC 4291
 * section 2.7.1). */
static uint32_t multicast_fill(const uint8_t *ipv6, uint8_t ret_macs[DP_MULTICAST_MACS_MAX][6])
{
    static const uint8_t all_nodes[6] = {0x33, 0x33, 0, 0, 0, 1};
    if (ipv6 == NULL)
        return 0;
    memcpy(ret_macs[0], all_nodes, sizeof(all_nodes));
    memcpy(ret_macs[1], all_nodes, sizeof(all_nodes));
    ret_macs[1][2] = 0xff;
    memcpy(ret_macs[1] + 3, ipv6 + 13, 3);
    return 2;
}

/* A frame lies in one buffer of a memif: the driver loses frames that take several. Its buffers
 * have 2048 bytes, unless they are given a size. */
#define MEMIF_BUFFER_BYTES 2048u
#define MEMIF_BESIDE_BYTES 64u /* Ethernet, and to spare */
#define VDEV_TEXT_BYTES    (CONFIG_TEXT_MAX + 32)

static void vdev_write(const struct config *config, char ret_vdev[VDEV_TEXT_BYTES])
{
    uint32_t bytes = config->mtu_bytes + MEMIF_BESIDE_BYTES;
    bool is_given = strstr(config->device, "bsize=") != NULL;
    if (strncmp(config->device, "net_memif", strlen("net_memif")) != 0 || is_given ||
        bytes <= MEMIF_BUFFER_BYTES)
        snprintf(ret_vdev, VDEV_TEXT_BYTES, "%s", config->device);
    else
        snprintf(ret_vdev, VDEV_TEXT_BYTES, "%s,bsize=%u", config->device,
                 (bytes + MEMIF_BUFFER_BYTES - 1) / MEMIF_BUFFER_BYTES * MEMIF_BUFFER_BYTES);
}

static enum error frames_open(struct node_port *port, const struct config *config,
                              const char *program, char *ret_reason)
{
    char prefix[64];
    char name[CONFIG_TEXT_MAX];
    char vdev[VDEV_TEXT_BYTES];
    uint8_t macs[DP_MULTICAST_MACS_MAX][6];
    bool is_card = host_card_is_meant(config->device);
    vdev_write(config, vdev);
    snprintf(prefix, sizeof(prefix), "polluxd-%ld", (long)getpid());
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(config->device, ","), config->device);
    struct dp_environment_options environment = {
        .program = program,
        .file_prefix = prefix,
        .vdevs = {vdev},
        .vdev_count = is_card ? 0 : 1,
        .pci_allow = is_card ? config->device : NULL,
        .memory_mib = (uint32_t)(config_packet_bytes(config) >> 20),
        .is_hugepages = config->is_hugepages,
    };
    struct dp_frame_port_options options = {
        .name = name,
        .queue_count = config->lane_count,
        .ring_size = config->ring_size,
        .pool_size = 8 * config->ring_size,
        .mtu_bytes = config->mtu_bytes,
        .multicast_macs = (const uint8_t(*)[6])macs,
        .multicast_count = multicast_fill(ipv6_of(config), macs),
        .udp_port_first = config_self(config)->address.port,
        .udp_port_count = config->shard_count,
    };
    enum error error = dp_start(&environment, ret_reason, NODE_PORT_TEXT_BYTES);
    if (error == OK)
        error = dp_frame_port_open(&options, &port->frames, ret_reason, NODE_PORT_TEXT_BYTES);
    return error;
}

/* Such a card opens, or DPDK would take it for something else. */
static bool is_hopeless(enum host_fault fault)
{
    return fault == HOST_FAULT_NAME || fault == HOST_FAULT_UIO_TRANSLATED;
}

static void write_reason(const struct config *config, const struct host_port *machine,
                         enum host_fault fault, const char *of_dpdk, char *ret_reason)
{
    struct host_finding finding;
    char of_host[NODE_PORT_TEXT_BYTES];
    if (fault == HOST_FAULT_NONE) {
        snprintf(ret_reason, NODE_PORT_TEXT_BYTES, "[port] device = %.64s: %.1800s", config->device,
                 of_dpdk);
        return;
    }
    host_fault_tell(fault, machine, &finding);
    bool is_of_device = host_fault_part(fault) == HOST_PART_CARD;
    (void)host_finding_text(&finding, of_host, sizeof(of_host));
    snprintf(ret_reason, NODE_PORT_TEXT_BYTES, "[port] device = %.64s: %.1200s. DPDK: %.600s",
             config->device, of_host + (is_of_device ? strlen(finding.subject) + 2 : 0), of_dpdk);
}

static void tell_far(const struct config *config, const struct host_port *machine,
                     int32_t numa_node)
{
    struct host_finding finding;
    char text[NODE_PORT_TEXT_BYTES];
    host_fault_tell(HOST_FAULT_PAGES_FAR, machine, &finding);
    log_event_line("warning", "far memory node=%u device=%s numa_node=%d: %.1600s", config->id,
                   config->device, (int)numa_node, host_finding_text(&finding, text, sizeof(text)));
}

enum error node_port_open(struct node_port *port, const struct config *config, const char *program,
                          char *ret_reason)
{
    char of_dpdk[NODE_PORT_TEXT_BYTES] = "it was not started";
    struct host host;
    struct host_port machine;
    look_at_machine(config, &host, &machine); /* before DPDK holds what it has opened */
    enum host_fault fault = host_fault_first(&machine);
    enum error error = ERR_ARGUMENT;
    if (!is_hopeless(fault)) {
        mode_t mask = umask(077); /* the sockets of a virtual port are for nobody else */
        error = frames_open(port, config, program, of_dpdk);
        (void)umask(mask);
    }
    if (error != OK) {
        write_reason(config, &machine, fault, of_dpdk, ret_reason);
        return error;
    }
    const struct dp_frame_facts *facts = dp_frame_port_facts(port->frames);
    if (!facts->is_memory_near)
        tell_far(config, &machine, facts->numa_node);
    return OK;
}

static const char *multicast_name(enum dp_multicast multicast)
{
    static const char *const names[] = {
        [DP_MULTICAST_ALL] = "all",
        [DP_MULTICAST_LISTED] = "listed",
        [DP_MULTICAST_PROMISCUOUS] = "promiscuous",
        [DP_MULTICAST_UNKNOWN] = "unknown",
    };
    return names[multicast];
}

static void tell_link(struct node_port *port, const struct config *config)
{
    port->was_up = dp_frame_port_is_up(port->frames);
    if (port->was_up)
        log_event_line("info", "link node=%u device=%s state=up mbps=%u", config->id,
                       config->device, dp_frame_port_speed_mbps(port->frames));
    else
        log_event_line("warning",
                       "link node=%u device=%s state=down: nothing is sent or received until it is "
                       "up; check the cable, the switch and the other end",
                       config->id, config->device);
}

static const char *steering_of(const struct node_port *port)
{
    if (dp_frame_port_is_steered(port->frames))
        return "flow";
    return dp_frame_port_facts(port->frames)->has_rss ? "rss" : "handover";
}

void node_port_tell(struct node_port *port, const struct config *config)
{
    const struct dp_frame_facts *facts = dp_frame_port_facts(port->frames);
    uint8_t mac[6];
    dp_frame_port_mac(port->frames, mac);
    log_event_line("info",
                   "port node=%u device=%s driver=%s mac=%02x:%02x:%02x:%02x:%02x:%02x mtu=%u "
                   "buffer=%u multicast=%s rx_checksum=%s tx_checksum=%s numa_node=%d memory=%s",
                   config->id, config->device, facts->driver, mac[0], mac[1], mac[2], mac[3],
                   mac[4], mac[5], facts->mtu_bytes, facts->room_bytes,
                   multicast_name(facts->multicast), facts->has_rx_checksum ? "card" : "node",
                   facts->has_tx_checksum ? "card" : "node", (int)facts->numa_node,
                   facts->is_memory_near ? "near" : "far");
    if (facts->multicast == DP_MULTICAST_UNKNOWN && host_card_is_meant(config->device) &&
        ipv6_of(config) != NULL)
        log_event_line("warning",
                       "multicast node=%u device=%s: the card takes no setting for multicast "
                       "frames, which IPv6 needs: name the MAC of each peer in [neighbours] on all "
                       "nodes, or use IPv4",
                       config->id, config->device);
    if (config->lane_count > 1)
        log_event_line("info", "lanes node=%u count=%u steering=%s", config->id, config->lane_count,
                       steering_of(port));
    tell_link(port, config);
}

void node_port_look(struct node_port *port, const struct config *config)
{
    dp_frame_port_look(port->frames);
    if (dp_frame_port_is_up(port->frames) != port->was_up)
        tell_link(port, config);
}
