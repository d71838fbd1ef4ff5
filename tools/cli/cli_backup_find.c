/*
 * Where a shard is copied from: see tools/cli/cli_backup_copy.h.
 *
 * Which record: a consistent get tells how far its node had applied the log. Whatever was
 * acknowledged before is in that record or an earlier one, but for relaxed writes that are pending:
 * each node is asked for those before. Any node that has a snapshot of that record or a later one
 * gives the state; followers are asked first. Nothing is waited for in silence.
 */
#include "tools/cli/cli_backup_copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ASK_NS      UINT64_C(500000000)   /* whether a node answers at all */
#define PATIENCE_NS UINT64_C(30000000000) /* for an answer, if --timeout does not say */
#define KEYS_TRIED  100000                /* until one is of a certain shard */

uint64_t backup_patience_ns(const struct backup_copy *copy)
{
    return copy->arguments->timeout_ns != 0 ? copy->arguments->timeout_ns : PATIENCE_NS;
}

bool backup_is_time_to_tell(uint32_t step)
{
    return step % BACKUP_TOLD_STEPS == 0;
}

uint16_t backup_shard_count(struct backup_copy *copy)
{
    uint64_t begun_ns = backup_clock_ns();
    uint64_t until_ns = begun_ns + backup_patience_ns(copy);
    struct plx_node node;
    bool is_told = false;
    do { /* a round of all endpoints each */
        for (size_t i = 0; i < plx_endpoint_count(copy->client); i++) {
            if (plx_ping(copy->client, i, 0, ASK_NS, &node) == PLX_OK)
                return node.shard_count;
        }
        if (!is_told && backup_clock_ns() - begun_ns >= BACKUP_STEP_NS)
            backup_tell("no endpoint answers: waits for one\n");
        is_told = is_told || backup_clock_ns() - begun_ns >= BACKUP_STEP_NS;
    } while (backup_clock_ns() < until_ns && !backup_is_interrupted());
    backup_tell("no endpoint answered\n");
    return 0;
}

struct plx_response backup_get(struct backup_copy *copy, const char *key)
{
    uint64_t until_ns = backup_clock_ns() + backup_patience_ns(copy);
    struct plx_call call = {.timeout_ns = BACKUP_STEP_NS};
    struct plx_response response;
    for (uint32_t step = 0;; step++) { /* until the time is over */
        response = plx_get(copy->client, plx_text(key), &call);
        if (response.outcome != PLX_TIMEOUT || backup_clock_ns() >= until_ns ||
            backup_is_interrupted())
            return response;
        if (backup_is_time_to_tell(step))
            backup_tell("shard %u: nobody says that he leads it with a fresh quorum: "
                        "waits for a leader\n",
                        plx_shard_of_key(plx_text(key), copy->judge.shard_count));
    }
}

/* A record that has everything which was acknowledged before this call. */
static enum plx_outcome ask_index(struct backup_copy *copy, uint16_t shard)
{
    char key[32];
    uint32_t number = 0;
    do {
        snprintf(key, sizeof(key), "backup-%" PRIu32, number++);
    } while (plx_shard_of_key(plx_text(key), copy->judge.shard_count) != shard &&
             number < KEYS_TRIED);
    struct plx_response response = backup_get(copy, key);
    if (response.outcome != PLX_OK && response.outcome != PLX_NOT_FOUND)
        return response.outcome;
    copy->index_min = response.applied_index;
    return PLX_OK;
}

static uint64_t counter_of(const struct plx_node *node, const char *name)
{
    for (uint32_t i = 0; i < node->counter_count; i++) {
        if (strcmp(node->counters[i].name, name) == 0)
            return node->counters[i].value;
    }
    return 0;
}

/* Notes what a node says before the state is taken. True: it leads. */
static bool note_node(struct backup_copy *copy, uint16_t shard, size_t endpoint)
{
    struct backup_node *told = &copy->notes[endpoint];
    struct plx_node node;
    bool answers = plx_status(copy->client, endpoint, shard, ASK_NS, &node) == PLX_OK;
    *told = (struct backup_node){.node = answers ? node.node : 0};
    snprintf(told->endpoint, sizeof(told->endpoint), "%s",
             plx_endpoint_name(copy->client, endpoint));
    if (answers)
        told->pending = counter_of(&node, "engine_relaxed_pending");
    return answers && node.role == PLX_LEADER;
}

/* The endpoints in the order in which they are asked: whoever leads comes last. */
static void order_endpoints(struct backup_copy *copy, uint16_t shard,
                            size_t ret_order[PLX_ENDPOINTS_MAX])
{
    size_t count = plx_endpoint_count(copy->client);
    size_t first = 0;
    size_t last = count;
    for (size_t i = 0; i < count; i++) {
        size_t endpoint = (i + shard) % count; /* shards share the work */
        if (note_node(copy, shard, endpoint))
            ret_order[--last] = endpoint;
        else
            ret_order[first++] = endpoint;
    }
}

struct plx_backup_from backup_from(const struct backup_copy *copy, uint16_t shard)
{
    return (struct plx_backup_from){.endpoint = copy->endpoint,
                                    .shard = shard,
                                    .timeout_ns = BACKUP_STEP_NS,
                                    .rate_bytes = copy->rate_bytes};
}

bool backup_is_there(struct backup_copy *copy, size_t endpoint, uint16_t shard)
{
    struct plx_node node;
    return plx_ping(copy->client, endpoint, shard, ASK_NS, &node) == PLX_OK;
}

/* The node of copy->endpoint answers: until it has such a snapshot, and no longer than an answer is
 * waited for. */
static enum plx_outcome find_there(struct backup_copy *copy, uint16_t shard,
                                   struct plx_snapshot *ret_snapshot)
{
    uint64_t until_ns = backup_clock_ns() + backup_patience_ns(copy);
    const struct plx_backup_from from = backup_from(copy, shard);
    for (uint32_t step = 0;; step++) { /* until the time is over */
        enum plx_outcome outcome =
            plx_backup_find(copy->client, &from, copy->index_min, ret_snapshot);
        if (outcome != PLX_TIMEOUT || backup_clock_ns() >= until_ns || backup_is_interrupted())
            return outcome;
        if (backup_is_time_to_tell(step))
            backup_tell("shard %u: %s takes a snapshot of record %" PRIu64
                        " or a later one: waits for it\n",
                        shard, plx_endpoint_name(copy->client, copy->endpoint), copy->index_min);
    }
}

static const char *why_text(enum plx_outcome outcome)
{
    switch (outcome) {
    case PLX_TIMEOUT:
        return "it has no snapshot of that record yet";
    case PLX_E_OVERLOADED:
        return "it has taken too many snapshots for backups lately (one in five minutes)";
    case PLX_E_UNSUPPORTED:
        return "it loads a state, or its storage does not count";
    default:
        return plx_outcome_text(outcome);
    }
}

/* Finds a node that gives the state. */
static enum plx_outcome find(struct backup_copy *copy, uint16_t shard, const size_t *order,
                             struct plx_snapshot *ret_snapshot)
{
    enum plx_outcome outcome = PLX_E_UNREACHABLE;
    for (size_t i = 0; i < plx_endpoint_count(copy->client) && !backup_is_interrupted(); i++) {
        if (!backup_is_there(copy, order[i], shard))
            continue;
        copy->endpoint = order[i];
        outcome = find_there(copy, shard, ret_snapshot);
        if (outcome == PLX_OK)
            return PLX_OK;
        backup_tell("shard %u: %s gives no state: %s: asks another node\n", shard,
                    plx_endpoint_name(copy->client, order[i]), why_text(outcome));
    }
    return outcome;
}

enum plx_outcome backup_find_state(struct backup_copy *copy, uint16_t shard,
                                   struct plx_snapshot *ret_snapshot)
{
    size_t order[PLX_ENDPOINTS_MAX];
    /* First what is pending. So what is not pending any more is decided by a record that the get
     * below has seen, and is in the backup. */
    order_endpoints(copy, shard, order);
    enum plx_outcome outcome = ask_index(copy, shard);
    return outcome == PLX_OK ? find(copy, shard, order, ret_snapshot) : outcome;
}
