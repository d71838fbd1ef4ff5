/* What cluster.h says of all logs together: log matching (paper 5.3), and equality. */
#include "tests/unit/raft/cluster.h"

#include "base/check.h"

#include <string.h>

void cluster_check_log_matching(const struct cluster *cluster)
{
    for (uint16_t a = 1; a <= cluster->node_count; a++) {
        for (uint16_t b = (uint16_t)(a + 1); b <= cluster->node_count; b++) {
            const struct cluster_image *left = cluster->nodes[a].written;
            const struct cluster_image *right = cluster->nodes[b].written;
            uint64_t i = left->last < right->last ? left->last : right->last;
            while (i > 0 && left->log[i].term != right->log[i].term)
                i--;
            for (; i > 0; i--) {
                CHECK(left->log[i].term == right->log[i].term);
                CHECK(left->log[i].value == right->log[i].value);
            }
        }
    }
}

void cluster_check_logs_are_equal(const struct cluster *cluster)
{
    const struct cluster_image *first = cluster->nodes[1].written;
    for (uint16_t id = 2; id <= cluster->node_count; id++) {
        const struct cluster_image *other = cluster->nodes[id].written;
        CHECK(other->last == first->last);
        CHECK(memcmp(&other->log[1], &first->log[1], first->last * sizeof(first->log[1])) == 0);
    }
}
