/* An engine under load: see bench/engine_load.h. */
#include "bench/engine_load.h"

#include "base/check.h"
#include "base/le.h"
#include "engine/state/rcu.h"

#include <stdlib.h>
#include <string.h>

static void sum_answer(void *context, const struct address *to, uint8_t type, struct span body)
{
    struct load *load = context;
    (void)to;
    (void)type;
    load->answer_count++;
    load->answer_sum += body.size_bytes + body.data[body.size_bytes - 1];
    /* The version of a registration is the session. */
    struct wire_reply reply;
    struct wire_reply_op op;
    size_t cursor = 0;
    if (load->session == 0 && wire_reply_decode(body, &reply) == OK &&
        wire_reply_op_decode(reply.ops, &cursor, &op) == OK)
        load->session = op.version;
}

void load_key(uint8_t *to, uint64_t number)
{
    memcpy(to, "bench/00", 8);
    le64_store(to + 8, number);
}

static void deliver(struct load *load, struct wire_writer *request)
{
    struct wire_writer body = {.data = load->body, .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    struct wire_write write = {.packet_number = ++load->packet_number,
                               .incarnation = LOAD_INCARNATION,
                               .request = span_of(request->data, request->size_bytes)};
    struct address from = {.port = 1};
    wire_write_encode(&body, &write);
    CHECK(!body.is_overflow);
    engine_receive(load->engine, &from, WIRE_WRITE, span_of(body.data, body.size_bytes));
}

static void open_session(struct load *load)
{
    struct wire_writer request = {.data = load->request, .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    struct wire_op op = {.type = WIRE_OP_REGISTER, .seq = 1};
    wire_request_begin(&request, 0, 0);
    wire_request_add(&request, &op);
    deliver(load, &request);
    load_commit(load);
    CHECK(load->session != 0);
}

void load_init(struct load *load, uint64_t keys)
{
    struct engine_options options = {.self = 1,
                                     .node_count = 1,
                                     .shard_count = 1,
                                     .lane_count = 1,
                                     .incarnation = LOAD_INCARNATION,
                                     .keys_max = (uint32_t)keys,
                                     .blocks_max = (uint32_t)(keys * 2),
                                     .sessions_max = 16,
                                     .session_ttl_ns = UINT64_C(1) << 60,
                                     .batches_inflight_max = 4,
                                     .reads_pending_max = 256,
                                     .sink = {.send = sum_answer, .context = load}};
    *load = (struct load){.keys = keys, .seq = 1};
    prng_init(&load->prng, 42);
    CHECK(arena_init(&load->arena, engine_arena_bytes(&options)) == OK);
    CHECK(engine_init(&options, &load->arena, &load->engine) == OK);
    arena_seal(&load->arena);
    load->request = malloc(MESSAGE_SIZE_BYTES_MAX);
    load->body = malloc(MESSAGE_SIZE_BYTES_MAX);
    CHECK(load->request != NULL && load->body != NULL);
    samples_init(&load->samples);
    load->view = (struct engine_view){.now_ns = 1,
                                      .is_leader = true,
                                      .has_own_commit = true,
                                      .has_fresh_quorum = true,
                                      .leader = 1,
                                      .term = 1,
                                      .log_room_bytes = (size_t)1 << 30,
                                      .data_room_bytes = (size_t)1 << 30,
                                      .append_room_bytes = (size_t)1 << 30,
                                      .record_bytes_max = RECORD_PAYLOAD_SIZE_BYTES_MAX,
                                      .role = WIRE_ROLE_LEADER};
    engine_begin_turn(load->engine, &load->view);
    open_session(load);
}

void load_deinit(struct load *load)
{
    engine_deinit(load->engine);
    arena_deinit(&load->arena);
    free(load->request);
    free(load->body);
    samples_deinit(&load->samples);
}

void load_set(struct load *load, const uint64_t *keys, uint32_t op_count, struct span value)
{
    struct wire_writer request = {.data = load->request, .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    wire_request_begin(&request, load->session, load->seq);
    for (uint32_t i = 0; i < op_count; i++) {
        uint8_t key[LOAD_KEY_SIZE_BYTES];
        load_key(key, keys[i]);
        struct wire_op op = {.type = WIRE_OP_SET,
                             .has_value = true,
                             .seq = load->seq++,
                             .key = span_of(key, sizeof(key)),
                             .value = value};
        wire_request_add(&request, &op);
    }
    CHECK(!request.is_overflow);
    deliver(load, &request);
}

void load_commit(struct load *load)
{
    struct span payload;
    uint64_t index = engine_applied_index(load->engine) + 1;
    CHECK(engine_batch(load->engine, &payload));
    engine_batch_proposed(load->engine, index, load->view.term);
    engine_apply(load->engine, index, load->view.term, RAFT_ENTRY_DATA, payload);
    load->view.commit_index = index;
    load->view.now_ns += 1000;
    engine_end_turn(load->engine);
    engine_begin_turn(load->engine, &load->view);
}

void load_fill(struct load *load, struct span value)
{
    for (uint64_t key = 0; key < load->keys;) {
        uint64_t keys[REQUEST_OPS_MAX];
        uint32_t count = 0;
        while (count < REQUEST_OPS_MAX && key < load->keys)
            keys[count++] = key++;
        load_set(load, keys, count, value);
        load_commit(load);
    }
    CHECK(engine_counters(load->engine)->keys == load->keys);
}
