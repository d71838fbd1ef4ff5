/*
 * Copying shards: see tools/cli/cli_backup_copy.h.
 *
 * Which record: a consistent get tells how far its node had applied the log. Whatever was
 * acknowledged before is in that record or an earlier one. Any node that has a snapshot of that
 * record or a later one gives the state; followers are asked first.
 */
#include "tools/cli/cli_backup_copy.h"

#include "client/include/pollux.h"
#include "tools/cli/cli_commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ASK_NS      UINT64_C(500000000)   /* whether a node answers at all */
#define PATIENCE_NS UINT64_C(30000000000) /* for an answer, if --timeout does not say */
#define ATTEMPTS    8                     /* at a shard, from its begin */
#define KEYS_TRIED  100000                /* until one is of a certain shard */

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t backup_patience_ns(const struct backup_copy *copy)
{
    return copy->arguments->timeout_ns != 0 ? copy->arguments->timeout_ns : PATIENCE_NS;
}

int backup_write_failed(const struct backup_copy *copy)
{
    fprintf(stderr, "pollux: backup: %s: %s\n", copy->arguments->operands[0], strerror(errno));
    return plx_outcome_exit_code(PLX_E_IO);
}

/* Writes a frame that the judge takes, too. False: it was told. */
static bool put(struct backup_copy *copy, const struct backup_frame *frame)
{
    struct backup_totals before = copy->writer.totals;
    enum error error = backup_judge_frame(&copy->judge, frame, &before);
    if (error != OK) {
        fprintf(stderr, "pollux: backup: shard %u: what came is not a state: %s\n", frame->shard,
                error_text(error));
        return false;
    }
    if (backup_write_frame(&copy->writer, frame) == OK)
        return true;
    backup_write_failed(copy);
    return false;
}

/* ---- where from ---- */

uint16_t backup_shard_count(struct backup_copy *copy)
{
    uint64_t until_ns = clock_ns() + backup_patience_ns(copy);
    struct plx_node node;
    do { /* a round of all endpoints each */
        for (size_t i = 0; i < plx_endpoint_count(copy->client); i++) {
            if (plx_ping(copy->client, i, 0, ASK_NS, &node) == PLX_OK)
                return node.shard_count;
        }
    } while (clock_ns() < until_ns && !cli_is_interrupted());
    fprintf(stderr, "pollux: backup: no endpoint answered\n");
    return 0;
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
    struct plx_call call = {.timeout_ns = backup_patience_ns(copy)};
    struct plx_response response = plx_get(copy->client, plx_text(key), &call);
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

/* Notes what a node says before the state is taken. False: it could not be written. */
static bool note_node(struct backup_copy *copy, uint16_t shard, size_t endpoint, bool *ret_leads)
{
    uint8_t body[BACKUP_BODY_BYTES_MAX];
    struct backup_node told = {0};
    struct plx_node node;
    bool answers = plx_status(copy->client, endpoint, shard, ASK_NS, &node) == PLX_OK;
    snprintf(told.endpoint, sizeof(told.endpoint), "%s", plx_endpoint_name(copy->client, endpoint));
    if (answers) {
        told.node = node.node;
        told.pending = counter_of(&node, "engine_relaxed_pending");
    }
    if (!answers || told.pending > 0)
        fprintf(stderr,
                answers ? "pollux: backup: shard %u: %s: %" PRIu64
                          " relaxed writes are pending there; those decided later are left out\n"
                        : "pollux: backup: shard %u: %s does not answer: relaxed writes that are "
                          "pending there are left out\n",
                shard, told.endpoint, told.pending);
    *ret_leads = answers && node.role == PLX_LEADER;
    struct backup_frame frame = {.kind = BACKUP_NODE, .shard = shard};
    frame.body = span_of(body, backup_node_encode(&told, body));
    return put(copy, &frame);
}

/* The endpoints in the order in which they are asked: whoever leads comes last. */
static bool order_endpoints(struct backup_copy *copy, uint16_t shard,
                            size_t ret_order[PLX_ENDPOINTS_MAX])
{
    size_t count = plx_endpoint_count(copy->client);
    size_t first = 0;
    size_t last = count;
    for (size_t i = 0; i < count; i++) {
        bool leads;
        size_t endpoint = (i + shard) % count; /* shards share the work */
        if (!note_node(copy, shard, endpoint, &leads))
            return false;
        if (leads)
            ret_order[--last] = endpoint;
        else
            ret_order[first++] = endpoint;
    }
    return true;
}

static struct plx_backup_from from_of(const struct backup_copy *copy, uint16_t shard)
{
    return (struct plx_backup_from){.endpoint = copy->endpoint,
                                    .shard = shard,
                                    .timeout_ns = backup_patience_ns(copy),
                                    .rate_bytes = copy->rate_bytes};
}

/* Finds a node that gives the state. */
static enum plx_outcome find(struct backup_copy *copy, uint16_t shard, const size_t *order,
                             struct plx_snapshot *ret_snapshot)
{
    enum plx_outcome outcome = PLX_E_UNREACHABLE;
    for (size_t i = 0; i < plx_endpoint_count(copy->client) && !cli_is_interrupted(); i++) {
        struct plx_node node;
        copy->endpoint = order[i];
        if (plx_ping(copy->client, order[i], shard, ASK_NS, &node) != PLX_OK)
            continue;
        struct plx_backup_from from = from_of(copy, shard);
        outcome = plx_backup_find(copy->client, &from, copy->index_min, ret_snapshot);
        if (outcome == PLX_OK)
            return PLX_OK;
    }
    return outcome;
}

/* ---- blocks ---- */

static size_t block_bytes(const struct plx_snapshot *snapshot, uint32_t number)
{
    uint64_t left = snapshot->stream_bytes - number * (uint64_t)PLX_BACKUP_BLOCK_BYTES;
    return (size_t)(left < PLX_BACKUP_BLOCK_BYTES ? left : PLX_BACKUP_BLOCK_BYTES);
}

static enum plx_outcome fetch(struct backup_copy *copy, uint16_t shard,
                              const struct plx_snapshot *snapshot, uint32_t number)
{
    struct plx_backup_from from = from_of(copy, shard);
    return plx_backup_block(copy->client, &from, snapshot, number, copy->block);
}

static bool put_block(struct backup_copy *copy, uint16_t shard, uint32_t number, size_t size_bytes)
{
    struct backup_frame frame = {.kind = BACKUP_BLOCK,
                                 .shard = shard,
                                 .block = number,
                                 .body = span_of(copy->block, size_bytes)};
    return put(copy, &frame);
}

/* Begins the shard with its first block. PLX_E_IO: it was told. */
static enum plx_outcome begin(struct backup_copy *copy, uint16_t shard,
                              const struct plx_snapshot *snapshot)
{
    uint8_t body[BACKUP_BODY_BYTES_MAX];
    struct backup_stream_head head;
    size_t size = block_bytes(snapshot, 0);
    enum plx_outcome outcome = fetch(copy, shard, snapshot, 0);
    if (outcome != PLX_OK)
        return outcome;
    enum error error = backup_stream_peek(span_of(copy->block, size), &head);
    if (error != OK) {
        fprintf(stderr, "pollux: backup: shard %u: the state of node %u %s\n", shard,
                snapshot->node, error_text(error));
        return PLX_E_IO;
    }
    struct backup_shard described = {.id = snapshot->id,
                                     .index = snapshot->index,
                                     .term = snapshot->term,
                                     .stream_bytes = snapshot->stream_bytes,
                                     .block_count = snapshot->block_count,
                                     .content_crc = snapshot->content_crc,
                                     .cluster = head.cluster,
                                     .era = head.era,
                                     .keys = head.keys,
                                     .node = snapshot->node};
    struct backup_frame frame = {.kind = BACKUP_SHARD, .shard = shard};
    frame.body = span_of(body, backup_shard_encode(&described, body));
    copy->mark.totals = copy->writer.totals;
    return put(copy, &frame) && put_block(copy, shard, 0, size) ? PLX_OK : PLX_E_IO;
}

static struct plx_snapshot snapshot_of(const struct backup_shard *shard)
{
    return (struct plx_snapshot){.id = shard->id,
                                 .index = shard->index,
                                 .term = shard->term,
                                 .stream_bytes = shard->stream_bytes,
                                 .block_count = shard->block_count,
                                 .content_crc = shard->content_crc,
                                 .node = shard->node};
}

/* The rest of the shard that was begun. PLX_E_IO: it was told. */
static enum plx_outcome go_on(struct backup_copy *copy, uint16_t shard)
{
    const struct plx_snapshot snapshot = snapshot_of(&copy->judge.shards[shard]);
    while (copy->judge.blocks[shard] < snapshot.block_count) {
        uint32_t number = copy->judge.blocks[shard];
        enum plx_outcome outcome = fetch(copy, shard, &snapshot, number);
        if (outcome != PLX_OK)
            return outcome;
        if (!put_block(copy, shard, number, block_bytes(&snapshot, number)))
            return PLX_E_IO;
    }
    return PLX_OK;
}

/* What was written of the shard counts for nothing. False: it was told. */
static bool drop(struct backup_copy *copy, uint16_t shard)
{
    struct backup_frame frame = {.kind = BACKUP_DROPPED, .shard = shard};
    struct backup_totals before = copy->writer.totals;
    if (copy->judge.current != shard)
        return true;
    enum error error = backup_write_back(&copy->writer, &copy->mark);
    if (error == ERR_UNSUPPORTED)
        return put(copy, &frame);
    if (error == OK)
        return backup_judge_frame(&copy->judge, &frame, &before) == OK;
    backup_write_failed(copy);
    return false;
}

/* ---- a shard ---- */

/* Goes on with what an earlier run has begun, if a node still has it. */
static enum plx_outcome resume(struct backup_copy *copy, uint16_t shard)
{
    enum plx_outcome outcome = PLX_NOT_FOUND;
    if (copy->judge.current != shard)
        return outcome;
    for (size_t i = 0; i < plx_endpoint_count(copy->client) && !cli_is_interrupted(); i++) {
        struct plx_node node;
        if (plx_ping(copy->client, i, shard, ASK_NS, &node) != PLX_OK)
            continue;
        copy->endpoint = i;
        outcome = go_on(copy, shard);
        if (outcome == PLX_OK || outcome == PLX_E_IO)
            return outcome;
    }
    return outcome;
}

static enum plx_outcome attempt(struct backup_copy *copy, uint16_t shard)
{
    size_t order[PLX_ENDPOINTS_MAX];
    struct plx_snapshot snapshot;
    enum plx_outcome outcome = ask_index(copy, shard);
    if (outcome != PLX_OK)
        return outcome;
    if (!order_endpoints(copy, shard, order))
        return PLX_E_IO;
    outcome = find(copy, shard, order, &snapshot);
    if (outcome == PLX_OK)
        outcome = begin(copy, shard, &snapshot);
    return outcome == PLX_OK ? go_on(copy, shard) : outcome;
}

static void tell_again(const struct backup_copy *copy, uint16_t shard, enum plx_outcome outcome)
{
    fprintf(stderr, "pollux: backup: shard %u: %s: %s; beginning the shard anew\n", shard,
            plx_endpoint_name(copy->client, copy->endpoint),
            outcome == PLX_NOT_FOUND ? "its snapshot was overwritten by newer ones"
                                     : plx_outcome_text(outcome));
}

static int give_up(uint16_t shard, enum plx_outcome outcome)
{
    if (outcome == PLX_NOT_FOUND) {
        fprintf(stderr,
                "pollux: backup: shard %u: its snapshots are overwritten before they are copied: "
                "raise --rate, [node] snapshot_rate or [node] log_size, or come back when less is "
                "written\n",
                shard);
        return plx_outcome_exit_code(PLX_E_OVERLOADED);
    }
    if (outcome != PLX_E_IO)
        fprintf(stderr, "pollux: backup: shard %u: %s\n", shard, plx_outcome_text(outcome));
    return plx_outcome_exit_code(outcome);
}

int backup_copy_shard(struct backup_copy *copy, uint16_t shard)
{
    if (backup_judge_is_whole(&copy->judge, shard))
        return 0;
    enum plx_outcome outcome = resume(copy, shard);
    for (uint32_t i = 0; i < ATTEMPTS && outcome != PLX_OK && outcome != PLX_E_IO; i++) {
        if (cli_is_interrupted())
            return give_up(shard, outcome);
        if (copy->judge.current == shard)
            tell_again(copy, shard, outcome);
        outcome = drop(copy, shard) ? attempt(copy, shard) : PLX_E_IO;
    }
    if (outcome != PLX_OK)
        return give_up(shard, outcome);
    const struct backup_shard *whole = &copy->judge.shards[shard];
    fprintf(stderr,
            "pollux: backup: shard %u: %" PRIu64 " keys as of record %" PRIu64 ", from node %u\n",
            shard, whole->keys, whole->index, whole->node);
    return 0;
}
