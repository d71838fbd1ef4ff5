/*
 * Whether a message of a peer counts: it must be of this cluster and era, and of a start of its
 * storage that is known here (raft/peer_starts.h). A storage that was set back to an earlier state
 * is found out by the question that another start leads to.
 */
#include "server/replica_internal.h"

#include "wire/wire.h"
#include "wire/wire_start.h"

static_assert((int)WIRE_START_MISSING - WIRE_START_STANDS == START_MISSING &&
                  (int)WIRE_START_TERM_LOWER - WIRE_START_STANDS == START_TERM_LOWER &&
                  (int)WIRE_START_LOG_SHORTER - WIRE_START_STANDS == START_LOG_SHORTER,
              "answers are translated by value");

/* How often a start is told, a heartbeat apart: so that peers ask before an election waits. */
#define TELLINGS 3u

void replica_open_starts(struct replica *replica)
{
    const struct log_recovery *found = &replica->recovery.log;
    replica->own_start = (struct start_own){.start = log_start(replica->log),
                                            .term = found->term,
                                            .last_index = found->last_index,
                                            .is_suspect = found->is_suspect};
    replica->tellings_left = TELLINGS;
    for (uint32_t place = 0; place < LOG_HEARD_PLACES; place++) {
        const struct log_heard *heard = log_heard(replica->log, place);
        if (heard != NULL)
            peer_starts_restore(&replica->starts, heard->birth, heard->start);
    }
}

static void send_start_to(struct replica *replica, uint16_t node, const struct address *to,
                          struct wire_start_message message)
{
    message.fingerprint = replica->fingerprint;
    const struct cluster_identity told = cluster_membership_told(&replica->cluster);
    message.cluster = told.cluster;
    message.era = told.era;
    message.birth = replica->options.raft.self.birth;
    message.start = replica->own_start.start;
    struct wire_writer writer = {.data = replica->shared->message_data,
                                 .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    wire_start_encode(&writer, &message);
    replica_send_node(replica, node, to, WIRE_START, span_of(writer.data, writer.size_bytes));
}

static void send_start(struct replica *replica, uint16_t to, struct wire_start_message message)
{
    const struct address *address = replica_peer_address(replica, to);
    if (address != NULL)
        send_start_to(replica, to, address, message);
}

void replica_tell_start(struct replica *replica)
{
    uint64_t now_ns = replica->shared->now_ns;
    if (replica->tellings_left == 0 || now_ns < replica->telling_ns || replica_is_out(replica))
        return;
    replica->tellings_left--;
    replica->telling_ns = now_ns + replica->options.raft.heartbeat_interval_ns;
    for (uint16_t id = 1; id <= VOTER_ID_MAX; id++) {
        if (id != replica->options.raft.self.id)
            send_start(replica, id, (struct wire_start_message){.kind = WIRE_START_TOLD});
    }
}

static void learn_start(struct replica *replica, uint64_t birth, uint64_t start)
{
    uint64_t index;
    uint64_t gone = peer_starts_learn(&replica->starts, birth, start,
                                      raft_configuration_of(replica->raft, &index));
    if (gone != 0)
        log_unhear(replica->log, gone);
    log_hear(replica->log, birth, start);
    replica->is_persist_owed = true;
}

static void ask_start(struct replica *replica, const struct raft_storage *from)
{
    struct start_question question;
    if (!peer_starts_ask(&replica->starts, from->birth, replica->shared->now_ns,
                         replica->options.raft.heartbeat_interval_ns, &question))
        return;
    send_start(replica, from->id,
               (struct wire_start_message){.kind = WIRE_START_ASKED,
                                           .to = from->birth,
                                           .asked = question.start,
                                           .term = question.told_term,
                                           .acked_term = question.acked_term,
                                           .acked_index = question.acked_index});
}

bool replica_is_start_known(struct replica *replica, const struct raft_storage *from,
                            uint64_t start)
{
    if (from->birth == 0 || from->birth == replica->options.raft.self.birth)
        return true; /* raft refuses it */
    switch (peer_starts_judge(&replica->starts, from->birth, start)) {
    case PEER_START_COUNTS:
        return true;
    case PEER_START_NEW:
        if (start != 0)
            learn_start(replica, from->birth, start);
        break;
    case PEER_START_OTHER:
        ask_start(replica, from);
        break;
    case PEER_START_WRITTEN:
        break;
    }
    return false;
}

/* ---- cluster and era ---- */

bool replica_is_of_cluster(struct replica *replica, uint16_t sender, struct cluster_identity theirs)
{
    enum cluster_fit fit = cluster_membership_hear(&replica->cluster, theirs);
    if (fit == CLUSTER_FITS)
        return true;
    const struct cluster_identity ours = {replica->cluster.configuration.cluster,
                                          cluster_membership_era(&replica->cluster)};
    replica->counters.drop_identity += fit == CLUSTER_OTHER;
    replica->counters.drop_era += fit != CLUSTER_OTHER;
    replica->stranger = (struct replica_stranger){.node = sender, .theirs = theirs, .ours = ours};
    if (fit == CLUSTER_LATER_ERA && replica->newer_era < theirs.era) {
        replica->newer_era = theirs.era;
        replica_leave(replica);
        log_end(replica->log, LOG_END_ERA_OVER);
        replica->is_persist_owed = true;
    }
    /* The other side shall know as well. */
    if (replica->shared->now_ns >= replica->telling_ns) {
        replica->telling_ns = replica->shared->now_ns + replica->options.raft.heartbeat_interval_ns;
        send_start(replica, sender, (struct wire_start_message){.kind = WIRE_START_TOLD});
    }
    return false;
}

void replica_tell_era(struct replica *replica, uint16_t node, const struct address *to)
{
    if (!replica_is_out(replica))
        send_start_to(replica, node, to, (struct wire_start_message){.kind = WIRE_START_TOLD});
}

/* ---- out of the shard ---- */

bool replica_is_out(const struct replica *replica)
{
    return replica->set_back.node != 0 || replica->newer_era != 0;
}

void replica_leave(struct replica *replica)
{
    struct raft_event event = {.type = RAFT_EVENT_STEP_DOWN, .now_ns = replica->shared->now_ns};
    (void)!replica_step(replica, &event, (struct span){0});
    replica->outbox_head = replica->outbox_tail; /* what it would promise counts for nothing */
    replica->tellings_left = 0; /* nor is anybody told of its start: no turn is due for that */
}

/* From here on this storage counts for nothing, and takes part in nothing: the next start moves it
 * aside, and makes another one that the leader takes in. */
static void become_set_back(struct replica *replica, uint16_t peer,
                            const struct start_question *heard, enum start_answer answer)
{
    if (replica->set_back.node != 0)
        return;
    replica->set_back = (struct start_finding){.answer = answer,
                                               .node = peer,
                                               .birth = replica->options.raft.self.birth,
                                               .heard = *heard,
                                               .own = replica->own_start};
    replica_leave(replica);
    log_end(replica->log, LOG_END_SET_BACK);
    replica->is_persist_owed = true;
}

/* ---- messages ---- */

static void receive_question(struct replica *replica, uint16_t sender,
                             const struct wire_start_message *message)
{
    if (message->to != replica->options.raft.self.birth) {
        replica_announce_storage(replica, sender, message->to);
        return;
    }
    const struct start_question question = {.start = message->asked,
                                            .told_term = message->term,
                                            .acked_term = message->acked_term,
                                            .acked_index = message->acked_index};
    struct start_own own = replica->own_start;
    own.had_start = log_had_start(replica->log, question.start);
    enum start_answer answer = start_answer_of(&question, &own);
    if (answer != START_STANDS)
        become_set_back(replica, sender, &question, answer);
    else if (replica_is_out(replica))
        return;
    send_start(replica, sender,
               (struct wire_start_message){.kind = (uint8_t)(WIRE_START_STANDS + (int)answer),
                                           .is_suspect = own.is_suspect,
                                           .to = message->birth,
                                           .asked = message->asked,
                                           .term = own.term,
                                           .acked_index = own.last_index});
}

static void receive_answer(struct replica *replica, uint16_t sender,
                           const struct wire_start_message *message)
{
    if (message->to != replica->options.raft.self.birth)
        return;
    if (message->kind == WIRE_START_STANDS) {
        const struct start_own own = {.start = message->start,
                                      .term = message->term,
                                      .last_index = message->acked_index,
                                      .is_suspect = message->is_suspect,
                                      .had_start = true};
        if (message->start != message->asked &&
            peer_starts_may_learn(&replica->starts, message->birth, message->asked, &own))
            learn_start(replica, message->birth, message->start);
        return;
    }
    struct start_question heard;
    if (!peer_starts_deny(&replica->starts, message->birth, message->asked, &heard))
        return;
    replica->counters.peers_set_back++;
    replica->denied =
        (struct start_finding){.answer = (enum start_answer)(message->kind - WIRE_START_STANDS),
                               .node = sender,
                               .birth = message->birth,
                               .heard = heard,
                               .own = {.start = message->start,
                                       .term = message->term,
                                       .last_index = message->acked_index,
                                       .is_suspect = message->is_suspect}};
}

void replica_receive_start(struct replica *replica, uint16_t sender, struct span body)
{
    struct wire_start_message message;
    if (wire_start_decode(body, &message) != OK) {
        replica->counters.drop_body++;
        return;
    }
    if (message.fingerprint != replica->fingerprint) {
        replica->counters.drop_fingerprint++;
        return;
    }
    const struct cluster_identity theirs = {.cluster = message.cluster, .era = message.era};
    if (!replica_is_of_cluster(replica, sender, theirs))
        return;
    switch ((enum wire_start_kind)message.kind) {
    case WIRE_START_TOLD:
        break;
    case WIRE_START_ASKED:
        receive_question(replica, sender, &message);
        break;
    case WIRE_START_STANDS:
    case WIRE_START_MISSING:
    case WIRE_START_TERM_LOWER:
    case WIRE_START_LOG_SHORTER:
        receive_answer(replica, sender, &message);
        break;
    case WIRE_START_KIND_END:
        break;
    }
    const struct raft_storage from = {.birth = message.birth, .id = sender};
    if (!replica_is_out(replica))
        (void)replica_is_start_known(replica, &from, message.start);
}

const struct start_finding *replica_set_back(const struct replica *replica)
{
    return &replica->set_back;
}

const struct start_finding *replica_peer_set_back(const struct replica *replica)
{
    return &replica->denied;
}

const struct replica_stranger *replica_stranger(const struct replica *replica)
{
    return &replica->stranger;
}
