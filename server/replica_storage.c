/*
 * Which storage a replica has: its log, and the identity beside it (pmem/identity.h). A node sends
 * nothing before both are durable and agree.
 */
#include "server/replica_internal.h"
#include "pmem/identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES 1024
#define NOTE_BYTES 384

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

/* A storage is new where the identity says that none was made, and where it was lost. A new log is
 * noted, also where a power loss came between its making and this. */
static enum error agree(struct replica *replica, const struct identity_births *identity,
                        char *ret_reason, size_t reason_size)
{
    const struct log_recovery *found = &replica->recovery.log;
    memcpy(replica->births, identity->births, sizeof(replica->births));
    if (identity->births[0] == found->birth)
        return OK;
    bool is_new = found->is_created || log_is_unused(found);
    if (!is_new || has_had(identity, found->birth))
        return refuse_other_log(replica, identity, ret_reason, reason_size);
    return identity_note(replica->options.identity_path, &replica->options.log.identity,
                         found->birth, ret_reason, reason_size);
}

/*
 * A log that is damaged beyond repair counts as lost: it gets another name, and a new storage takes
 * its place, if the identity says whose place that is. The new one acknowledges nothing as the old
 * one, so nothing that was acknowledged hangs on the damage (docs/consensus.md, "Replacement").
 */
static enum error open_damaged_log(struct replica *replica, const struct identity_births *identity,
                                   char *ret_reason, size_t reason_size)
{
    struct log_recovery *recovery = &replica->recovery.log;
    struct log_options *options = &replica->options.log;
    char aside[NAME_BYTES];
    char found[NOTE_BYTES];
    snprintf(found, sizeof(found), "%s", recovery->note);
    if (identity->births[0] == 0) {
        snprintf(ret_reason, reason_size,
                 "%.200s; move the file away, and the node copies its data from its peers", found);
        return ERR_CHECKSUM;
    }
    enum error error =
        log_set_damaged_aside(options->path, aside, sizeof(aside), ret_reason, reason_size);
    if (error != OK)
        return error;
    options->is_created = true;
    error = log_open(options, &replica->shared->arena, &replica->log, recovery);
    if (error == OK) {
        replica->recovery.is_log_damaged = true;
        snprintf(recovery->note, sizeof(recovery->note),
                 "%.150s. The log is now called %.90s; this is a new one, which the leader takes "
                 "in; check the medium",
                 found, aside);
        return OK;
    }
    snprintf(ret_reason, reason_size,
             "%.200s. It is now called %.100s. A new one is wanted: %.120s", found, aside,
             recovery->note);
    return error;
}

/* A log that was found to be set back, or of an era that is over, gets another name, and a new one
 * takes its place: the identity says whose place that is. */
static enum error open_log(struct replica *replica, const struct identity_births *identity,
                           char *ret_reason, size_t reason_size)
{
    struct log_recovery *recovery = &replica->recovery.log;
    struct log_options *options = &replica->options.log;
    size_t used_bytes = replica->shared->arena.used_bytes;
    struct log_aside aside;
    enum error error = log_set_aside(options, &aside, ret_reason, reason_size);
    if (error != OK)
        return error;
    if (aside.reason != LOG_END_NONE)
        options->is_created = true;
    error = log_open(options, &replica->shared->arena, &replica->log, recovery);
    if (error != OK && recovery->is_beyond_repair) {
        arena_give_back(&replica->shared->arena, used_bytes);
        return open_damaged_log(replica, identity, ret_reason, reason_size);
    }
    if (error != OK)
        snprintf(ret_reason, reason_size, "%s", recovery->note);
    else if (aside.reason != LOG_END_NONE)
        snprintf(recovery->note, sizeof(recovery->note),
                 aside.reason == LOG_END_SET_BACK
                     ? "%.90s: was set back to an earlier state, and is now called %.150s; this is "
                       "a new log, which the leader takes in"
                     : "%.90s: the cluster was put together anew without it; it is now called "
                       "%.150s, and this is a new log: see pollux member add",
                 options->path, aside.name);
    return error;
}

enum error replica_open_storage(struct replica *replica, const struct snapshot_info *snapshot,
                                char *ret_reason, size_t reason_size)
{
    const struct replica_options *options = &replica->options;
    struct log_recovery *recovery = &replica->recovery.log;
    struct identity_births identity = {0};
    bool has_identity = options->identity_path != NULL;
    enum error error = has_identity ? identity_read(options->identity_path, &options->log.identity,
                                                    &identity, ret_reason, reason_size)
                                    : OK;
    if (error == OK && has_identity)
        error = identity_mend(options->identity_path, &options->log.identity,
                              &replica->recovery.is_identity_mended, ret_reason, reason_size);
    if (error != OK)
        return error;
    replica->recovery.snapshot_index = snapshot->label.index;
    replica->options.log.snapshot_index = snapshot->label.index;
    replica->options.log.snapshot_term = snapshot->label.term;
    error = open_log(replica, &identity, ret_reason, reason_size);
    if (error != OK)
        return error;
    replica->options.raft.self.birth = recovery->birth;
    /* It belonged to a cluster, though it does not know any more to which. */
    if (recovery->is_history_lost)
        replica->options.raft.forms_none = true;
    if (!has_identity)
        return OK;
    replica->formed = identity.formed;
    if (identity.formed != 0)
        replica->options.raft.forms_none = true;
    return agree(replica, &identity, ret_reason, reason_size);
}

uint64_t replica_formed(const struct replica *replica)
{
    uint64_t index;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    bool is_news = replica->formed == 0 && replica->options.identity_path != NULL;
    return is_news && index <= replica->commit_index ? now->cluster : 0;
}

bool replica_forms_none(const struct replica *replica)
{
    return replica->options.raft.forms_none;
}
