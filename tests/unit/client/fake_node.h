/*
 * A node played by the test: a UDP socket on 127.0.0.1 that is asked what arrived and told what to
 * answer, step by step, in the same thread that polls the client. Nothing waits but for a packet.
 */
#ifndef POLLUX_TESTS_UNIT_CLIENT_FAKE_NODE_H
#define POLLUX_TESTS_UNIT_CLIENT_FAKE_NODE_H

#include "base/arena.h"
#include "client/include/pollux.h"
#include "wire/reassembly.h"
#include "wire/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const struct wire_keys keys = {.key_id = WIRE_KEY_ID_NONE};

#define FAKE_CLUSTER   "test"
#define FAKE_POLLS_MAX 4000
#define FAKE_POLL_NS   500000
#define FAKE_SLOTS     4
#define FAKE_SESSION   UINT64_C(0x5E55)

struct fake {
    int fd;
    uint16_t port;
    uint16_t id;
    uint64_t incarnation;
    uint64_t session; /* that a registration is answered with */
    bool is_leader;   /* hellos are answered so */
    bool is_mute;     /* hellos are not answered at all */
    uint32_t hellos;  /* seen */
    uint32_t registrations;
    uint64_t journal_done_seq;
    uint64_t applied_index; /* as it says in every answer */
    uint64_t contact_age_us;
    uint64_t message_id;
    struct arena arena;
    struct reassembly *reassembly;
    /* The message that fake_expect returned. */
    struct sockaddr_in from;
    uint8_t type;
    uint32_t packets; /* seen, of any kind */
    struct wire_write write;
    struct wire_request request;
    struct wire_op ops[REQUEST_OPS_MAX];
    struct wire_read read;
    struct wire_read_op read_ops[REQUEST_OPS_MAX];
    struct span body;
};

static inline void fake_open(struct fake *fake, uint16_t id)
{
    *fake = (struct fake){.id = id,
                          .applied_index = 77,
                          .incarnation = 1000u + id,
                          .session = FAKE_SESSION,
                          .contact_age_us = 9,
                          .is_leader = true};
    fake->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fake->fd >= 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    assert_int_equal(bind(fake->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fake->fd, (struct sockaddr *)&address, &size), 0);
    fake->port = ntohs(address.sin_port);
    int wanted = 4 * 1024 * 1024;
    (void)setsockopt(fake->fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof(wanted));
    assert_int_equal(arena_init(&fake->arena, reassembly_arena_bytes(FAKE_SLOTS)), OK);
    fake->reassembly = reassembly_init(&fake->arena, FAKE_SLOTS);
}

static inline void fake_close(struct fake *fake)
{
    close(fake->fd);
    arena_deinit(&fake->arena);
}

/* Options that reach these nodes; the caller frees nothing. */
static inline struct plx_options fake_options(const struct fake *fakes, size_t count)
{
    static char endpoints[256];
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(endpoints + used, sizeof(endpoints) - used, "%s127.0.0.1:%u",
                                 i == 0 ? "" : ",", fakes[i].port);
    struct plx_options options;
    plx_options_init(&options);
    options.endpoints = endpoints;
    options.cluster = FAKE_CLUSTER;
    options.seed = 1;
    options.spin_ns = 0;
    /* Long enough that a busy machine is not taken for a lost packet. */
    options.rto_min_ns = 25 * 1000 * 1000;
    options.timeout_ns = 5u * 1000 * 1000 * 1000; /* tests that want a timeout say so */
    options.keep_alive_ns = UINT64_C(60) * 1000 * 1000 * 1000;
    options.leader_fresh_ns = UINT64_C(60) * 1000 * 1000 * 1000;
    return options;
}

static inline struct plx_client *fake_client(const struct plx_options *options)
{
    struct plx_client *client = NULL;
    char reason[256] = "";
    enum plx_outcome outcome = plx_open(options, &client, reason, sizeof(reason));
    if (outcome != PLX_OK)
        fail_msg("plx_open: %s", reason);
    return client;
}

static inline void fake_send_as(struct fake *fake, uint64_t cluster_id, uint8_t type,
                                struct span body)
{
    struct wire_message_header header = {.type = type,
                                         .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                         .sender = fake->id,
                                         .cluster_id = cluster_id,
                                         .message_id = ++fake->message_id};
    for (uint32_t piece = 0;
         piece < wire_piece_count(body.size_bytes, PACKET_PAYLOAD_SIZE_BYTES_MAX); piece++) {
        uint8_t packet[PACKET_SIZE_BYTES_MAX];
        uint32_t size = wire_piece_encode(packet, &keys, &header, body, piece);
        assert_int_equal(
            sendto(fake->fd, packet, size, 0, (struct sockaddr *)&fake->from, sizeof(fake->from)),
            size);
    }
}

static inline void fake_send(struct fake *fake, uint8_t type, struct span body)
{
    fake_send_as(fake, wire_cluster_id(FAKE_CLUSTER), type, body);
}

static inline void fake_hello(struct fake *fake, uint64_t nonce)
{
    uint8_t body[256];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_hello_reply reply = {.nonce = nonce,
                                     .incarnation = fake->incarnation,
                                     .term = 5,
                                     .applied_index = fake->applied_index,
                                     .journal_done_seq = fake->journal_done_seq,
                                     .node = fake->id,
                                     .leader = fake->is_leader ? fake->id : 0,
                                     .node_count = 5,
                                     .shard_count = 1,
                                     .lane_count = 1,
                                     .role =
                                         fake->is_leader ? WIRE_ROLE_LEADER : WIRE_ROLE_FOLLOWER,
                                     .has_fresh_quorum = fake->is_leader};
    wire_hello_reply_encode(&writer, &reply);
    fake_send(fake, WIRE_HELLO_REPLY, span_of(body, writer.size_bytes));
}

static inline struct wire_reply fake_reply_head(const struct fake *fake, uint64_t number,
                                                enum wire_status status)
{
    return (struct wire_reply){.number = number,
                               .incarnation = fake->incarnation,
                               .node = fake->id,
                               .leader = fake->is_leader ? fake->id : 0,
                               .status = (uint8_t)status,
                               .term = 5,
                               .applied_index = fake->applied_index,
                               .contact_age_us = fake->contact_age_us,
                               .journal_done_seq = fake->journal_done_seq};
}

/* A refusal of the request `number`. */
static inline void fake_refuse(struct fake *fake, uint8_t type, uint64_t number,
                               enum wire_status status)
{
    uint8_t body[256];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_reply reply = fake_reply_head(fake, number, status);
    wire_reply_begin(&writer, &reply);
    fake_send(fake, type, span_of(body, writer.size_bytes));
}

/* One op as the answer to request `number`. */
static inline void fake_answer(struct fake *fake, uint8_t type, uint64_t number,
                               const struct wire_reply_op *op)
{
    static uint8_t body[64 * 1024];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_reply reply = fake_reply_head(fake, number, WIRE_STATUS_OK);
    wire_reply_begin(&writer, &reply);
    wire_reply_add(&writer, op);
    assert_false(writer.is_overflow);
    fake_send(fake, type, span_of(body, writer.size_bytes));
}

static inline void fake_outcome(struct fake *fake, uint64_t number, uint64_t seq,
                                enum wire_outcome outcome)
{
    fake_answer(fake, WIRE_WRITE_REPLY, number,
                &(struct wire_reply_op){.seq = seq, .outcome = (uint8_t)outcome, .version = 50});
}

/* Every op of the write that arrived last, in one reply. */
static inline void fake_outcome_all(struct fake *fake, enum wire_outcome outcome)
{
    uint8_t body[8192];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_reply reply = fake_reply_head(fake, fake->write.packet_number, WIRE_STATUS_OK);
    wire_reply_begin(&writer, &reply);
    for (uint32_t i = 0; i < fake->request.op_count; i++)
        wire_reply_add(&writer, &(struct wire_reply_op){.seq = fake->ops[i].seq,
                                                        .outcome = (uint8_t)outcome,
                                                        .version = 50 + i});
    fake_send(fake, WIRE_WRITE_REPLY, span_of(body, writer.size_bytes));
}

static inline void fake_decode(struct fake *fake)
{
    size_t cursor = 0;
    if (fake->type == WIRE_WRITE) {
        assert_int_equal(wire_write_decode(fake->body, &fake->write), OK);
        assert_int_equal(wire_request_decode(fake->write.request, &fake->request), OK);
        for (uint32_t i = 0; i < fake->request.op_count; i++)
            assert_int_equal(wire_op_decode(fake->request.ops, &cursor, &fake->ops[i]), OK);
    } else if (fake->type == WIRE_READ) {
        assert_int_equal(wire_read_decode(fake->body, &fake->read), OK);
        for (uint32_t i = 0; i < fake->read.op_count; i++)
            assert_int_equal(wire_read_op_decode(fake->read.ops, &cursor, &fake->read_ops[i]), OK);
    }
}

/* One packet, if there is one; true when it completes a message. */
static inline bool fake_receive(struct fake *fake)
{
    static uint8_t bytes[PACKET_SIZE_BYTES_MAX + 1];
    socklen_t size = sizeof(fake->from);
    ssize_t count =
        recvfrom(fake->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&fake->from, &size);
    if (count < 0)
        return false;
    struct wire_packet packet;
    struct address from = {.port = ntohs(fake->from.sin_port)};
    assert_int_equal(wire_packet_decode(span_of(bytes, (size_t)count), &keys,
                                        wire_cluster_id(FAKE_CLUSTER), &packet),
                     OK);
    assert_int_equal(packet.header.sender, 0);
    fake->packets++;
    fake->type = packet.header.type;
    struct span body = {.data = NULL};
    enum error error = reassembly_add(fake->reassembly, &from, &packet, fake->packets, &body);
    assert_true(error == OK || error == ERR_REPLAYED);
    if (error != OK || body.data == NULL)
        return false;
    fake->body = body;
    fake_decode(fake);
    return true;
}

/* Hellos and registrations are answered by the way; true when that was what arrived. */
static inline bool fake_is_routine(struct fake *fake)
{
    if (fake->type == WIRE_HELLO) {
        struct wire_hello hello;
        assert_int_equal(wire_hello_decode(fake->body, &hello), OK);
        fake->hellos++;
        if (!fake->is_mute)
            fake_hello(fake, hello.nonce);
        return true;
    }
    if (fake->type == WIRE_WRITE && fake->ops[0].type == WIRE_OP_REGISTER && fake->session != 0) {
        fake->registrations++;
        fake_answer(fake, WIRE_WRITE_REPLY, fake->write.packet_number,
                    &(struct wire_reply_op){.seq = fake->ops[0].seq,
                                            .outcome = WIRE_OUTCOME_OK,
                                            .version = fake->session});
        return true;
    }
    return false;
}

/* True when a message that is no routine waits at the node. */
static inline bool fake_try(struct fake *fake)
{
    while (fake->fd >= 0) {
        uint32_t before = fake->packets;
        if (fake_receive(fake) && !fake_is_routine(fake))
            return true;
        if (fake->packets == before)
            return false;
    }
    return false;
}

/* Polls the client until a message of this type reaches the node. */
static inline void fake_expect(struct fake *fake, struct plx_client *client, uint8_t type)
{
    for (uint32_t i = 0; i < FAKE_POLLS_MAX; i++) {
        if (fake_try(fake)) {
            assert_int_equal(fake->type, type);
            return;
        }
        (void)plx_poll(client, FAKE_POLL_NS);
    }
    fail_msg("no message of type %u reached node %u", type, fake->id);
}

/* How one operation ended. */
struct ending {
    uint32_t count;
    struct plx_response response;
};

static inline void ending_done(void *context, const struct plx_response *response)
{
    struct ending *ending = context;
    ending->count++;
    ending->response = *response;
}

/* Polls the client, and lets the node do its routine, until the operation has ended. */
static inline void fake_finish(struct fake *fake, struct plx_client *client,
                               const struct ending *ending)
{
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && ending->count == 0; i++) {
        (void)plx_poll(client, FAKE_POLL_NS);
        if (fake != NULL)
            (void)fake_try(fake);
    }
    assert_int_equal(ending->count, 1);
}

static inline struct plx_op set_op(const char *key, const char *value, struct ending *ending)
{
    return (struct plx_op){.type = PLX_OP_SET,
                           .key = plx_text(key),
                           .value = plx_text(value),
                           .done = ending_done,
                           .context = ending};
}

static inline struct plx_op get_op(const char *key, struct ending *ending)
{
    return (struct plx_op){
        .type = PLX_OP_GET, .key = plx_text(key), .done = ending_done, .context = ending};
}

/* One node, one handle that knows it, and how an operation of it ended. */
struct stage {
    struct fake fake;
    struct plx_client *client;
    struct ending ending;
};

/* `options` NULL: fake_options; else what those are changed to, but for the endpoints. */
static inline void stage_open(struct stage *stage, const struct plx_options *options)
{
    *stage = (struct stage){.client = NULL};
    fake_open(&stage->fake, 1);
    struct plx_options own = fake_options(&stage->fake, 1);
    if (options != NULL) {
        const char *endpoints = own.endpoints;
        own = *options;
        own.endpoints = endpoints;
    }
    stage->client = fake_client(&own);
}

static inline void stage_close(struct stage *stage)
{
    plx_close(stage->client);
    fake_close(&stage->fake);
}

/* Begins a swap of "key"; its ending is the stage's. */
static inline void stage_swap(struct stage *stage, const struct plx_call *call)
{
    struct plx_op op = {.type = PLX_OP_SWAP,
                        .key = plx_text("key"),
                        .value = plx_text("new"),
                        .old_value = plx_text("old"),
                        .call = *call,
                        .done = ending_done,
                        .context = &stage->ending};
    stage->ending.count = 0;
    assert_int_equal(plx_submit(stage->client, &op), PLX_OK);
}

/* A fence of the stage's operation arrives at the node. */
static inline void stage_await_fence(struct stage *stage)
{
    do {
        fake_expect(&stage->fake, stage->client, WIRE_WRITE);
    } while (stage->fake.ops[0].type != WIRE_OP_FENCE);
}

static inline struct plx_statistics fake_statistics(struct plx_client *client)
{
    struct plx_statistics statistics;
    plx_statistics(client, &statistics);
    return statistics;
}

#endif
