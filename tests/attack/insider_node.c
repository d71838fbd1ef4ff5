/*
 * A node that has the key of the cluster and sends mutated packets: polluxd as it is, but behind
 * each packet that it seals for a peer some copies of it follow, changed and then sealed
 * (tests/attack/mutation.h). Linked into polluxd-insider by --wrap.
 *
 * What such a peer says is believed as far as it can be true: nothing protects a Raft group from a
 * voter that lies well. So well-formed lies of these kinds are left out:
 * - that a record is held which is not; a vote that was not given; a leader's append of other
 *   records than its own;
 * - that a later era has begun, that the receiver's storage is set back or removed, that the sender
 *   has another storage. Whoever believes it steps aside, as an operator may have meant it.
 * Whatever does not decode, contradicts itself, or leaps, is sent.
 *
 * Settings: POLLUX_INSIDER_SEED, POLLUX_INSIDER_COPIES. It tells what it has sent at its end, and
 * each TOLD_EACH packets.
 */
#include "base/check.h"
#include "base/le.h"
#include "dataplane/port.h"
#include "engine/service/record_check.h"
#include "server/cluster_identity.h"
#include "server/peer_seals.h"
#include "tests/attack/mutation.h"
#include "wire/wire.h"
#include "wire/wire_format.h"
#include "wire/wire_forward.h"
#include "wire/wire_peer.h"
#include "wire/wire_presence.h"
#include "wire/wire_snapshot.h"
#include "wire/wire_start.h"
#include "wire/wire_storage.h"

#include <stdlib.h>
#include <string.h>

#define OFFSET_TYPE       3
#define OFFSET_PIECES     22
#define OFFSET_MESSAGE_ID 24
#define COPIES            48u
#define TOLD_EACH         2000u
#define WHO               "insider_node"

static struct mutation mutation;
static struct mutation_packet clean; /* as it was encoded last to be sealed */
static uint64_t copies;
static bool is_ready;

/* Where the packet under way goes. */
static struct {
    struct dp_port *port;
    struct address to;
    struct peer_seals *seals; /* NULL: it is not sealed, or not for a peer */
    uint16_t port_offset;
    uint16_t node;
} way;

uint32_t __real_wire_piece_encode(uint8_t *to, const struct wire_keys *keys,
                                  const struct wire_message_header *header, struct span body,
                                  uint32_t piece);
uint32_t __wrap_wire_piece_encode(uint8_t *to, const struct wire_keys *keys,
                                  const struct wire_message_header *header, struct span body,
                                  uint32_t piece);
uint8_t *__real_dp_port_tx_reserve(struct dp_port *port, uint16_t port_offset,
                                   const struct address *to);
uint8_t *__wrap_dp_port_tx_reserve(struct dp_port *port, uint16_t port_offset,
                                   const struct address *to);
enum error __real_peer_seals_close(struct peer_seals *seals, uint16_t node, uint8_t *data,
                                   uint32_t size_bytes);
enum error __wrap_peer_seals_close(struct peer_seals *seals, uint16_t node, uint8_t *data,
                                   uint32_t size_bytes);
void __real_dp_port_tx_commit(struct dp_port *port, uint32_t size_bytes);
void __wrap_dp_port_tx_commit(struct dp_port *port, uint32_t size_bytes);

static void tell(void)
{
    mutation_tell(&mutation, WHO);
}

static void get_ready(void)
{
    if (is_ready)
        return;
    is_ready = true;
    mutation_init(&mutation, WHO);
    copies = mutation_setting("POLLUX_INSIDER_COPIES", COPIES);
    CHECK(atexit(tell) == 0);
}

/* ---- what is left out ---- */

static struct span body_of(const struct mutation_packet *packet)
{
    return span_of(packet->bytes + PACKET_HEADER_SIZE_BYTES,
                   packet->size_bytes - PACKET_HEADER_SIZE_BYTES);
}

/* An append whose records a follower could hold for a leader's. */
static bool could_be_appended(const struct wire_peer_message *message)
{
    struct wire_peer_entry entry;
    size_t cursor = 0;
    for (uint16_t i = 0; i < message->append_request.entry_count; i++) {
        if (wire_peer_entry_decode(message->append_request.entries, &cursor, &entry) != OK ||
            (entry.kind == WIRE_PEER_ENTRY_DATA && record_check(entry.payload) != OK))
            return false;
    }
    return true;
}

/* A voter that holds what it does not, or votes as it does not. */
static bool is_lie_of_voter(const struct wire_peer_message *message)
{
    switch ((enum wire_peer_type)message->type) {
    case WIRE_PEER_VOTE_REPLY:
        return message->vote_reply.is_granted;
    case WIRE_PEER_APPEND_REPLY:
        return message->append_reply.is_success;
    case WIRE_PEER_APPEND_REQUEST:
        return could_be_appended(message);
    case WIRE_PEER_VOTE_REQUEST:
    case WIRE_PEER_TIMEOUT_NOW:
    case WIRE_PEER_TYPE_END:
        break;
    }
    return false;
}

/* There is no era but the first one here. */
static bool is_later_era(uint32_t era)
{
    return era != 0 && era <= ERA_LEAP_MAX;
}

static bool is_a_good_lie(const struct mutation_packet *packet)
{
    struct wire_peer_message message;
    struct wire_start_message start;
    struct wire_storage_message storage;
    struct wire_presence presence;
    struct wire_forward forward;
    struct wire_format format;
    const struct span body = body_of(packet);
    switch (packet->bytes[OFFSET_TYPE]) {
    case WIRE_RAFT:
        return wire_peer_decode(body, &message) == OK &&
               (is_later_era(message.era) || is_lie_of_voter(&message));
    case WIRE_START:
        return wire_start_decode(body, &start) == OK;
    case WIRE_STORAGE:
        return wire_storage_decode(body, &storage) == OK;
    case WIRE_PRESENCE:
        return wire_presence_decode(body, &presence) == OK && presence.removed != 0;
    case WIRE_FORWARD:
        return wire_forward_decode(body, &forward) == OK && is_later_era(forward.era);
    case WIRE_FORMAT:
        return wire_format_decode(body, &format) == OK && is_later_era(format.era);
    default:
        return false;
    }
}

/* A block of a snapshot that is another one: its receiver finds that out by the checksum of all,
 * and begins again. With every block changed it would never end. */
static bool is_block(const struct mutation_packet *packet)
{
    struct wire_snapshot_message message;
    return packet->bytes[OFFSET_TYPE] == WIRE_SNAPSHOT &&
           wire_snapshot_decode(body_of(packet), &message) == OK &&
           message.type == WIRE_SNAPSHOT_BLOCK;
}

/* A piece that another one takes the place of makes a message of records that nobody wrote. */
static void part_from_message(struct mutation_packet *packet)
{
    if (le16_load(clean.bytes + OFFSET_PIECES) > 1 || le16_load(packet->bytes + OFFSET_PIECES) > 1)
        le64_store(packet->bytes + OFFSET_MESSAGE_ID, prng_next(&mutation.prng));
}

/* ---- in place of the node's ---- */

uint32_t __wrap_wire_piece_encode(uint8_t *to, const struct wire_keys *keys,
                                  const struct wire_message_header *header, struct span body,
                                  uint32_t piece)
{
    uint32_t size = __real_wire_piece_encode(to, keys, header, body, piece);
    clean.size_bytes = 0;
    if (keys->is_sealed && size <= sizeof(clean.bytes)) {
        clean.size_bytes = size;
        memcpy(clean.bytes, to, size);
    }
    return size;
}

uint8_t *__wrap_dp_port_tx_reserve(struct dp_port *port, uint16_t port_offset,
                                   const struct address *to)
{
    way.port = port;
    way.port_offset = port_offset;
    way.to = *to;
    way.seals = NULL;
    return __real_dp_port_tx_reserve(port, port_offset, to);
}

enum error __wrap_peer_seals_close(struct peer_seals *seals, uint16_t node, uint8_t *data,
                                   uint32_t size_bytes)
{
    way.seals = seals;
    way.node = node;
    return __real_peer_seals_close(seals, node, data, size_bytes);
}

static void send_copy(void)
{
    struct mutation_packet changed = clean;
    mutation_make(&mutation, &changed);
    part_from_message(&changed);
    if (is_a_good_lie(&changed) || is_block(&changed))
        return;
    uint8_t *data = __real_dp_port_tx_reserve(way.port, way.port_offset, &way.to);
    if (data == NULL)
        return;
    memcpy(data, changed.bytes, changed.size_bytes);
    CHECK(__real_peer_seals_close(way.seals, way.node, data, changed.size_bytes) == OK);
    __real_dp_port_tx_commit(way.port, changed.size_bytes);
    if (++mutation.sent % TOLD_EACH == 0)
        tell();
}

void __wrap_dp_port_tx_commit(struct dp_port *port, uint32_t size_bytes)
{
    __real_dp_port_tx_commit(port, size_bytes);
    if (way.seals == NULL || clean.size_bytes == 0)
        return;
    get_ready();
    mutation_keep(&mutation, &clean);
    for (uint64_t i = 0; i < copies; i++)
        send_copy();
    way.seals = NULL;
}
