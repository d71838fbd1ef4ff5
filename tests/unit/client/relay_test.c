/* The way to a leader that does not answer: when the handle takes another one, what goes there, and
 * when it goes directly again. Two sockets: a follower, and the leader whom it names. */
#include "tests/unit/client/fake_node.h"

#include <string.h>

#define FOLLOWER 1
#define LEADER   2
#define ROUNDS   2000
#define POLL_NS  500000

struct place {
    int fd;
    uint16_t port;
    uint32_t hellos;  /* by the direct way */
    uint32_t others;  /* likewise */
    uint32_t relayed; /* packets for the leader, of any type; and of these: */
    uint32_t relayed_reads;
    uint32_t malformed;
};

static struct place follower;
static struct place leader;
static bool is_leader_mute; /* to what comes directly */
static bool is_relay_dead;
/* The last hello that the dead relay took. */
static struct sockaddr_in kept_from;
static uint8_t kept[PACKET_SIZE_BYTES_MAX];
static size_t kept_bytes;
static struct plx_client *client;

static void place_open(struct place *place)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    *place = (struct place){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)};
    assert_int_equal(bind(place->fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(getsockname(place->fd, (struct sockaddr *)&at, &size), 0);
    place->port = ntohs(at.sin_port);
}

static void send_to(const struct place *place, const struct sockaddr_in *to, uint16_t sender,
                    uint8_t type, struct span body)
{
    static uint64_t message_id = 1000;
    const struct wire_keys keys = wire_keys_none();
    uint8_t packet[PACKET_SIZE_BYTES_MAX];
    const struct wire_message_header header = {.type = type,
                                               .sender = sender,
                                               .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                               .cluster_id = wire_cluster_id(FAKE_CLUSTER),
                                               .message_id = ++message_id};
    uint32_t size = wire_piece_encode(packet, &keys, &header, body, 0);
    assert_int_equal(sendto(place->fd, packet, size, 0, (const struct sockaddr *)to, sizeof(*to)),
                     size);
}

static void answer_hello(const struct place *place, const struct sockaddr_in *to, uint16_t node,
                         struct span body)
{
    struct wire_hello hello;
    uint8_t bytes[WIRE_HELLO_REPLY_SIZE_BYTES];
    struct wire_writer writer = {.data = bytes, .capacity_bytes = sizeof(bytes)};
    assert_int_equal(wire_hello_decode(body, &hello), OK);
    const struct wire_hello_reply reply = {.nonce = hello.nonce,
                                           .incarnation = 1000u + node,
                                           .term = 5,
                                           .applied_index = 77,
                                           .series = node,
                                           .node = node,
                                           .leader = LEADER,
                                           .node_count = 3,
                                           .shard_count = 1,
                                           .lane_count = 1,
                                           .session_ttl_ns = FAKE_SESSION_TTL_NS,
                                           .cluster = FAKE_CLUSTER_NUMBER,
                                           .role = node == LEADER ? WIRE_ROLE_LEADER
                                                                  : WIRE_ROLE_FOLLOWER,
                                           .has_fresh_quorum = node == LEADER};
    wire_hello_reply_encode(&writer, &reply);
    send_to(place, to, node, WIRE_HELLO_REPLY, span_of(bytes, writer.size_bytes));
}

/* No key is there. */
static void answer_read(const struct place *place, const struct sockaddr_in *to, struct span body)
{
    struct wire_read read;
    uint8_t bytes[256];
    struct wire_writer writer = {.data = bytes, .capacity_bytes = sizeof(bytes)};
    assert_int_equal(wire_read_decode(body, &read), OK);
    const struct wire_reply reply = {.number = read.request_number,
                                     .incarnation = 1000u + LEADER,
                                     .node = LEADER,
                                     .leader = LEADER,
                                     .status = WIRE_STATUS_OK,
                                     .term = 5,
                                     .applied_index = 77,
                                     .series = LEADER};
    wire_reply_begin(&writer, &reply);
    wire_reply_add(&writer, &(struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND});
    send_to(place, to, LEADER, WIRE_READ_REPLY, span_of(bytes, writer.size_bytes));
}

static bool decode(struct span bytes, struct wire_packet *ret_packet)
{
    const struct wire_keys keys = wire_keys_none();
    return wire_packet_decode(bytes, &keys, wire_cluster_id(FAKE_CLUSTER), ret_packet) == OK;
}

/* As the leader: what came by way of the follower is answered there. */
static void serve(const struct place *place, const struct sockaddr_in *from,
                  const struct wire_packet *packet)
{
    if (packet->header.type == WIRE_HELLO)
        answer_hello(place, from, LEADER, packet->payload);
    else if (packet->header.type == WIRE_READ)
        answer_read(place, from, packet->payload);
}

static void relay(const struct sockaddr_in *from, const struct wire_packet *packet)
{
    struct wire_relay relay;
    struct wire_packet inner;
    bool is_good = wire_relay_decode(WIRE_RELAY, packet->payload, &relay) == OK &&
                   relay.node == LEADER && wire_relay_may_carry(relay.packet, 0, 0) &&
                   decode(relay.packet, &inner);
    follower.malformed += !is_good;
    follower.relayed++;
    if (is_good && inner.header.type == WIRE_HELLO) {
        kept_from = *from;
        kept_bytes = inner.payload.size_bytes;
        memcpy(kept, inner.payload.data, kept_bytes);
    }
    if (!is_good || is_relay_dead)
        return;
    follower.relayed_reads += inner.header.type == WIRE_READ;
    serve(&follower, from, &inner);
}

static bool receive(struct place *place)
{
    uint8_t bytes[PACKET_SIZE_BYTES_MAX];
    struct sockaddr_in from;
    socklen_t from_size = sizeof(from);
    struct wire_packet packet;
    ssize_t size =
        recvfrom(place->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &from_size);
    if (size < 0)
        return false;
    assert_true(decode(span_of(bytes, (size_t)size), &packet));
    if (packet.header.type == WIRE_RELAY) {
        assert_ptr_equal(place, &follower);
        relay(&from, &packet);
        return true;
    }
    place->hellos += packet.header.type == WIRE_HELLO;
    place->others += packet.header.type != WIRE_HELLO;
    if (place == &leader && !is_leader_mute)
        serve(place, &from, &packet);
    if (place == &follower && packet.header.type == WIRE_HELLO)
        answer_hello(place, &from, FOLLOWER, packet.payload);
    return true;
}

static void turn(void)
{
    (void)plx_poll(client, POLL_NS);
    while (receive(&follower) || receive(&leader))
        continue;
}

static void note_end(void *context, const struct plx_response *response)
{
    *(enum plx_outcome *)context = response->outcome;
}

/* A consistent get; its outcome is PLX_UNKNOWN meanwhile. */
static void get_begin(enum plx_outcome *outcome)
{
    *outcome = PLX_UNKNOWN;
    const struct plx_op op = {.type = PLX_OP_GET,
                              .key = plx_text("key"),
                              .call = {.is_blocking = true},
                              .done = note_end,
                              .context = outcome};
    assert_int_equal(plx_submit(client, &op), PLX_OK);
}

/* It ends, as there is no such key. */
static void get_end(const enum plx_outcome *outcome)
{
    for (uint32_t i = 0; i < ROUNDS && *outcome == PLX_UNKNOWN; i++)
        turn();
    assert_int_equal(*outcome, PLX_NOT_FOUND);
}

static void get(void)
{
    enum plx_outcome outcome;
    get_begin(&outcome);
    get_end(&outcome);
}

/* A get of which the leader hears nothing: the follower is asked to relay, and relays to nobody. */
static void get_begin_unheard(enum plx_outcome *outcome)
{
    is_leader_mute = is_relay_dead = true;
    get_begin(outcome);
    for (uint32_t i = 0; i < ROUNDS && follower.relayed < 3; i++)
        turn();
    assert_in_range(follower.relayed, 3, UINT32_MAX);
}

static int setup(void **state)
{
    static char endpoints[64];
    struct plx_options options;
    char reason[256];
    (void)state;
    place_open(&follower);
    place_open(&leader);
    is_leader_mute = is_relay_dead = false;
    snprintf(endpoints, sizeof(endpoints), "127.0.0.1:%u,127.0.0.1:%u", follower.port, leader.port);
    plx_options_init(&options);
    options.endpoints = endpoints;
    options.cluster = FAKE_CLUSTER;
    options.seed = 1;
    options.spin_ns = 0;
    options.leader_fresh_ns = 20 * 1000 * 1000;
    assert_int_equal(plx_open(&options, &client, reason, sizeof(reason)), PLX_OK);
    get(); /* directly */
    assert_int_equal(follower.relayed, 0);
    assert_int_not_equal(leader.others, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    plx_close(client);
    close(follower.fd);
    close(leader.fd);
    return 0;
}

static void test_relay_is_taken_when_the_leader_does_not_answer(void **state)
{
    (void)state;
    is_leader_mute = true;
    uint32_t hellos = leader.hellos;
    get();
    assert_in_range(leader.hellos - hellos, 3, UINT32_MAX);
    assert_in_range(follower.relayed_reads, 1, UINT32_MAX);
    assert_int_equal(follower.others, 0); /* the follower itself is asked for nothing */
    assert_int_equal(follower.malformed, 0);
}

/* Later calls look for no way any more. */
static void test_relay_stays_in_use(void **state)
{
    (void)state;
    is_leader_mute = true;
    get();
    uint32_t hellos = leader.hellos + follower.hellos;
    uint32_t direct = leader.others;
    for (uint32_t i = 0; i < 20; i++)
        get();
    assert_in_range(leader.hellos + follower.hellos - hellos, 0, 2); /* tries of the direct way */
    assert_int_equal(leader.others, direct);
    assert_in_range(follower.relayed_reads, 21, UINT32_MAX);
}

static void test_relay_ends_when_the_direct_way_works(void **state)
{
    (void)state;
    is_leader_mute = true;
    get();
    is_leader_mute = false;
    uint32_t direct = leader.others;
    for (uint32_t i = 0; i < 20 * ROUNDS && leader.others == direct; i++)
        get();
    uint32_t relayed = follower.relayed;
    get();
    assert_int_equal(follower.relayed, relayed);
    assert_in_range(leader.others, direct + 1, UINT32_MAX);
}

/* The ways take turns: a node that does not reach the leader either is not all there is. */
static void test_relay_that_brings_no_answer_is_left(void **state)
{
    (void)state;
    enum plx_outcome outcome;
    get_begin_unheard(&outcome);
    uint32_t hellos = leader.hellos;
    for (uint32_t i = 0; i < ROUNDS && leader.hellos < hellos + 3; i++)
        turn();
    is_leader_mute = false;
    get_end(&outcome);
}

/* The way is longer than its time: another one was taken before the answer came. */
static void test_relay_whose_answer_is_late_is_taken_again(void **state)
{
    (void)state;
    enum plx_outcome outcome;
    get_begin_unheard(&outcome);
    uint32_t hellos = leader.hellos;
    for (uint32_t i = 0; i < ROUNDS && leader.hellos == hellos; i++)
        turn();
    assert_int_not_equal(leader.hellos, hellos); /* it goes directly */
    is_relay_dead = false;
    uint32_t others = leader.others;
    answer_hello(&follower, &kept_from, LEADER, span_of(kept, kept_bytes));
    get_end(&outcome);
    assert_int_equal(leader.others, others);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_relay_is_taken_when_the_leader_does_not_answer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_relay_stays_in_use, setup, teardown),
        cmocka_unit_test_setup_teardown(test_relay_ends_when_the_direct_way_works, setup, teardown),
        cmocka_unit_test_setup_teardown(test_relay_that_brings_no_answer_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_relay_whose_answer_is_late_is_taken_again, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
