/*
 * Copying shards: see tools/cli/cli_backup_copy.h.
 *
 * A node that gives no block for a while is asked whether it is there. If it is not, another node
 * may have the same snapshot, and gives the rest. Else the shard begins anew at another node. But
 * the node may be back soon, with its snapshot: before that it is waited for as long as the copy of
 * the shard took so far. Nothing is waited for in silence.
 */
#include "tools/cli/cli_backup_copy.h"
#include "tools/cli/cli_exit.h"

#include "client/include/pollux.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAUSE_NS UINT64_C(200000000) /* between two rounds of all nodes */
#define ATTEMPTS 8                   /* at a shard whose snapshots are overwritten */

int backup_write_failed(const struct backup_copy *copy)
{
    backup_tell("%s: %s\n", copy->arguments->operands[0], strerror(errno));
    return copy->writer.is_file ? plx_outcome_exit_code(PLX_E_IO) : CLI_EXIT_UNWRITTEN;
}

/* Writes a frame that the judge takes, too. False: it was told. */
static bool put(struct backup_copy *copy, const struct backup_frame *frame)
{
    struct backup_totals before = copy->writer.totals;
    enum error error = backup_judge_frame(&copy->judge, frame, &before);
    if (error != OK) {
        backup_tell("shard %u: what came is not a state: %s\n", frame->shard, error_text(error));
        return false;
    }
    if (backup_write_frame(&copy->writer, frame) == OK)
        return true;
    backup_write_failed(copy);
    return false;
}

/* ---- blocks ---- */

/* Writes what was noted. False: it could not be written. */
static bool put_notes(struct backup_copy *copy, uint16_t shard)
{
    for (size_t i = 0; i < plx_endpoint_count(copy->client); i++) {
        const struct backup_node *told = &copy->notes[i];
        uint8_t body[BACKUP_BODY_BYTES_MAX];
        if (told->node == 0 || told->pending > 0)
            backup_tell(
                told->node != 0
                    ? "shard %u: %s: %" PRIu64
                      " relaxed writes are pending there; those decided later are left out\n"
                    : "shard %u: %s does not answer: relaxed writes that are "
                      "pending there are left out\n",
                shard, told->endpoint, told->pending);
        struct backup_frame frame = {.kind = BACKUP_NODE, .shard = shard};
        frame.body = span_of(body, backup_node_encode(told, body));
        if (!put(copy, &frame))
            return false;
    }
    return true;
}

static size_t block_bytes(const struct plx_snapshot *snapshot, uint32_t number)
{
    uint64_t left = snapshot->stream_bytes - number * (uint64_t)PLX_BACKUP_BLOCK_BYTES;
    return (size_t)(left < PLX_BACKUP_BLOCK_BYTES ? left : PLX_BACKUP_BLOCK_BYTES);
}

/* PLX_E_UNREACHABLE: the node is not there, or gives nothing for as long as one waits. */
static enum plx_outcome fetch(struct backup_copy *copy, uint16_t shard,
                              const struct plx_snapshot *snapshot, uint32_t number)
{
    uint64_t until_ns = backup_clock_ns() + backup_patience_ns(copy);
    struct plx_backup_from from = backup_from(copy, shard);
    for (uint32_t step = 0;; step++) { /* until the time is over */
        enum plx_outcome outcome =
            plx_backup_block(copy->client, &from, snapshot, number, copy->block);
        if (outcome != PLX_E_UNREACHABLE || backup_clock_ns() >= until_ns ||
            backup_is_interrupted() || !backup_is_there(copy, copy->endpoint, shard))
            return outcome;
        from.timeout_ns *= 2; /* what has come of the block is asked for again, all of it */
        if (backup_is_time_to_tell(step))
            backup_tell("shard %u: %s answers, and gives block %" PRIu32 " slowly: waits for it\n",
                        shard, plx_endpoint_name(copy->client, copy->endpoint), number);
    }
}

static bool put_block(struct backup_copy *copy, uint16_t shard, uint32_t number, size_t size_bytes)
{
    struct backup_frame frame = {.kind = BACKUP_BLOCK,
                                 .shard = shard,
                                 .block = number,
                                 .body = span_of(copy->block, size_bytes)};
    copy->progress_ns = backup_clock_ns();
    return put(copy, &frame);
}

/* Once for each node that gives blocks of a snapshot. */
static void tell_giver(struct backup_copy *copy, uint16_t shard,
                       const struct plx_snapshot *snapshot)
{
    if (copy->is_giver_told && copy->giver == copy->endpoint)
        return;
    copy->is_giver_told = true;
    copy->giver = copy->endpoint;
    backup_tell("shard %u: copies from %s: the state as of record %" PRIu64 ", %" PRIu32
                " of %" PRIu32 " blocks are here\n",
                shard, plx_endpoint_name(copy->client, copy->endpoint), snapshot->index,
                copy->judge.current == shard ? copy->judge.blocks[shard] : 0,
                snapshot->block_count);
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
        backup_tell("shard %u: the state of node %u %s\n", shard, snapshot->node,
                    error_text(error));
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
    tell_giver(copy, shard, snapshot);
    copy->shard_ns = backup_clock_ns();
    copy->mark.totals = copy->writer.totals;
    return put_notes(copy, shard) && put(copy, &frame) && put_block(copy, shard, 0, size)
               ? PLX_OK
               : PLX_E_IO;
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
        tell_giver(copy, shard, &snapshot);
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

/* Goes on with what was begun, if a node still has that snapshot. PLX_NOT_FOUND: of those that
 * answer none has it. PLX_E_UNREACHABLE: and the node that gave it does not answer. */
static enum plx_outcome resume(struct backup_copy *copy, uint16_t shard)
{
    size_t count = plx_endpoint_count(copy->client);
    bool is_giver_there = true;
    for (size_t i = 0; i < count && !backup_is_interrupted(); i++) {
        size_t endpoint = (copy->giver + i) % count;
        if (!backup_is_there(copy, endpoint, shard)) {
            is_giver_there &= !copy->is_giver_told || endpoint != copy->giver;
            continue;
        }
        copy->endpoint = endpoint;
        enum plx_outcome outcome = go_on(copy, shard);
        if (outcome == PLX_OK || outcome == PLX_E_IO)
            return outcome;
        is_giver_there &= outcome == PLX_NOT_FOUND;
    }
    return is_giver_there ? PLX_NOT_FOUND : PLX_E_UNREACHABLE;
}

/* The giver is silent. Another node may have the same snapshot; the giver may be back. */
static enum plx_outcome resume_elsewhere(struct backup_copy *copy, uint16_t shard)
{
    enum plx_outcome outcome;
    backup_tell("shard %u: %s does not answer any more, after %" PRIu32 " of %" PRIu32
                " blocks: looks for another node that has the same snapshot\n",
                shard, plx_endpoint_name(copy->client, copy->giver), copy->judge.blocks[shard],
                copy->judge.shards[shard].block_count);
    do { /* rounds of all nodes, until the time is over */
        outcome = resume(copy, shard);
        if (outcome != PLX_E_UNREACHABLE)
            return outcome;
        (void)plx_poll(copy->client, PAUSE_NS);
    } while (backup_clock_ns() - copy->progress_ns < backup_patience_ns(copy) &&
             backup_clock_ns() - copy->progress_ns < copy->progress_ns - copy->shard_ns &&
             !backup_is_interrupted());
    return outcome;
}

/* From the begin. */
static enum plx_outcome attempt(struct backup_copy *copy, uint16_t shard)
{
    struct plx_snapshot snapshot;
    copy->is_giver_told = false;
    enum plx_outcome outcome = backup_find_state(copy, shard, &snapshot);
    if (outcome == PLX_OK)
        outcome = begin(copy, shard, &snapshot);
    return outcome == PLX_OK ? go_on(copy, shard) : outcome;
}

static void tell_again(uint16_t shard, enum plx_outcome outcome)
{
    backup_tell("shard %u: %s: begins the shard anew\n", shard,
                outcome == PLX_NOT_FOUND ? "its snapshot was overwritten by newer ones"
                                         : "no node that answers has that snapshot");
}

static int give_up(const struct backup_copy *copy, uint16_t shard, enum plx_outcome outcome)
{
    if (outcome == PLX_NOT_FOUND) {
        backup_tell(
            "shard %u: its snapshots are overwritten before they are copied: "
            "raise --rate, [node] snapshot_rate or [node] log_size, or come back when less is "
            "written\n",
            shard);
        return plx_outcome_exit_code(PLX_E_OVERLOADED);
    }
    if (outcome != PLX_E_IO)
        backup_tell("shard %u: no node gave anything of it for %.0f s: %s; see pollux "
                    "status\n",
                    shard, (double)(backup_clock_ns() - copy->progress_ns) / 1e9,
                    plx_outcome_text(outcome));
    return plx_outcome_exit_code(outcome);
}

/* The shard is not whole, and this is why. */
static enum plx_outcome next_attempt(struct backup_copy *copy, uint16_t shard,
                                     enum plx_outcome outcome)
{
    if (copy->judge.current == shard && outcome != PLX_NOT_FOUND) {
        outcome = resume_elsewhere(copy, shard);
        if (outcome == PLX_OK || outcome == PLX_E_IO)
            return outcome;
    }
    if (copy->judge.current == shard)
        tell_again(shard, outcome);
    else if (outcome != PLX_NOT_FOUND)
        (void)plx_poll(copy->client, PAUSE_NS);
    return drop(copy, shard) ? attempt(copy, shard) : PLX_E_IO;
}

/* Whether another attempt is worth it. */
static bool has_more(const struct backup_copy *copy, enum plx_outcome outcome, uint32_t attempts)
{
    if (outcome == PLX_OK || outcome == PLX_E_IO || backup_is_interrupted())
        return false;
    return outcome == PLX_NOT_FOUND
               ? attempts < ATTEMPTS
               : backup_clock_ns() - copy->progress_ns < backup_patience_ns(copy);
}

int backup_copy_shard(struct backup_copy *copy, uint16_t shard)
{
    enum plx_outcome outcome = PLX_NOT_FOUND;
    uint32_t attempts = 0;
    if (backup_judge_is_whole(&copy->judge, shard))
        return 0;
    copy->shard_ns = copy->progress_ns = backup_clock_ns();
    copy->is_giver_told = false;
    if (copy->judge.current == shard) /* an earlier run has begun it */
        outcome = resume(copy, shard);
    while (has_more(copy, outcome, attempts)) {
        attempts += outcome == PLX_NOT_FOUND;
        outcome = next_attempt(copy, shard, outcome);
    }
    if (outcome != PLX_OK)
        return give_up(copy, shard, outcome);
    const struct backup_shard *whole = &copy->judge.shards[shard];
    backup_tell("shard %u: %" PRIu64 " keys as of record %" PRIu64 ", from node %u\n", shard,
                whole->keys, whole->index, whole->node);
    return 0;
}
