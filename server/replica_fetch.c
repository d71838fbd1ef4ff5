/* Copying a snapshot from the leader, and giving one: see replica_snapshot.h. */
#include "base/budget.h"
#include "base/check.h"
#include "server/replica_internal.h"
#include "wire/wire_snapshot.h"

/* When to look again whether the files have room. */
#define ROOM_AGAIN_NS UINT64_C(1000000)
/* Silence after which another snapshot is fetched instead, if there is an offer. */
#define GIVE_UP_NS UINT64_C(1000000000)

static struct wire_snapshot_message message_of(const struct replica *replica, uint8_t type,
                                               const struct snapshot_label *label)
{
    return (struct wire_snapshot_message){.type = type,
                                          .fingerprint = replica->fingerprint,
                                          .id = label->id,
                                          .index = label->index,
                                          .record_term = label->term};
}

static void send_message(struct replica *replica, uint16_t peer,
                         const struct wire_snapshot_message *message)
{
    const struct address *to = replica_peer_address(replica, peer);
    if (to == NULL)
        return;
    struct wire_writer writer = {.data = replica->shared->message_data,
                                 .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    wire_snapshot_encode(&writer, message);
    CHECK(!writer.is_overflow);
    replica_send_node(replica, peer, to, WIRE_SNAPSHOT, span_of(writer.data, writer.size_bytes));
}

/* ---- giving ---- */

void replica_snapshot_offer(struct replica *replica, uint16_t peer)
{
    struct snapshot_info newest;
    if (replica->snapshot.files == NULL || !snapshots_newest(replica->snapshot.files, &newest))
        return;
    struct wire_snapshot_message message = message_of(replica, WIRE_SNAPSHOT_OFFER, &newest.label);
    message.offer.leader_term = replica->status.term;
    message.offer.stream_bytes = newest.stream_bytes;
    message.offer.block_count = newest.block_count;
    message.offer.content_crc = newest.content_crc;
    send_message(replica, peer, &message);
}

bool replica_snapshot_find(const struct replica *replica, uint64_t id,
                           struct snapshot_info *ret_info)
{
    if (snapshots_newest(replica->snapshot.files, ret_info) && ret_info->label.id == id)
        return true;
    return snapshots_older(replica->snapshot.files, ret_info) && ret_info->label.id == id;
}

static void receive_ask(struct replica *replica, uint16_t sender,
                        const struct wire_snapshot_message *message)
{
    struct snapshot_info info;
    if (!replica_snapshot_find(replica, message->id, &info)) {
        replica_snapshot_offer(replica, sender); /* overwritten meanwhile: there is a newer one */
        return;
    }
    replica->snapshot.served_ns = replica->shared->now_ns;
    struct wire_snapshot_message answer = message_of(replica, WIRE_SNAPSHOT_BLOCK, &info.label);
    for (uint32_t i = 0; i < message->ask.block_count; i++) { /* SNAPSHOT_ASK_BLOCKS_MAX */
        answer.block.number = message->ask.first_block + i;
        if (answer.block.number >= info.block_count ||
            replica_read_block(replica, &info, answer.block.number, replica->snapshot.block,
                               &answer.block.bytes) != OK)
            return;
        send_message(replica, sender, &answer);
        replica->counters.snapshot_blocks_tx++;
    }
}

/* ---- getting ---- */

static bool is_missing_any(const struct replica_snapshot *snapshot)
{
    return snapshots_install_missing(snapshot->files, 0) < snapshot->wanted.block_count;
}

/* Asks for the first run of blocks that are missing, no faster than the configured rate. */
static void ask_blocks(struct replica *replica)
{
    struct replica_snapshot *snapshot = &replica->snapshot;
    uint64_t now_ns = replica->shared->now_ns;
    uint32_t room = snapshots_install_room(snapshot->files);
    uint32_t first = snapshots_install_missing(snapshot->files, 0);
    uint32_t count = snapshot->wanted.block_count - first;
    if (count > SNAPSHOT_ASK_BLOCKS_MAX)
        count = SNAPSHOT_ASK_BLOCKS_MAX;
    if (count > room)
        count = room;
    if (count == 0) { /* the files' thread is behind */
        fetch_pace_wait(&snapshot->pace, now_ns + ROOM_AGAIN_NS);
        return;
    }
    struct wire_snapshot_message message =
        message_of(replica, WIRE_SNAPSHOT_ASK, &snapshot->wanted.label);
    message.ask.first_block = first;
    message.ask.block_count = count;
    send_message(replica, snapshot->from, &message);
    fetch_pace_ask(
        &snapshot->pace, count, now_ns,
        now_ns + budget_cost_ns(count * SNAPSHOT_BLOCK_BYTES, replica->options.snapshot_rate));
}

void replica_fetch_step(struct replica *replica)
{
    struct replica_snapshot *snapshot = &replica->snapshot;
    if (!raft_needs_snapshot(replica->raft, snapshot->wanted.label.index)) {
        snapshots_abandon(snapshot->files); /* the log came after all */
        snapshot->phase = REPLICA_SNAPSHOT_NONE;
    } else if (!is_missing_any(snapshot)) {
        if (snapshots_install_end(snapshot->files) == OK)
            snapshot->phase = REPLICA_SNAPSHOT_COPIED;
    } else if (replica->shared->now_ns >= fetch_pace_due_ns(&snapshot->pace)) {
        ask_blocks(replica);
    }
}

uint64_t replica_snapshot_deadline_ns(const struct replica *replica)
{
    const struct replica_snapshot *snapshot = &replica->snapshot;
    if (snapshot->phase != REPLICA_SNAPSHOT_FETCHING)
        return UINT64_MAX;
    return fetch_pace_due_ns(&snapshot->pace);
}

/* What is under way makes way for the offer: its own snapshot, or a copy that does not come. */
static bool make_way(struct replica *replica, const struct wire_snapshot_message *message)
{
    struct replica_snapshot *snapshot = &replica->snapshot;
    switch (snapshot->phase) {
    case REPLICA_SNAPSHOT_NONE:
        return true;
    case REPLICA_SNAPSHOT_TAKING:
        engine_snapshot_abandon(replica->engine);
        break;
    case REPLICA_SNAPSHOT_FETCHING:
        if (message->id == snapshot->wanted.label.id ||
            replica->shared->now_ns - snapshot->block_ns < GIVE_UP_NS)
            return false;
        break;
    case REPLICA_SNAPSHOT_SAVING:
    case REPLICA_SNAPSHOT_COPIED:
    case REPLICA_SNAPSHOT_GOOD:
    case REPLICA_SNAPSHOT_CLEARING:
    case REPLICA_SNAPSHOT_LOADING:
    case REPLICA_SNAPSHOT_ENDING:
        return false;
    }
    snapshots_abandon(snapshot->files); /* the next offer finds it done */
    snapshot->phase = REPLICA_SNAPSHOT_NONE;
    return false;
}

/* Its own snapshot would make way for the next offer, and begin anew before that, for ever. */
bool replica_snapshot_is_offered(const struct replica *replica)
{
    uint64_t offered_ns = replica->snapshot.offered_ns;
    return offered_ns != 0 && replica->shared->now_ns - offered_ns < GIVE_UP_NS;
}

/* Only the leader of this term is believed: what it has put away is committed. */
static void receive_offer(struct replica *replica, uint16_t sender,
                          const struct wire_snapshot_message *message)
{
    struct replica_snapshot *snapshot = &replica->snapshot;
    if (sender != replica->status.leader || message->offer.leader_term != replica->status.term ||
        replica_lacks_capacity(replica) || !raft_needs_snapshot(replica->raft, message->index))
        return;
    snapshot->offered_ns = replica->shared->now_ns;
    if (!make_way(replica, message))
        return;
    struct snapshot_info wanted = {
        .label = {.id = message->id, .index = message->index, .term = message->record_term},
        .stream_bytes = message->offer.stream_bytes,
        .block_count = message->offer.block_count,
        .content_crc = message->offer.content_crc,
    };
    enum error error = snapshots_install_begin(snapshot->files, &wanted);
    if (error != OK) {
        replica->counters.snapshots_failed += error != ERR_NOT_YET;
        return;
    }
    snapshot->wanted = wanted;
    snapshot->is_polled = true;
    snapshot->from = sender;
    fetch_pace_begin(&snapshot->pace, replica->options.shard);
    snapshot->block_ns = replica->shared->now_ns;
    snapshot->phase = REPLICA_SNAPSHOT_FETCHING;
}

static void receive_block(struct replica *replica, const struct wire_snapshot_message *message)
{
    struct replica_snapshot *snapshot = &replica->snapshot;
    const struct snapshot_label label = {
        .id = message->id, .index = message->index, .term = message->record_term};
    if (snapshot->phase != REPLICA_SNAPSHOT_FETCHING ||
        snapshots_install_block(snapshot->files, &label, message->block.number,
                                message->block.bytes) != OK)
        return;
    replica->counters.snapshot_blocks_rx++;
    snapshot->block_ns = replica->shared->now_ns;
    fetch_pace_block(&snapshot->pace, replica->shared->now_ns);
}

void replica_snapshot_receive(struct replica *replica, uint16_t sender, struct span body)
{
    struct wire_snapshot_message message;
    if (replica->snapshot.files == NULL || wire_snapshot_decode(body, &message) != OK) {
        replica->counters.drop_body++;
        return;
    }
    if (message.fingerprint != replica->fingerprint) {
        replica->counters.drop_fingerprint++;
        return;
    }
    switch ((enum wire_snapshot_type)message.type) {
    case WIRE_SNAPSHOT_OFFER:
        receive_offer(replica, sender, &message);
        return;
    case WIRE_SNAPSHOT_ASK:
        receive_ask(replica, sender, &message);
        return;
    case WIRE_SNAPSHOT_BLOCK:
        receive_block(replica, &message);
        return;
    case WIRE_SNAPSHOT_TYPE_END:
        return;
    }
}
