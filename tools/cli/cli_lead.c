/* See cli_lead.h. */
#include "tools/cli/cli_lead.h"

#define CONTACT_LATELY_NS (1000u * 1000 * 1000)

static bool has_answered(const struct cli_node_row *rows, size_t row_count, uint16_t shard,
                         uint16_t node)
{
    for (size_t i = 0; i < row_count; i++) {
        if (rows[i].outcome == PLX_OK && rows[i].shard == shard && rows[i].node->node == node)
            return true;
    }
    return false;
}

struct lead lead_find(const struct cli_node_row *rows, size_t row_count, uint16_t shard)
{
    struct lead found = {.kind = LEAD_NOBODY, .contact_age_ns = CONTACT_LATELY_NS};
    for (size_t i = 0; i < row_count; i++) {
        const struct plx_node *node = rows[i].node;
        if (rows[i].outcome != PLX_OK || rows[i].shard != shard)
            continue;
        if (node->role == PLX_LEADER && node->has_fresh_quorum)
            return (struct lead){.kind = LEAD_SERVES, .node = node->node};
        if (node->role == PLX_LEADER) {
            if (found.kind == LEAD_NOBODY)
                found = (struct lead){.kind = LEAD_NO_QUORUM, .node = node->node};
        } else if (node->leader != 0 && node->contact_age_ns < CONTACT_LATELY_NS &&
                   (found.kind != LEAD_SILENT || node->contact_age_ns < found.contact_age_ns) &&
                   !has_answered(rows, row_count, shard, node->leader)) {
            found = (struct lead){.kind = LEAD_SILENT,
                                  .node = node->leader,
                                  .witness = node->node,
                                  .contact_age_ns = node->contact_age_ns};
        }
    }
    return found;
}
