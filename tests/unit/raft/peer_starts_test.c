/*
 * Whether a message of another start counts, and what tells a storage that was set back: each rule
 * of docs/consensus.md, "Storages that are set back".
 */
#include "raft/peer_starts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static const struct raft_configuration nobody = {0};

static struct peer_starts knowing(uint64_t birth, uint64_t start)
{
    struct peer_starts starts = {0};
    peer_starts_restore(&starts, birth, start);
    return starts;
}

static void test_starts_count_when_they_are_durable(void **state)
{
    (void)state;
    struct peer_starts starts = {0};
    assert_int_equal(peer_starts_judge(&starts, 7, 70), PEER_START_NEW);
    assert_true(peer_starts_learn(&starts, 7, 70, &nobody) == 0);
    assert_int_equal(peer_starts_judge(&starts, 7, 70), PEER_START_WRITTEN);
    peer_starts_durable(&starts, 100); /* of a persist before */
    assert_int_equal(peer_starts_judge(&starts, 7, 70), PEER_START_WRITTEN);
    peer_starts_stamp(&starts, 101);
    peer_starts_durable(&starts, 100);
    assert_int_equal(peer_starts_judge(&starts, 7, 70), PEER_START_WRITTEN);
    peer_starts_durable(&starts, 101);
    assert_int_equal(peer_starts_judge(&starts, 7, 70), PEER_START_COUNTS);
    assert_int_equal(peer_starts_judge(&starts, 8, 70), PEER_START_NEW);
    assert_int_equal(starts.unwritten_count, 0);
}

static const struct start_own standing = {
    .start = 71, .term = 5, .last_index = 20, .had_start = true};

static void test_another_start_counts_only_when_it_stands_by_the_last(void **state)
{
    (void)state;
    struct peer_starts starts = knowing(7, 70);
    assert_int_equal(peer_starts_judge(&starts, 7, 71), PEER_START_OTHER);
    struct start_question question;
    assert_true(peer_starts_ask(&starts, 7, SECOND, 10, &question));
    assert_true(question.start == 70);
    assert_false(peer_starts_may_learn(&starts, 7, 69, &standing)); /* a late answer */
    assert_false(peer_starts_may_learn(&starts, 8, 70, &standing));
    assert_true(peer_starts_may_learn(&starts, 7, 70, &standing));
    peer_starts_learn(&starts, 7, 71, &nobody);
    peer_starts_stamp(&starts, 1);
    peer_starts_durable(&starts, 1);
    assert_int_equal(peer_starts_judge(&starts, 7, 71), PEER_START_COUNTS);
    assert_int_equal(peer_starts_judge(&starts, 7, 70), PEER_START_OTHER); /* a late message */
    assert_false(peer_starts_may_learn(&starts, 7, 70, &standing));
}

static void test_questions_are_an_interval_apart(void **state)
{
    (void)state;
    struct peer_starts starts = knowing(7, 70);
    struct start_question question;
    assert_true(peer_starts_ask(&starts, 7, SECOND, 10, &question));
    assert_false(peer_starts_ask(&starts, 7, SECOND + 9, 10, &question));
    assert_true(peer_starts_ask(&starts, 7, SECOND + 10, 10, &question));
    assert_false(peer_starts_ask(&starts, 8, SECOND + 30, 10, &question));
}

static struct raft_message reply_of(uint64_t term, uint64_t match_index)
{
    return (struct raft_message){.type = RAFT_APPEND_REPLY,
                                 .from = {.birth = 7, .id = 1},
                                 .term = term,
                                 .append_reply = {.is_success = true, .match_index = match_index}};
}

static struct start_question asked(struct peer_starts *starts)
{
    struct start_question question;
    starts->entries[0].asked_ns = 0;
    assert_true(peer_starts_ask(starts, 7, SECOND, 10, &question));
    return question;
}

static void test_acknowledgements_are_remembered(void **state)
{
    (void)state;
    struct peer_starts starts = knowing(7, 70);
    struct raft_message reply = reply_of(3, 20);
    peer_starts_note(&starts, &reply, true);
    reply = reply_of(3, 15);
    peer_starts_note(&starts, &reply, true);
    struct start_question question = asked(&starts);
    assert_true(question.told_term == 3 && question.acked_term == 3 && question.acked_index == 20);
    reply = reply_of(4, 2); /* of records of an earlier term: it may not be durable yet */
    peer_starts_note(&starts, &reply, false);
    assert_true(asked(&starts).told_term == 3);
    reply = reply_of(4, 18);
    peer_starts_note(&starts, &reply, true);
    question = asked(&starts);
    assert_true(question.told_term == 4 && question.acked_term == 4 && question.acked_index == 18);
    reply.append_reply.is_success = false;
    reply.term = 5;
    peer_starts_note(&starts, &reply, true);
    assert_true(asked(&starts).told_term == 4);
}

static void test_only_durable_terms_are_remembered(void **state)
{
    (void)state;
    struct peer_starts starts = knowing(7, 70);
    struct raft_message message = {
        .type = RAFT_VOTE_REQUEST, .from = {.birth = 7, .id = 1}, .term = 9};
    peer_starts_note(&starts, &message, false);
    message.type = RAFT_VOTE_REPLY;
    peer_starts_note(&starts, &message, false);
    message.vote_reply.is_granted = true;
    message.vote_reply.is_pre_vote = true;
    peer_starts_note(&starts, &message, false);
    assert_true(asked(&starts).told_term == 0);
    message.vote_reply.is_pre_vote = false;
    peer_starts_note(&starts, &message, false);
    assert_true(asked(&starts).told_term == 9 && asked(&starts).acked_term == 0);
    message = (struct raft_message){
        .type = RAFT_APPEND_REQUEST, .from = {.birth = 7, .id = 1}, .term = 10};
    peer_starts_note(&starts, &message, false);
    assert_true(asked(&starts).told_term == 10);
    message.from.birth = 8; /* nobody that is known */
    message.term = 11;
    peer_starts_note(&starts, &message, false);
    assert_true(asked(&starts).told_term == 10);
}

/* The storage stands by the question, but an acknowledgement of its last start came later than the
 * question left: it is asked again, and the answer is another one. */
static void test_what_came_after_the_question_counts(void **state)
{
    (void)state;
    struct peer_starts starts = knowing(7, 70);
    struct raft_message reply = reply_of(5, 20);
    peer_starts_note(&starts, &reply, true);
    struct start_question question = asked(&starts);
    assert_int_equal(start_answer_of(&question, &standing), START_STANDS);
    reply = reply_of(5, 21);
    peer_starts_note(&starts, &reply, true);
    assert_false(peer_starts_may_learn(&starts, 7, 70, &standing));
    question = asked(&starts);
    assert_int_equal(start_answer_of(&question, &standing), START_LOG_SHORTER);
    const struct start_own longer = {.start = 71, .term = 5, .last_index = 21, .had_start = true};
    assert_true(peer_starts_may_learn(&starts, 7, 70, &longer));
}

/* A suspect may have lost what it told: it has rules of its own. */
static void test_a_suspect_is_forgiven(void **state)
{
    (void)state;
    struct peer_starts starts = knowing(7, 70);
    struct raft_message reply = reply_of(3, 20);
    peer_starts_note(&starts, &reply, true);
    const struct start_own own = {.start = 71, .is_suspect = true, .had_start = true};
    assert_true(peer_starts_may_learn(&starts, 7, 70, &own));
    struct start_question question = asked(&starts);
    assert_true(question.told_term == 0 && question.acked_term == 0 && question.acked_index == 0);
}

static const struct start_question told = {
    .start = 70, .told_term = 5, .acked_term = 5, .acked_index = 20};

static void test_a_storage_stands_by_what_it_has(void **state)
{
    (void)state;
    struct start_own own = {.start = 71, .term = 5, .last_index = 20, .had_start = true};
    assert_int_equal(start_answer_of(&told, &own), START_STANDS);
    own.last_index = 19;
    assert_int_equal(start_answer_of(&told, &own), START_LOG_SHORTER);
    own.term = 6; /* a later leader has removed it */
    assert_int_equal(start_answer_of(&told, &own), START_STANDS);
    own.term = 4;
    own.last_index = 30;
    assert_int_equal(start_answer_of(&told, &own), START_TERM_LOWER);
    own.is_suspect = true;
    assert_int_equal(start_answer_of(&told, &own), START_STANDS);
    own.had_start = false; /* a torn tail tears no start away */
    assert_int_equal(start_answer_of(&told, &own), START_MISSING);
    own = (struct start_own){.start = 70, .term = 1}; /* told since, in this start */
    assert_int_equal(start_answer_of(&told, &own), START_STANDS);
}

static void test_a_denial_is_told_once(void **state)
{
    (void)state;
    struct peer_starts starts = knowing(7, 70);
    struct start_question heard;
    assert_false(peer_starts_deny(&starts, 7, 69, &heard));
    assert_true(peer_starts_deny(&starts, 7, 70, &heard));
    assert_true(heard.start == 70);
    assert_false(peer_starts_deny(&starts, 7, 70, &heard));
}

/* Births that are no members make way, those heard of first before others. */
static void test_strangers_make_way(void **state)
{
    (void)state;
    struct peer_starts starts = {0};
    struct raft_configuration members = {.cluster = 1};
    for (uint16_t i = 1; i <= 3; i++) {
        const struct raft_member member = {.storage = {.birth = i, .id = i},
                                           .membership = RAFT_VOTER};
        assert_int_equal(raft_configuration_add(&members, &member), OK);
        assert_true(peer_starts_learn(&starts, i, 10, &members) == 0);
    }
    for (uint64_t birth = 101; birth < 101 + LOG_HEARD_MAX - 3; birth++)
        assert_true(peer_starts_learn(&starts, birth, 10, &members) == 0);
    peer_starts_stamp(&starts, 1);
    peer_starts_durable(&starts, 1);
    assert_true(peer_starts_learn(&starts, 201, 10, &members) == 101);
    assert_true(peer_starts_learn(&starts, 202, 10, &members) == 102);
    assert_int_equal(starts.count, LOG_HEARD_MAX);
    for (uint16_t i = 1; i <= 3; i++)
        assert_int_equal(peer_starts_judge(&starts, i, 10), PEER_START_COUNTS);
    assert_int_equal(peer_starts_judge(&starts, 101, 10), PEER_START_NEW);
    assert_int_equal(peer_starts_judge(&starts, 202, 10), PEER_START_WRITTEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_count_when_they_are_durable),
        cmocka_unit_test(test_another_start_counts_only_when_it_stands_by_the_last),
        cmocka_unit_test(test_questions_are_an_interval_apart),
        cmocka_unit_test(test_acknowledgements_are_remembered),
        cmocka_unit_test(test_only_durable_terms_are_remembered),
        cmocka_unit_test(test_what_came_after_the_question_counts),
        cmocka_unit_test(test_a_suspect_is_forgiven),
        cmocka_unit_test(test_a_storage_stands_by_what_it_has),
        cmocka_unit_test(test_a_denial_is_told_once),
        cmocka_unit_test(test_strangers_make_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
