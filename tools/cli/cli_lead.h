/*
 * Who leads a shard, as far as the rows of `pollux status` show it.
 *
 * Pure.
 */
#ifndef POLLUX_TOOLS_CLI_CLI_LEAD_H
#define POLLUX_TOOLS_CLI_CLI_LEAD_H

#include "tools/cli/cli_render.h"

enum lead_kind {
    LEAD_SERVES,    /* `node` has answered: it leads, with a fresh quorum */
    LEAD_NO_QUORUM, /* `node` has answered: it leads, without one */
    LEAD_SILENT,    /* `node` leads, by the word of `witness`, and has not answered itself */
    LEAD_NOBODY,    /* nobody that has answered leads, or has lately heard of a leader */
};

struct lead {
    enum lead_kind kind;
    uint16_t node;
    uint16_t witness;
    uint64_t contact_age_ns; /* of the witness: since it was in contact with a quorum */
};

/* Of one shard. A witness counts if its contact with a quorum is less than a second old. */
struct lead lead_find(const struct cli_node_row *rows, size_t row_count, uint16_t shard);

#endif
