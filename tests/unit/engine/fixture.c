/* One engine as its lane would run it: see tests/unit/engine/fixture.h. */
#include "tests/unit/engine/fixture.h"

void fixture_sent(void *context, const struct address *to, uint8_t type, struct span body)
{
    struct fixture *f = context;
    assert_true(f->message_count < FIXTURE_MESSAGES_MAX);
    struct fixture_message *message = &f->messages[f->message_count++];
    *message = (struct fixture_message){.to = *to,
                                        .type = type,
                                        .data = malloc(body.size_bytes + 1),
                                        .size_bytes = body.size_bytes};
    assert_non_null(message->data);
    memcpy(message->data, body.data, body.size_bytes);
}

enum error fixture_append(void *context, uint64_t seq, struct span payload)
{
    struct fixture *f = context;
    if (f->is_journal_moving)
        return ERR_NOT_YET;
    if (f->entry_count == f->entries_max)
        return ERR_FULL;
    assert_true(f->entry_count == 0 || f->entries[f->entry_count - 1].seq < seq);
    struct fixture_entry *entry = &f->entries[f->entry_count++];
    *entry = (struct fixture_entry){
        .seq = seq, .data = malloc(payload.size_bytes), .size_bytes = payload.size_bytes};
    assert_non_null(entry->data);
    memcpy(entry->data, payload.data, payload.size_bytes);
    return OK;
}

void fixture_forget_messages(struct fixture *f)
{
    for (uint32_t i = 0; i < f->message_count; i++)
        free(f->messages[i].data);
    f->message_count = 0;
}

struct address fixture_client(void)
{
    static const uint8_t ip[4] = {10, 0, 0, 9};
    return address_of_ipv4(ip, 4000);
}

struct engine_options fixture_options(void)
{
    return (struct engine_options){.self = 1,
                                   .node_count = 1,
                                   .shard_count = 1,
                                   .lane_count = 1,
                                   .incarnation = FIXTURE_INCARNATION,
                                   .hash_key = {{1, 2}},
                                   .keys_max = 1000,
                                   .blocks_max = 40000,
                                   .sessions_max = 8,
                                   .session_ttl_ns = 1000 * (uint64_t)FIXTURE_MS,
                                   .batches_inflight_max = 4,
                                   .reads_pending_max = 4};
}

struct engine_options fixture_relaxed_options(uint16_t self)
{
    struct engine_options options = fixture_options();
    options.self = self;
    options.node_count = 3;
    options.series = self;
    options.journal.append = fixture_append;
    options.journal_first_seq = FIXTURE_FIRST_SEQ;
    options.pending_max = 256;
    options.pending_blocks_max = 20000;
    return options;
}

/* Record 1: the nodes 1 to NODES_MAX are members, and the series of node n is called n. */
static void apply_configuration(struct fixture *f)
{
    struct raft_configuration members = {.cluster = 1, .era = 1, .slot_count = NODES_MAX};
    for (uint16_t i = 0; i < NODES_MAX; i++)
        members.members[i] = (struct raft_member){
            .storage = {.birth = i + 1, .id = (uint16_t)(i + 1)}, .membership = RAFT_VOTER};
    struct fixture_record *record = &f->records[f->record_count++];
    *record = (struct fixture_record){.term = 1, .kind = RAFT_ENTRY_CONFIGURATION};
    record->data = malloc(RAFT_CONFIGURATION_BYTES_MAX);
    assert_non_null(record->data);
    record->size_bytes = raft_configuration_encode(&members, record->data);
    engine_apply(f->engine, 1, 1, record->kind, span_of(record->data, record->size_bytes));
}

struct fixture *fixture_new(const struct engine_options *options)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->options = *options;
    f->options.sink = (struct engine_sink){.send = fixture_sent, .context = f};
    f->options.journal.context = f;
    f->entries_max = FIXTURE_ENTRIES_MAX;
    f->nonce = 4711;
    f->buffer = malloc(2 * (size_t)MESSAGE_SIZE_BYTES_MAX);
    assert_non_null(f->buffer);
    assert_int_equal(arena_init(&f->arena, engine_arena_bytes(&f->options)), OK);
    assert_int_equal(engine_init(&f->options, &f->arena, &f->engine), OK);
    arena_seal(&f->arena);
    f->view = (struct engine_view){.now_ns = 1000 * (uint64_t)FIXTURE_MS,
                                   .is_leader = true,
                                   .has_own_commit = true,
                                   .has_fresh_quorum = true,
                                   .leader = f->options.self,
                                   .term = 1,
                                   .commit_index = 1,
                                   .last_index = 1,
                                   .log_room_bytes = (size_t)1 << 30,
                                   .data_room_bytes = (size_t)1 << 30,
                                   .append_room_bytes = (size_t)1 << 30,
                                   .record_bytes_max = RECORD_PAYLOAD_SIZE_BYTES_MAX,
                                   .role = WIRE_ROLE_LEADER};
    apply_configuration(f);
    engine_begin_turn(f->engine, &f->view);
    return f;
}

void fixture_free(struct fixture *f)
{
    fixture_forget_messages(f);
    for (uint64_t i = 0; i < f->record_count; i++)
        free(f->records[i].data);
    for (uint32_t i = 0; i < f->entry_count; i++)
        free(f->entries[i].data);
    engine_deinit(f->engine);
    arena_deinit(&f->arena);
    free(f->buffer);
    free(f);
}

void fixture_begin(struct fixture *f)
{
    engine_begin_turn(f->engine, &f->view);
}

void fixture_turn(struct fixture *f, uint64_t elapsed_ms)
{
    engine_end_turn(f->engine);
    f->view.now_ns += elapsed_ms * FIXTURE_MS;
    fixture_begin(f);
}

bool fixture_propose(struct fixture *f)
{
    struct span payload;
    if (!engine_batch(f->engine, &payload))
        return false;
    assert_true(f->record_count < FIXTURE_RECORDS_MAX);
    struct fixture_record *record = &f->records[f->record_count++];
    *record = (struct fixture_record){.term = f->view.term,
                                      .kind = RAFT_ENTRY_DATA,
                                      .data = malloc(payload.size_bytes),
                                      .size_bytes = payload.size_bytes};
    assert_non_null(record->data);
    memcpy(record->data, payload.data, payload.size_bytes);
    engine_batch_proposed(f->engine, f->record_count, f->view.term);
    f->view.last_index = f->record_count;
    return true;
}

void fixture_apply_to(const struct fixture *f, struct engine *engine)
{
    for (uint64_t i = engine_applied_index(engine); i < f->record_count; i++) {
        const struct fixture_record *record = &f->records[i];
        engine_apply(engine, i + 1, record->term, record->kind,
                     span_of(record->data, record->size_bytes));
    }
}

void fixture_commit(struct fixture *f)
{
    f->view.commit_index = f->record_count;
    fixture_apply_to(f, f->engine);
}

/* Each client that opens something has a host of its own. */
static struct address sender_of(const struct fixture_write *write, const struct wire_op *ops)
{
    uint64_t client = write->is_relaxed ? write->session : 0;
    if (write->session == 0 && ops[0].type == WIRE_OP_REGISTER)
        client = ops[0].seq;
    if (client == 0 || client == FIXTURE_IDENTITY)
        return fixture_client();
    const uint8_t ip[4] = {10, (uint8_t)(client >> 16), (uint8_t)(client >> 8), (uint8_t)client};
    return address_of_ipv4(ip, 4000);
}

void fixture_write(struct fixture *f, const struct fixture_write *write, const struct wire_op *ops,
                   uint32_t op_count)
{
    struct wire_writer request = {.data = f->buffer, .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    wire_request_begin(&request, write->session, write->floor);
    for (uint32_t i = 0; i < op_count; i++)
        wire_request_add(&request, &ops[i]);
    assert_false(request.is_overflow);
    struct wire_writer body = {.data = f->buffer + MESSAGE_SIZE_BYTES_MAX,
                               .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    struct wire_write message = {
        .packet_number = write->packet_number != 0 ? write->packet_number : ++f->packet_number,
        .incarnation = write->incarnation != 0 ? write->incarnation : FIXTURE_INCARNATION,
        .timeout_us = write->timeout_us,
        .is_relaxed = write->is_relaxed,
        .is_recall = write->is_recall,
        .request = span_of(request.data, request.size_bytes)};
    wire_write_encode(&body, &message);
    assert_false(body.is_overflow);
    f->asked_from = f->client.port != 0 ? f->client : sender_of(write, ops);
    engine_receive(f->engine, &f->asked_from, WIRE_WRITE, span_of(body.data, body.size_bytes));
}

struct wire_reply fixture_reply(const struct fixture *f, uint8_t type)
{
    assert_true(f->message_count > 0);
    const struct fixture_message *message = &f->messages[f->message_count - 1];
    struct wire_reply reply;
    assert_int_equal(message->type, type);
    assert_true(address_is_equal(&message->to, &f->asked_from));
    assert_int_equal(wire_reply_decode(span_of(message->data, message->size_bytes), &reply), OK);
    return reply;
}

struct wire_reply_op fixture_reply_op(const struct wire_reply *reply, uint32_t position)
{
    struct wire_reply_op op = {0};
    size_t cursor = 0;
    assert_int_equal(reply->status, WIRE_STATUS_OK);
    assert_true(position < reply->op_count);
    for (uint32_t i = 0; i <= position; i++)
        assert_int_equal(wire_reply_op_decode(reply->ops, &cursor, &op), OK);
    return op;
}

struct wire_reply_op fixture_do(struct fixture *f, uint64_t session, const struct wire_op *op)
{
    fixture_forget_messages(f);
    struct fixture_write write = {.session = session};
    fixture_write(f, &write, op, 1);
    if (fixture_propose(f))
        fixture_commit(f);
    fixture_turn(f, 0);
    assert_int_equal(f->message_count, 1);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    return fixture_reply_op(&reply, 0);
}

uint64_t fixture_register(struct fixture *f)
{
    f->nonce += 2; /* odd: the seqs of the session begin at 1 */
    struct wire_op op = {.type = WIRE_OP_REGISTER, .seq = f->nonce};
    struct wire_reply_op reply = fixture_do(f, 0, &op);
    assert_int_equal(reply.outcome, WIRE_OUTCOME_OK);
    assert_int_equal(reply.seq, f->nonce);
    assert_true(reply.version != 0);
    return reply.version;
}

struct span text(const char *string)
{
    return span_of(string, strlen(string));
}

struct wire_op op_set(uint64_t seq, const char *key, const char *value)
{
    struct wire_op op = {.type = WIRE_OP_SET, .seq = seq, .key = text(key)};
    if (value != NULL) {
        op.has_value = true;
        op.value = text(value);
    }
    return op;
}

struct wire_op op_swap(uint64_t seq, const char *key, const char *value, const char *old)
{
    struct wire_op op = op_set(seq, key, value);
    op.type = WIRE_OP_SWAP;
    if (old != NULL) {
        op.has_old = true;
        op.old = text(old);
    }
    return op;
}

struct wire_op op_of(uint8_t type, uint64_t seq)
{
    return (struct wire_op){.type = type, .seq = seq};
}

struct wire_op op_cancel(uint16_t node, uint64_t seq)
{
    return (struct wire_op){.type = WIRE_OP_CANCEL,
                            .node = node,
                            .series = node,
                            .tag = wire_tag(FIXTURE_IDENTITY),
                            .seq = seq};
}

void fixture_durable(struct fixture *f)
{
    if (f->entry_count > 0)
        engine_journal_durable(f->engine, f->entries[f->entry_count - 1].seq);
}

static int relaxed_setup(void **state, uint32_t pending_max)
{
    struct engine_options options = fixture_relaxed_options(1);
    if (pending_max > 0)
        options.pending_max = pending_max;
    struct fixture *f = fixture_new(&options);
    fixture_follow(f, 0, 2);
    *state = f;
    return 0;
}

int fixture_relaxed_setup(void **state)
{
    return relaxed_setup(state, 0);
}

int fixture_relaxed_wide_setup(void **state)
{
    return relaxed_setup(state, FIXTURE_ENTRIES_MAX);
}

int fixture_relaxed_teardown(void **state)
{
    struct fixture *f = *state;
    engine_check_invariants(f->engine);
    fixture_free(f);
    return 0;
}

struct fixture *fixture_restarted(const struct fixture *old, const struct fixture *log)
{
    struct fixture *f = fixture_new(&old->options);
    if (log != NULL)
        fixture_apply_to(log, f->engine);
    for (uint32_t i = 0; i < old->entry_count; i++) {
        const struct fixture_entry *entry = &old->entries[i];
        assert_int_equal(
            engine_journal_restore(f->engine, entry->seq, span_of(entry->data, entry->size_bytes)),
            OK);
    }
    return f;
}

void fixture_expect_status(struct fixture *f, const struct fixture_write *write, struct wire_op op,
                           enum wire_status status)
{
    fixture_forget_messages(f);
    fixture_write(f, write, &op, 1);
    assert_int_equal(f->message_count, 1);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_string_equal(wire_status_name(reply.status), wire_status_name((uint8_t)status));
}

struct wire_reply_op fixture_relaxed(struct fixture *f, uint64_t identity,
                                     const struct wire_op *ops, uint32_t op_count)
{
    struct fixture_write write = {.session = identity, .is_relaxed = true};
    fixture_forget_messages(f);
    fixture_write(f, &write, ops, op_count);
    fixture_durable(f);
    assert_int_equal(f->message_count, 1);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    uint32_t answered = 0;
    for (uint32_t i = 0; i < op_count; i++)
        answered += ops[i].type != WIRE_OP_CANCEL;
    assert_int_equal(reply.op_count, answered);
    return fixture_reply_op(&reply, answered - 1);
}

uint64_t fixture_pend(struct fixture *f, uint64_t client_seq, const char *key, const char *value)
{
    struct wire_op op = op_set(client_seq, key, value);
    struct wire_reply_op reply = fixture_relaxed(f, FIXTURE_IDENTITY, &op, 1);
    assert_int_equal(reply.outcome, WIRE_OUTCOME_OK);
    assert_int_equal(reply.seq, client_seq);
    assert_true(reply.is_pending);
    return reply.version;
}

void fixture_follow(struct fixture *f, uint16_t leader, uint64_t term)
{
    engine_end_turn(f->engine);
    f->view.is_leader = leader == f->options.self;
    f->view.has_own_commit = f->view.is_leader;
    f->view.has_fresh_quorum = f->view.is_leader;
    f->view.leader = leader;
    f->view.term = term;
    f->view.role = f->view.is_leader ? WIRE_ROLE_LEADER : WIRE_ROLE_FOLLOWER;
    fixture_begin(f);
}

void fixture_read(struct fixture *f, const struct wire_read *read, const struct wire_read_op *ops,
                  uint32_t op_count)
{
    struct wire_writer writer = {.data = f->buffer, .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    wire_read_begin(&writer, read);
    for (uint32_t i = 0; i < op_count; i++)
        wire_read_add(&writer, &ops[i]);
    assert_false(writer.is_overflow);
    struct address client = fixture_client();
    f->asked_from = client;
    engine_receive(f->engine, &client, WIRE_READ, span_of(writer.data, writer.size_bytes));
}

struct wire_reply_op fixture_get(struct fixture *f, const char *key)
{
    fixture_forget_messages(f);
    struct wire_read read = {.request_number = 5};
    struct wire_read_op op = {.key = text(key)};
    fixture_read(f, &read, &op, 1);
    struct wire_reply reply = fixture_reply(f, WIRE_READ_REPLY);
    assert_int_equal(reply.number, 5);
    return fixture_reply_op(&reply, 0);
}

void assert_value(const struct wire_reply_op *op, const char *value)
{
    if (value == NULL) {
        assert_false(op->has_value);
        return;
    }
    assert_true(op->has_value);
    assert_int_equal(op->value_size_bytes, strlen(value));
    assert_true(span_is_equal(op->chunk, text(value)));
}
