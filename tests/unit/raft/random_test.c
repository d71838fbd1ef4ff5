/*
 * Random schedules over fixed seeds: loss, duplication, reordering, cuts, late durability, crashes
 * that keep only what was durable, and crashes that keep nothing, of fewer nodes at a time than a
 * majority. In a second kind of run storages are lost and replaced, and members change, from the
 * formation of the cluster on. The harness checks election safety, leader append-only, leader
 * completeness, state machine safety and reads after every step (paper, figure 3); log matching is
 * checked here. After the faults stop, the cluster must elect, commit and converge.
 *
 * With arguments FIRST COUNT: so many runs with changes of members from this seed on, each named.
 */
#include "base/prng.h"
#include "tests/unit/raft/members.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SEEDS              300
#define STEPS              4000
#define CHANGE_SEEDS       400
#define CHANGE_STEPS       2000
#define CHANGES_REMEMBERED 6 /* newest configurations that a loss must leave a majority of */

struct odds { /* of a million, each step */
    uint32_t loss;
    uint32_t duplicate;
    uint32_t crash;
    uint32_t cut;
    uint32_t drain;
    uint32_t lost; /* of the crashes */
    uint32_t change;
};

static uint64_t read_next;
/* Lost its log and has not been settled, durably, since. */
static bool is_lost[NODES_MAX + 1];

static uint16_t pick_node(struct cluster *cluster, struct prng *prng)
{
    return (uint16_t)prng_range(prng, 1, cluster->node_count);
}

static void make_cluster_random(struct cluster *cluster, struct prng *prng)
{
    for (uint16_t id = 1; id <= cluster->node_count; id++) {
        struct raft_options *options = &cluster->nodes[id].options;
        cluster_crash(cluster, id);
        options->election_timeout_min_ns = 100 * MS;
        options->election_timeout_max_ns = 200 * MS;
        options->seed = prng_next(prng);
        options->inflight_max = (uint32_t)prng_range(prng, 1, 6);
        options->append_entries_max = (uint32_t)prng_range(prng, 1, 8);
        cluster->nodes[id].is_manual = true;
        cluster_start(cluster, id, false);
    }
}

static void touch_network(struct cluster *cluster, struct prng *prng, const struct odds *odds)
{
    if (cluster->packet_count == 0)
        return;
    uint32_t reach = cluster->packet_count < 24 ? cluster->packet_count : 24;
    uint32_t at = (uint32_t)prng_range(prng, 0, reach - 1);
    if (prng_chance(prng, odds->loss)) {
        cluster_drop(cluster, at);
        return;
    }
    if (prng_chance(prng, odds->duplicate) && cluster->packet_count < CLUSTER_PACKETS_MAX / 2) {
        cluster->packets[cluster->packet_count] = cluster->packets[at];
        cluster->packet_count++;
    }
    cluster_deliver(cluster, at);
}

/* The newest storages that the nodes have, as against those that are gone for ever. */
static bool is_there(const struct cluster *cluster, const struct raft_storage *storage,
                     uint16_t without)
{
    return storage->id != without &&
           cluster->nodes[storage->id].options.self.birth == storage->birth;
}

/* Whether both halves have a majority of storages that are not lost, also when `without` is. */
static bool can_decide(const struct cluster *cluster,
                       const struct raft_configuration *configuration, uint16_t without)
{
    uint32_t there = 0;
    for (uint32_t slot = 0; slot < configuration->slot_count; slot++) {
        if (configuration->members[slot].storage.birth != 0 &&
            is_there(cluster, &configuration->members[slot].storage, without))
            there |= UINT32_C(1) << slot;
    }
    struct raft_halves halves = raft_configuration_halves(configuration);
    return raft_is_majority(there, halves.old_half) && raft_is_majority(there, halves.new_half);
}

static uint32_t losses_of(const struct cluster *cluster)
{
    uint64_t losses = 0;
    for (uint16_t id = 1; id <= cluster->node_count; id++)
        losses += (cluster->nodes[id].options.self.birth - id) / 100;
    return (uint32_t)losses;
}

/* The loss of more would stop the cluster for ever; which configurations may come into force again
 * is not known, so the newest ones are all asked. */
static bool may_lose(const struct cluster *cluster, uint16_t id)
{
    /* A founder may be lost between its vote and the first record. */
    if (cluster->change_count == 0 && cluster->founding.slot_count == 0 &&
        losses_of(cluster) + 1 > (cluster->node_count - 1) / 2)
        return false;
    uint32_t first =
        cluster->change_count > CHANGES_REMEMBERED ? cluster->change_count - CHANGES_REMEMBERED : 0;
    if (first == 0 && cluster->founding.slot_count > 0 &&
        !can_decide(cluster, &cluster->founding, id))
        return false;
    for (uint32_t i = first; i < cluster->change_count; i++) {
        struct raft_configuration configuration;
        assert_int_equal(raft_configuration_decode(cluster->changes[i].bytes,
                                                   cluster->changes[i].size_bytes, &configuration),
                         OK);
        if (!can_decide(cluster, &configuration, id))
            return false;
    }
    for (uint16_t other = 1; other <= cluster->node_count; other++) {
        const struct cluster_node *node = &cluster->nodes[other];
        if (!node->is_alive)
            return false; /* what it has in force is not known */
        const struct raft_configuration *configuration = cluster_configuration(cluster, other);
        if (other != id && configuration->slot_count > 0 && !can_decide(cluster, configuration, id))
            return false;
    }
    return true;
}

static enum raft_membership draw_membership(const struct cluster *cluster, struct prng *prng,
                                            const struct raft_member *member)
{
    bool is_gone = !is_there(cluster, &member->storage, 0);
    uint64_t draw = prng_range(prng, 0, 9);
    if (member->membership == RAFT_VOTER)
        return draw < (is_gone ? 7 : 2) ? RAFT_OUTGOING : RAFT_VOTER;
    if (is_gone)
        return RAFT_NO_MEMBER;
    if (draw < 2)
        return RAFT_NO_MEMBER;
    return draw < 6 ? RAFT_LEARNER : RAFT_INCOMING;
}

/* Members stay, go or come, each by chance. */
static void draw_configuration(const struct cluster *cluster, struct prng *prng,
                               struct raft_configuration *configuration)
{
    const struct raft_configuration before = *configuration;
    for (uint32_t slot = 0; slot < before.slot_count; slot++) {
        struct raft_member *member = &configuration->members[slot];
        if (member->storage.birth == 0)
            continue;
        member->membership = draw_membership(cluster, prng, member);
        if (member->membership == RAFT_NO_MEMBER)
            *member = (struct raft_member){0};
    }
    for (uint16_t id = 1; id <= cluster->node_count; id++) {
        struct raft_member member = {.storage = cluster->nodes[id].options.self};
        if (raft_configuration_slot(&before, member.storage.birth) != RAFT_SLOT_NONE)
            continue;
        member.membership = draw_membership(cluster, prng, &member);
        uint32_t slot = 0;
        while (slot < before.slot_count && (before.members[slot].storage.birth != 0 ||
                                            configuration->members[slot].storage.birth != 0))
            slot++;
        if (member.membership == RAFT_NO_MEMBER || slot == RAFT_MEMBERS_MAX)
            continue;
        while (slot < configuration->slot_count && configuration->members[slot].storage.birth != 0)
            slot++;
        configuration->members[slot] = member;
        if (slot >= configuration->slot_count)
            configuration->slot_count = slot + 1;
    }
}

static void change_members(struct cluster *cluster, struct prng *prng)
{
    for (uint16_t id = 1; id <= cluster->node_count; id++) {
        if (!cluster->nodes[id].is_alive || cluster_status(cluster, id).role != RAFT_LEADER)
            continue;
        struct raft_configuration configuration = *cluster_configuration(cluster, id);
        if (raft_configuration_is_joint(&configuration))
            continue;
        draw_configuration(cluster, prng, &configuration);
        if (raft_configuration_check(&configuration) != OK ||
            !can_decide(cluster, &configuration, 0))
            continue;
        enum error error = cluster_reconfigure(cluster, id, &configuration);
        assert_true(error == OK || error == ERR_BUSY || error == ERR_NOT_LEADER);
    }
}

static void crash(struct cluster *cluster, struct prng *prng, const struct odds *odds, uint16_t id)
{
    uint32_t lost_count = 0;
    bool is_loss = odds->change != 0 && prng_chance(prng, odds->lost) && may_lose(cluster, id);
    cluster_crash(cluster, id);
    if (is_loss)
        cluster_lose(cluster, id);
    if (odds->change != 0)
        return;
    for (uint16_t i = 1; i <= cluster->node_count; i++)
        lost_count += is_lost[i] && i != id;
    if (!prng_chance(prng, odds->lost) || lost_count + 1 > cluster->node_count / 2)
        return;
    cluster_write(cluster, id, (struct raft_hard_state){0}, (const uint64_t[]){0});
    is_lost[id] = true;
}

static void drain(struct cluster *cluster, uint16_t id)
{
    cluster_drain(cluster, id);
    if (!cluster_status(cluster, id).is_tail_suspect)
        is_lost[id] = false;
}

static void touch_node(struct cluster *cluster, struct prng *prng, const struct odds *odds)
{
    uint16_t id = pick_node(cluster, prng);
    struct cluster_node *node = &cluster->nodes[id];
    if (!node->is_alive) {
        /* A node may doubt a tail that is whole: then it must only be slower to trust. */
        if (prng_chance(prng, 100000))
            cluster_start(cluster, id, prng_chance(prng, 300000) || is_lost[id]);
        return;
    }
    if (prng_chance(prng, odds->crash)) {
        crash(cluster, prng, odds, id);
        return;
    }
    if (raft_deadline_ns(node->raft) <= cluster->now_ns || raft_has_backlog(node->raft))
        assert_int_equal(cluster_tick(cluster, id), OK);
    if (prng_chance(prng, odds->drain))
        drain(cluster, id);
}

static void touch_client(struct cluster *cluster, struct prng *prng)
{
    uint16_t id = pick_node(cluster, prng);
    if (!cluster->nodes[id].is_alive)
        return;
    enum error error = OK;
    switch (prng_range(prng, 0, 9)) {
    case 0:
        error =
            cluster_transfer(cluster, id, prng_chance(prng, 500000) ? 0 : pick_node(cluster, prng));
        break;
    case 1:
        error = cluster_step(cluster, id, (struct raft_event){.type = RAFT_EVENT_STEP_DOWN});
        break;
    case 2:
    case 3:
        error = cluster_read(cluster, id, ++read_next);
        break;
    default:
        error = cluster_propose(cluster, id);
        break;
    }
    assert_true(error == OK || error == ERR_NOT_LEADER || error == ERR_BUSY ||
                error == ERR_ARGUMENT);
}

/* All members that are there have everything that is committed, and are settled. */
static void check_members(const struct cluster *cluster, uint16_t leader)
{
    const struct raft_configuration *configuration = cluster_configuration(cluster, leader);
    struct raft_status status = cluster_status(cluster, leader);
    assert_false(raft_configuration_is_joint(configuration));
    assert_int_equal(status.commit_index, status.last_index);
    for (uint32_t slot = 0; slot < configuration->slot_count; slot++) {
        const struct raft_storage *storage = &configuration->members[slot].storage;
        if (storage->birth == 0 || !is_there(cluster, storage, 0))
            continue;
        assert_int_equal(cluster_status(cluster, storage->id).commit_index, status.last_index);
        assert_true(members_are(cluster, storage->id, members_text(configuration).text));
    }
}

static void tell(const struct cluster *cluster)
{
    for (uint16_t id = 1; id <= cluster->node_count; id++) {
        struct raft_status status = cluster_status(cluster, id);
        fprintf(stderr, "  %s: role %d term %llu last %llu commit %llu members %s\n",
                members_name(cluster->nodes[id].options.self).text, (int)status.role,
                (unsigned long long)status.term, (unsigned long long)status.last_index,
                (unsigned long long)status.commit_index,
                members_text(cluster_configuration(cluster, id)).text);
    }
}

static void heal_members(struct cluster *cluster)
{
    for (uint16_t id = 1; id <= cluster->node_count; id++) {
        cluster_isolate(cluster, id, false);
        if (cluster->nodes[id].is_alive)
            cluster_drain(cluster, id);
        if (cluster->nodes[id].is_alive)
            cluster_crash(cluster, id);
        cluster->nodes[id].is_manual = false;
        cluster_start(cluster, id, false); /* no tail was torn: nobody need doubt one */
    }
    cluster_run(cluster, 4000 * MS);
    uint16_t leader = cluster_leader(cluster);
    if (leader == 0)
        tell(cluster);
    assert_int_not_equal(leader, 0);
    if (cluster_status(cluster, leader).is_transferring)
        cluster_run(cluster, 1000 * MS);
    leader = cluster_leader(cluster);
    assert_int_equal(cluster_propose(cluster, leader), OK);
    cluster_run(cluster, 200 * MS);
    check_members(cluster, leader);
}

static void heal(struct cluster *cluster)
{
    for (uint16_t id = 1; id <= cluster->node_count; id++) {
        cluster_isolate(cluster, id, false);
        if (!cluster->nodes[id].is_alive)
            cluster_start(cluster, id, is_lost[id]);
        cluster->nodes[id].is_manual = false;
        cluster_drain(cluster, id);
    }
    cluster_run(cluster, 3000 * MS);
    uint16_t leader = cluster_leader(cluster);
    assert_int_not_equal(leader, 0);
    if (cluster_status(cluster, leader).is_transferring)
        cluster_run(cluster, 1000 * MS);
    leader = cluster_leader(cluster);
    assert_int_equal(cluster_propose(cluster, leader), OK);
    cluster_run(cluster, 100 * MS);
    uint64_t last = cluster_status(cluster, leader).last_index;
    for (uint16_t id = 1; id <= cluster->node_count; id++) {
        assert_int_equal(cluster_status(cluster, id).commit_index, last);
        assert_int_equal(cluster_status(cluster, id).last_index, last);
    }
}

static void walk(struct cluster *cluster, struct prng *prng, const struct odds *odds,
                 uint32_t steps)
{
    for (uint32_t step = 0; step < steps; step++) {
        cluster->now_ns += prng_range(prng, 0, 2 * MS);
        for (uint32_t i = 0; i < 3; i++)
            touch_network(cluster, prng, odds);
        touch_node(cluster, prng, odds);
        if (prng_chance(prng, 200000))
            touch_client(cluster, prng);
        if (odds->change != 0 && prng_chance(prng, odds->change))
            change_members(cluster, prng);
        if (prng_chance(prng, odds->cut)) {
            uint16_t from = pick_node(cluster, prng);
            uint16_t to = pick_node(cluster, prng);
            cluster->is_cut[from][to] = !cluster->is_cut[from][to];
        }
        if (step % 100 == 0)
            cluster_check_log_matching(cluster);
    }
}

struct tally {
    uint64_t committed;
    uint64_t changes;
    uint64_t losses;
};

/* From the formation on, or from a configuration of some of the nodes. */
static void run_changes(uint64_t seed, struct tally *tally)
{
    struct prng prng;
    prng_init(&prng, seed);
    uint32_t count = (uint32_t)prng_range(&prng, 1, 6);
    uint32_t voter_count = (uint32_t)prng_range(&prng, 0, count);
    struct cluster *cluster = cluster_new_of(count, voter_count);
    make_cluster_random(cluster, &prng);
    memset(is_lost, 0, sizeof(is_lost));
    bool is_calm = prng_chance(&prng, 300000);
    struct odds odds = {
        .loss = (uint32_t)prng_range(&prng, 0, is_calm ? 1000 : 100000),
        .duplicate = (uint32_t)prng_range(&prng, 0, 100000),
        .crash = (uint32_t)prng_range(&prng, 0, is_calm ? 2000 : 10000),
        .cut = (uint32_t)prng_range(&prng, 0, is_calm ? 100 : 3000),
        .drain = (uint32_t)prng_range(&prng, 100000, 1000000),
        .lost = (uint32_t)prng_range(&prng, 0, 700000),
        .change = (uint32_t)prng_range(&prng, 1000, 50000),
    };
    walk(cluster, &prng, &odds, CHANGE_STEPS);
    heal_members(cluster);
    cluster_check_log_matching(cluster);
    tally->committed += cluster->committed_last;
    tally->changes += cluster->change_count;
    tally->losses += losses_of(cluster);
    cluster_free(cluster);
}

static void run_seed(uint64_t seed, uint64_t *ret_committed)
{
    struct prng prng;
    prng_init(&prng, seed);
    struct cluster *cluster = cluster_new((uint32_t)prng_range(&prng, 1, 5));
    make_cluster_random(cluster, &prng);
    memset(is_lost, 0, sizeof(is_lost));
    struct odds odds = {
        .loss = (uint32_t)prng_range(&prng, 0, 150000),
        .duplicate = (uint32_t)prng_range(&prng, 0, 100000),
        .crash = (uint32_t)prng_range(&prng, 0, 3000),
        .cut = (uint32_t)prng_range(&prng, 0, 3000),
        .drain = (uint32_t)prng_range(&prng, 100000, 1000000),
        .lost = (uint32_t)prng_range(&prng, 0, 500000),
    };
    walk(cluster, &prng, &odds, STEPS);
    heal(cluster);
    cluster_check_log_matching(cluster);
    *ret_committed += cluster->committed_last;
    cluster_free(cluster);
}

static void test_random_keeps_every_promise(void **state)
{
    (void)state;
    uint64_t committed = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_seed(seed, &committed);
    print_message("%d seeds, %llu records committed\n", SEEDS, (unsigned long long)committed);
    assert_true(committed > SEEDS * 20);
}

static void tally_print(const struct tally *tally)
{
    print_message("%llu records committed, %llu configurations, %llu storages lost\n",
                  (unsigned long long)tally->committed, (unsigned long long)tally->changes,
                  (unsigned long long)tally->losses);
}

static void test_random_changes_keep_every_promise(void **state)
{
    (void)state;
    struct tally tally = {0};
    for (uint64_t seed = 1; seed <= CHANGE_SEEDS; seed++)
        run_changes(seed, &tally);
    tally_print(&tally);
    assert_true(tally.committed > CHANGE_SEEDS * 20);
    assert_true(tally.changes > CHANGE_SEEDS * 5);
    assert_true(tally.losses > CHANGE_SEEDS / 2);
}

static void test_random_named_seeds(void **state)
{
    const uint64_t *const range = *state;
    struct tally tally = {0};
    for (uint64_t seed = range[0]; seed < range[0] + range[1]; seed++) {
        fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        run_changes(seed, &tally);
    }
    tally_print(&tally);
    assert_true(tally.committed > 0);
}

int main(int argc, char **argv)
{
    uint64_t range[2];
    if (argc == 3) {
        range[0] = strtoull(argv[1], NULL, 10);
        range[1] = strtoull(argv[2], NULL, 10);
        const struct CMUnitTest named[] = {
            cmocka_unit_test_prestate(test_random_named_seeds, range),
        };
        return cmocka_run_group_tests(named, NULL, NULL);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_keeps_every_promise),
        cmocka_unit_test(test_random_changes_keep_every_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
