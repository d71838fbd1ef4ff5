/* One whole message of this shard, handed to raft or the engine. */
#include "server/replica_internal.h"
#include "server/peer_message.h"

#include "engine/service/record_check.h"
#include "wire/wire_forward.h"

/* What peers send to one another must come from the address that the configuration gives its
 * sender. */
bool replica_is_peer(const struct replica *replica, const struct address *from, uint16_t sender)
{
    if (sender == replica->options.raft.self.id)
        return false;
    const struct address *address = replica_peer_address(replica, sender);
    return address != NULL && address_is_equal(address, from);
}

const struct address *replica_member_address(const struct replica *replica, uint16_t node)
{
    uint64_t index;
    bool is_member = node != replica->options.raft.self.id &&
                     raft_configuration_node(raft_configuration_of(replica->raft, &index), node);
    return is_member ? replica_peer_address(replica, node) : NULL;
}

uint16_t replica_peer_at(const struct replica *replica, const struct address *from)
{
    for (uint16_t id = 1; id <= VOTER_ID_MAX; id++) {
        if (replica_is_peer(replica, from, id))
            return id;
    }
    return 0;
}

void replica_note_address(struct replica *replica, const struct address *from, uint16_t sender)
{
    const struct address *at = replica_peer_address(replica, sender);
    struct obstacle obstacle = {.kind = OBSTACLE_ADDRESS, .node = sender, .from = *from};
    if (at == NULL)
        return;
    obstacle.at = *at;
    obstacles_note(&replica->shared->obstacles, &obstacle, replica->shared->now_ns);
}

static void note_fingerprint(struct replica *replica, uint16_t sender, uint32_t theirs)
{
    replica->counters.drop_fingerprint++;
    obstacles_note(&replica->shared->obstacles,
                   &(struct obstacle){.kind = OBSTACLE_FINGERPRINT,
                                      .node = sender,
                                      .here = replica->fingerprint,
                                      .there = theirs},
                   replica->shared->now_ns);
}

/* Peers see it first: each of the two processes believes that it is the only one. */
static void note_process(struct replica *replica, uint16_t sender, uint64_t start)
{
    uint64_t other;
    if (start == 0 ||
        !process_watch_note(&replica->processes, sender, start, replica->shared->now_ns, &other))
        return;
    obstacles_note(
        &replica->shared->obstacles,
        &(struct obstacle){
            .kind = OBSTACLE_TWO_PROCESSES, .node = sender, .here = start, .there = other},
        replica->shared->now_ns);
}

/* A nearly full log takes the entries that fit; the leader will offer the rest again. */
static void fit_entries(struct replica *replica, struct raft_message *message)
{
    struct log_space space =
        log_space_begin(replica->log, message->append_request.previous_index + 1);
    uint32_t count = 0;
    while (count < message->append_request.entry_count) {
        const struct raft_entry *entry = &replica->shared->entries[count];
        struct log_space after;
        size_t tail = entry->kind == RAFT_ENTRY_NOOP ? 0 : LOG_NOOP_TAIL_SIZE_BYTES;
        if (!log_space_take(replica->log, &space, log_record_room_bytes(entry->size_bytes)))
            break;
        after = space;
        if (tail > 0 && !log_space_take(replica->log, &after, tail))
            break;
        count++;
    }
    message->append_request.entry_count = count;
}

/* A record that does not decode would end this node at each start. */
static bool are_entries_sound(const struct replica *replica, const struct raft_message *message)
{
    for (uint32_t i = 0; i < message->append_request.entry_count; i++) { /* APPEND_ENTRIES_MAX */
        const struct raft_entry *entry = &replica->shared->entries[i];
        if (entry->kind == RAFT_ENTRY_DATA &&
            record_check(span_of(entry->payload, entry->size_bytes)) != OK)
            return false;
    }
    return true;
}

static void note_start(struct replica *replica, const struct raft_message *message)
{
    bool is_own_term = false;
    if (message->type == RAFT_APPEND_REPLY)
        is_own_term =
            raft_term_at(replica->raft, message->append_reply.match_index) == message->term;
    peer_starts_note(&replica->starts, message, is_own_term);
}

/* Whether what this storage says in this start counts. */
static bool is_sender_known(struct replica *replica, const struct raft_storage *from,
                            uint64_t start)
{
    note_process(replica, from->id, start);
    if (!replica_is_out(replica) && replica_is_start_known(replica, from, start))
        return true;
    replica->counters.drop_start++;
    return false;
}

static void note_reply(struct replica *replica, const struct raft_message *reply,
                       const struct peer_message_beside *beside)
{
    replica_note_room(replica, reply, &beside->room);
    replica_note_drain(replica, reply, beside->undrained);
}

static void receive_raft(struct replica *replica, const struct replica_message *received)
{
    struct raft_message message;
    struct peer_message_beside beside;
    if (peer_message_decode(received->body, &beside, &message, replica->shared->entries) != OK) {
        replica->counters.drop_body++;
        return;
    }
    if (beside.fingerprint != replica->fingerprint) {
        note_fingerprint(replica, received->sender, beside.fingerprint);
        return;
    }
    if (message.from.id != received->sender || message.to.id != replica->options.raft.self.id) {
        replica->counters.drop_body++; /* contradicts its packet */
        return;
    }
    if (!replica_is_of_cluster(replica, message.from.id, beside.cluster))
        return;
    if (!is_sender_known(replica, &message.from, beside.start))
        return;
    /* Whoever cannot append its first entry, or not apply it, does not become leader. */
    if ((message.type == RAFT_VOTE_REPLY || message.type == RAFT_TIMEOUT_NOW) &&
        !replica_can_lead(replica)) {
        replica->counters.drop_no_room++;
        return;
    }
    if (message.type == RAFT_APPEND_REPLY)
        leadership_note_priority(&replica->leadership, message.from.id, beside.priority);
    if (message.type == RAFT_APPEND_REQUEST) {
        if (!are_entries_sound(replica, &message)) {
            replica->counters.drop_entry++;
            return;
        }
        fit_entries(replica, &message);
    }
    struct raft_event event = {
        .type = RAFT_EVENT_RECEIVE,
        .now_ns = replica->shared->now_ns,
        .receive = {.message = &message,
                    .entries = replica->shared->entries,
                    .waited_ns = replica->shared->now_ns - received->begun_ns}};
    replica->counters.raft_rx++;
    enum error error = replica_step(replica, &event, (struct span){0});
    if (error == OK)
        note_start(replica, &message);
    replica->counters.drop_raft_term += error == ERR_TOO_LARGE;
    if (error == ERR_RANGE)
        replica->counters.drop_raft_range++;
    else if (error == OK && message.type == RAFT_APPEND_REPLY)
        note_reply(replica, &message, &beside);
    if (error == ERR_STORAGE) {
        replica->counters.drop_storage++;
        replica_announce_storage(replica, message.from.id, message.to.birth);
    }
}

/* A storage that was set back gives numbers again that it has given: what it forwards is not taken
 * for what had them first. */
static void receive_forward(struct replica *replica, const struct replica_message *received)
{
    struct wire_forward forward;
    if (wire_forward_decode(received->body, &forward) != OK) {
        replica->counters.drop_body++;
        return;
    }
    if (forward.fingerprint != replica->fingerprint) {
        note_fingerprint(replica, received->sender, forward.fingerprint);
        return;
    }
    const struct cluster_identity theirs = {.cluster = forward.cluster, .era = forward.era};
    const struct raft_storage from = {.birth = forward.birth, .id = received->sender};
    if (replica_is_of_cluster(replica, received->sender, theirs) &&
        is_sender_known(replica, &from, forward.start) &&
        replica_is_forward_current(replica, &forward))
        engine_receive_forward(replica->engine, from.id, wire_series(from.birth), forward.request);
}

void replica_receive(struct replica *replica, const struct replica_message *message)
{
    replica->has_received = true;
    replica->formats.heard = message->version;
    if (message->known != 0 && message->sender != 0)
        replica_note_known(replica, message->sender, message->known);
    if (message->sender == 0 && replica_denies(replica, message))
        return;
    switch (message->type) {
    case WIRE_RAFT:
        receive_raft(replica, message);
        return;
    case WIRE_SNAPSHOT:
        replica_snapshot_receive(replica, message->sender, message->body);
        return;
    case WIRE_START:
        replica_receive_start(replica, message->sender, message->body);
        return;
    case WIRE_STORAGE:
        replica_receive_storage(replica, message->sender, message->body);
        return;
    case WIRE_PRESENCE:
        replica_receive_presence(replica, message);
        return;
    case WIRE_FORMAT:
        replica_receive_format(replica, message);
        return;
    case WIRE_FORWARD:
        receive_forward(replica, message);
        return;
    case WIRE_HELLO:
    case WIRE_WRITE:
    case WIRE_READ:
    case WIRE_LIST:
    case WIRE_SESSIONS:
    case WIRE_SESSION_END:
        engine_set_rights(replica->engine, message->rights);
        if (message->retry_us != 0)
            engine_set_retry(replica->engine, message->retry_us);
        engine_receive(replica->engine, &message->from, message->type, message->body);
        return;
    case WIRE_MISSING:
        replica_receive_missing(replica, message);
        return;
    case WIRE_TRANSFER:
        replica_answer_transfer(replica, &message->from, message->body);
        return;
    case WIRE_MEMBERS:
        replica_answer_members(replica, &message->from, message->body);
        return;
    case WIRE_REPLACE:
        replica_answer_replace(replica, &message->from, message->body);
        return;
    case WIRE_CHANGE:
        replica_answer_change(replica, &message->from, message->body);
        return;
    case WIRE_BACKUP:
        replica_answer_backup(replica, &message->from, message->body);
        return;
    default:
        replica->counters.drop_type++;
        return;
    }
}
