/* The configuration: which storages count, in which halves, and what may follow it. */
#include "raft/configuration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct raft_member member(uint16_t id, uint64_t birth, enum raft_membership membership)
{
    return (struct raft_member){.storage = {.birth = birth, .id = id}, .membership = membership};
}

static void add(struct raft_configuration *configuration, uint16_t id, uint64_t birth,
                enum raft_membership membership)
{
    const struct raft_member new_member = member(id, birth, membership);
    assert_int_equal(raft_configuration_add(configuration, &new_member), OK);
}

/* Nodes 1 to count, each a voter whose storage has the birth 10 times its id. */
static struct raft_configuration voters(uint16_t count)
{
    struct raft_configuration configuration = {.cluster = 99, .era = 3};
    for (uint16_t id = 1; id <= count; id++)
        add(&configuration, id, 10u * id, RAFT_VOTER);
    return configuration;
}

/* Voters 1 and 2, node 3's lost storage going and its new one coming, and a learner. */
static struct raft_configuration replacement(void)
{
    struct raft_configuration configuration = voters(3);
    configuration.members[2].membership = RAFT_OUTGOING;
    add(&configuration, 3, 31, RAFT_INCOMING);
    add(&configuration, 9, 90, RAFT_LEARNER);
    return configuration;
}

static void assert_travels(const struct raft_configuration *configuration)
{
    uint8_t bytes[RAFT_CONFIGURATION_BYTES_MAX];
    struct raft_configuration decoded;
    memset(&decoded, 0xff, sizeof(decoded));
    size_t size_bytes = raft_configuration_encode(configuration, bytes);
    assert_int_equal(size_bytes, RAFT_CONFIGURATION_HEAD_BYTES +
                                     configuration->slot_count * RAFT_CONFIGURATION_MEMBER_BYTES);
    assert_int_equal(raft_configuration_decode(bytes, size_bytes, &decoded), OK);
    assert_int_equal(decoded.cluster, configuration->cluster);
    assert_int_equal(decoded.era, configuration->era);
    assert_int_equal(decoded.number, configuration->number);
    assert_int_equal(decoded.slot_count, configuration->slot_count);
    for (uint32_t slot = 0; slot < decoded.slot_count; slot++) {
        const struct raft_member *is = &decoded.members[slot];
        const struct raft_member *was = &configuration->members[slot];
        assert_int_equal(is->storage.birth, was->storage.birth);
        assert_int_equal(is->storage.id, was->storage.id);
        assert_int_equal(is->membership, was->membership);
        assert_int_equal(is->port, was->port);
        assert_int_equal(is->stays_learner, was->stays_learner);
        assert_int_equal(is->leaves, was->leaves);
        assert_memory_equal(is->address, was->address, sizeof(is->address));
    }
}

static void test_configuration_travels_as_bytes(void **state)
{
    (void)state;
    struct raft_configuration configuration = voters(1);
    assert_travels(&configuration);
    configuration = replacement();
    configuration.members[0].port = 7001;
    configuration.members[3].storage.birth = UINT64_MAX;
    configuration.members[4].storage.id = VOTER_ID_MAX;
    configuration.members[4].stays_learner = true;
    configuration.members[3].leaves = configuration.members[4].leaves = true;
    configuration.number = UINT32_MAX;
    for (uint8_t i = 0; i < 16; i++)
        configuration.members[1].address[i] = (uint8_t)(i + 1);
    assert_travels(&configuration);
    configuration = voters(3);
    configuration.members[1] = (struct raft_member){0}; /* a free slot between others */
    assert_travels(&configuration);
    configuration = voters(NODES_MAX);
    for (uint16_t id = 1; id <= NODES_MAX; id++)
        configuration.members[id - 1].membership = RAFT_OUTGOING;
    for (uint16_t id = 1; id <= NODES_MAX; id++)
        add(&configuration, id, 100u + id, RAFT_INCOMING);
    add(&configuration, 50, 500, RAFT_LEARNER);
    add(&configuration, 51, 510, RAFT_LEARNER);
    assert_int_equal(configuration.slot_count, RAFT_MEMBERS_MAX);
    assert_travels(&configuration);
}

/* The layout is what other versions and the dump of a log read: it does not change by itself. */
static void test_configuration_layout_is_as_written(void **state)
{
    (void)state;
    struct raft_configuration configuration = voters(1);
    configuration.members[0].membership = RAFT_VOTER;
    configuration.members[0].port = 0x1b59;
    configuration.number = 0x0506;
    configuration.members[0].address[15] = 7;
    configuration.members[0].leaves = true;
    uint8_t bytes[RAFT_CONFIGURATION_BYTES_MAX];
    assert_int_equal(raft_configuration_encode(&configuration, bytes), 64);
    const uint8_t expected[64] = {
        [0] = 3,  [1] = 1,  [4] = 6,  [5] = 5,     [8] = 99,    [16] = 3, [24] = 10,
        [32] = 1, [34] = 2, [35] = 2, [38] = 0x59, [39] = 0x1b, [55] = 7};
    assert_memory_equal(bytes, expected, 64);
}

static void assert_bytes_refused(const uint8_t *bytes, size_t size_bytes)
{
    struct raft_configuration untouched;
    struct raft_configuration decoded;
    memset(&untouched, 0xa5, sizeof(untouched));
    decoded = untouched;
    assert_int_equal(raft_configuration_decode(bytes, size_bytes, &decoded), ERR_RANGE);
    assert_memory_equal(&decoded, &untouched, sizeof(decoded));
}

static void test_configuration_refuses_other_bytes(void **state)
{
    (void)state;
    struct raft_configuration configuration = voters(3);
    configuration.members[1] = (struct raft_member){0};
    uint8_t good[RAFT_CONFIGURATION_BYTES_MAX + 1] = {0};
    uint8_t bytes[RAFT_CONFIGURATION_BYTES_MAX + 1];
    size_t size_bytes = raft_configuration_encode(&configuration, good);
    for (size_t shorter = 0; shorter < size_bytes; shorter++)
        assert_bytes_refused(good, shorter);
    assert_bytes_refused(good, size_bytes + 1);
    /* Version, slot count, zeros of the head, the cluster; a member's membership and zeros; a bit
     * of a free slot. */
    static const struct {
        size_t at;
        uint8_t value;
    } mistakes[] = {{0, 0},  {0, 4},  {1, 2},  {1, 4},  {1, RAFT_MEMBERS_MAX + 1},
                    {0, 1},  {2, 1},  {8, 0},  {34, 0}, {34, RAFT_MEMBERSHIP_END},
                    {35, 1}, {37, 1}, {56, 1}, {63, 1}, {72, 5},
                    {74, 1}, {80, 9}, {33, 1}, {32, 0}};
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        memcpy(bytes, good, sizeof(bytes));
        assert_int_not_equal(bytes[mistakes[i].at], mistakes[i].value);
        bytes[mistakes[i].at] = mistakes[i].value;
        assert_bytes_refused(bytes, size_bytes);
    }
}

/* Format 1 has version 4; a later one is refused by its number. */
static void test_configuration_has_the_version_of_its_format(void **state)
{
    (void)state;
    struct raft_configuration configuration = voters(3);
    struct raft_configuration decoded;
    uint8_t bytes[RAFT_CONFIGURATION_BYTES_MAX];
    configuration.format = 1;
    size_t size_bytes = raft_configuration_encode(&configuration, bytes);
    assert_true(bytes[0] == 4 && bytes[2] == 1 && bytes[3] == 0);
    assert_int_equal(raft_configuration_decode(bytes, size_bytes, &decoded), OK);
    assert_int_equal(decoded.format, 1);
    bytes[0] = 3; /* the version of another format */
    assert_bytes_refused(bytes, size_bytes);
    bytes[0] = 5;
    bytes[2] = FORMAT_KNOWN + 1;
    assert_int_equal(raft_configuration_decode(bytes, size_bytes, &decoded), ERR_VERSION);
    bytes[2] = 0;
    bytes[3] = 1;
    assert_int_equal(raft_configuration_decode(bytes, size_bytes, &decoded), ERR_VERSION);
    assert_int_equal(decoded.format, 1); /* untouched */
}

static void test_configuration_format_rises_by_one_and_never_falls(void **state)
{
    (void)state;
    const struct raft_configuration before = voters(3);
    struct raft_configuration after = before;
    after.format = 1;
    assert_true(raft_configuration_may_follow(&before, &after));
    assert_true(raft_configuration_may_follow(&after, &after));
    assert_false(raft_configuration_may_follow(&after, &before));
    after.format = 2; /* no program knows it */
    assert_false(raft_configuration_may_follow(&before, &after));
    assert_int_equal(raft_configuration_check(&after), ERR_RANGE);
}

static void test_configuration_check_refuses_what_is_none(void **state)
{
    (void)state;
    struct raft_configuration bad;
    const struct raft_configuration good = replacement();
    assert_int_equal(raft_configuration_check(&good), OK);
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        bad = good;                                                                                \
        change;                                                                                    \
        assert_int_equal(raft_configuration_check(&bad), ERR_RANGE);                               \
    } while (0)
    REFUSED(bad.cluster = 0);
    REFUSED(bad.slot_count = 0);
    REFUSED(bad.slot_count = RAFT_MEMBERS_MAX + 1);
    REFUSED(bad.members[0].storage.id = 0);
    REFUSED(bad.members[0].storage.id = VOTER_ID_MAX + 1);
    REFUSED(bad.members[0].membership = RAFT_NO_MEMBER);
    REFUSED(bad.members[0].membership = RAFT_MEMBERSHIP_END);
    REFUSED(bad.members[4].storage.birth = 10); /* another member's */
    REFUSED(bad.members[1].storage.id = 1);     /* twice among the voters */
    REFUSED(bad.members[3].storage.id = 1);     /* twice in the new half */
    REFUSED(bad.members[2].storage.id = 1);     /* twice in the old half */
    REFUSED((bad.members[0].membership = RAFT_LEARNER, bad.members[0].storage.id = 9));
    REFUSED((bad.members[0].membership = bad.members[1].membership = RAFT_INCOMING,
             bad.members[2].membership = RAFT_LEARNER)); /* no old half */
    REFUSED((bad.members[0].membership = bad.members[1].membership = RAFT_OUTGOING,
             bad.members[3].membership = RAFT_LEARNER)); /* no new half */
#undef REFUSED
}

static void test_configuration_half_has_a_bound(void **state)
{
    (void)state;
    struct raft_configuration configuration = voters(NODES_MAX);
    assert_int_equal(raft_configuration_check(&configuration), OK);
    add(&configuration, NODES_MAX + 1, 1000, RAFT_LEARNER);
    assert_int_equal(raft_configuration_check(&configuration), OK);
    configuration.members[NODES_MAX].membership = RAFT_VOTER;
    assert_int_equal(raft_configuration_check(&configuration), ERR_RANGE);
    configuration.members[NODES_MAX].membership = RAFT_INCOMING;
    assert_int_equal(raft_configuration_check(&configuration), ERR_RANGE);
    configuration.members[0].membership = RAFT_OUTGOING;
    assert_int_equal(raft_configuration_check(&configuration), OK);
}

static void test_configuration_halves_count_each_membership(void **state)
{
    (void)state;
    struct raft_configuration configuration = replacement();
    struct raft_halves halves = raft_configuration_halves(&configuration);
    assert_int_equal(halves.old_half, 0x7);
    assert_int_equal(halves.new_half, 0xb);
    assert_true(raft_configuration_is_joint(&configuration));
    configuration = voters(3);
    configuration.members[1] = (struct raft_member){0};
    halves = raft_configuration_halves(&configuration);
    assert_int_equal(halves.old_half, 0x5);
    assert_int_equal(halves.new_half, 0x5);
    assert_false(raft_configuration_is_joint(&configuration));
}

static void test_configuration_majority_is_more_than_half(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= NODES_MAX; count++) {
        uint32_t half = ((UINT32_C(1) << count) - 1) << 2;
        for (uint32_t some = 0; some <= count; some++) {
            uint32_t set = ((UINT32_C(1) << some) - 1) << 2;
            assert_int_equal(raft_is_majority(set | 0x3, half), 2 * some > count);
        }
    }
    assert_false(raft_is_majority(UINT32_MAX, 0));
}

static void test_configuration_finds_a_storage_by_its_birth(void **state)
{
    (void)state;
    struct raft_configuration configuration = replacement();
    assert_int_equal(raft_configuration_slot(&configuration, 10), 0);
    assert_int_equal(raft_configuration_slot(&configuration, 31), 3);
    assert_true(raft_configuration_slot(&configuration, 3) == RAFT_SLOT_NONE);
    configuration.members[1] = (struct raft_member){0};
    assert_true(raft_configuration_slot(&configuration, 0) == RAFT_SLOT_NONE);
    assert_true(raft_configuration_slot(&configuration, 20) == RAFT_SLOT_NONE);
}

/* A node with two storages is reached by the one that stays. */
static void test_configuration_reaches_a_node_by_what_stays(void **state)
{
    (void)state;
    struct raft_configuration configuration = voters(3);
    assert_int_equal(raft_configuration_node(&configuration, 3)->storage.birth, 30);
    assert_null(raft_configuration_node(&configuration, 4));
    add(&configuration, 3, 31, RAFT_LEARNER); /* not before it counts */
    assert_int_equal(raft_configuration_node(&configuration, 3)->storage.birth, 30);
    configuration.members[2].membership = RAFT_OUTGOING;
    assert_int_equal(raft_configuration_node(&configuration, 3)->storage.birth, 31);
    configuration.members[3].membership = RAFT_INCOMING;
    assert_int_equal(raft_configuration_node(&configuration, 3)->storage.birth, 31);
    configuration.members[3] = (struct raft_member){0};
    assert_int_equal(raft_configuration_node(&configuration, 3)->storage.birth, 30);
}

static void test_configuration_add_takes_the_first_free_slot(void **state)
{
    (void)state;
    struct raft_configuration configuration = voters(3);
    configuration.members[1] = (struct raft_member){0};
    add(&configuration, 4, 40, RAFT_LEARNER);
    assert_int_equal(configuration.members[1].storage.birth, 40);
    assert_int_equal(configuration.slot_count, 3);
    for (uint16_t id = 5; configuration.slot_count < RAFT_MEMBERS_MAX; id++)
        add(&configuration, id, 10u * id, RAFT_LEARNER);
    const struct raft_member more = member(100, 1000, RAFT_LEARNER);
    assert_int_equal(raft_configuration_add(&configuration, &more), ERR_FULL);
    assert_int_equal(configuration.slot_count, RAFT_MEMBERS_MAX);
}

static void test_configuration_leaves_its_joint_half(void **state)
{
    (void)state;
    const struct raft_configuration joint = replacement();
    struct raft_configuration after;
    raft_configuration_leave_joint(&joint, &after);
    assert_int_equal(raft_configuration_check(&after), OK);
    assert_false(raft_configuration_is_joint(&after));
    assert_int_equal(raft_configuration_halves(&after).new_half, 0xb);
    assert_int_equal(after.members[2].storage.birth, 0);
    assert_int_equal(after.members[3].membership, RAFT_VOTER);
    assert_int_equal(after.members[4].membership, RAFT_LEARNER);
    assert_int_equal(after.cluster, joint.cluster);
    assert_int_equal(after.era, joint.era);
    assert_true(raft_configuration_may_follow(&joint, &after));
}

static void test_configuration_may_follow_one_change_away(void **state)
{
    (void)state;
    const struct raft_configuration before = voters(3);
    struct raft_configuration after = before;
    assert_true(raft_configuration_may_follow(&before, &after)); /* an address may change */
    add(&after, 3, 31, RAFT_LEARNER);
    assert_true(raft_configuration_may_follow(&before, &after));
    assert_true(raft_configuration_may_follow(&after, &before));
    const struct raft_configuration with_learner = after;
    after.members[2].membership = RAFT_OUTGOING;
    after.members[3].membership = RAFT_INCOMING;
    assert_true(raft_configuration_may_follow(&with_learner, &after));
    assert_true(raft_configuration_may_follow(&before, &after));
    after = before;
    after.members[0].membership = after.members[1].membership = RAFT_OUTGOING;
    add(&after, 4, 40, RAFT_INCOMING);
    assert_true(raft_configuration_may_follow(&before, &after)); /* any other half */
}

static void test_configuration_may_not_follow(void **state)
{
    (void)state;
    struct raft_configuration bad;
    const struct raft_configuration before = voters(3);
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        bad = before;                                                                              \
        change;                                                                                    \
        assert_false(raft_configuration_may_follow(&before, &bad));                                \
    } while (0)
    REFUSED(bad.cluster = 98);
    REFUSED(bad.era = 4);
    REFUSED(bad.members[0].storage.id = 0);            /* none at all */
    REFUSED(bad.members[2] = (struct raft_member){0}); /* a voter less, and not joint */
    REFUSED(bad.members[2].membership = RAFT_LEARNER);
    REFUSED(add(&bad, 4, 40, RAFT_VOTER));
    REFUSED(bad.members[2].storage.birth = 31);              /* another voter in the slot */
    REFUSED((bad.members[2] = member(4, 40, RAFT_LEARNER))); /* another member in the slot */
    REFUSED((bad.members[1] = before.members[2], bad.members[2] = before.members[1]));
    REFUSED((bad.members[2].membership = RAFT_INCOMING)); /* is in the old half already */
#undef REFUSED
}

static void test_configuration_joint_is_followed_by_its_new_half(void **state)
{
    (void)state;
    const struct raft_configuration joint = replacement();
    struct raft_configuration after = joint;
    assert_false(raft_configuration_may_follow(&joint, &after)); /* still joint */
    after = voters(3);
    assert_false(raft_configuration_may_follow(&joint, &after)); /* the old half */
    raft_configuration_leave_joint(&joint, &after);
    after.members[1].membership = RAFT_OUTGOING;
    assert_false(raft_configuration_may_follow(&joint, &after)); /* and the next change at once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_configuration_travels_as_bytes),
        cmocka_unit_test(test_configuration_layout_is_as_written),
        cmocka_unit_test(test_configuration_refuses_other_bytes),
        cmocka_unit_test(test_configuration_has_the_version_of_its_format),
        cmocka_unit_test(test_configuration_format_rises_by_one_and_never_falls),
        cmocka_unit_test(test_configuration_check_refuses_what_is_none),
        cmocka_unit_test(test_configuration_half_has_a_bound),
        cmocka_unit_test(test_configuration_halves_count_each_membership),
        cmocka_unit_test(test_configuration_majority_is_more_than_half),
        cmocka_unit_test(test_configuration_finds_a_storage_by_its_birth),
        cmocka_unit_test(test_configuration_reaches_a_node_by_what_stays),
        cmocka_unit_test(test_configuration_add_takes_the_first_free_slot),
        cmocka_unit_test(test_configuration_leaves_its_joint_half),
        cmocka_unit_test(test_configuration_may_follow_one_change_away),
        cmocka_unit_test(test_configuration_may_not_follow),
        cmocka_unit_test(test_configuration_joint_is_followed_by_its_new_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
