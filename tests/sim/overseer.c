/* The rules of overseer.h, one function each. */
#include "tests/sim/overseer.h"

#include "base/check.h"
#include "base/le.h"

#include <stdio.h>
#include <stdlib.h>

#define SEEN_START 512

/* Of a snapshot's file, as pmem/snapshots.h lays it out. */
#define COMPLETION_OFFSET     4096u
#define COMPLETION_GENERATION 8u
#define COMPLETION_INDEX      24u

static struct seen_record *seen_at(struct watched_node *watched, uint64_t index)
{
    uint64_t wanted = watched->seen_capacity;
    while (wanted <= index - watched->base)
        wanted *= 2;
    if (wanted != watched->seen_capacity) {
        watched->seen = realloc(watched->seen, wanted * sizeof(*watched->seen));
        CHECK(watched->seen != NULL);
        watched->seen_capacity = wanted;
    }
    return &watched->seen[index - watched->base];
}

/* One that was seen. */
static const struct seen_record *seen_of(const struct watched_node *watched, uint64_t index)
{
    CHECK(index > watched->base);
    return &watched->seen[index - watched->base];
}

void overseer_init(struct overseer *overseer, uint32_t node_count, uint32_t shard)
{
    overseer->node_count = node_count;
    for (uint32_t era = 0; era < SIM_ERAS; era++)
        ledger_init(&overseer->ledgers[era]);
    for (uint32_t i = 0; i < node_count; i++) {
        struct watched_node *watched = &overseer->nodes[i];
        *watched = (struct watched_node){.seen_capacity = SEEN_START};
        if (shard == UINT32_MAX)
            snprintf(watched->path, sizeof(watched->path), "node%u", i + 1);
        else
            snprintf(watched->path, sizeof(watched->path), "node%u.%u", i + 1, shard);
        snprintf(watched->snapshot_path, sizeof(watched->snapshot_path), "%s.snapshot",
                 watched->path);
        snprintf(watched->identity_path, sizeof(watched->identity_path), "%s.identity",
                 watched->path);
        watched->seen = calloc(SEEN_START, sizeof(*watched->seen));
        CHECK(watched->seen != NULL);
    }
}

void overseer_deinit(struct overseer *overseer)
{
    for (uint32_t i = 0; i < overseer->node_count; i++)
        free(overseer->nodes[i].seen);
    for (uint32_t era = 0; era < SIM_ERAS; era++)
        ledger_deinit(&overseer->ledgers[era]);
}

void overseer_restore(struct overseer *overseer, uint64_t index)
{
    overseer->ledgers[0].base = index;
    overseer->ledgers[0].commit_highest = index;
    overseer->quorums[0] = 1; /* one storage begins it */
    for (uint32_t i = 0; i < overseer->node_count; i++)
        overseer->nodes[i].base = index;
}

struct ledger *overseer_ledger(struct overseer *overseer, uint32_t node)
{
    return &overseer->ledgers[overseer->nodes[node].era];
}

void overseer_rescue(struct overseer *overseer, uint32_t nodes, uint64_t index)
{
    for (uint32_t i = 0; i < overseer->node_count; i++)
        overseer->nodes[i].era = nodes >> i & 1;
    overseer->is_rescued = true;
    overseer->quorums[1] = 1; /* one storage goes on */
    ledger_keep(&overseer->ledgers[0], index, &overseer->ledgers[1]);
}

void overseer_forget(struct overseer *overseer, uint32_t node)
{
    struct watched_node *watched = &overseer->nodes[node];
    watched->seen_last = 0;
    watched->commit_index = 0;
    watched->applied_index = 0;
    watched->led_term = 0;
    watched->begin = 0;
    /* A sole voter may lead a term and lose it with its unwritten records: nobody has seen them. */
    if (overseer->node_count == 1)
        ledger_forget_uncommitted(overseer_ledger(overseer, node));
}

/* ---- records ---- */

static uint64_t record_digest(const struct log_record *record)
{
    uint64_t digest = digest_word(record->term, record->kind);
    return digest_bytes(digest, record->payload.data, record->payload.size_bytes);
}

static void record_enter(struct overseer *overseer, uint32_t node, struct replica *replica,
                         uint64_t index)
{
    struct watched_node *watched = &overseer->nodes[node];
    struct log_record record;
    log_read(replica_log(replica), index, &record);
    const uint8_t *base = medium_data(log_medium(replica_log(replica)));
    struct seen_record *seen = seen_at(watched, index);
    *seen = (struct seen_record){.term = record.term,
                                 .digest = record_digest(&record),
                                 .offset_bytes = (size_t)(record.payload.data - base),
                                 .size_bytes = record.payload.size_bytes};
    overseer->tally->records_checked++;
    if (record.index != index || record.term != raft_term_at(replica_raft(replica), index))
        verdict_break(overseer->verdict, RULE_LOG_MATCHING,
                      "node %u: log and trail disagree about record %llu: terms %llu and %llu",
                      node + 1, (unsigned long long)index, (unsigned long long)record.term,
                      (unsigned long long)raft_term_at(replica_raft(replica), index));
    struct ledger_record entry = {.index = index,
                                  .term = record.term,
                                  .digest = seen->digest,
                                  .previous_term = raft_term_at(replica_raft(replica), index - 1)};
    const struct ledger_record *known = ledger_record(overseer_ledger(overseer, node), &entry);
    /* After a start the term before the first record may not be known any more. */
    bool is_same_past = known->previous_term == entry.previous_term ||
                        (entry.previous_term == 0 && index > 1 && index == watched->begin);
    if (known->digest != entry.digest || !is_same_past)
        verdict_break(overseer->verdict, RULE_LOG_MATCHING,
                      "node %u holds another record %llu of term %llu than one before it did",
                      node + 1, (unsigned long long)index, (unsigned long long)record.term);
}

/* First index whose record is new or differs in term from what was seen. By induction over turns,
 * equal terms at an index mean that nothing before it has changed either. What lies before the
 * log's begin is committed and in a snapshot: see snapshot_look. */
static uint64_t first_changed(const struct watched_node *watched, const struct raft *raft,
                              uint64_t last_index)
{
    uint64_t index = last_index;
    while (index >= watched->begin && (index > watched->seen_last ||
                                       seen_of(watched, index)->term != raft_term_at(raft, index)))
        index--;
    return index + 1;
}

/*
 * Whoever holds a committed record keeps it: no leader to come conflicts with it (paper 5.4.3). But
 * a node that still is in an earlier term may hear late of that term's leader, and lose to it a
 * record that a later one has committed without the node.
 */
static void removal_look(struct overseer *overseer, uint32_t node, uint64_t first,
                         uint64_t first_term)
{
    struct watched_node *watched = &overseer->nodes[node];
    for (uint64_t index = first; index <= watched->seen_last; index++) {
        watched->is_at_turning_point = true;
        watched->cut_at_ns = overseer->verdict->now_ns;
        const struct ledger_commit *commit = ledger_commit(overseer_ledger(overseer, node), index);
        bool is_earlier = watched->term_before < commit->in_term && first_term < commit->in_term;
        if (commit->term != 0 && commit->digest == seen_of(watched, index)->digest && !is_earlier)
            verdict_break(overseer->verdict, RULE_DURABILITY,
                          "node %u removed record %llu of term %llu, which is committed", node + 1,
                          (unsigned long long)index, (unsigned long long)commit->term);
    }
}

/* The two snapshots that are complete on the node's medium hold the records up to these indexes; 0:
 * there is none. */
struct snapshot_indexes {
    uint64_t newest;
    uint64_t older;
};

static struct snapshot_indexes snapshots_find(const struct overseer *overseer, uint32_t node)
{
    struct snapshot_indexes found = {0};
    for (uint32_t file = 0; file < 2; file++) {
        char path[MEDIUM_SIM_PATH_MAX];
        snprintf(path, sizeof(path), "%s-%u", overseer->nodes[node].snapshot_path, file);
        if (!medium_sim_exists(overseer->media, path))
            continue;
        const uint8_t *record = medium_sim_persisted(overseer->media, path) + COMPLETION_OFFSET;
        uint64_t index = le64_load(record + COMPLETION_INDEX);
        if (le64_load(record + COMPLETION_GENERATION) == 0)
            continue;
        found.older = index > found.newest ? found.newest : index;
        found.newest = index > found.newest ? index : found.newest;
    }
    return found;
}

bool overseer_has_snapshot(const struct overseer *overseer, uint32_t node, uint64_t index)
{
    return overseer->nodes[node].is_damaged || index <= snapshots_find(overseer, node).newest;
}

/* First record that both the log and raft still have. */
static uint64_t begin_of(struct replica *replica)
{
    uint64_t log = log_first_index(replica_log(replica));
    uint64_t raft = raft_first_index(replica_raft(replica));
    return log > raft ? log : raft;
}

/* What the log no longer has, or raft has put away, is committed, and durable in both snapshots; a
 * log that begins just behind the newest may have been given up for that one. */
static void snapshot_look(struct overseer *overseer, uint32_t node, struct replica *replica)
{
    struct watched_node *watched = &overseer->nodes[node];
    uint64_t begin = begin_of(replica);
    bool is_start = watched->begin == 0;
    const struct replica_counters *counters = replica_counters(replica);
    uint64_t snapshots = counters->snapshots_taken + counters->snapshots_installed;
    if (begin == watched->begin && snapshots == watched->snapshots)
        return;
    watched->snapshots = snapshots;
    bool is_dropped = begin != watched->begin;
    watched->begin = begin;
    if (begin > 1 && begin - 1 > overseer_ledger(overseer, node)->commit_highest)
        verdict_break(overseer->verdict, RULE_DURABILITY,
                      "node %u put records up to %llu away; %llu is committed", node + 1,
                      (unsigned long long)begin - 1,
                      (unsigned long long)overseer_ledger(overseer, node)->commit_highest);
    /* A crash may have left the older one half overwritten. */
    struct snapshot_indexes found = snapshots_find(overseer, node);
    uint64_t held = is_start ? found.newest : found.older;
    /* Both were whole when the newest was, though the next one may be written over one already. */
    if (found.newest > watched->snapshot_newest && watched->snapshot_newest > held)
        held = watched->snapshot_newest;
    watched->snapshot_newest = found.newest;
    if (!watched->is_damaged && is_dropped && begin - 1 > held && begin - 1 != found.newest)
        verdict_break(overseer->verdict, RULE_DURABILITY,
                      "node %u put records up to %llu away; its snapshots end at %llu and %llu",
                      node + 1, (unsigned long long)begin - 1, (unsigned long long)found.older,
                      (unsigned long long)found.newest);
}

static void records_look(struct overseer *overseer, uint32_t node, struct replica *replica,
                         const struct raft_status *status)
{
    struct watched_node *watched = &overseer->nodes[node];
    snapshot_look(overseer, node, replica);
    uint64_t first = first_changed(watched, replica_raft(replica), status->last_index);
    bool is_same_lead = status->role == RAFT_LEADER && watched->led_term == status->term;
    if (is_same_lead && (first <= watched->led_last || status->last_index < watched->led_last))
        verdict_break(overseer->verdict, RULE_LEADER_APPEND_ONLY,
                      "node %u leads term %llu and changed record %llu; it had %llu", node + 1,
                      (unsigned long long)status->term, (unsigned long long)first,
                      (unsigned long long)watched->led_last);
    if (first <= watched->commit_index || status->last_index < watched->commit_index)
        verdict_break(overseer->verdict, RULE_STATE_MACHINE_SAFETY,
                      "node %u changed record %llu although it knew %llu to be committed", node + 1,
                      (unsigned long long)first, (unsigned long long)watched->commit_index);
    removal_look(overseer, node, first,
                 first <= status->last_index ? raft_term_at(replica_raft(replica), first) : 0);
    for (uint64_t index = first; index <= status->last_index; index++) {
        record_enter(overseer, node, replica, index);
        verdict_trace(overseer->verdict, seen_of(watched, index)->digest);
        overseer->tally->records_appended++;
    }
    watched->seen_last = status->last_index;
    watched->led_term = status->role == RAFT_LEADER ? status->term : 0;
    watched->led_last = status->last_index;
}

/* ---- leaders ---- */

static void completeness_look(struct overseer *overseer, uint32_t node, struct replica *replica,
                              const struct raft_status *status)
{
    /* What was put away in this very turn is for snapshot_look to judge. */
    struct ledger *ledger = overseer_ledger(overseer, node);
    for (uint64_t i = begin_of(replica); i <= ledger->commit_highest; i++) {
        const struct ledger_commit *commit = ledger_commit(ledger, i);
        if (commit->in_term >= status->term || commit->term == 0)
            continue;
        if (raft_term_at(replica_raft(replica), i) != commit->term) {
            verdict_break(overseer->verdict, RULE_LEADER_COMPLETENESS,
                          "node %u leads term %llu without record %llu of term %llu, committed "
                          "in term %llu",
                          node + 1, (unsigned long long)status->term, (unsigned long long)i,
                          (unsigned long long)commit->term, (unsigned long long)commit->in_term);
            return;
        }
    }
}

/* A leader has the votes of a majority, as far as they were heard (damaged nodes may vote anew). */
static void election_look(struct overseer *overseer, uint32_t node,
                          const struct raft_status *status)
{
    uint32_t votes = 1;
    for (uint32_t i = 0; i < overseer->node_count; i++) {
        bool is_granted =
            *ledger_vote(overseer_ledger(overseer, node), status->term, i) == status->birth;
        votes += i != node && (is_granted || overseer->nodes[i].is_damaged);
    }
    if (votes < overseer->quorums[overseer->nodes[node].era])
        verdict_break(overseer->verdict, RULE_ELECTION_SAFETY,
                      "node %u leads term %llu with %u votes of %u", node + 1,
                      (unsigned long long)status->term, votes, overseer->node_count);
}

static void leader_look(struct overseer *overseer, uint32_t node, struct replica *replica,
                        const struct raft_status *status)
{
    if (status->role != RAFT_LEADER || overseer->nodes[node].led_term == status->term)
        return;
    uint32_t *leader = ledger_leader(overseer_ledger(overseer, node), status->term);
    if (*leader != 0 && *leader != node + 1)
        verdict_break(overseer->verdict, RULE_ELECTION_SAFETY,
                      "term %llu is led by node %u and by node %u",
                      (unsigned long long)status->term, *leader, node + 1);
    *leader = node + 1;
    election_look(overseer, node, status);
    overseer->tally->elections_won++;
    verdict_say(overseer->verdict, "n%u leads term %llu from record %llu on", node + 1,
                (unsigned long long)status->term, (unsigned long long)status->last_index);
    completeness_look(overseer, node, replica, status);
}

/* ---- commits ---- */

/* Whether the persisted image holds the record with its payload at `offset_bytes`. */
static bool image_holds(const uint8_t *image, size_t offset_bytes, size_t size_bytes,
                        const struct ledger_record *record)
{
    const uint8_t *header = image + offset_bytes - RECORD_HEADER_SIZE_BYTES;
    if (le64_load(header + 8) != record->index || le64_load(header + 16) != record->term ||
        le32_load(header + 4) != size_bytes)
        return false;
    uint64_t digest = digest_word(record->term, header[40]);
    return digest_bytes(digest, image + offset_bytes, size_bytes) == record->digest;
}

/* Walks a whole image for a record that the node wrote in the turn in which it died. */
static bool image_search(const uint8_t *image, size_t end, const struct ledger_record *record)
{
    for (size_t at = 8192; at + RECORD_ALIGN_BYTES <= end; at += RECORD_ALIGN_BYTES) {
        size_t size = le32_load(image + at + 4);
        size_t payload = at + RECORD_HEADER_SIZE_BYTES;
        if (le64_load(image + at + 8) == record->index && size <= end - payload &&
            image_holds(image, payload, size, record))
            return true;
    }
    return false;
}

static bool is_held(struct overseer *overseer, uint32_t node, const struct ledger_record *record,
                    bool is_thorough)
{
    const struct watched_node *watched = &overseer->nodes[node];
    if (overseer_has_snapshot(overseer, node, record->index))
        return true;
    if (!medium_sim_exists(overseer->media, watched->path))
        return false;
    const uint8_t *image = medium_sim_persisted(overseer->media, watched->path);
    if (is_thorough)
        return image_search(image, medium_sim_written_bytes(overseer->media, watched->path),
                            record);
    if (record->index > watched->seen_last)
        return false;
    const struct seen_record *seen = seen_of(watched, record->index);
    return seen->term == record->term &&
           image_holds(image, seen->offset_bytes, seen->size_bytes, record);
}

static uint32_t count_holders(struct overseer *overseer, uint32_t era,
                              const struct ledger_record *entry, bool is_thorough)
{
    uint32_t holders = 0;
    for (uint32_t i = 0; i < overseer->node_count; i++)
        holders += overseer->nodes[i].era == era && is_held(overseer, i, entry, is_thorough);
    return holders;
}

/* A record is committed when a majority has it on the medium. What storages held that have left the
 * era before a rescue cannot be looked up any more. */
static void durability_look(struct overseer *overseer, uint32_t node, uint64_t index)
{
    struct watched_node *watched = &overseer->nodes[node];
    struct ledger_record entry = {.index = index,
                                  .term = seen_of(watched, index)->term,
                                  .digest = seen_of(watched, index)->digest};
    uint32_t era = watched->era;
    uint32_t quorum = overseer->quorums[era];
    if (overseer->is_rescued && era == 0)
        return;
    uint32_t holders = count_holders(overseer, era, &entry, false);
    if (holders < quorum)
        holders = count_holders(overseer, era, &entry, true);
    if (holders < quorum)
        verdict_break(overseer->verdict, RULE_DURABILITY,
                      "node %u committed record %llu of term %llu, durable on %u of %u", node + 1,
                      (unsigned long long)index, (unsigned long long)entry.term, holders,
                      overseer->node_count);
}

static void commit_enter(struct overseer *overseer, uint32_t node, uint64_t index,
                         const struct raft_status *status)
{
    const struct seen_record *seen = seen_of(&overseer->nodes[node], index);
    struct ledger_commit *commit = ledger_commit(overseer_ledger(overseer, node), index);
    if (commit->term == 0) {
        *commit = (struct ledger_commit){
            .term = seen->term, .digest = seen->digest, .in_term = status->term};
        overseer->tally->records_committed++;
        durability_look(overseer, node, index);
    }
    if (commit->digest != seen->digest)
        verdict_break(overseer->verdict, RULE_STATE_MACHINE_SAFETY,
                      "node %u committed record %llu of term %llu; another committed term %llu",
                      node + 1, (unsigned long long)index, (unsigned long long)seen->term,
                      (unsigned long long)commit->term);
    if (index > overseer_ledger(overseer, node)->commit_highest)
        overseer_ledger(overseer, node)->commit_highest = index;
}

/* What nobody had committed before is committed by the leader that counts it. */
static void commit_rule_look(struct overseer *overseer, uint32_t node,
                             const struct raft_status *status, bool was_leading)
{
    uint64_t index = status->commit_index;
    if (!was_leading || index <= overseer_ledger(overseer, node)->commit_highest)
        return;
    uint64_t term = seen_of(&overseer->nodes[node], index)->term;
    if (term != status->term)
        verdict_break(overseer->verdict, RULE_COMMIT_RULE,
                      "node %u leads term %llu and commits record %llu of term %llu by counting",
                      node + 1, (unsigned long long)status->term, (unsigned long long)index,
                      (unsigned long long)term);
}

static void commit_look(struct overseer *overseer, uint32_t node, const struct raft_status *status,
                        bool was_leading)
{
    struct watched_node *watched = &overseer->nodes[node];
    if (status->commit_index < watched->commit_index || status->commit_index > status->last_index) {
        verdict_break(overseer->verdict, RULE_MONOTONE_COMMIT,
                      "node %u: commit index from %llu to %llu, last record %llu", node + 1,
                      (unsigned long long)watched->commit_index,
                      (unsigned long long)status->commit_index,
                      (unsigned long long)status->last_index);
        return;
    }
    commit_rule_look(overseer, node, status, was_leading);
    uint64_t first =
        watched->commit_index + 1 < watched->begin ? watched->begin : watched->commit_index + 1;
    for (uint64_t i = first; i <= status->commit_index; i++)
        commit_enter(overseer, node, i, status);
    watched->commit_index = status->commit_index;
}

/* ---- state ---- */

void overseer_compare_state(struct overseer *overseer, uint32_t node, struct replica *replica)
{
    uint64_t applied = engine_applied_index(replica_engine(replica));
    if (applied < overseer->nodes[node].base)
        return; /* it has not loaded what was restored */
    uint64_t digest = engine_digest(replica_engine(replica));
    uint64_t hash = (engine_state_hash(replica_engine(replica)) ^ digest) | 1;
    uint64_t *known = ledger_state(overseer_ledger(overseer, node), applied);
    verdict_trace(overseer->verdict, hash);
    overseer->tally->state_hashes_compared++;
    if (*known == 0)
        *known = hash;
    if (*known != hash)
        verdict_break(overseer->verdict, RULE_STATE_HASH,
                      "node %u applied up to %llu and has another state than one before it",
                      node + 1, (unsigned long long)applied);
}

/* The same third of all indexes on every node, since the walk is not free. */
static bool is_sampled(uint64_t index)
{
    return digest_word(5, index) % 3 == 0;
}

static void applied_look(struct overseer *overseer, uint32_t node, struct replica *replica)
{
    struct watched_node *watched = &overseer->nodes[node];
    uint64_t applied = engine_applied_index(replica_engine(replica));
    if (engine_is_installing(replica_engine(replica)))
        return;
    if (applied > watched->commit_index || applied < watched->applied_index)
        verdict_break(overseer->verdict, RULE_STATE_MACHINE_SAFETY,
                      "node %u applied %llu after %llu, committed %llu", node + 1,
                      (unsigned long long)applied, (unsigned long long)watched->applied_index,
                      (unsigned long long)watched->commit_index);
    bool is_new = applied != watched->applied_index;
    watched->applied_index = applied;
    if (is_new && is_sampled(applied))
        overseer_compare_state(overseer, node, replica);
}

void overseer_look(struct overseer *overseer, uint32_t node, struct replica *replica)
{
    struct raft_status status;
    replica_raft_status(replica, &status);
    bool was_leading = status.role == RAFT_LEADER && overseer->nodes[node].led_term == status.term;
    struct watched_node *watched = &overseer->nodes[node];
    watched->is_at_turning_point =
        status.term != watched->term || (watched->led_term != 0) != (status.role == RAFT_LEADER);
    watched->term_before = watched->term;
    watched->term = status.term;
    leader_look(overseer, node, replica, &status);
    records_look(overseer, node, replica, &status);
    commit_look(overseer, node, &status, was_leading);
    applied_look(overseer, node, replica);
    verdict_trace(overseer->verdict, digest_word(status.term * 4 + (uint64_t)status.role,
                                                 status.commit_index ^ status.last_index << 32));
}
