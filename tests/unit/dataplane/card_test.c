/*
 * Ports of cards, which differ from virtual ones in what they do not do by themselves. The card is
 * made of net_ring, and of functions that take the place of DPDK's and say what a card would say:
 * no multicast, another overhead around a frame, a link that is down. What they were asked is kept.
 */
#include "tests/unit/dataplane/frame_maker.h"

#include "dataplane/frame.h"
#include "dataplane/port.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define POOL_SIZE 512

/* What the card is, and what it was asked. */
static struct {
    uint32_t max_rx_pktlen;
    uint32_t min_rx_bufsize;
    uint16_t min_mtu;
    uint16_t max_mtu;
    uint16_t queues_max;
    bool takes_all_multicast;
    bool takes_list;
    bool takes_promiscuous;
    bool has_link;
    bool has_memory_near;
    uint32_t numa_node;
    uint64_t offloads;
    uint64_t missed;

    uint32_t list_size;
    struct rte_ether_addr list[4];
    uint32_t promiscuous_asked;
    uint16_t mtu_configured;
    uint16_t mtu_set;
    uint64_t rx_offloads;
    uint16_t room_bytes;
    int pool_numa_node;
    uint32_t looks;
} card;

/* Named by the linker: --wrap. */
/* NOLINTBEGIN */
int __real_rte_eth_dev_info_get(uint16_t id, struct rte_eth_dev_info *info);
int __wrap_rte_eth_dev_info_get(uint16_t id, struct rte_eth_dev_info *info);
int __wrap_rte_eth_allmulticast_enable(uint16_t id);
int __wrap_rte_eth_promiscuous_enable(uint16_t id);
int __wrap_rte_eth_dev_set_mc_addr_list(uint16_t id, struct rte_ether_addr *list, uint32_t size);
int __real_rte_eth_dev_configure(uint16_t id, uint16_t rx, uint16_t tx,
                                 const struct rte_eth_conf *conf);
int __wrap_rte_eth_dev_configure(uint16_t id, uint16_t rx, uint16_t tx,
                                 const struct rte_eth_conf *conf);
int __wrap_rte_eth_dev_set_mtu(uint16_t id, uint16_t mtu);
int __wrap_rte_eth_dev_socket_id(uint16_t id);
int __wrap_rte_eth_link_get_nowait(uint16_t id, struct rte_eth_link *link);
int __wrap_rte_eth_stats_get(uint16_t id, struct rte_eth_stats *stats);
int __wrap_rte_eth_dev_close(uint16_t id);
struct rte_mempool *__real_rte_pktmbuf_pool_create(const char *name, unsigned n, unsigned cache,
                                                   uint16_t private_size, uint16_t room, int node);
struct rte_mempool *__wrap_rte_pktmbuf_pool_create(const char *name, unsigned n, unsigned cache,
                                                   uint16_t private_size, uint16_t room, int node);

int __wrap_rte_eth_dev_info_get(uint16_t id, struct rte_eth_dev_info *info)
{
    int result = __real_rte_eth_dev_info_get(id, info);
    info->max_rx_pktlen = card.max_rx_pktlen;
    info->min_rx_bufsize = card.min_rx_bufsize;
    info->min_mtu = card.min_mtu;
    info->max_mtu = card.max_mtu;
    info->max_rx_queues = card.queues_max;
    info->rx_offload_capa = card.offloads;
    return result;
}

int __wrap_rte_eth_allmulticast_enable(uint16_t id)
{
    (void)id;
    return card.takes_all_multicast ? 0 : -ENOTSUP;
}

int __wrap_rte_eth_promiscuous_enable(uint16_t id)
{
    (void)id;
    card.promiscuous_asked++;
    return card.takes_promiscuous ? 0 : -ENOTSUP;
}

int __wrap_rte_eth_dev_set_mc_addr_list(uint16_t id, struct rte_ether_addr *list, uint32_t size)
{
    (void)id;
    card.list_size = size;
    memcpy(card.list, list, size * sizeof(*list));
    return card.takes_list ? 0 : -ENOTSUP;
}

int __wrap_rte_eth_dev_configure(uint16_t id, uint16_t rx, uint16_t tx,
                                 const struct rte_eth_conf *conf)
{
    struct rte_eth_conf real = *conf;
    card.mtu_configured = (uint16_t)conf->rxmode.mtu;
    card.rx_offloads = conf->rxmode.offloads;
    real.rxmode.mtu = 0;
    real.rxmode.offloads = 0;
    return __real_rte_eth_dev_configure(id, rx, tx, &real);
}

int __wrap_rte_eth_dev_set_mtu(uint16_t id, uint16_t mtu)
{
    (void)id;
    card.mtu_set = mtu;
    return -ENOTSUP;
}

int __wrap_rte_eth_dev_socket_id(uint16_t id)
{
    (void)id;
    return (int)card.numa_node;
}

int __wrap_rte_eth_link_get_nowait(uint16_t id, struct rte_eth_link *link)
{
    (void)id;
    card.looks++;
    *link = (struct rte_eth_link){.link_status = card.has_link ? RTE_ETH_LINK_UP : 0,
                                  .link_speed = RTE_ETH_SPEED_NUM_25G};
    return 0;
}

int __wrap_rte_eth_stats_get(uint16_t id, struct rte_eth_stats *stats)
{
    (void)id;
    card.looks++;
    *stats = (struct rte_eth_stats){.imissed = card.missed, .oerrors = 7};
    return 0;
}

/* The ring is there for the next test. */
int __wrap_rte_eth_dev_close(uint16_t id)
{
    (void)id;
    return 0;
}

struct rte_mempool *__wrap_rte_pktmbuf_pool_create(const char *name, unsigned n, unsigned cache,
                                                   uint16_t private_size, uint16_t room, int node)
{
    card.room_bytes = room;
    card.pool_numa_node = node;
    if (node != SOCKET_ID_ANY && !card.has_memory_near) {
        return NULL;
    }
    return __real_rte_pktmbuf_pool_create(name, n, cache, private_size, room, SOCKET_ID_ANY);
}
/* NOLINTEND */

static int cards_setup(void **state)
{
    char reason[512] = "";
    char prefix[64];
    (void)state;
    (void)snprintf(prefix, sizeof(prefix), "pollux_card_test_%d", getpid());
    struct dp_environment_options environment = {
        .program = "card_test", .file_prefix = prefix, .vdevs = {"net_ring0"}, .vdev_count = 1};
    if (dp_start(&environment, reason, sizeof(reason)) != OK) {
        print_error("%s\n", reason);
        return -1;
    }
    return 0;
}

static int cards_teardown(void **state)
{
    (void)state;
    dp_stop();
    return 0;
}

/* An ordinary card. */
static int card_make(void **state)
{
    (void)state;
    memset(&card, 0, sizeof(card));
    card.max_rx_pktlen = 9728;
    card.min_mtu = 68;
    card.max_mtu = 9702;
    card.queues_max = 4;
    card.takes_all_multicast = true;
    card.has_link = true;
    card.has_memory_near = true;
    return 0;
}

static enum error card_open_as(const struct dp_frame_port_options *wanted, char reason[512],
                               struct dp_frame_port **ret_frames)
{
    struct dp_frame_port_options options = *wanted;
    options.name = "net_ring0";
    options.queue_count = options.queue_count == 0 ? 1 : options.queue_count;
    options.ring_size = 256;
    options.pool_size = POOL_SIZE;
    return dp_frame_port_open(&options, ret_frames, reason, 512);
}

static struct dp_frame_port *card_open(uint16_t mtu_bytes)
{
    static const uint8_t macs[2][6] = {{0x33, 0x33, 0, 0, 0, 1}, {0x33, 0x33, 0xff, 0xbb, 0, 1}};
    char reason[512] = "";
    struct dp_frame_port *frames = NULL;
    struct dp_frame_port_options options = {
        .mtu_bytes = mtu_bytes, .multicast_macs = macs, .multicast_count = 2};
    enum error error = card_open_as(&options, reason, &frames);
    assert_string_equal(reason, "");
    assert_int_equal(error, OK);
    return frames;
}

static void multicast_by(enum dp_multicast wanted)
{
    struct dp_frame_port *frames = card_open(0);
    assert_int_equal(dp_frame_port_facts(frames)->multicast, wanted);
    dp_frame_port_close(frames);
}

static void test_card_is_asked_for_multicast(void **state)
{
    static const uint8_t solicited[6] = {0x33, 0x33, 0xff, 0xbb, 0, 1};
    (void)state;
    multicast_by(DP_MULTICAST_ALL);
    assert_int_equal(card.list_size + card.promiscuous_asked, 0);
    card.takes_all_multicast = false;
    card.takes_list = true;
    multicast_by(DP_MULTICAST_LISTED);
    assert_int_equal(card.list_size, 2);
    assert_memory_equal(card.list[1].addr_bytes, solicited, 6);
    assert_int_equal(card.promiscuous_asked, 0);
    card.takes_list = false;
    card.takes_promiscuous = true;
    multicast_by(DP_MULTICAST_PROMISCUOUS);
    card.takes_promiscuous = false;
    multicast_by(DP_MULTICAST_UNKNOWN);
}

static uint32_t room_for(uint16_t mtu_bytes)
{
    struct dp_frame_port *frames = card_open(mtu_bytes);
    assert_int_equal(card.mtu_configured, mtu_bytes);
    assert_int_equal(card.mtu_set, mtu_bytes == 1500 ? 0 : mtu_bytes);
    assert_int_equal(dp_frame_port_facts(frames)->mtu_bytes, mtu_bytes);
    dp_frame_port_close(frames);
    card.mtu_set = 0;
    return card.room_bytes - RTE_PKTMBUF_HEADROOM;
}

/* Virtio puts 30 bytes around a packet, and refuses buffers that are one byte too small. */
static void test_card_has_room_for_its_mtu(void **state)
{
    (void)state;
    card.max_mtu = 9698;
    assert_in_range(room_for(9000), 9000 + 30, 9000 + 1024 + 64);
    assert_int_equal(room_for(9000) % 1024, 0);
    assert_int_equal(room_for(1500), 2048);
    assert_int_equal(room_for(1280), 2048);
    card.min_rx_bufsize = 4000;
    assert_int_equal(room_for(1500), 4096);
    /* A card that takes larger frames than its MTU allows has no larger overhead for that. */
    card.min_rx_bufsize = 0;
    card.max_mtu = 1500;
    assert_int_equal(room_for(1500), 2048);
}

static void test_card_refuses_what_it_cannot(void **state)
{
    char reason[512] = "";
    struct dp_frame_port *frames = NULL;
    (void)state;
    card.max_mtu = 1500;
    struct dp_frame_port_options large = {.mtu_bytes = 9000};
    assert_int_equal(card_open_as(&large, reason, &frames), ERR_UNSUPPORTED);
    assert_non_null(strstr(reason, "takes an MTU from 68 to 1500, and 9000 is wanted; set [port] "
                                   "mtu"));
    struct dp_frame_port_options many = {.queue_count = 5};
    assert_int_equal(card_open_as(&many, reason, &frames), ERR_UNSUPPORTED);
    assert_non_null(strstr(reason, "has 4 receive and "));
    assert_non_null(strstr(reason, "set [lane] count lower"));
    assert_null(frames);
}

static void test_card_memory_lies_near_it(void **state)
{
    (void)state;
    card.numa_node = 1;
    struct dp_frame_port *frames = card_open(0);
    assert_true(dp_frame_port_facts(frames)->is_memory_near);
    assert_int_equal(dp_frame_port_facts(frames)->numa_node, 1);
    assert_int_equal(card.pool_numa_node, 1);
    dp_frame_port_close(frames);
    card.has_memory_near = false;
    frames = card_open(0);
    assert_false(dp_frame_port_facts(frames)->is_memory_near);
    assert_int_equal(card.pool_numa_node, SOCKET_ID_ANY);
    dp_frame_port_close(frames);
}

static struct dp_port *lane_open(struct dp_frame_port *frames)
{
    char reason[256] = "";
    struct dp_port *port;
    struct dp_port_options options = {.frames = frames,
                                      .ipv4 = address_of_ipv4(self.ipv4, self.ipv4_port),
                                      .ipv4_prefix_bits = 24,
                                      .ipv6_prefix_bits = 64,
                                      .ipv6 = {.port = self.ipv6_port}};
    memcpy(options.ipv6.ip, self.ipv6, sizeof(self.ipv6));
    assert_int_equal(dp_port_open(&options, &port, reason, sizeof(reason)), OK);
    return port;
}

static void frames_drain(struct dp_frame_port *frames)
{
    struct dp_frame *left[DP_FRAME_BURST_MAX];
    uint32_t count;
    while ((count = dp_frame_rx(frames, 0, left, DP_FRAME_BURST_MAX)) > 0) {
        for (uint32_t i = 0; i < count; i++) {
            dp_frame_free(left[i]);
        }
    }
}

/* A link that is down when the node starts, comes up and flaps ends nothing, and is told. */
static void test_card_link_may_be_down_and_flap(void **state)
{
    (void)state;
    card.has_link = false;
    struct dp_frame_port *frames = card_open(0);
    struct dp_port *lane = lane_open(frames);
    dp_port_tick(lane, 1);
    assert_int_equal(dp_port_counters(lane)->link_up, 0);
    assert_int_equal(dp_port_counters(lane)->tx_packets, 0);
    for (uint64_t flap = 1; flap <= 3; flap++) {
        card.has_link = true;
        dp_frame_port_look(frames);
        dp_port_tick(lane, flap * 100000000);
        assert_true(dp_frame_port_is_up(frames));
        assert_int_equal(dp_port_counters(lane)->link_up, 1);
        assert_int_equal(dp_port_counters(lane)->link_mbps, 25000);
        /* Peers may hold an older MAC: both addresses are announced. */
        assert_int_equal(dp_port_counters(lane)->tx_packets, 2 * flap);
        card.has_link = false;
        dp_frame_port_look(frames);
        dp_port_tick(lane, flap * 100000000 + 50000000);
        assert_int_equal(dp_port_counters(lane)->link_up, 0);
        assert_int_equal(dp_port_counters(lane)->link_mbps, 0);
        assert_int_equal(dp_port_counters(lane)->link_changes, 2 * flap);
    }
    frames_drain(frames);
    dp_port_close(lane);
    dp_frame_port_close(frames);
}

/* Drivers sleep when they are asked: the lane only reads what a look has found. */
static void test_card_is_not_asked_by_a_lane(void **state)
{
    (void)state;
    card.missed = 5;
    struct dp_frame_port *frames = card_open(0);
    struct dp_port *lane = lane_open(frames);
    struct dp_datagram got[RX_BURST_MAX];
    uint32_t looks = card.looks;
    for (uint64_t turn = 0; turn < 1000; turn++) {
        (void)dp_port_rx(lane, turn * 1000000, got, RX_BURST_MAX);
        dp_port_tick(lane, turn * 1000000);
    }
    assert_int_equal(card.looks, looks);
    assert_int_equal(dp_port_counters(lane)->card_rx_missed, 5);
    assert_int_equal(dp_port_counters(lane)->card_tx_errors, 7);
    dp_port_close(lane);
    dp_frame_port_close(frames);
}

/* Sends the frame to itself; the buffer as the card would have filled it. */
static struct rte_mbuf *buffer_of(struct dp_frame_port *frames, const struct frame *frame)
{
    struct dp_frame *buffer = dp_frame_new(frames, 0);
    assert_non_null(buffer);
    memcpy(dp_frame_data(buffer), frame->data, frame->size_bytes);
    dp_frame_set_size_bytes(buffer, frame->size_bytes);
    return (struct rte_mbuf *)buffer;
}

static void lane_mac(const struct dp_frame_port *frames, struct frame *frame)
{
    dp_frame_port_mac(frames, frame->data);
}

static uint32_t receive(struct dp_frame_port *frames, struct dp_port *lane, struct rte_mbuf *mbuf,
                        struct dp_datagram *ret_datagram)
{
    struct dp_datagram got[RX_BURST_MAX];
    struct dp_frame *frame = (struct dp_frame *)mbuf;
    assert_int_equal(dp_frame_tx(frames, 0, &frame, 1), 1);
    uint32_t count = dp_port_rx(lane, 1, got, RX_BURST_MAX);
    *ret_datagram = got[0];
    return count;
}

/* A frame whose checksum is wrong or right, with a flag of the card: whether it is taken. */
static bool is_taken(struct dp_frame_port *frames, struct dp_port *lane, bool is_right,
                     uint64_t flags)
{
    struct frame frame = udp_frame(true, 30);
    struct dp_datagram got;
    lane_mac(frames, &frame);
    if (!is_right) {
        frame.data[40] ^= 1;
    }
    struct rte_mbuf *mbuf = buffer_of(frames, &frame);
    mbuf->ol_flags |= flags;
    return receive(frames, lane, mbuf, &got) == 1;
}

/* NONE means: no checksum is there, and the frame is whole. BAD and unknown: we look ourselves. */
static void test_card_flags_of_checksums(void **state)
{
    (void)state;
    struct dp_frame_port *frames = card_open(0);
    struct dp_port *lane = lane_open(frames);
    assert_true(is_taken(frames, lane, true, RTE_MBUF_F_RX_L4_CKSUM_GOOD));
    assert_true(is_taken(frames, lane, false, RTE_MBUF_F_RX_L4_CKSUM_GOOD));
    assert_true(is_taken(frames, lane, false, RTE_MBUF_F_RX_L4_CKSUM_NONE));
    assert_true(is_taken(frames, lane, true, RTE_MBUF_F_RX_L4_CKSUM_BAD));
    assert_true(is_taken(frames, lane, true, RTE_MBUF_F_RX_IP_CKSUM_BAD));
    assert_true(is_taken(frames, lane, true, 0));
    assert_int_equal(dp_port_counters(lane)->drops[DP_DROP_UDP_CHECKSUM], 0);
    assert_false(is_taken(frames, lane, false, 0));
    assert_false(is_taken(frames, lane, false, RTE_MBUF_F_RX_L4_CKSUM_BAD));
    assert_int_equal(dp_port_counters(lane)->drops[DP_DROP_UDP_CHECKSUM], 2);
    dp_port_close(lane);
    dp_frame_port_close(frames);
}

static void tag_insert(struct frame *frame, uint16_t ethertype, uint16_t tag)
{
    memmove(frame->data + 16, frame->data + 12, frame->size_bytes - 12);
    be16_store(frame->data + 12, ethertype);
    be16_store(frame->data + 14, tag);
    frame->size_bytes += 4;
}

static bool is_tagged_taken(struct dp_frame_port *frames, struct dp_port *lane, uint16_t ethertype,
                            uint16_t tag)
{
    struct frame frame = udp_frame(true, 30);
    struct dp_datagram got;
    lane_mac(frames, &frame);
    tag_insert(&frame, ethertype, tag);
    if (receive(frames, lane, buffer_of(frames, &frame), &got) == 0) {
        return false;
    }
    assert_int_equal(got.size_bytes, 30);
    assert_int_equal(got.data[29], (uint8_t)(29 * 31 + 5));
    return true;
}

/* The card has taken a tag out of the frame, and may have left another one, of VLAN 0. */
static bool is_stripped_taken(struct dp_frame_port *frames, struct dp_port *lane, uint16_t tag,
                              bool has_second)
{
    struct frame frame = udp_frame(true, 30);
    struct dp_datagram got;
    lane_mac(frames, &frame);
    if (has_second) {
        tag_insert(&frame, 0x8100, 0xe000);
    }
    struct rte_mbuf *mbuf = buffer_of(frames, &frame);
    mbuf->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
    mbuf->vlan_tci = tag;
    return receive(frames, lane, mbuf, &got) == 1;
}

/* Frames of a VLAN are not ours, even where the card has hidden their tag. A tag of VLAN 0 only
 * carries a priority. */
static void test_card_frames_of_a_vlan(void **state)
{
    (void)state;
    struct dp_frame_port *frames = card_open(0);
    struct dp_port *lane = lane_open(frames);
    assert_true(is_tagged_taken(frames, lane, 0x8100, 0xe000));
    assert_true(is_stripped_taken(frames, lane, 0xe000, false));
    assert_true(is_stripped_taken(frames, lane, 0xe000, true));
    assert_int_equal(dp_port_counters(lane)->drops[DP_DROP_VLAN], 0);
    assert_false(is_tagged_taken(frames, lane, 0x8100, 0xe005));
    assert_false(is_tagged_taken(frames, lane, 0x88a8, 0));
    assert_false(is_stripped_taken(frames, lane, 5, false));
    assert_false(is_stripped_taken(frames, lane, 5, true));
    assert_int_equal(dp_port_counters(lane)->drops[DP_DROP_VLAN], 4);
    /* A tag and nothing behind. */
    struct frame frame = udp_frame(true, 30);
    struct dp_datagram got;
    lane_mac(frames, &frame);
    tag_insert(&frame, 0x8100, 0);
    frame.size_bytes = 17;
    assert_int_equal(receive(frames, lane, buffer_of(frames, &frame), &got), 0);
    assert_int_equal(dp_port_counters(lane)->drops[DP_DROP_VLAN], 5);
    dp_port_close(lane);
    dp_frame_port_close(frames);
}

/* A frame that the card has laid into two buffers. */
static struct rte_mbuf *scattered(struct dp_frame_port *frames, const struct frame *frame,
                                  uint32_t first_bytes)
{
    struct frame rest = {.size_bytes = frame->size_bytes - first_bytes};
    struct frame begin = *frame;
    begin.size_bytes = first_bytes;
    memcpy(rest.data, frame->data + first_bytes, rest.size_bytes);
    struct rte_mbuf *head = buffer_of(frames, &begin);
    assert_int_equal(rte_pktmbuf_chain(head, buffer_of(frames, &rest)), 0);
    return head;
}

static void test_card_may_scatter_frames(void **state)
{
    (void)state;
    struct dp_frame_port *frames = card_open(0);
    struct dp_port *lane = lane_open(frames);
    struct frame frame = udp_frame(true, 1000);
    struct dp_datagram got;
    lane_mac(frames, &frame);
    assert_int_equal(receive(frames, lane, scattered(frames, &frame, 128), &got), 1);
    assert_int_equal(got.size_bytes, 1000);
    assert_int_equal(got.data[999], (uint8_t)(999 * 31 + 5));
    /* The first buffer has no room for the rest. */
    frame.size_bytes = FRAME_SIZE_BYTES_MAX;
    struct rte_mbuf *head = scattered(frames, &frame, 1024);
    head->data_off = (uint16_t)(head->buf_len - head->data_len);
    assert_int_equal(receive(frames, lane, head, &got), 0);
    assert_int_equal(dp_port_counters(lane)->drops[DP_DROP_FRAME_LONG], 1);
    /* No buffer was lost on the way: one is held. */
    (void)dp_port_rx(lane, 2, &got, 1);
    struct dp_frame *all[POOL_SIZE];
    uint32_t count = 0;
    while (count < POOL_SIZE && (all[count] = dp_frame_new(frames, 0)) != NULL) {
        count++;
    }
    assert_int_equal(count, POOL_SIZE);
    for (uint32_t i = 0; i < count; i++) {
        dp_frame_free(all[i]);
    }
    dp_port_close(lane);
    dp_frame_port_close(frames);
}

/* Ethernet has no frame below 60 bytes: what is sent is padded, what came is cut. */
static void test_card_short_frames_are_padded(void **state)
{
    (void)state;
    struct dp_frame_port *frames = card_open(0);
    struct dp_port *lane = lane_open(frames);
    struct frame frame = udp_frame(true, 3);
    struct dp_datagram got;
    struct dp_frame *sent;
    lane_mac(frames, &frame);
    assert_int_equal(frame.size_bytes, 60);
    assert_int_equal(receive(frames, lane, buffer_of(frames, &frame), &got), 1);
    assert_int_equal(got.size_bytes, 3);
    assert_non_null(dp_port_tx_reserve(lane, 0, &got.from));
    dp_port_tx_commit(lane, 0);
    dp_port_tx_flush(lane);
    /* The query for the peer's MAC, then the datagram. */
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(dp_frame_rx(frames, 0, &sent, 1), 1);
        assert_int_equal(dp_frame_size_bytes(sent), 60);
        dp_frame_free(sent);
    }
    dp_port_close(lane);
    dp_frame_port_close(frames);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, card_make)
    static const struct CMUnitTest tests[] = {
        TEST(test_card_is_asked_for_multicast),    TEST(test_card_has_room_for_its_mtu),
        TEST(test_card_refuses_what_it_cannot),    TEST(test_card_memory_lies_near_it),
        TEST(test_card_link_may_be_down_and_flap), TEST(test_card_is_not_asked_by_a_lane),
        TEST(test_card_flags_of_checksums),        TEST(test_card_frames_of_a_vlan),
        TEST(test_card_may_scatter_frames),        TEST(test_card_short_frames_are_padded),
    };
    return cmocka_run_group_tests(tests, cards_setup, cards_teardown);
}
