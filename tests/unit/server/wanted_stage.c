/* See wanted_stage.h. */
#include "tests/unit/server/wanted_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct address stage_address(uint16_t id)
{
    const uint8_t ipv4[4] = {10, 77, 0, (uint8_t)id};
    return address_of_ipv4(ipv4, 7400);
}

/* Of node n the storage is n. */
struct raft_configuration stage_voters(uint16_t count)
{
    struct raft_configuration made = {.cluster = 1, .number = 10};
    for (uint16_t id = 1; id <= count; id++) {
        struct address address = stage_address(id);
        struct raft_member member = {
            .storage = {.birth = id, .id = id}, .membership = RAFT_VOTER, .port = address.port};
        memcpy(member.address, address.ip, sizeof(address.ip));
        assert_int_equal(raft_configuration_add(&made, &member), OK);
    }
    return made;
}

struct wanted stage_edited(const struct raft_configuration *from, enum wanted_action action,
                           uint16_t id)
{
    struct wanted wanted;
    wanted_of(from, &wanted);
    struct wanted_change change = {
        .action = action, .after = wanted.number, .is_forced = true, .node = {.id = id}};
    if (action == WANTED_ADD || action == WANTED_UPDATE)
        change.node.address = stage_address(id);
    assert_int_equal(wanted_edit(&wanted, &change), OK);
    return wanted;
}

/* The leader has storage 1, hears everybody, and knows that a newcomer has the storage of its
 * number. */
struct wanted_known stage_known(const struct wanted *wanted)
{
    struct wanted_known known = {.self = 1, .heard = HEARD_ALL, .has_room = true};
    for (uint32_t i = 0; i < wanted->count; i++)
        known.births[i] = wanted->nodes[i].id;
    return known;
}

const struct raft_member *stage_member(const struct raft_configuration *in, uint64_t birth)
{
    uint32_t slot = raft_configuration_slot(in, birth);
    assert_true(slot != RAFT_SLOT_NONE);
    return &in->members[slot];
}

/* Takes the step that is proposed; leaves a joint configuration, as the core does. */
void stage_propose(struct raft_configuration *now, const struct wanted *wanted,
                   const struct wanted_known *known)
{
    struct raft_configuration next;
    assert_int_equal(wanted_next(now, wanted, known, &next), WANTED_PROPOSE);
    assert_true(raft_configuration_may_follow(now, &next));
    if (!raft_configuration_is_joint(&next)) {
        *now = next;
        return;
    }
    struct raft_configuration after;
    assert_int_equal(wanted_next(&next, wanted, known, &after), WANTED_BUSY);
    raft_configuration_leave_joint(&next, &after);
    assert_true(raft_configuration_may_follow(&next, &after));
    *now = after;
}
