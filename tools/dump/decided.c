/* See decided.h. */
#include "tools/dump/decided.h"

#include "tools/dump/batch_walk.h"
#include "wire/wire_request.h"

static uint32_t place_of_series(const struct decided *decided, uint64_t series)
{
    uint32_t place = 0;
    while (place < decided->count && decided->series[place] != series)
        place++;
    return place;
}

void decided_note(struct decided *decided, uint64_t series, uint64_t seq)
{
    uint32_t place = place_of_series(decided, series);
    if (place == DECIDED_SERIES_MAX)
        return; /* its entries then count as pending, which is the safe side */
    if (place == decided->count) {
        decided->series[place] = series;
        decided->last_seq[place] = 0;
        decided->count++;
    }
    if (seq > decided->last_seq[place])
        decided->last_seq[place] = seq;
}

uint64_t decided_seq(const struct decided *decided, uint64_t series)
{
    uint32_t place = place_of_series(decided, series);
    return place < decided->count ? decided->last_seq[place] : 0;
}

/* A forwarded request applies when everything up to its floor is decided. */
static void take_request(struct decided *decided, struct span bytes)
{
    struct wire_request request;
    struct wire_op op;
    size_t cursor = 0;
    if (wire_request_decode(bytes, &request) != OK ||
        (request.session & WIRE_NODE_SESSION_FLAG) == 0)
        return;
    uint64_t series = request.session & ~WIRE_NODE_SESSION_FLAG;
    if (decided_seq(decided, series) < request.floor)
        return;
    for (uint16_t i = 0; i < request.op_count; i++) {
        if (wire_op_decode(request.ops, &cursor, &op) != OK)
            return;
        if (op.type != WIRE_OP_CANCEL)
            decided_note(decided, series, op.seq);
    }
}

void decided_take_batch(struct decided *decided, struct span payload)
{
    struct batch_walk walk;
    struct span request;
    if (batch_walk_begin(payload, &walk) != OK)
        return;
    while (batch_walk_next(&walk, &request) == OK) /* BATCH_REQUESTS_MAX */
        take_request(decided, request);
}
