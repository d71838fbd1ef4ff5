/*
 * The format in force (base/format.h). It rises when a configuration of a later format is
 * committed, not when it is appended: a record that is taken back must leave no file and no packet
 * of the new format. From then on the files of the storage state the new version, and nodes are
 * spoken to in the new packets. Nothing lowers it again.
 *
 * A leader raises it only if every member, in the start of its storage that counts here, has
 * answered a question of this leader, asked a moment ago, that its program knows the next one. So
 * what a node said before it was put back to an older program counts for a moment at most, however
 * late it comes; and what a second process with a copy of its storage says counts for nothing.
 */
#include "server/replica_internal.h"

#include "wire/wire_format.h"

/* An answer counts for so long after its question, in longest election timeouts. */
#define TOLD_TIMEOUTS 2u

uint16_t replica_format(const struct replica *replica)
{
    return replica->formats.in_force;
}

static bool is_configured_committed(const struct replica *replica)
{
    uint64_t index;
    (void)raft_configuration_of(replica->raft, &index);
    return index <= replica->commit_index;
}

/* What opened the log and raft's configuration knows it. */
static void put_in_force(struct replica *replica, uint16_t format)
{
    replica->formats.in_force = format;
    replica->formats.packet = format_versions(format)->packet;
    if (replica->snapshot.files != NULL)
        snapshots_raise(replica->snapshot.files, format);
}

void replica_open_formats(struct replica *replica)
{
    uint64_t index;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    put_in_force(replica, (uint16_t)log_format(replica->log));
    if (is_configured_committed(replica) && now->format > replica->formats.in_force) {
        log_raise(replica->log, now->format);
        replica->is_persist_owed = true;
        put_in_force(replica, now->format);
    }
    replica->options.journal.format_max = replica->options.raft.format_max;
    replica->options.journal.format = replica->formats.in_force;
}

void replica_follow_format(struct replica *replica)
{
    struct replica_formats *formats = &replica->formats;
    formats->heard = 0;
    if (formats->configured <= formats->in_force || !is_configured_committed(replica))
        return;
    log_raise(replica->log, formats->configured);
    replica->is_persist_owed = true;
    if (replica->journal != NULL)
        journal_raise(replica->journal, formats->configured);
    put_in_force(replica, formats->configured);
}

/* ---- which formats the nodes know ---- */

void replica_note_known(struct replica *replica, uint16_t node, uint16_t known)
{
    if (known < replica->formats.told[node].known)
        replica->formats.told[node].known = known;
}

static bool has_told(const struct replica *replica, const struct raft_storage *storage,
                     uint16_t format)
{
    uint64_t asked_ns = replica->formats.told[storage->id].asked_ns;
    if (storage->id == replica->options.raft.self.id)
        return replica->options.raft.format_max >= format;
    return asked_ns != 0 && replica->formats.told[storage->id].birth == storage->birth &&
           replica->formats.told[storage->id].known >= format &&
           replica->shared->now_ns - asked_ns <
               TOLD_TIMEOUTS * replica->options.raft.election_timeout_max_ns;
}

uint32_t replica_formats_told(const struct replica *replica, uint16_t format)
{
    uint64_t index;
    uint32_t told = 0;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    for (uint32_t slot = 0; slot < now->slot_count; slot++) {
        const struct raft_storage *storage = &now->members[slot].storage;
        if (storage->birth != 0 && has_told(replica, storage, format))
            told |= UINT32_C(1) << slot;
    }
    return told;
}

/* NULL: a question of this leader, whose number is the time. */
static void send_format(struct replica *replica, uint16_t node, const struct address *to,
                        const struct wire_format *question)
{
    const struct cluster_identity told = cluster_membership_told(&replica->cluster);
    struct wire_format format = {.fingerprint = replica->fingerprint,
                                 .cluster = told.cluster,
                                 .era = told.era,
                                 .is_question = question == NULL,
                                 .number =
                                     question == NULL ? replica->shared->now_ns : question->number,
                                 .birth = replica->options.raft.self.birth,
                                 .start = replica->own_start.start,
                                 .known = (uint16_t)replica->options.raft.format_max,
                                 .in_force = replica->formats.in_force};
    struct wire_writer writer = {.data = replica->shared->message_data,
                                 .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    wire_format_encode(&writer, &format);
    replica_send_node(replica, node, to, WIRE_FORMAT, span_of(writer.data, writer.size_bytes));
}

void replica_ask_formats(struct replica *replica)
{
    uint64_t index;
    uint64_t now_ns = replica->shared->now_ns;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    if (now_ns < replica->formats.ask_ns || replica_is_out(replica))
        return;
    replica->formats.ask_ns = now_ns + replica->options.raft.heartbeat_interval_ns;
    for (uint32_t slot = 0; slot < now->slot_count; slot++) {
        const struct raft_storage *storage = &now->members[slot].storage;
        const struct address *to = replica_peer_address(replica, storage->id);
        if (storage->birth != 0 && storage->id != replica->options.raft.self.id && to != NULL)
            send_format(replica, storage->id, to, NULL);
    }
}

void replica_receive_format(struct replica *replica, const struct replica_message *message)
{
    struct wire_format format;
    if (wire_format_decode(message->body, &format) != OK) {
        replica->counters.drop_body++;
        return;
    }
    if (format.fingerprint != replica->fingerprint) {
        replica->counters.drop_fingerprint++;
        return;
    }
    const struct cluster_identity theirs = {.cluster = format.cluster, .era = format.era};
    if (!replica_is_of_cluster(replica, message->sender, theirs) || replica_is_out(replica))
        return;
    const struct raft_storage from = {.birth = format.birth, .id = message->sender};
    if (format.is_question) {
        send_format(replica, message->sender, &message->from, &format);
    } else if (!replica_is_start_known(replica, &from, format.start)) {
        replica->counters.drop_start++;
    } else if (format.number <= replica->shared->now_ns) {
        replica->formats.told[from.id].known = format.known;
        replica->formats.told[from.id].birth = from.birth;
        replica->formats.told[from.id].asked_ns = format.number;
    }
}

/* ---- which packets are sent ---- */

uint8_t replica_packet_version(const struct replica *replica, uint8_t wire_type)
{
    const struct replica_formats *formats = &replica->formats;
    bool is_answer = wire_type == WIRE_PRESENCE || wire_type == WIRE_STORAGE;
    if (!wire_type_is_between_nodes(wire_type))
        return FORMAT_CLIENT_PACKET;
    /* A new storage answers as it is asked: so a leader sees that its program is not old. */
    return is_answer && formats->heard > formats->packet ? formats->heard : formats->packet;
}

bool replica_is_format_spoken(struct replica *replica)
{
    if (replica->formats.heard >= replica->formats.packet)
        return true;
    replica->counters.drop_format++;
    return false;
}
