/*
 * What the consensus core costs a leader for each record: the proposal with the append requests to
 * all followers, the news that the record is durable here, and the acknowledgements up to the
 * commit. Groups of three and five voters; the followers are played. Fixed work; the figures are ns
 * a record over groups of 64.
 *
 * Usage: raft_propose [records]
 */
#include "bench/samples.h"

#include "base/check.h"
#include "raft/raft.h"

#include <stdio.h>
#include <stdlib.h>

#define GROUP        64
#define RECORDS_MANY 2000000
#define RECORDS_MAX  UINT64_C(1000000000)
#define RECORD_BYTES 128
#define EVENT_NS     100 /* between two events */
#define TIMEOUT_NS   UINT64_C(150000000)
#define QUEUE_MAX    (4 * RAFT_STEP_MESSAGES_MAX)
#define STEPS_MAX    1000 /* of an election */

struct leader {
    struct raft *raft;
    void *memory;
    uint64_t now_ns;
    struct raft_effects effects;
    struct raft_message replies[QUEUE_MAX]; /* on their way to the leader */
    uint32_t reply_count;
    uint64_t checksum;
};

static uint32_t record_size(const void *context, uint64_t index)
{
    (void)context;
    (void)index;
    return RECORD_BYTES;
}

/* What a follower that agrees says. */
static struct raft_message reply_to(const struct raft_message *message)
{
    struct raft_message reply = {.from = message->to, .to = message->from, .term = message->term};
    if (message->type == RAFT_VOTE_REQUEST) {
        reply.type = RAFT_VOTE_REPLY;
        reply.vote_reply.is_granted = true;
        reply.vote_reply.is_pre_vote = message->vote_request.is_pre_vote;
        return reply;
    }
    CHECK(message->type == RAFT_APPEND_REQUEST);
    reply.type = RAFT_APPEND_REPLY;
    reply.append_reply.is_success = true;
    reply.append_reply.match_index =
        message->append_request.previous_index + message->append_request.entry_count;
    reply.append_reply.round = message->append_request.round;
    return reply;
}

static void answer(struct leader *leader, const struct raft_message *messages, uint32_t count)
{
    CHECK(leader->reply_count + count <= QUEUE_MAX);
    for (uint32_t i = 0; i < count; i++)
        leader->replies[leader->reply_count++] = reply_to(&messages[i]);
}

static void step(struct leader *leader, struct raft_event *event)
{
    event->now_ns = leader->now_ns += EVENT_NS;
    CHECK(raft_step(leader->raft, event, &leader->effects) == OK);
    leader->checksum += leader->effects.commit_index;
    answer(leader, leader->effects.now, leader->effects.now_count);
    answer(leader, leader->effects.after, leader->effects.after_count);
    while (leader->effects.append_count > 0 || leader->effects.hard_state_changed) {
        struct raft_event durable = {
            .type = RAFT_EVENT_DURABLE,
            .now_ns = leader->now_ns += EVENT_NS,
            .durable = {.index = leader->effects.append_first + leader->effects.append_count - 1,
                        .hard_state = leader->effects.hard_state}};
        if (leader->effects.append_count == 0)
            durable.durable.index = 0;
        CHECK(raft_step(leader->raft, &durable, &leader->effects) == OK);
        answer(leader, leader->effects.now, leader->effects.now_count);
        answer(leader, leader->effects.after, leader->effects.after_count);
    }
}

/* The replies that wait arrive; those that they cause wait then. */
static void receive(struct leader *leader)
{
    struct raft_message replies[QUEUE_MAX];
    uint32_t count = leader->reply_count;
    for (uint32_t i = 0; i < count; i++)
        replies[i] = leader->replies[i];
    leader->reply_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct raft_event event = {.type = RAFT_EVENT_RECEIVE, .receive.message = &replies[i]};
        step(leader, &event);
    }
}

static void leader_open(struct leader *leader, uint32_t voter_count)
{
    struct raft_options options = {.self = {.birth = 1, .id = 1},
                                   .founder_count = voter_count,
                                   .election_timeout_min_ns = TIMEOUT_NS,
                                   .election_timeout_max_ns = 2 * TIMEOUT_NS,
                                   .heartbeat_interval_ns = TIMEOUT_NS / 3,
                                   .append_entries_max = APPEND_ENTRIES_MAX,
                                   .append_size_bytes_soft = APPEND_SIZE_BYTES_SOFT,
                                   .inflight_max = 64,
                                   .trail_runs_max = 64,
                                   .seed = 42,
                                   .sizes = {.size_bytes = record_size}};
    struct raft_restored restored = {0};
    struct raft_status status = {0};
    restored.configuration.cluster = 1;
    for (uint16_t id = 1; id <= voter_count; id++) {
        const struct raft_member member = {.storage = {.birth = id, .id = id},
                                           .membership = RAFT_VOTER};
        options.founders[id - 1] = id;
        CHECK(raft_configuration_add(&restored.configuration, &member) == OK);
    }
    *leader = (struct leader){.now_ns = 1};
    leader->memory = aligned_alloc(64, (raft_size(&options) + 63) / 64 * 64);
    CHECK(leader->memory != NULL);
    CHECK(raft_init(leader->memory, &options, &restored, leader->now_ns, &leader->raft) == OK);
    for (uint32_t i = 0; i < STEPS_MAX && !status.has_own_commit; i++) {
        struct raft_event event = {.type = RAFT_EVENT_TICK};
        if (leader->reply_count == 0) {
            leader->now_ns = raft_deadline_ns(leader->raft);
            step(leader, &event);
        }
        receive(leader);
        raft_status(leader->raft, &status);
    }
    CHECK(status.role == RAFT_LEADER && status.has_own_commit);
}

/* Every record is committed before the next one is proposed. */
static void group_run(struct leader *leader)
{
    for (uint32_t i = 0; i < GROUP; i++) {
        struct raft_event event = {.type = RAFT_EVENT_PROPOSE};
        step(leader, &event);
        receive(leader);
    }
}

static void voters_run(uint32_t voter_count, uint64_t records)
{
    static struct leader leader;
    char name[32];
    struct samples samples;
    struct raft_status status;
    samples_init(&samples);
    leader_open(&leader, voter_count);
    for (uint64_t done = 0; done < records; done += GROUP) {
        uint64_t begin_ns = samples_clock_ns();
        group_run(&leader);
        samples_add(&samples, samples_clock_ns() - begin_ns, GROUP);
    }
    raft_status(leader.raft, &status);
    CHECK(status.commit_index == status.last_index);
    snprintf(name, sizeof(name), "record, %u voters", voter_count);
    samples_print(&samples, name, leader.checksum);
    free(leader.memory);
    samples_deinit(&samples);
}

int main(int argc, char **argv)
{
    uint64_t records = argc > 1 ? strtoull(argv[1], NULL, 10) : RECORDS_MANY;
    if (records < GROUP || records > RECORDS_MAX) {
        fprintf(stderr, "usage: raft_propose [records]\n");
        return 2;
    }
    voters_run(3, records);
    voters_run(5, records);
    return 0;
}
