/* Nodes played by a test: see tests/unit/client/fake_node.h. */
#include "tests/unit/client/fake_node.h"

static const struct wire_keys fake_keys = {.is_sealed = false};

/* A socket at the port of 127.0.0.1 (0: any); -1: somebody has that. */
static int socket_at(uint16_t port, uint16_t *ret_port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    if (bind(fd, (struct sockaddr *)&address, size) != 0) {
        close(fd);
        return -1;
    }
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    int wanted = 4 * 1024 * 1024;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof(wanted));
    *ret_port = ntohs(address.sin_port);
    return fd;
}

/* Ports in a row; false: one of them is somebody else's. */
static bool ports_open(struct fake *fake)
{
    fake->fds[0] = socket_at(0, &fake->port);
    for (uint16_t i = 1; i < fake->shard_count; i++) {
        uint16_t port;
        fake->fds[i] = socket_at((uint16_t)(fake->port + i), &port);
        if (fake->fds[i] >= 0)
            continue;
        while (i-- > 0)
            close(fake->fds[i]);
        return false;
    }
    return true;
}

void fake_open_shards(struct fake *fake, uint16_t id, uint16_t shard_count)
{
    *fake = (struct fake){.id = id,
                          .shard_count = shard_count,
                          .applied_index = 77,
                          .incarnation = 1000u + id,
                          .session = FAKE_SESSION,
                          .contact_age_us = 9,
                          .session_ttl_ns = FAKE_SESSION_TTL_NS,
                          .cluster = FAKE_CLUSTER_NUMBER,
                          .is_leader = true};
    assert_true(shard_count <= FAKE_SHARDS_MAX);
    for (uint32_t tries = 0; !ports_open(fake); tries++)
        assert_true(tries < FAKE_PORT_TRIES_MAX);
    assert_int_equal(arena_init(&fake->arena, reassembly_arena_bytes(FAKE_SLOTS)), OK);
    fake->reassembly = reassembly_init(&fake->arena, FAKE_SLOTS);
}

void fake_open(struct fake *fake, uint16_t id)
{
    fake_open_shards(fake, id, 1);
}

void fake_close(struct fake *fake)
{
    for (uint16_t i = 0; i < fake->shard_count; i++)
        close(fake->fds[i]);
    arena_deinit(&fake->arena);
}

struct plx_options fake_options(const struct fake *fakes, size_t count)
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
    options.close_wait_ns = 0; /* whoever would answer is the thread that closes */
    /* Long enough that a busy machine is not taken for a lost packet. */
    options.rto_min_ns = 25 * 1000 * 1000;
    options.timeout_ns = UINT64_C(5) * 1000 * 1000 * 1000; /* tests that want a timeout say so */
    options.leader_fresh_ns = UINT64_C(60) * 1000 * 1000 * 1000;
    return options;
}

struct plx_client *fake_client(const struct plx_options *options)
{
    struct plx_client *client = NULL;
    char reason[256] = "";
    enum plx_outcome outcome = plx_open(options, &client, reason, sizeof(reason));
    if (outcome != PLX_OK)
        fail_msg("plx_open: %s", reason);
    return client;
}

void fake_send_as(struct fake *fake, uint64_t cluster_id, uint8_t type, struct span body)
{
    uint16_t piece_bytes =
        type == WIRE_PATH_REPLY ? PACKET_PAYLOAD_SIZE_BYTES_MAX : PACKET_PAYLOAD_SIZE_BYTES_USUAL;
    struct wire_message_header header = {.type = type,
                                         .piece_size_bytes = piece_bytes,
                                         .shard = fake->shard,
                                         .sender = fake->id,
                                         .cluster_id = cluster_id,
                                         .message_id = ++fake->message_id};
    if (type == WIRE_HELLO_REPLY && fake->body.size_bytes == WIRE_HELLO_REPLY_SIZE_BYTES)
        header.cookie = fake->cookie;
    for (uint32_t piece = 0; piece < wire_piece_count(body.size_bytes, piece_bytes); piece++) {
        uint8_t packet[PACKET_SIZE_BYTES_MAX];
        uint32_t size = wire_piece_encode(packet, &fake_keys, &header, body, piece);
        if (piece > 0 && piece == fake->lost_piece)
            continue;
        assert_int_equal(sendto(fake->fds[fake->shard], packet, size, 0,
                                (struct sockaddr *)&fake->from, sizeof(fake->from)),
                         size);
    }
    fake->lost_piece = 0;
}

void fake_cookie(struct fake *fake, uint8_t type, uint64_t message_id)
{
    const struct wire_message_header header = {.type = type,
                                               .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                               .shard = fake->shard,
                                               .sender = fake->id,
                                               .cluster_id = wire_cluster_id(FAKE_CLUSTER),
                                               .message_id = message_id,
                                               .cookie = fake->cookie};
    uint8_t packet[PACKET_SIZE_BYTES_MAX];
    uint32_t size = wire_piece_encode(packet, &fake_keys, &header, (struct span){0}, 0);
    assert_int_equal(sendto(fake->fds[fake->shard], packet, size, 0, (struct sockaddr *)&fake->from,
                            sizeof(fake->from)),
                     size);
}

void fake_send(struct fake *fake, uint8_t type, struct span body)
{
    fake_send_as(fake, wire_cluster_id(FAKE_CLUSTER), type, body);
}

void fake_hello(struct fake *fake, uint64_t nonce)
{
    uint8_t body[256];
    bool is_leader = fake->is_leader && (fake->shards_unled >> fake->shard & 1) == 0;
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_hello_reply reply = {.nonce = nonce,
                                     .incarnation = fake->incarnation,
                                     .term = 5,
                                     .applied_index = fake->applied_index,
                                     .series = fake->series != 0 ? fake->series : fake->id,
                                     .is_series_alone = fake->is_series_alone,
                                     .journal_done_seq = fake->journal_done_seq,
                                     .node = fake->id,
                                     .leader = is_leader ? fake->id : 0,
                                     .node_count = 5,
                                     .shard_count = fake->shard_count,
                                     .lane_count = 1,
                                     .session_ttl_ns = fake->session_ttl_ns,
                                     .cluster = fake->cluster,
                                     .era = fake->era - (fake->shards_behind >> fake->shard & 1),
                                     .configuration_index = fake->configuration_index,
                                     .commit_index = fake->commit_index,
                                     .role = is_leader ? WIRE_ROLE_LEADER : WIRE_ROLE_FOLLOWER,
                                     .has_fresh_quorum = is_leader};
    wire_hello_reply_encode(&writer, &reply);
    fake_send(fake, WIRE_HELLO_REPLY, span_of(body, writer.size_bytes));
}

struct wire_reply fake_reply_head(const struct fake *fake, uint64_t number, enum wire_status status)
{
    return (struct wire_reply){.number = number,
                               .incarnation = fake->incarnation,
                               .node = fake->id,
                               .leader = fake->is_leader ? fake->id : 0,
                               .status = (uint8_t)status,
                               .term = 5,
                               .applied_index = fake->applied_index,
                               .contact_age_us = fake->contact_age_us,
                               .series = fake->series != 0 ? fake->series : fake->id,
                               .is_series_alone = fake->is_series_alone,
                               .journal_done_seq = fake->journal_done_seq};
}

void fake_refuse(struct fake *fake, uint8_t type, uint64_t number, enum wire_status status)
{
    uint8_t body[256];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_reply reply = fake_reply_head(fake, number, status);
    wire_reply_begin(&writer, &reply);
    fake_send(fake, type, span_of(body, writer.size_bytes));
}

void fake_refuse_until(struct fake *fake, uint8_t type, uint64_t number, uint64_t retry_us)
{
    uint8_t body[256];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_reply reply = fake_reply_head(fake, number, WIRE_STATUS_OVERLOADED);
    reply.retry_us = retry_us;
    wire_reply_begin(&writer, &reply);
    fake_send(fake, type, span_of(body, writer.size_bytes));
}

/* Of the sessions that were registered last, at whatever node: where their seqs begin. */
#define FIRST_SEQS 16
static struct first_seq {
    uint64_t session;
    uint16_t shard;
    uint64_t seq;
} first_seqs[FIRST_SEQS];

static struct first_seq *first_seq_of(uint64_t session, uint16_t shard)
{
    uint32_t at = 0;
    while (at < FIRST_SEQS - 1 && first_seqs[at].session != 0 &&
           (first_seqs[at].session != session || first_seqs[at].shard != shard))
        at++;
    return &first_seqs[at];
}

static uint64_t seq_base(const struct fake *fake, uint64_t session)
{
    const struct first_seq *first = first_seq_of(session, fake->shard);
    return session != 0 && first->session == session ? first->seq - 1 : 0;
}

/* A registration is answered. */
static void note_registration(const struct fake *fake, const struct wire_reply_op *op)
{
    if (fake->type == WIRE_WRITE && fake->ops[0].type == WIRE_OP_REGISTER &&
        op->seq == fake->ops[0].seq && op->outcome == WIRE_OUTCOME_OK)
        *first_seq_of(op->version, fake->shard) =
            (struct first_seq){op->version, fake->shard, wire_first_seq(op->seq)};
}

uint64_t fake_wire_seq(const struct fake *fake, uint64_t seq)
{
    return seq + fake->seq_base;
}

/* For the tests the seqs of each session begin at 1. */
static void fake_count_from_1(struct fake *fake)
{
    uint64_t base = fake->write.is_relaxed ? 0 : seq_base(fake, fake->request.session);
    fake->seq_base = 0;
    if (fake->request.floor > base) {
        fake->request.floor -= base;
        fake->seq_base = base;
    }
    for (uint32_t i = 0; i < fake->request.op_count; i++) {
        if (fake->ops[i].type == WIRE_OP_CANCEL || fake->ops[i].seq <= base)
            continue;
        fake->ops[i].seq -= base;
        fake->seq_base = base;
    }
}

void fake_answer(struct fake *fake, uint8_t type, uint64_t number, const struct wire_reply_op *op)
{
    static uint8_t body[64 * 1024];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_reply reply = fake_reply_head(fake, number, WIRE_STATUS_OK);
    struct wire_reply_op answer = *op;
    note_registration(fake, op);
    if (type == WIRE_WRITE_REPLY)
        answer.seq = fake_wire_seq(fake, op->seq);
    wire_reply_begin(&writer, &reply);
    wire_reply_add(&writer, &answer);
    assert_false(writer.is_overflow);
    fake_send(fake, type, span_of(body, writer.size_bytes));
}

/* With NO_SESSION a version is the end of what was executed. */
static uint64_t version_of(enum wire_outcome outcome)
{
    return outcome == WIRE_OUTCOME_NO_SESSION ? 0 : 50;
}

void fake_outcome(struct fake *fake, uint64_t number, uint64_t seq, enum wire_outcome outcome)
{
    fake_answer(fake, WIRE_WRITE_REPLY, number,
                &(struct wire_reply_op){
                    .seq = seq, .outcome = (uint8_t)outcome, .version = version_of(outcome)});
}

void fake_outcome_all(struct fake *fake, enum wire_outcome outcome)
{
    uint8_t body[8192];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_reply reply = fake_reply_head(fake, fake->write.packet_number, WIRE_STATUS_OK);
    wire_reply_begin(&writer, &reply);
    for (uint32_t i = 0; i < fake->request.op_count; i++)
        wire_reply_add(&writer,
                       &(struct wire_reply_op){.seq = fake_wire_seq(fake, fake->ops[i].seq),
                                               .outcome = (uint8_t)outcome,
                                               .version = version_of(outcome) == 0 ? 0 : 50 + i});
    fake_send(fake, WIRE_WRITE_REPLY, span_of(body, writer.size_bytes));
}

void fake_decode(struct fake *fake)
{
    size_t cursor = 0;
    if (fake->type == WIRE_WRITE) {
        assert_int_equal(wire_write_decode(fake->body, &fake->write), OK);
        assert_int_equal(wire_request_decode(fake->write.request, &fake->request), OK);
        for (uint32_t i = 0; i < fake->request.op_count; i++)
            assert_int_equal(wire_op_decode(fake->request.ops, &cursor, &fake->ops[i]), OK);
        fake_count_from_1(fake);
    } else if (fake->type == WIRE_READ) {
        assert_int_equal(wire_read_decode(fake->body, &fake->read), OK);
        for (uint32_t i = 0; i < fake->read.op_count; i++)
            assert_int_equal(wire_read_op_decode(fake->read.ops, &cursor, &fake->read_ops[i]), OK);
    }
}

/* The next packet, of whatever shard; its size, or -1. */
static ssize_t fake_take_packet(struct fake *fake, uint8_t *bytes, size_t capacity_bytes)
{
    for (uint16_t shard = 0; shard < fake->shard_count; shard++) {
        socklen_t size = sizeof(fake->from);
        ssize_t count = recvfrom(fake->fds[shard], bytes, capacity_bytes, 0,
                                 (struct sockaddr *)&fake->from, &size);
        if (count < 0)
            continue;
        fake->shard = shard;
        fake->packets_of_shard[shard]++;
        return count;
    }
    return -1;
}

/* True for a notice that a session is idle, which is counted. */
static bool fake_take_notice(struct fake *fake, uint8_t type, struct span body)
{
    struct wire_write write;
    struct wire_request request;
    struct wire_op op;
    size_t cursor = 0;
    if (type != WIRE_WRITE || wire_write_decode(body, &write) != OK ||
        wire_request_decode(write.request, &request) != OK ||
        wire_op_decode(request.ops, &cursor, &op) != OK || op.type != WIRE_OP_IDLE)
        return false;
    assert_int_equal(request.op_count, 1);
    fake->idle_notices++;
    fake->idle_session = request.session;
    fake->idle_number = write.packet_number;
    fake->idle_floor = request.floor - seq_base(fake, request.session);
    return true;
}

/* What the path does not carry has not come. */
static void fake_path(struct fake *fake, const struct wire_packet *packet)
{
    uint32_t size_bytes = PACKET_HEADER_SIZE_BYTES + (uint32_t)packet->payload.size_bytes;
    fake->path_questions++;
    if (size_bytes <= fake->path_bytes)
        fake_send(fake, WIRE_PATH_REPLY, packet->payload);
}

bool fake_receive(struct fake *fake)
{
    static uint8_t bytes[PACKET_SIZE_BYTES_MAX + 1];
    ssize_t count = fake_take_packet(fake, bytes, sizeof(bytes));
    if (count < 0)
        return false;
    struct wire_packet packet;
    struct address from = {.port = ntohs(fake->from.sin_port)};
    assert_int_equal(wire_packet_decode(span_of(bytes, (size_t)count), &fake_keys,
                                        wire_cluster_id(FAKE_CLUSTER), &packet),
                     OK);
    assert_int_equal(packet.header.sender, 0);
    assert_int_equal(packet.header.shard, fake->shard);
    if (fake->path_bytes != 0 && (size_t)count > fake->path_bytes)
        return false;
    if (packet.header.type == WIRE_PATH) {
        fake_path(fake, &packet);
        return false;
    }
    fake->packets++;
    fake->answer_bytes = packet.header.answer_size_bytes;
    if (fake->is_older && (packet.header.cookie != NULL ||
                           (packet.header.type == WIRE_HELLO &&
                            packet.payload.size_bytes == WIRE_HELLO_REPLY_SIZE_BYTES)))
        return false;
    fake->seen_id = packet.header.message_id;
    fake->is_shown = packet.header.cookie != NULL;
    if (fake->is_shown)
        memcpy(fake->shown, packet.header.cookie, sizeof(fake->shown));
    fake->pieces += packet.piece_count > 1;
    struct span body = {.data = NULL};
    enum error error = reassembly_add(fake->reassembly, &from, &packet, fake->packets, &body);
    assert_true(error == OK || error == ERR_REPLAYED);
    if (error != OK || body.data == NULL)
        return false;
    if (fake_take_notice(fake, packet.header.type, body))
        return false;
    fake->type = packet.header.type;
    fake->body = body;
    fake_decode(fake);
    return true;
}

static void fake_tell_members(struct fake *fake)
{
    uint8_t body[PACKET_PAYLOAD_SIZE_BYTES_MAX];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_members told = *fake->members;
    assert_int_equal(wire_members_ask_decode(fake->body, &told.number), OK);
    fake->members_asked++;
    wire_members_encode(&writer, &told);
    fake_send(fake, WIRE_MEMBERS_REPLY, span_of(body, writer.size_bytes));
}

bool fake_is_routine(struct fake *fake)
{
    if (fake->type == WIRE_MEMBERS && fake->members != NULL) {
        fake_tell_members(fake);
        return true;
    }
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

bool fake_try(struct fake *fake)
{
    while (fake->shard_count > 0) {
        uint32_t before = fake->packets;
        if (fake_receive(fake) && !fake_is_routine(fake))
            return true;
        if (fake->packets == before)
            return false;
    }
    return false;
}

void fake_expect(struct fake *fake, struct plx_client *client, uint8_t type)
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

void ending_done(void *context, const struct plx_response *response)
{
    struct ending *ending = context;
    ending->count++;
    ending->response = *response;
}

void fake_finish(struct fake *fake, struct plx_client *client, const struct ending *ending)
{
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && ending->count == 0; i++) {
        (void)plx_poll(client, FAKE_POLL_NS);
        if (fake != NULL)
            (void)fake_try(fake);
    }
    assert_int_equal(ending->count, 1);
}

struct plx_op set_op(const char *key, const char *value, struct ending *ending)
{
    return (struct plx_op){.type = PLX_OP_SET,
                           .key = plx_text(key),
                           .value = plx_text(value),
                           .done = ending_done,
                           .context = ending};
}

struct plx_op get_op(const char *key, struct ending *ending)
{
    return (struct plx_op){
        .type = PLX_OP_GET, .key = plx_text(key), .done = ending_done, .context = ending};
}

void stage_open(struct stage *stage, const struct plx_options *options)
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

void stage_close(struct stage *stage)
{
    plx_close(stage->client);
    fake_close(&stage->fake);
}

void stage_swap(struct stage *stage, const struct plx_call *call)
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

void stage_await_fence(struct stage *stage)
{
    do {
        fake_expect(&stage->fake, stage->client, WIRE_WRITE);
    } while (stage->fake.ops[0].type != WIRE_OP_FENCE);
}

struct plx_statistics fake_statistics(struct plx_client *client)
{
    struct plx_statistics statistics;
    plx_statistics(client, &statistics);
    return statistics;
}
