/* A history that begins anew, when a new cluster was restored from a backup of the old one. */
#include "tests/sim/history.h"

#define RESTORER_CLIENT 1000                            /* behind all clients, and */
#define RESTORER        (UINT32_MAX - HISTORY_KEYS_MAX) /* all processes: one a key */

/* Restored values are writes of the record that the new log begins behind. */
static struct history_op restored_op(const struct history_op *op, uint64_t version, uint64_t now_ns)
{
    return (struct history_op){.type = HISTORY_SET,
                               .outcome = HISTORY_OK,
                               .process = RESTORER + op->key,
                               .client = RESTORER_CLIENT + op->key,
                               .key = op->key,
                               .shard = op->shard,
                               .value = op->value,
                               .invoke_ns = now_ns - 2,
                               .return_ns = now_ns,
                               .version = version,
                               .applied_index = version,
                               .place = {.index = version, .within = op->key},
                               .decided_ns = now_ns - 1};
}

/* It must not show again. A value has the number of its operation, which keeps its place. */
static struct history_op void_op(const struct history_op *op, uint32_t number)
{
    return (struct history_op){.type = HISTORY_SET,
                               .outcome = HISTORY_REFUSED,
                               .process = op->process,
                               .client = op->client,
                               .life = op->life,
                               .key = op->key,
                               .shard = op->shard,
                               .value = number + 1,
                               .invoke_ns = op->invoke_ns,
                               .return_ns = op->return_ns};
}

void history_restore(struct history *history, const struct history_restored *restored,
                     uint64_t now_ns)
{
    for (uint32_t i = 0; i < history->count; i++) {
        struct history_op *op = &history->ops[i];
        const struct history_restored *kept = &restored[op->key];
        bool is_kept = kept->value == i + UINT64_C(1);
        *op = is_kept ? restored_op(op, kept->version, now_ns) : void_op(op, i);
    }
    history->loss_count = 0;
    history->is_settled = false;
}
