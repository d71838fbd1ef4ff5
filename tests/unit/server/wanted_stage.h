/* Configurations, and a leader that knows everything, for the tests of wanted members. */
#ifndef POLLUX_TESTS_UNIT_SERVER_WANTED_STAGE_H
#define POLLUX_TESTS_UNIT_SERVER_WANTED_STAGE_H

#include "server/wanted.h"

#define HEARD_ALL UINT32_MAX

struct address stage_address(uint16_t id);
/* Of node n the storage is n. */
struct raft_configuration stage_voters(uint16_t count);
/* What is wanted after one change; a removal is forced. */
struct wanted stage_edited(const struct raft_configuration *from, enum wanted_action action,
                           uint16_t id);
/* The leader has storage 1, hears everybody, and knows that a newcomer has the storage of its
 * number. */
struct wanted_known stage_known(const struct wanted *wanted);
const struct raft_member *stage_member(const struct raft_configuration *in, uint64_t birth);
/* Takes the step that is proposed; leaves a joint configuration, as the core does. */
void stage_propose(struct raft_configuration *now, const struct wanted *wanted,
                   const struct wanted_known *known);

#endif
