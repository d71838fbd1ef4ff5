/*
 * How a cluster forms: storages of no cluster tell their births, all founders vote, and the first
 * record of the log is the configuration. Whatever is lost on the way, two clusters never form of
 * one set of storages.
 */
#include "tests/unit/raft/members.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void time_out(struct cluster *cluster, uint16_t id)
{
    if (raft_deadline_ns(cluster->nodes[id].raft) > cluster->now_ns)
        cluster->now_ns = raft_deadline_ns(cluster->nodes[id].raft);
    assert_int_equal(cluster_tick(cluster, id), OK);
}

static void deliver(struct cluster *cluster, enum raft_message_type type, uint16_t to)
{
    uint32_t at = cluster_find(cluster, type, to, 0);
    assert_int_not_equal(at, UINT32_MAX);
    cluster_deliver(cluster, at);
}

static void restart(struct cluster *cluster, uint16_t id)
{
    cluster_crash(cluster, id);
    cluster_start(cluster, id, false);
}

static void lose(struct cluster *cluster, uint16_t id)
{
    cluster_crash(cluster, id);
    cluster_lose(cluster, id);
    cluster_start(cluster, id, false);
}

static void test_formation_of_any_count(void **state)
{
    (void)state;
    static const char *const members[] = {"1", "1 2", "1 2 3", "1 2 3 4", "1 2 3 4 5"};
    for (uint32_t count = 1; count <= 5; count++) {
        struct cluster *cluster = cluster_new_unformed(count);
        assert_false(cluster_status(cluster, 1).is_formed);
        assert_int_equal(cluster_status(cluster, 1).membership, RAFT_NO_MEMBER);
        cluster_run(cluster, 125 * MS);
        assert_int_equal(cluster_leader(cluster), 1);
        uint64_t name = cluster_configuration(cluster, 1)->cluster;
        assert_int_not_equal(name, 0);
        for (uint16_t id = 1; id <= count; id++) {
            assert_true(members_are(cluster, id, members[count - 1]));
            assert_int_equal(cluster_configuration(cluster, id)->cluster, name);
            assert_int_equal(cluster_configuration(cluster, id)->era, 0);
            assert_int_equal(cluster_status(cluster, id).commit_index, 1);
            assert_int_equal(cluster_status(cluster, id).membership, RAFT_VOTER);
        }
        assert_int_equal(cluster_propose(cluster, 1), OK);
        cluster_run(cluster, 30 * MS);
        assert_int_equal(cluster_status(cluster, 1).commit_index, 2);
        cluster_free(cluster);
    }
}

/* Its first record is the configuration, and no no-op besides. */
static void test_formation_appends_one_record(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_unformed(1);
    cluster->nodes[1].is_manual = true;
    time_out(cluster, 1);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_CANDIDATE);
    cluster_drain(cluster, 1); /* the vote */
    const struct raft_effects *effects = &cluster->nodes[1].effects;
    assert_int_equal(effects->append_own, RAFT_ENTRY_CONFIGURATION);
    assert_int_equal(effects->append_first, 1);
    assert_int_equal(effects->append_count, 1);
    struct raft_configuration written;
    assert_int_equal(
        raft_configuration_decode(effects->append_payload, effects->append_size_bytes, &written),
        OK);
    assert_string_equal(members_text(&written).text, "1");
    assert_int_equal(cluster_status(cluster, 1).commit_index, 0);
    cluster_drain(cluster, 1);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 1);
    cluster_free(cluster);
}

/* Each cluster is another one, also of the same births and founders. */
static void test_formation_draws_a_name(void **state)
{
    (void)state;
    uint64_t names[2];
    for (uint32_t i = 0; i < 2; i++) {
        struct cluster *cluster = cluster_new_unformed(1);
        cluster_crash(cluster, 1);
        cluster->nodes[1].options.seed = i;
        cluster_start(cluster, 1, false);
        cluster_run(cluster, 125 * MS);
        names[i] = cluster_configuration(cluster, 1)->cluster;
        cluster_free(cluster);
    }
    assert_int_not_equal(names[0], names[1]);
}

/* A majority is not enough: who is missing may have formed a cluster with others before. */
static void test_formation_needs_every_founder(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_unformed(5);
    cluster_crash(cluster, 5);
    cluster_run(cluster, 3000 * MS);
    assert_int_equal(cluster_leader(cluster), 0);
    for (uint16_t id = 1; id <= 4; id++)
        assert_int_equal(cluster_status(cluster, id).term, 0); /* nor is a term used up */
    cluster_start(cluster, 5, false);
    cluster_run(cluster, 300 * MS);
    assert_int_not_equal(cluster_leader(cluster), 0);
    cluster_free(cluster);
}

static struct raft_formation_state state_of(struct cluster *cluster, uint16_t id)
{
    struct raft_formation_state state;
    raft_formation_state(cluster->nodes[id].raft, &state);
    return state;
}

/* For the operator: who does not answer... */
static void test_formation_tells_who_is_silent(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_unformed(4);
    assert_int_equal(state_of(cluster, 1).attempts, 0);
    assert_int_equal(state_of(cluster, 1).missing_count, 0);
    cluster_crash(cluster, 2);
    cluster_crash(cluster, 4);
    cluster_run(cluster, 3000 * MS);
    struct raft_formation_state told = state_of(cluster, 1);
    assert_true(told.attempts > 2);
    assert_false(told.is_refused);
    assert_int_equal(told.missing_count, 2);
    assert_int_equal(told.missing[0], 2);
    assert_int_equal(told.missing[1], 4);
    cluster_free(cluster);
}

/* ...or, if anybody refuses, who that is. */
static void test_formation_tells_who_refuses(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_unformed(3);
    cluster_run(cluster, 125 * MS);
    lose(cluster, 1);
    cluster_crash(cluster, 2);
    cluster_run(cluster, 3000 * MS);
    struct raft_formation_state told = state_of(cluster, 1);
    assert_true(told.is_refused);
    assert_int_equal(told.missing_count, 1);
    assert_int_equal(told.missing[0], 3);
    cluster_free(cluster);
}

/* The founders of a cluster, with a node that has been in one. */
static void test_formation_beside_a_log_is_refused(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_unformed(3);
    cluster_run(cluster, 125 * MS);
    assert_int_equal(cluster_leader(cluster), 1);
    lose(cluster, 1);
    lose(cluster, 2);
    cluster_run(cluster, 3000 * MS); /* a majority of new storages, and one of the old */
    assert_int_equal(cluster_leader(cluster), 0);
    assert_true(members_are(cluster, 3, "1 2 3"));
    assert_false(cluster_status(cluster, 1).is_formed);
    assert_false(cluster_status(cluster, 2).is_formed);
    cluster_free(cluster);
}

/* A vote request, too, by one who did not ask before. */
static void test_formation_is_refused_by_a_member(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_unformed(3);
    cluster_run(cluster, 125 * MS);
    cluster_crash(cluster, 2);
    cluster_start(cluster, 2, false); /* no leader is known, so no lease refuses for it */
    struct raft_message message = cluster_message(RAFT_VOTE_REQUEST, 3, 2, 9);
    message.from.birth = 103;
    for (int formation = 1; formation >= 0; formation--) {
        /* The checksum that founders 1, 2 and 3 agree on is in what node 3 would send. */
        cluster_crash(cluster, 3);
        struct cluster *other = cluster_new_unformed(3);
        time_out(other, 3);
        message.vote_request.formation = other->packets[0].message.vote_request.formation;
        assert_int_not_equal(message.vote_request.formation, 0);
        message.vote_request.is_pre_vote = formation;
        assert_int_equal(cluster_receive(cluster, message, NULL), OK);
        const struct raft_effects *effects = &cluster->nodes[2].effects;
        assert_int_equal(effects->now_count + effects->after_count, 1);
        assert_false(
            (effects->now_count > 0 ? effects->now : effects->after)[0].vote_reply.is_granted);
        cluster_free(other);
        cluster_start(cluster, 3, false);
    }
    cluster_free(cluster);
}

static void set_founders(struct cluster *cluster, uint16_t id, const uint16_t *founders,
                         uint32_t count)
{
    cluster_crash(cluster, id);
    memcpy(cluster->nodes[id].options.founders, founders, count * sizeof(founders[0]));
    cluster->nodes[id].options.founder_count = count;
    cluster_start(cluster, id, false);
}

static void test_formation_of_other_founders_is_refused(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_unformed(4);
    set_founders(cluster, 1, (const uint16_t[]){1, 2, 3}, 3);
    set_founders(cluster, 2, (const uint16_t[]){1, 2, 3}, 3);
    set_founders(cluster, 3, (const uint16_t[]){3, 4}, 2); /* node 4: all four */
    cluster_run(cluster, 3000 * MS);
    assert_int_equal(cluster_leader(cluster), 0);
    set_founders(cluster, 3, (const uint16_t[]){3, 1, 2}, 3); /* in another order */
    cluster_run(cluster, 300 * MS);
    assert_int_not_equal(cluster_leader(cluster), 0);
    assert_false(cluster_status(cluster, 4).is_formed);
    cluster_free(cluster);
}

static void set_forms_none(struct cluster *cluster, uint16_t id, bool forms_none)
{
    cluster_crash(cluster, id);
    cluster->nodes[id].options.forms_none = forms_none;
    cluster_start(cluster, id, false);
}

/* It neither grants what it is asked for, nor asks. */
static void test_formation_is_refused_by_who_forms_none(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_unformed(3);
    set_forms_none(cluster, 2, true);
    cluster_run(cluster, 3000 * MS);
    assert_int_equal(cluster_leader(cluster), 0);
    assert_int_equal(cluster_status(cluster, 1).term, 0);
    assert_int_equal(state_of(cluster, 2).attempts, 0);
    set_forms_none(cluster, 2, false);
    cluster_run(cluster, 1000 * MS);
    assert_int_not_equal(cluster_leader(cluster), 0);
    cluster_free(cluster);
    cluster = cluster_new_unformed(1);
    set_forms_none(cluster, 1, true);
    cluster_run(cluster, 3000 * MS);
    assert_false(cluster_status(cluster, 1).is_formed);
    cluster_free(cluster);
}

static void test_formation_order_of_founders_does_not_matter(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_unformed(3);
    set_founders(cluster, 1, (const uint16_t[]){3, 2, 1}, 3);
    set_founders(cluster, 2, (const uint16_t[]){2, 3, 1}, 3);
    cluster_run(cluster, 125 * MS);
    assert_int_equal(cluster_leader(cluster), 1);
    assert_true(members_are(cluster, 2, "3 2 1"));
    cluster_free(cluster);
}

/* The storage that told its birth is not the one that is asked for its vote. */
static void test_formation_storage_lost_before_its_vote(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_unformed(3);
    time_out(cluster, 1);
    deliver(cluster, RAFT_VOTE_REQUEST, 2);
    deliver(cluster, RAFT_VOTE_REQUEST, 3);
    deliver(cluster, RAFT_VOTE_REPLY, 1);
    deliver(cluster, RAFT_VOTE_REPLY, 1);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_CANDIDATE);
    lose(cluster, 3);
    cluster_settle(cluster);
    assert_int_equal(cluster_leader(cluster), 0);
    cluster_run(cluster, 1000 * MS); /* asked anew, it tells the birth that it has now */
    assert_int_not_equal(cluster_leader(cluster), 0);
    assert_true(members_are(cluster, 1, "1 2 3'103"));
    cluster_free(cluster);
}

/* A vote of the new storage is none of the old one, and the other way round. */
static void test_formation_counts_the_storage_that_told(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_unformed(2);
    time_out(cluster, 1);
    deliver(cluster, RAFT_VOTE_REQUEST, 2);
    deliver(cluster, RAFT_VOTE_REPLY, 1);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_CANDIDATE);
    struct raft_message vote = cluster_message(RAFT_VOTE_REPLY, 2, 1, 1);
    vote.vote_reply.is_granted = true;
    vote.from.birth = 102;
    assert_int_equal(cluster_receive(cluster, vote, NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_CANDIDATE);
    vote.from.birth = 2;
    assert_int_equal(cluster_receive(cluster, vote, NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_LEADER);
    cluster_free(cluster);
}

/* A disk was copied: two founders have one birth. That is no cluster, and no reason to stop. */
static void test_formation_of_copied_storages_is_refused(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_unformed(3);
    cluster_crash(cluster, 3);
    cluster->nodes[3].options.self.birth = 2;
    cluster_start(cluster, 3, false);
    cluster_run(cluster, 3000 * MS);
    assert_int_equal(cluster_leader(cluster), 0);
    cluster_free(cluster);
}

static void test_formation_of_two_candidates_makes_one_cluster(void **state)
{
    (void)state;
    for (uint32_t order = 0; order < 4; order++) {
        struct cluster *cluster = cluster_new_unformed(3);
        cluster->now_ns += 200 * MS;
        assert_int_equal(cluster_tick(cluster, 1), OK);
        assert_int_equal(cluster_tick(cluster, 2), OK);
        for (uint32_t i = 0; cluster->packet_count > 0; i++) {
            uint32_t last = cluster->packet_count - 1;
            cluster_deliver(cluster, (order >> (i & 1) & 1) != 0 ? last : 0);
        }
        cluster_run(cluster, 2000 * MS);
        assert_int_not_equal(cluster_leader(cluster), 0);
        for (uint16_t id = 2; id <= 3; id++) {
            assert_int_equal(cluster_configuration(cluster, id)->cluster,
                             cluster_configuration(cluster, 1)->cluster);
        }
        cluster_check_logs_are_equal(cluster);
        cluster_free(cluster);
    }
}

/* Node 1 leads, and has written the first record alone; its requests are lost. */
static struct cluster *new_formed_alone(void)
{
    struct cluster *cluster = cluster_new_unformed(3);
    time_out(cluster, 1);
    while (cluster_status(cluster, 1).role != RAFT_LEADER)
        cluster_deliver(cluster, 0);
    cluster->packet_count = 0;
    assert_int_equal(cluster->nodes[1].durable->last, 1);
    return cluster;
}

static void test_formation_goes_on_after_a_crash(void **state)
{
    (void)state;
    struct cluster *cluster = new_formed_alone();
    uint64_t name = cluster_configuration(cluster, 1)->cluster;
    cluster_crash(cluster, 1);
    cluster_run(cluster, 1000 * MS);
    assert_int_equal(cluster_leader(cluster),
                     0); /* the others have too few votes to form another */
    cluster_start(cluster, 1, false);
    cluster_run(cluster, 1000 * MS);
    assert_int_equal(cluster_leader(cluster), 1); /* nobody else has a log to lead with */
    assert_int_equal(cluster_configuration(cluster, 3)->cluster, name);
    cluster_free(cluster);
}

/* Nothing was committed, and nobody but the lost storage knew of it. */
static void test_formation_begins_anew_when_its_only_record_is_lost(void **state)
{
    (void)state;
    struct cluster *cluster = new_formed_alone();
    uint64_t name = cluster_configuration(cluster, 1)->cluster;
    cluster->nodes[1].options.seed = 77;
    lose(cluster, 1);
    cluster_run(cluster, 1000 * MS);
    assert_int_not_equal(cluster_leader(cluster), 0);
    for (uint16_t id = 1; id <= 3; id++) {
        assert_true(members_are(cluster, id, "1'101 2 3"));
        assert_int_not_equal(cluster_configuration(cluster, id)->cluster, name);
    }
    cluster_free(cluster);
}

/* The second storage with the record is a majority with the first, though that is lost. */
static void test_formation_goes_on_without_the_lost_candidate(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_unformed(3);
    time_out(cluster, 1);
    while (cluster->nodes[3].durable->last == 0) {
        uint32_t to_2 = cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0);
        if (to_2 != UINT32_MAX)
            cluster_drop(cluster, to_2);
        cluster_deliver(cluster, 0);
    }
    uint64_t name = cluster_configuration(cluster, 3)->cluster;
    cluster->packet_count = 0;
    lose(cluster, 1);
    cluster_run(cluster, 2000 * MS);
    assert_int_equal(cluster_leader(cluster), 3);
    assert_true(members_are(cluster, 2, "1 2 3"));
    assert_int_equal(cluster_configuration(cluster, 2)->cluster, name);
    assert_int_equal(cluster_status(cluster, 2).commit_index, 2);
    assert_false(cluster_status(cluster, 1).is_formed);
    cluster_free(cluster);
}

/* The vote was durable, the first record was not: the term is not led in twice. */
static void test_formation_vote_survives_a_crash(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_unformed(3);
    cluster->nodes[1].is_manual = true;
    time_out(cluster, 1);
    while (cluster_status(cluster, 1).role != RAFT_CANDIDATE)
        cluster_deliver(cluster, 0);
    cluster_drain(cluster, 1); /* the vote */
    while (cluster_status(cluster, 1).role != RAFT_LEADER)
        cluster_deliver(cluster, 0);
    cluster->packet_count = 0;
    restart(cluster, 1);
    cluster->nodes[1].is_manual = false;
    assert_false(cluster_status(cluster, 1).is_formed);
    assert_int_equal(cluster_status(cluster, 1).term, 1);
    cluster_run(cluster, 1000 * MS);
    assert_int_not_equal(cluster_leader(cluster), 0);
    assert_int_equal(cluster->leader_of_term[1], 1);
    assert_true(cluster_status(cluster, cluster_leader(cluster)).term > 1);
    assert_true(members_are(cluster, 3, "1 2 3"));
    cluster_free(cluster);
}

/* A storage that has records has a cluster, though it does not know whose: it forms no other. */
static void test_formation_is_not_begun_with_records(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_unformed(3);
    cluster_crash(cluster, 1);
    cluster_write(cluster, 1, (struct raft_hard_state){.term = 1}, (const uint64_t[]){1, 0});
    cluster_start(cluster, 1, false);
    time_out(cluster, 1);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_FOLLOWER);
    assert_int_equal(cluster->packet_count, 0);
    cluster_run(cluster, 1000 * MS); /* nor do the others without it */
    assert_int_equal(cluster_leader(cluster), 0);
    cluster_free(cluster);
}

/* A new storage of a member's node asks on and on, and no leader minds. */
static void test_formation_disturbs_no_cluster(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    lose(cluster, 3);
    cluster_run(cluster, 3000 * MS);
    assert_int_equal(cluster_leader(cluster), 1);
    assert_int_equal(cluster_status(cluster, 1).term, 1);
    assert_int_equal(cluster_status(cluster, 2).term, 1);
    cluster_free(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formation_of_any_count),
        cmocka_unit_test(test_formation_appends_one_record),
        cmocka_unit_test(test_formation_draws_a_name),
        cmocka_unit_test(test_formation_needs_every_founder),
        cmocka_unit_test(test_formation_tells_who_is_silent),
        cmocka_unit_test(test_formation_tells_who_refuses),
        cmocka_unit_test(test_formation_beside_a_log_is_refused),
        cmocka_unit_test(test_formation_is_refused_by_a_member),
        cmocka_unit_test(test_formation_of_other_founders_is_refused),
        cmocka_unit_test(test_formation_is_refused_by_who_forms_none),
        cmocka_unit_test(test_formation_order_of_founders_does_not_matter),
        cmocka_unit_test(test_formation_storage_lost_before_its_vote),
        cmocka_unit_test(test_formation_counts_the_storage_that_told),
        cmocka_unit_test(test_formation_of_copied_storages_is_refused),
        cmocka_unit_test(test_formation_of_two_candidates_makes_one_cluster),
        cmocka_unit_test(test_formation_goes_on_after_a_crash),
        cmocka_unit_test(test_formation_begins_anew_when_its_only_record_is_lost),
        cmocka_unit_test(test_formation_goes_on_without_the_lost_candidate),
        cmocka_unit_test(test_formation_vote_survives_a_crash),
        cmocka_unit_test(test_formation_is_not_begun_with_records),
        cmocka_unit_test(test_formation_disturbs_no_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
