/* See permission.h. */
#include "base/reserved_key.h"
#include "engine/engine_internal.h"

static_assert(REQUEST_OPS_MAX <= 64, "one bit for each op");

void engine_set_rights(struct engine *engine, const struct rights *rights)
{
    engine->rights = *rights;
}

static bool may_do(const struct rights *rights, const struct request *request, const struct op *op,
                   bool is_relaxed)
{
    switch ((enum wire_op_type)op->type) {
    case WIRE_OP_SET:
        return rights_allow(rights, is_relaxed ? RIGHT_RELAXED_WRITE : RIGHT_WRITE,
                            op_key(request, op));
    case WIRE_OP_SWAP: /* one that does not match returns what is stored */
        return rights_allow(rights, RIGHT_READ | RIGHT_WRITE, op_key(request, op));
    case WIRE_OP_LIMITS:
        return rights_allow(rights, RIGHT_ADMIN, (struct span){0});
    case WIRE_OP_REGISTER:
        return rights_have_any(rights, RIGHT_WRITE | RIGHT_LOGS | RIGHT_ADMIN);
    case WIRE_OP_FENCE:
    case WIRE_OP_UNREGISTER:
    case WIRE_OP_KEEP_ALIVE:
    case WIRE_OP_CANCEL: /* of the next set or swap */
    case WIRE_OP_IDLE:
    case WIRE_OP_TYPE_END:
        break;
    }
    return true;
}

uint64_t permission_of_write(const struct engine *engine, const struct request *request,
                             bool is_relaxed)
{
    uint64_t denied = 0;
    for (uint16_t i = 0; i < request->op_count && !engine->rights.is_all; i++) {
        if (!may_do(&engine->rights, request, &request->ops[i], is_relaxed))
            denied |= UINT64_C(1) << i;
    }
    return denied;
}

bool permission_of_operator(struct engine *engine)
{
    bool is_allowed = rights_allow(&engine->rights, RIGHT_ADMIN, (struct span){0});
    engine->counters.operators_denied += !is_allowed;
    return is_allowed;
}

uint64_t permission_of_read(const struct rights *rights, const struct wire_read *read)
{
    uint8_t wanted = read->is_consistent ? RIGHT_READ : RIGHT_RELAXED_READ;
    uint64_t denied = 0;
    size_t cursor = 0;
    for (uint16_t i = 0; i < read->op_count && !rights->is_all; i++) {
        struct wire_read_op op;
        CHECK(wire_read_op_decode(read->ops, &cursor, &op) == OK);
        if (!rights_allow(rights, wanted, op.key))
            denied |= UINT64_C(1) << i;
    }
    return denied;
}

/* Whoever may read the prefix may read each key that begins with it. */
bool permission_of_list(const struct engine *engine, const struct wire_list *list)
{
    return rights_allow(&engine->rights, list->is_consistent ? RIGHT_READ : RIGHT_RELAXED_READ,
                        list->prefix);
}

bool permission_is_sound(struct engine *engine, const struct request *request, bool is_relaxed)
{
    for (uint16_t i = 0; i < request->op_count; i++) {
        const struct op *op = &request->ops[i];
        struct rights_table table;
        if (!op_is_set_or_swap(op) || !key_is_reserved(op_key(request, op)))
            continue;
        bool is_table = !is_relaxed && op->type == WIRE_OP_SWAP && op->has_value &&
                        span_is_equal(op_key(request, op), rights_key()) &&
                        rights_table_decode(op_value(request, op), &table) == OK;
        if (is_table)
            continue;
        engine->counters.rights_refused++;
        return false;
    }
    return true;
}

/* A refusal that names ops; `seqs` has that of each. */
static void permission_refuse(struct engine *engine, struct answer *answer, uint64_t number,
                              uint64_t denied, const uint64_t *seqs)
{
    struct wire_reply head = answer_head(engine, number, WIRE_STATUS_DENIED);
    answer_open(answer, &head, (uint32_t)__builtin_popcountll(denied));
    for (uint32_t i = 0; i < REQUEST_OPS_MAX; i++) {
        struct wire_reply_op op = {.seq = seqs[i], .outcome = WIRE_OUTCOME_DENIED};
        if ((denied >> i & 1) != 0)
            answer_add(answer, &op, NULL, NULL, 0);
    }
    answer_send(answer);
}

void permission_refuse_write(struct engine *engine, const struct address *from,
                             uint64_t packet_number, const struct request *request, uint64_t denied)
{
    struct answer answer;
    uint64_t seqs[REQUEST_OPS_MAX] = {0};
    for (uint16_t i = 0; i < request->op_count; i++)
        seqs[i] = request->ops[i].seq;
    engine->counters.writes_refused++;
    engine->counters.writes_denied++;
    answer_begin(&answer, &engine->buffers, from, WIRE_WRITE_REPLY);
    permission_refuse(engine, &answer, packet_number, denied, seqs);
}

void permission_refuse_read(struct engine *engine, const struct address *from,
                            const struct wire_read *read, uint64_t denied)
{
    struct answer answer;
    uint64_t seqs[REQUEST_OPS_MAX];
    for (uint32_t i = 0; i < REQUEST_OPS_MAX; i++)
        seqs[i] = i;
    engine->counters.reads_refused++;
    engine->counters.reads_denied++;
    answer_begin(&answer, &engine->buffers, from, WIRE_READ_REPLY);
    permission_refuse(engine, &answer, read->request_number, denied, seqs);
}
