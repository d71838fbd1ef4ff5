/*
 * The client's receive path: a node on 127.0.0.1, played here, answers one write and one read with
 * messages that the input defaces. The input is a list of steps: which message, how many bytes of
 * it to change, and for each the place and what it is XORed with. Packets keep their checksum, or
 * no change would ever get through. Whatever arrives, each operation ends once at most, its answer
 * does not contradict itself, and it took effect only if a message said so.
 */
#include "base/check.h"
#include "client/include/pollux.h"
#include "wire/wire.h"
#include "tests/fuzz/canary.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const struct wire_keys keys = {.is_sealed = false};

#define CLUSTER          "fuzz"
#define BODY_SIZE_BYTES  2048
#define STEPS_MAX        64u
#define DATAGRAMS_MAX    64u
#define SESSION          UINT64_C(0x5E55)
#define INCARNATION      UINT64_C(1001)
#define CALL_TIMEOUT_NS  (UINT64_C(3600) * 1000 * 1000 * 1000)
#define VALUE            "value"
#define VALUE_SIZE_BYTES 5u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

struct ending {
    uint32_t count;
    bool is_write;
    const struct node *node;
};

struct node {
    struct sockaddr_in client; /* that sent last */
    uint64_t message_id;
    uint64_t nonce;        /* of the last hello */
    uint64_t write_number; /* of the last write, and its first op */
    uint64_t write_seq;
    uint64_t set_seq; /* of the last write that was no registration; 0: none yet */
    uint64_t read_number;
    bool may_write; /* a message said that a write took effect */
    bool may_read;  /* a message carried a value */
};

static int node_fd = -1;
static uint16_t node_port;

static void node_open(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    if (node_fd >= 0)
        return;
    node_fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(node_fd >= 0);
    CHECK(bind(node_fd, (struct sockaddr *)&address, size) == 0);
    CHECK(getsockname(node_fd, (struct sockaddr *)&address, &size) == 0);
    node_port = ntohs(address.sin_port);
}

static void node_learn(struct node *node, const struct wire_packet *packet)
{
    struct wire_hello hello;
    struct wire_write write;
    struct wire_request request;
    struct wire_read read;
    struct wire_op op;
    size_t cursor = 0;
    if (packet->header.type == WIRE_HELLO && wire_hello_decode(packet->payload, &hello) == OK) {
        node->nonce = hello.nonce;
    } else if (packet->header.type == WIRE_READ && wire_read_decode(packet->payload, &read) == OK) {
        node->read_number = read.request_number;
    } else if (packet->header.type == WIRE_WRITE) {
        CHECK(wire_write_decode(packet->payload, &write) == OK);
        CHECK(wire_request_decode(write.request, &request) == OK);
        CHECK(wire_op_decode(request.ops, &cursor, &op) == OK);
        node->write_number = write.packet_number;
        node->write_seq = op.seq;
        if (op.type != WIRE_OP_REGISTER)
            node->set_seq = op.seq;
    }
}

/* What the client sent; packets left over by an earlier client are of another port. */
static void node_receive(struct node *node)
{
    uint8_t bytes[PACKET_SIZE_BYTES_MAX];
    for (uint32_t i = 0; i < DATAGRAMS_MAX; i++) {
        struct wire_packet packet;
        socklen_t size = sizeof(node->client);
        ssize_t count =
            recvfrom(node_fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&node->client, &size);
        if (count <= 0)
            return;
        CHECK(wire_packet_decode(span_of(bytes, (size_t)count), &keys, wire_cluster_id(CLUSTER),
                                 &packet) == OK);
        node_learn(node, &packet);
    }
}

/* What the message, as it leaves, says that happened. */
static void node_note(struct node *node, uint8_t type, struct span body)
{
    struct wire_reply reply;
    size_t cursor = 0;
    if ((type != WIRE_WRITE_REPLY && type != WIRE_READ_REPLY) ||
        wire_reply_decode(body, &reply) != OK)
        return;
    for (uint16_t i = 0; i < reply.op_count; i++) {
        struct wire_reply_op op;
        CHECK(wire_reply_op_decode(reply.ops, &cursor, &op) == OK);
        if (op.outcome != WIRE_OUTCOME_OK)
            continue;
        node->may_write |=
            type == WIRE_WRITE_REPLY && node->set_seq != 0 && op.seq == node->set_seq;
        node->may_read |= type == WIRE_READ_REPLY;
    }
}

static void node_send(struct node *node, uint8_t type, struct span body)
{
    uint8_t bytes[PACKET_SIZE_BYTES_MAX];
    struct wire_message_header header = {.type = type,
                                         .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                         .sender = 1,
                                         .cluster_id = wire_cluster_id(CLUSTER),
                                         .message_id = ++node->message_id};
    if (node->client.sin_port == 0)
        return;
    node_note(node, type, body);
    uint32_t size = wire_piece_encode(bytes, &keys, &header, body, 0);
    CHECK(sendto(node_fd, bytes, size, 0, (struct sockaddr *)&node->client, sizeof(node->client)) ==
          (ssize_t)size);
}

static void write_hello(const struct node *node, struct wire_writer *writer)
{
    const struct wire_hello_reply reply = {.nonce = node->nonce,
                                           .incarnation = INCARNATION,
                                           .term = 5,
                                           .node = 1,
                                           .leader = 1,
                                           .node_count = 3,
                                           .shard_count = 1,
                                           .lane_count = 1,
                                           .session_ttl_ns = UINT64_C(3600000000000),
                                           .role = PLX_LEADER,
                                           .has_fresh_quorum = true};
    wire_hello_reply_encode(writer, &reply);
}

static void write_reply(const struct node *node, uint8_t type, enum wire_status status,
                        struct wire_writer *writer)
{
    bool is_read = type == WIRE_READ_REPLY;
    const struct wire_reply reply = {.number = is_read ? node->read_number : node->write_number,
                                     .incarnation = INCARNATION,
                                     .node = 1,
                                     .leader = 1,
                                     .status = (uint8_t)status,
                                     .term = 5,
                                     .applied_index = 77};
    struct wire_reply_op op = {
        .seq = is_read ? 0 : node->write_seq, .outcome = WIRE_OUTCOME_OK, .version = SESSION};
    if (is_read) {
        op.has_value = true;
        op.value_size_bytes = VALUE_SIZE_BYTES;
        op.chunk = span_of((const uint8_t *)VALUE, VALUE_SIZE_BYTES);
    }
    wire_reply_begin(writer, &reply);
    if (status == WIRE_STATUS_OK)
        wire_reply_add(writer, &op);
}

/* Message by step: its type, and whether it is a refusal. */
static const struct {
    uint8_t type;
    enum wire_status status;
} messages[] = {
    {WIRE_HELLO_REPLY, WIRE_STATUS_OK},       {WIRE_WRITE_REPLY, WIRE_STATUS_OK},
    {WIRE_READ_REPLY, WIRE_STATUS_OK},        {WIRE_WRITE_REPLY, WIRE_STATUS_NOT_LEADER},
    {WIRE_READ_REPLY, WIRE_STATUS_NO_QUORUM}, {WIRE_STATUS_REPLY, WIRE_STATUS_OK},
    {WIRE_TRANSFER_REPLY, WIRE_STATUS_OK},
};
#define MESSAGES (sizeof(messages) / sizeof(messages[0]))

/* One step; returns the bytes of input that it used. */
static size_t step(struct node *node, const uint8_t *input, size_t size_bytes)
{
    uint8_t body[BODY_SIZE_BYTES];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    uint8_t type = messages[input[0] % MESSAGES].type;
    size_t used = 2;
    if (type == WIRE_HELLO_REPLY || type == WIRE_STATUS_REPLY)
        write_hello(node, &writer);
    else
        write_reply(node, type, messages[input[0] % MESSAGES].status, &writer);
    CHECK(!writer.is_overflow);
    for (uint32_t i = 0; i < input[1] % 16u && used + 2 <= size_bytes; i++, used += 2)
        body[input[used] % writer.size_bytes] ^= input[used + 1];
    node_send(node, type, span_of(body, writer.size_bytes));
    return used;
}

static void operation_done(void *context, const struct plx_response *response)
{
    struct ending *ending = context;
    bool is_ok = response->outcome == PLX_OK;
    /* A write that nobody confirmed is reported as done. */
    CANARY(is_ok |= ending->is_write && !ending->node->may_write);
    ending->count++;
    CHECK(ending->count == 1);
    CHECK((unsigned)response->outcome < PLX_OUTCOME_COUNT);
    CHECK(response->valid == (response->outcome == PLX_OK));
    CHECK(response->timeout == (response->outcome == PLX_TIMEOUT));
    CHECK(response->value.size_bytes <= PLX_VALUE_SIZE_BYTES_MAX);
    CHECK(response->value.size_bytes <= response->value_size_bytes);
    if (is_ok && ending->is_write)
        CHECK(ending->node->may_write);
    if (is_ok && !ending->is_write)
        CHECK(ending->node->may_read);
}

static struct plx_client *client_open(void)
{
    struct plx_client *client = NULL;
    struct plx_options options;
    char endpoints[64];
    char reason[256];
    snprintf(endpoints, sizeof(endpoints), "127.0.0.1:%u", node_port);
    plx_options_init(&options);
    options.endpoints = endpoints;
    options.cluster = CLUSTER;
    options.window = 2;
    options.seed = 1;
    options.spin_ns = 0;
    CHECK(plx_open(&options, &client, reason, sizeof(reason)) == PLX_OK);
    return client;
}

static void submit(struct plx_client *client, struct ending *ending)
{
    const struct plx_op op = {.type = ending->is_write ? PLX_OP_SET : PLX_OP_GET,
                              .key = plx_text("key"),
                              .value = ending->is_write ? plx_text(VALUE) : PLX_ABSENT,
                              .call = {.timeout_ns = CALL_TIMEOUT_NS},
                              .done = operation_done,
                              .context = ending};
    CHECK(plx_submit(client, &op) == PLX_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct node node = {.message_id = 0};
    struct ending write_ending = {.is_write = true, .node = &node};
    struct ending read_ending = {.is_write = false, .node = &node};
    node_open();
    node_receive(&node); /* what the client before this one still sent */
    node = (struct node){.message_id = 0};
    struct plx_client *client = client_open();
    submit(client, &write_ending);
    submit(client, &read_ending);
    size_t at = 0;
    for (uint32_t i = 0; i < STEPS_MAX && at + 2 <= size_bytes; i++) {
        (void)plx_poll(client, 0);
        node_receive(&node);
        at += step(&node, data + at, size_bytes - at);
    }
    (void)plx_poll(client, 0);
    plx_cancel(client);
    (void)plx_poll(client, 0);
    plx_close(client);
    return 0;
}
