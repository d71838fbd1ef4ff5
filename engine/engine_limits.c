/* Limits that a record changes, beside what this node's memory is made for. */
#include "base/le.h"
#include "engine/engine_internal.h"

void engine_count_limits(struct engine *engine)
{
    const struct machine *machine = &engine->machine;
    struct engine_counters *counters = &engine->counters;
    counters->limits_number = machine->limits.number;
    counters->keys_max = machine->limits.values.keys_max;
    counters->blocks_max = machine->limits.values.blocks_max;
    counters->sessions_max = machine->limits.values.sessions_max;
    counters->keys_capacity = machine->capacity.keys_max;
    counters->blocks_capacity = machine->capacity.blocks_max;
    counters->sessions_capacity = machine->capacity.sessions_max;
}

/* The first of these limits that is above the capacity. */
static struct engine_lack lack_of(const struct machine *machine, const struct wire_limits *limits)
{
    const struct wire_limits *capacity = &machine->capacity;
    if (limits->keys_max > capacity->keys_max)
        return (struct engine_lack){ENGINE_LIMIT_KEYS, limits->keys_max, capacity->keys_max};
    if (limits->blocks_max > capacity->blocks_max)
        return (struct engine_lack){ENGINE_LIMIT_BLOCKS, limits->blocks_max, capacity->blocks_max};
    if (limits->sessions_max > capacity->sessions_max)
        return (struct engine_lack){ENGINE_LIMIT_SESSIONS, limits->sessions_max,
                                    capacity->sessions_max};
    return (struct engine_lack){0};
}

/* The limits that a request of a record sets, if they would take effect now. */
static bool request_sets_limits(const struct machine *machine, struct span bytes,
                                struct wire_limits *ret_limits)
{
    struct wire_request request;
    struct wire_op op;
    size_t cursor = 0;
    CHECK(wire_request_open(bytes, &request) == OK);
    CHECK(wire_op_decode(request.ops, &cursor, &op) == OK);
    if (op.type != WIRE_OP_LIMITS || op.seq != (uint64_t)machine->limits.number + 1)
        return false;
    CHECK(wire_limits_decode(op.value, ret_limits) == OK);
    return true;
}

bool engine_can_apply(const struct engine *engine, uint8_t kind, struct span payload,
                      struct engine_lack *ret_lack)
{
    if (kind != RAFT_ENTRY_DATA ||
        (le32_load(payload.data + RECORD_FLAGS_OFFSET) & RECORD_FLAG_LIMITS) == 0)
        return true;
    uint32_t count = le32_load(payload.data + 8);
    size_t cursor = RECORD_PREFIX_SIZE_BYTES;
    for (uint32_t i = 0; i < count; i++) { /* BATCH_REQUESTS_MAX */
        struct wire_limits limits;
        if (!request_sets_limits(&engine->machine, record_next_request(payload, &cursor), &limits))
            continue;
        *ret_lack = lack_of(&engine->machine, &limits);
        return ret_lack->limit == ENGINE_LIMIT_NONE;
    }
    return true;
}

bool engine_can_install(const struct engine *engine, struct span begin,
                        struct engine_lack *ret_lack)
{
    struct wire_limits limits;
    if (!snapshot_read_limits(begin, &limits))
        return true; /* whatever else is wrong with it, its reader tells */
    *ret_lack = lack_of(&engine->machine, &limits);
    return ret_lack->limit == ENGINE_LIMIT_NONE;
}
