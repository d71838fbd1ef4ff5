/*
 * Which storage a replica has: its log, and the identity beside it (pmem/identity.h). A node sends
 * nothing before both are durable and agree.
 */
#include "server/replica_internal.h"
#include "pmem/identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool has_had(const struct identity_births *identity, uint64_t birth)
{
    for (uint32_t i = 0; i < IDENTITY_BIRTHS_MAX; i++) {
        if (identity->births[i] == birth)
            return true;
    }
    return false;
}

/* A log that is not the newest of this identity has come back from somewhere: it lacks what its
 * successor acknowledged. */
static enum error refuse_other_log(const struct replica *replica,
                                   const struct identity_births *identity, char *ret_reason,
                                   size_t reason_size)
{
    uint64_t birth = replica->recovery.log.birth;
    const char *what = has_had(identity, birth) ? "an older storage of this node"
                                                : "a storage that this node never had";
    snprintf(ret_reason, reason_size,
             "%.160s: this log is of %s (birth %016" PRIx64 "; %.160s says %016" PRIx64
             "); is everything mounted? Bring back the newest log, or move this one away: the node "
             "then copies its data from its peers",
             replica->options.log.path, what, birth, replica->options.identity_path,
             identity->births[0]);
    return ERR_STORAGE;
}

static enum error open_identity(struct replica *replica, char *ret_reason, size_t reason_size)
{
    const char *path = replica->options.identity_path;
    const struct log_identity *owner = &replica->options.log.identity;
    const struct log_recovery *found = &replica->recovery.log;
    struct identity_births identity;
    enum error error = identity_read(path, owner, &identity, ret_reason, reason_size);
    if (error != OK)
        return error;
    if (identity.births[0] != found->birth) {
        /* A new log is noted, also where a power loss came between its making and this. */
        bool is_new = found->is_created || log_is_unused(found);
        if (identity.births[0] != 0 && (!is_new || has_had(&identity, found->birth)))
            return refuse_other_log(replica, &identity, ret_reason, reason_size);
        error = identity_note(path, owner, found->birth, ret_reason, reason_size);
    }
    memcpy(replica->births, identity.births, sizeof(replica->births));
    return error;
}

enum error replica_open_storage(struct replica *replica, const struct snapshot_info *snapshot,
                                char *ret_reason, size_t reason_size)
{
    struct log_recovery *recovery = &replica->recovery.log;
    replica->recovery.snapshot_index = snapshot->label.index;
    replica->options.log.snapshot_index = snapshot->label.index;
    replica->options.log.snapshot_term = snapshot->label.term;
    enum error error =
        log_open(&replica->options.log, &replica->shared->arena, &replica->log, recovery);
    if (error != OK) {
        snprintf(ret_reason, reason_size, "%s", recovery->note);
        return error;
    }
    replica->options.raft.self.birth = recovery->birth;
    /* It belonged to a cluster, though it does not know any more to which. */
    if (recovery->is_history_lost)
        replica->options.raft.forms_none = true;
    if (replica->options.identity_path == NULL)
        return OK;
    return open_identity(replica, ret_reason, reason_size);
}
