/* What clients may ask of a replica: what operators do takes the right of an administrator. What
 * operations on keys take is the engine's to know. */
#include "server/replica_internal.h"

#include "base/format.h"
#include "base/le.h"
#include "wire/wire_forward.h"

static_assert(RIGHTS_DROPS_MAX == WIRE_FORWARD_DROPS_NONE, "no table counts so far");

/* What the table says is dropped of the pending writes, before anything of them is forwarded. */
void replica_drop_revoked(struct replica *replica)
{
    const struct lane_rights *rights = &replica->shared->rights;
    struct rights_principal principal;
    size_t cursor = 0;
    if (replica->formats.in_force < FORMAT_PENDING_NAMES)
        return;
    replica->rights_number = rights->number;
    replica->drops = rights->drops;
    if (rights->state != RIGHTS_IN_FORCE || rights->drops == 0)
        return;
    while (
        rights_table_next(&rights->table, &cursor, &principal)) { /* the table's size bounds them */
        if (principal.drop_below > 0)
            engine_revoke(replica->engine, principal.name, principal.drop_below);
    }
    (void)engine_revoke_end(replica->engine);
}

uint32_t replica_told_drops(const struct replica *replica)
{
    if (replica->formats.in_force < FORMAT_PENDING_NAMES)
        return 0;
    return replica->shared->rights.bytes == NULL ? WIRE_FORWARD_DROPS_NONE : replica->drops;
}

bool replica_has_old_rights(const struct replica *replica)
{
    const struct lane_rights *rights = &replica->shared->rights;
    uint64_t election_ns = replica->options.raft.election_timeout_max_ns;
    uint64_t old_ns = election_ns > LANE_RIGHTS_OLD_NS ? election_ns : LANE_RIGHTS_OLD_NS;
    return replica->formats.in_force >= FORMAT_PENDING_NAMES && rights->bytes != NULL &&
           rights->fresh_ns + old_ns < replica->shared->now_ns;
}

bool replica_is_forward_current(struct replica *replica, const struct wire_forward *forward)
{
    if (replica->formats.in_force < FORMAT_PENDING_NAMES ||
        (forward->drops >= replica->shared->rights.drops && !replica_has_old_rights(replica)))
        return true;
    replica->counters.drop_revoked++;
    return false;
}

bool replica_is_operator(const struct replica_message *message)
{
    return message->rights != NULL && rights_allow(message->rights, RIGHT_ADMIN, (struct span){0});
}

/* 0: none: it is not answered with a wire_reply, or is no request of operators. */
static uint8_t reply_type_of(uint8_t type)
{
    switch (type) {
    case WIRE_TRANSFER:
        return WIRE_TRANSFER_REPLY;
    case WIRE_REPLACE:
        return WIRE_REPLACE_REPLY;
    case WIRE_CHANGE:
        return WIRE_CHANGE_REPLY;
    default:
        return 0;
    }
}

bool replica_denies(struct replica *replica, const struct replica_message *message)
{
    uint8_t reply_type = reply_type_of(message->type);
    if ((reply_type == 0 && message->type != WIRE_BACKUP) || replica_is_operator(message))
        return false;
    replica->counters.drop_denied++;
    if (message->type == WIRE_BACKUP)
        replica_deny_backup(replica, &message->from, message->body);
    else if (message->body.size_bytes >= sizeof(uint64_t)) /* each begins with its number */
        replica_answer_operator(replica, &message->from,
                                &(struct replica_answer){.type = reply_type,
                                                         .status = WIRE_STATUS_DENIED,
                                                         .number = le64_load(message->body.data)});
    return true;
}
