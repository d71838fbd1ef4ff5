/* Members and replace: round trips, and each fault named. */
#include "base/le.h"
#include "wire/wire_members.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint8_t buffer[2048];

static struct wire_writer writer_new(void)
{
    return (struct wire_writer){.data = buffer, .capacity_bytes = sizeof(buffer)};
}

static struct wire_members members_new(void)
{
    static const uint8_t ipv4[4] = {10, 77, 0, 3};
    struct wire_members made = {.number = 1,
                                .birth = UINT64_C(0xFEDCBA9876543210),
                                .term = 3,
                                .configuration_index = 4,
                                .last_index = 5,
                                .node = VOTER_ID_MAX,
                                .leader = 7,
                                .role = WIRE_ROLE_LEADER,
                                .membership = WIRE_NO_CLUSTER,
                                .has_fresh_quorum = true,
                                .member_count = 2,
                                .step = WIRE_STEP_CATCH_UP,
                                .change = 17};
    made.members[0] = (struct wire_member){.birth = 11, .node = 1, .membership = WIRE_VOTER};
    made.members[1] = (struct wire_member){.birth = 12,
                                           .node = 3,
                                           .membership = WIRE_LEARNER,
                                           .is_told = true,
                                           .stays_learner = true,
                                           .match_index = 9,
                                           .silent_us = UINT64_MAX,
                                           .undrained = 18,
                                           .leaves = true,
                                           .address = address_of_ipv4(ipv4, 7400)};
    return made;
}

static size_t encode(const struct wire_members *members)
{
    struct wire_writer writer = writer_new();
    wire_members_encode(&writer, members);
    assert_false(writer.is_overflow);
    return writer.size_bytes;
}

static void test_wire_members_round_trip(void **state)
{
    (void)state;
    struct wire_members made = members_new();
    struct wire_members ret = {.node = 99};
    size_t size = encode(&made);
    assert_int_equal(wire_members_decode(span_of(buffer, size), &ret), OK);
    assert_true(ret.number == 1 && ret.birth == made.birth && ret.term == 3);
    assert_true(ret.configuration_index == 4 && ret.last_index == 5);
    assert_true(ret.node == VOTER_ID_MAX && ret.leader == 7 && ret.has_fresh_quorum);
    assert_true(ret.role == WIRE_ROLE_LEADER && ret.membership == WIRE_NO_CLUSTER);
    assert_int_equal(ret.member_count, 2);
    assert_true(ret.step == WIRE_STEP_CATCH_UP && ret.change == 17);
    assert_true(!ret.members[0].stays_learner && ret.members[1].stays_learner);
    assert_true(ret.members[0].birth == 11 && !ret.members[0].is_told);
    assert_true(ret.members[0].match_index == 0 && ret.members[0].silent_us == 0);
    assert_true(ret.members[1].birth == 12 && ret.members[1].node == 3);
    assert_true(ret.members[1].membership == WIRE_LEARNER && ret.members[1].is_told);
    assert_true(ret.members[1].match_index == 9 && ret.members[1].silent_us == UINT64_MAX);
    assert_true(!ret.members[0].leaves && ret.members[1].leaves);
    assert_true(ret.members[0].undrained == 0 && ret.members[1].undrained == 18);
    assert_true(address_is_equal(&ret.members[1].address, &made.members[1].address));
}

static void test_wire_members_take_as_many_as_there_can_be(void **state)
{
    (void)state;
    struct wire_members made = members_new();
    struct wire_members ret;
    made.member_count = RAFT_MEMBERS_MAX;
    for (uint16_t i = 0; i < RAFT_MEMBERS_MAX; i++)
        made.members[i] = (struct wire_member){
            .birth = i + 1u, .node = (uint16_t)(i + 1), .membership = WIRE_VOTER};
    size_t size = encode(&made);
    assert_int_equal(wire_members_decode(span_of(buffer, size), &ret), OK);
    assert_int_equal(ret.members[RAFT_MEMBERS_MAX - 1].birth, RAFT_MEMBERS_MAX);
    made.member_count = 0;
    size = encode(&made);
    assert_int_equal(wire_members_decode(span_of(buffer, size), &ret), OK);
    assert_int_equal(ret.member_count, 0);
}

/* One byte changed at `at`. */
static enum error decode_changed(size_t at, uint8_t value)
{
    struct wire_members made = members_new();
    struct wire_members ret = {.node = 99};
    size_t size = encode(&made);
    buffer[at] = value;
    enum error error = wire_members_decode(span_of(buffer, size), &ret);
    assert_true(error == OK || ret.node == 99);
    return error;
}

static void test_wire_members_name_each_fault(void **state)
{
    (void)state;
    struct wire_members made = members_new();
    struct wire_members ret;
    size_t size = encode(&made);
    assert_int_equal(wire_members_decode(span_of(buffer, 55), &ret), ERR_SHORT);
    assert_int_equal(wire_members_decode(span_of(buffer, size - 1), &ret), ERR_SHORT);
    assert_int_equal(wire_members_decode(span_of(buffer, size + 1), &ret), ERR_TRAILING);
    assert_int_equal(decode_changed(40, 1), OK);
    assert_int_equal(decode_changed(41, 1), ERR_RANGE); /* node */
    assert_int_equal(decode_changed(43, 1), ERR_RANGE); /* leader */
    assert_int_equal(decode_changed(44, WIRE_ROLE_LEADER + 1), ERR_RANGE);
    assert_int_equal(decode_changed(45, WIRE_ERA_OVER + 1), ERR_RANGE);
    assert_int_equal(decode_changed(46, 2), ERR_RESERVED);
    assert_int_equal(decode_changed(47, RAFT_MEMBERS_MAX + 1), ERR_RANGE);
    assert_int_equal(decode_changed(47, 3), ERR_SHORT);
    assert_int_equal(decode_changed(47, 1), ERR_TRAILING);
    assert_int_equal(decode_changed(52, WIRE_STEP_END), ERR_RANGE);
    assert_int_equal(decode_changed(53, 1), ERR_RESERVED);
    assert_int_equal(decode_changed(56, 0), ERR_RANGE);                    /* birth */
    assert_int_equal(decode_changed(56 + 8, 1), ERR_RESERVED);             /* told by nobody */
    assert_int_equal(decode_changed(56 + 24, 0), ERR_RANGE);               /* node */
    assert_int_equal(decode_changed(56 + 28, WIRE_NO_MEMBER), ERR_RANGE);  /* membership */
    assert_int_equal(decode_changed(56 + 28, WIRE_NO_CLUSTER), ERR_RANGE); /* membership */
    assert_int_equal(decode_changed(56 + 29, 8), ERR_RESERVED);            /* flags */
    assert_int_equal(decode_changed(56 + 29, 2), ERR_RANGE);               /* of a voter */
    assert_int_equal(decode_changed(56 + 31, 1), ERR_RESERVED);
    assert_int_equal(decode_changed(56 + 48, 1), ERR_RESERVED); /* undrained, told by nobody */
    assert_int_equal(decode_changed(56 + 29, 4), OK);           /* leaves */
}

static void test_wire_replace_round_trip(void **state)
{
    (void)state;
    const struct wire_replace made = {.number = 12, .birth = 34, .node = 3};
    struct wire_writer writer = writer_new();
    struct wire_replace ret = {.node = 99};
    wire_replace_encode(&writer, &made);
    assert_int_equal(wire_replace_decode(span_of(buffer, 23), &ret), ERR_SHORT);
    assert_int_equal(wire_replace_decode(span_of(buffer, 25), &ret), ERR_TRAILING);
    assert_int_equal(ret.node, 99);
    assert_int_equal(wire_replace_decode(span_of(buffer, writer.size_bytes), &ret), OK);
    assert_true(ret.number == 12 && ret.birth == 34 && ret.node == 3);
    le16_store(buffer + 16, VOTER_ID_MAX + 1);
    assert_int_equal(wire_replace_decode(span_of(buffer, 24), &ret), ERR_RANGE);
    le16_store(buffer + 16, 0);
    assert_int_equal(wire_replace_decode(span_of(buffer, 24), &ret), ERR_RANGE);
    le16_store(buffer + 16, 1);
    le64_store(buffer + 8, 0);
    assert_int_equal(wire_replace_decode(span_of(buffer, 24), &ret), ERR_RANGE);
    buffer[18] = 1;
    assert_int_equal(wire_replace_decode(span_of(buffer, 24), &ret), ERR_RESERVED);
}

static struct wire_change change_new(void)
{
    static const uint8_t ipv4[4] = {10, 77, 0, 4};
    return (struct wire_change){.number = 12,
                                .after = 7,
                                .node = 4,
                                .action = WIRE_CHANGE_ADD,
                                .is_learner = true,
                                .address = address_of_ipv4(ipv4, 7400)};
}

static enum error change_decode(const struct wire_change *change)
{
    struct wire_writer writer = writer_new();
    struct wire_change ret = {.node = 99};
    wire_change_encode(&writer, change);
    enum error error = wire_change_decode(span_of(buffer, writer.size_bytes), &ret);
    assert_true(error == OK || ret.node == 99);
    return error;
}

static void test_wire_change_round_trip(void **state)
{
    (void)state;
    const struct wire_change made = change_new();
    struct wire_writer writer = writer_new();
    struct wire_change ret = {.node = 99};
    wire_change_encode(&writer, &made);
    assert_int_equal(wire_change_decode(span_of(buffer, 39), &ret), ERR_SHORT);
    assert_int_equal(wire_change_decode(span_of(buffer, 41), &ret), ERR_TRAILING);
    assert_int_equal(wire_change_decode(span_of(buffer, 40), &ret), OK);
    assert_true(ret.number == 12 && ret.node == 4 && ret.action == WIRE_CHANGE_ADD);
    assert_true(ret.is_learner && !ret.is_forced && ret.after == 7);
    assert_true(address_is_equal(&ret.address, &made.address));
    static const uint8_t reserved[] = {11, 14, 38};
    for (size_t i = 0; i < sizeof(reserved); i++) {
        buffer[11] = 0;
        buffer[reserved[i]] = 4;
        assert_int_equal(wire_change_decode(span_of(buffer, 40), &ret), ERR_RESERVED);
        buffer[reserved[i]] = 0;
    }
}

static void test_wire_change_refuses_what_does_not_fit_its_action(void **state)
{
    (void)state;
    struct wire_change change = change_new();
    change.address = (struct address){0};
    assert_int_equal(change_decode(&change), ERR_RANGE);
    change.action = WIRE_CHANGE_REMOVE;
    assert_int_equal(change_decode(&change), ERR_RANGE); /* a learner */
    change.is_learner = false;
    change.is_forced = true;
    assert_int_equal(change_decode(&change), OK);
    change.action = WIRE_CHANGE_PROMOTE;
    assert_int_equal(change_decode(&change), ERR_RANGE); /* forced */
    change.is_forced = false;
    assert_int_equal(change_decode(&change), OK);
    change.address.ip[15] = 1;
    assert_int_equal(change_decode(&change), ERR_RANGE);
    change = change_new();
    change.node = 0;
    assert_int_equal(change_decode(&change), ERR_RANGE);
    change.format = 1; /* of a change of members */
    change.node = 4;
    assert_int_equal(change_decode(&change), ERR_RANGE);
    change = change_new();
    change.action = WIRE_CHANGE_END;
    assert_int_equal(change_decode(&change), ERR_RANGE);
}

static void test_wire_change_raises_the_format(void **state)
{
    (void)state;
    const struct wire_change made = {
        .number = 12, .after = 7, .format = 1, .action = WIRE_CHANGE_RAISE};
    struct wire_writer writer = writer_new();
    struct wire_change ret = {.node = 99};
    wire_change_encode(&writer, &made);
    assert_int_equal(buffer[36], 1);
    assert_int_equal(wire_change_decode(span_of(buffer, 40), &ret), OK);
    assert_true(ret.action == WIRE_CHANGE_RAISE && ret.format == 1 && ret.node == 0);
    assert_true(ret.number == 12 && ret.after == 7);
    struct wire_change bad = made;
    bad.format = 0;
    assert_int_equal(change_decode(&bad), ERR_RANGE);
    bad = made;
    bad.node = 3;
    assert_int_equal(change_decode(&bad), ERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_members_round_trip),
        cmocka_unit_test(test_wire_members_take_as_many_as_there_can_be),
        cmocka_unit_test(test_wire_members_name_each_fault),
        cmocka_unit_test(test_wire_replace_round_trip),
        cmocka_unit_test(test_wire_change_round_trip),
        cmocka_unit_test(test_wire_change_refuses_what_does_not_fit_its_action),
        cmocka_unit_test(test_wire_change_raises_the_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
