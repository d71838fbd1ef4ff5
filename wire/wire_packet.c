/*
 * Packets: the header that every datagram carries, and the cutting of a message into pieces. The
 * layout is at the head of wire/wire_packet.h. Piece, number of pieces, message size and payload
 * size must tell one story: a packet whose fields contradict one another is refused, whatever its
 * checksum says.
 *
 * The cluster id is FNV-1a (Fowler, Noll, Vo) over the name, finished by splitmix64's mixer.
 */
#include "base/crc32c.h"
#include "wire/wire_internal.h"
#include "wire/wire_packet.h"

#define PACKET_MAGIC_0 'P'
#define PACKET_MAGIC_1 'X'

#define OFFSET_VERSION      2
#define OFFSET_TYPE         3
#define OFFSET_CRC          4
#define OFFSET_CLUSTER_ID   8
#define OFFSET_SHARD        16
#define OFFSET_SENDER       18
#define OFFSET_PIECE        20
#define OFFSET_PIECE_COUNT  22
#define OFFSET_MESSAGE_ID   24
#define OFFSET_MESSAGE_SIZE 32
#define OFFSET_KEY_ID       36
#define OFFSET_KNOWN        37
#define OFFSET_ANSWER_MTU   39
#define OFFSET_TAG          SEAL_TAG_OFFSET

static_assert(FORMAT_CLIENT_PACKET == WIRE_VERSION_OLDEST,
              "a header without a version is to a client");
static_assert(PACKET_HEADER_SIZE_BYTES == 56, "the header as wire/wire_packet.h lays it out");
static_assert(PACKET_HEADER_SIZE_BYTES - OFFSET_TAG == 16, "room for a tag of 128 bits");
static_assert(OFFSET_ANSWER_MTU == OFFSET_KNOWN + 2, "behind the flag of sealed packets");
static_assert(COOKIE_SIZE_BYTES == 16, "a cookie has the place of the tag");

uint64_t wire_cluster_id(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *at = name; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
    hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
    hash ^= hash >> 31;
    /* 0 stays free for "no cluster". */
    return hash == 0 ? 1 : hash;
}

uint32_t wire_piece_count(size_t body_size_bytes, uint16_t piece_size_bytes)
{
    CHECK(body_size_bytes <= MESSAGE_SIZE_BYTES_MAX);
    CHECK(piece_size_bytes >= PIECE_SIZE_BYTES_MIN);
    CHECK(piece_size_bytes <= PACKET_PAYLOAD_SIZE_BYTES_MAX);
    if (body_size_bytes == 0)
        return 1;
    return (uint32_t)((body_size_bytes + piece_size_bytes - 1) / piece_size_bytes);
}

/* Payload bytes of one piece: full but for the last. */
static size_t piece_payload_bytes(size_t body_size_bytes, uint16_t piece_size_bytes, uint32_t piece)
{
    size_t left = body_size_bytes - (size_t)piece * piece_size_bytes;
    return left < piece_size_bytes ? left : piece_size_bytes;
}

/* The checksum covers the packet as if its own field were zero. */
static uint32_t packet_crc(const uint8_t *packet, size_t size_bytes)
{
    static const uint8_t zero[4];
    uint32_t crc = crc32c(0, packet, OFFSET_CRC);
    crc = crc32c(crc, zero, sizeof(zero));
    return crc32c(crc, packet + OFFSET_CLUSTER_ID, size_bytes - OFFSET_CLUSTER_ID);
}

static uint8_t answer_units(uint16_t size_bytes)
{
    CHECK(size_bytes <= PACKET_SIZE_BYTES_MAX);
    return size_bytes <= PACKET_SIZE_BYTES_BASE
               ? 0
               : (uint8_t)((size_bytes + PACKET_FRONT_SIZE_BYTES) / MTU_UNIT_BYTES);
}

uint32_t wire_piece_encode(uint8_t *to, const struct wire_keys *keys,
                           const struct wire_message_header *header, struct span body,
                           uint32_t piece)
{
    uint32_t piece_count = wire_piece_count(body.size_bytes, header->piece_size_bytes);
    uint8_t version = header->version != 0 ? header->version : WIRE_VERSION_OLDEST;
    CHECK(piece < piece_count);
    CHECK(version <= WIRE_VERSION_NEWEST);
    size_t payload_bytes = piece_payload_bytes(body.size_bytes, header->piece_size_bytes, piece);
    size_t size_bytes = PACKET_HEADER_SIZE_BYTES + payload_bytes;

    memset(to, 0, PACKET_HEADER_SIZE_BYTES);
    to[0] = PACKET_MAGIC_0;
    to[1] = PACKET_MAGIC_1;
    to[OFFSET_VERSION] = version;
    to[OFFSET_TYPE] = header->type;
    le64_store(to + OFFSET_CLUSTER_ID, header->cluster_id);
    le16_store(to + OFFSET_SHARD, header->shard);
    le16_store(to + OFFSET_SENDER, header->sender);
    le16_store(to + OFFSET_PIECE, (uint16_t)piece);
    le16_store(to + OFFSET_PIECE_COUNT, (uint16_t)piece_count);
    le64_store(to + OFFSET_MESSAGE_ID, header->message_id);
    le32_store(to + OFFSET_MESSAGE_SIZE, (uint32_t)body.size_bytes);
    to[OFFSET_KNOWN] = (uint8_t)(version == WIRE_VERSION_OLDEST ? 0 : FORMAT_KNOWN);
    to[OFFSET_ANSWER_MTU] = answer_units(header->answer_size_bytes);
    if (header->cookie != NULL)
        memcpy(to + OFFSET_TAG, header->cookie, COOKIE_SIZE_BYTES);
    if (payload_bytes > 0)
        memcpy(to + PACKET_HEADER_SIZE_BYTES, body.data + (size_t)piece * header->piece_size_bytes,
               payload_bytes);
    if (!keys->is_sealed)
        le32_store(to + OFFSET_CRC, packet_crc(to, size_bytes));
    return (uint32_t)size_bytes;
}

bool wire_type_is_between_nodes(uint8_t type)
{
    return type == WIRE_RAFT || type == WIRE_FORWARD || type == WIRE_SNAPSHOT ||
           type == WIRE_STORAGE || type == WIRE_START || type == WIRE_PRESENCE ||
           type == WIRE_FORMAT || type == WIRE_RELAYED || type == WIRE_RELAY_BACK;
}

bool wire_type_is_question(uint8_t type)
{
    return type == WIRE_HELLO || type == WIRE_WRITE || type == WIRE_READ || type == WIRE_STATUS ||
           type == WIRE_TRANSFER || type == WIRE_MEMBERS || type == WIRE_REPLACE ||
           type == WIRE_CHANGE || type == WIRE_BACKUP || type == WIRE_LIST || type == WIRE_RELAY ||
           type == WIRE_PATH || type == WIRE_SESSIONS || type == WIRE_SESSION_END;
}

static bool type_is_known(uint8_t type)
{
    return type == WIRE_RAFT || (type >= WIRE_HELLO && type <= WIRE_SESSION_END_REPLY);
}

/* Whether a packet of the type may have a cookie. */
static bool type_takes_cookie(uint8_t type)
{
    return wire_type_is_question(type) || type == WIRE_MISSING || type == WIRE_HELLO_REPLY ||
           type == WIRE_COOKIE || type == WIRE_COOKIE_NEXT;
}

static bool has_cookie_bytes(const uint8_t *data)
{
    return (le64_load(data + OFFSET_TAG) | le64_load(data + OFFSET_TAG + 8)) != 0;
}

/* In a packet of the oldest version it is zero. */
static bool is_known_good(const uint8_t *data)
{
    bool is_oldest = (data[OFFSET_VERSION] & ~WIRE_VERSION_SEALED) == WIRE_VERSION_OLDEST;
    return is_oldest == (data[OFFSET_KNOWN] == 0);
}

/* Which packets an answer may come in, a client says alone, in its questions. */
static bool is_answer_mtu_good(const uint8_t *data)
{
    uint32_t mtu_bytes = (uint32_t)data[OFFSET_ANSWER_MTU] * MTU_UNIT_BYTES;
    if (mtu_bytes == 0)
        return true;
    return mtu_bytes > MTU_MIN && mtu_bytes <= MTU_MAX && le16_load(data + OFFSET_SENDER) == 0 &&
           wire_type_is_question(data[OFFSET_TYPE]);
}

/* In a sealed packet the tag and a flag are looked at when the packet is opened; another one has
 * perhaps a cookie. */
static bool is_reserved_zero(const uint8_t *data, const struct wire_keys *keys)
{
    if (!is_answer_mtu_good(data))
        return false;
    if (keys->is_sealed)
        return true;
    return data[OFFSET_KNOWN + 1] == 0 &&
           (!has_cookie_bytes(data) || type_takes_cookie(data[OFFSET_TYPE]));
}

/* As a packet's header has it, which was checked. */
static uint16_t answer_size_of(const uint8_t *data)
{
    uint32_t mtu_bytes = (uint32_t)data[OFFSET_ANSWER_MTU] * MTU_UNIT_BYTES;
    return (uint16_t)(mtu_bytes == 0 ? 0 : mtu_bytes - PACKET_FRONT_SIZE_BYTES);
}

/* Whose packet it is, and whether it came whole: of a sealed one its seal has shown that. */
static enum error packet_check_seal(struct span packet, const struct wire_keys *keys,
                                    uint64_t cluster_id)
{
    const uint8_t *data = packet.data;
    uint8_t version = data[OFFSET_VERSION] & (uint8_t)~WIRE_VERSION_SEALED;
    bool is_sealed = version != data[OFFSET_VERSION];
    if (version < WIRE_VERSION_OLDEST || version > WIRE_VERSION_NEWEST)
        return ERR_VERSION;
    if (is_sealed != keys->is_sealed)
        return ERR_KEY;
    if (is_sealed)
        return OK;
    if (le32_load(data + OFFSET_CRC) != packet_crc(data, packet.size_bytes))
        return ERR_CHECKSUM;
    if (le64_load(data + OFFSET_CLUSTER_ID) != cluster_id)
        return ERR_CLUSTER;
    return data[OFFSET_KEY_ID] == WIRE_KEY_ID_NONE ? OK : ERR_KEY;
}

/* The checks that need no look at the pieces. */
static enum error packet_check_origin(struct span packet, const struct wire_keys *keys,
                                      uint64_t cluster_id)
{
    const uint8_t *data = packet.data;
    if (packet.size_bytes < PACKET_HEADER_SIZE_BYTES)
        return ERR_SHORT;
    if (packet.size_bytes > PACKET_SIZE_BYTES_MAX)
        return ERR_TOO_LARGE;
    if (data[0] != PACKET_MAGIC_0 || data[1] != PACKET_MAGIC_1)
        return ERR_MAGIC;
    enum error error = packet_check_seal(packet, keys, cluster_id);
    if (error != OK)
        return error;
    if (!type_is_known(data[OFFSET_TYPE]))
        return ERR_TYPE;
    if (!is_known_good(data) || !is_reserved_zero(data, keys))
        return ERR_RESERVED;
    if (le16_load(data + OFFSET_SENDER) > VOTER_ID_MAX)
        return ERR_RANGE;
    return OK;
}

/*
 * The piece size that the sender chose, from a packet of a message of several pieces: a piece that
 * is not the last is full; the last leaves the rest of the message to the others, which are equal.
 */
static enum error piece_size_derive(const struct wire_packet *packet, uint16_t *ret_size_bytes)
{
    uint32_t full_count = packet->piece_count - 1u;
    size_t payload_bytes = packet->payload.size_bytes;
    size_t size_bytes = payload_bytes;
    if (packet->piece == full_count) {
        if (payload_bytes >= packet->message_size_bytes)
            return ERR_RANGE;
        size_t others_bytes = packet->message_size_bytes - payload_bytes;
        size_bytes = others_bytes / full_count;
        if (others_bytes % full_count != 0 || payload_bytes > size_bytes)
            return ERR_RANGE;
    }
    if (size_bytes < PIECE_SIZE_BYTES_MIN || size_bytes > PACKET_PAYLOAD_SIZE_BYTES_MAX)
        return ERR_RANGE;
    *ret_size_bytes = (uint16_t)size_bytes;
    return wire_piece_count(packet->message_size_bytes, *ret_size_bytes) == packet->piece_count
               ? OK
               : ERR_RANGE;
}

/* Piece, piece count, message size and payload must tell one story. Fills in the piece size. */
static enum error packet_check_piece(struct wire_packet *packet)
{
    if (packet->message_size_bytes > MESSAGE_SIZE_BYTES_MAX)
        return ERR_TOO_LARGE;
    if (packet->piece >= packet->piece_count)
        return ERR_RANGE;
    if (packet->piece_count > 1)
        return piece_size_derive(packet, &packet->header.piece_size_bytes);
    packet->header.piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX;
    if (packet->message_size_bytes > PACKET_PAYLOAD_SIZE_BYTES_MAX)
        return ERR_RANGE;
    if (packet->payload.size_bytes < packet->message_size_bytes)
        return ERR_SHORT;
    return packet->payload.size_bytes > packet->message_size_bytes ? ERR_TRAILING : OK;
}

bool wire_packet_shard(struct span packet, uint16_t *ret_shard)
{
    if (packet.size_bytes < PACKET_HEADER_SIZE_BYTES)
        return false;
    *ret_shard = le16_load(packet.data + OFFSET_SHARD);
    return true;
}

uint8_t wire_packet_version(struct span packet)
{
    return packet.data[OFFSET_VERSION];
}

uint8_t wire_packet_type(struct span packet)
{
    return packet.data[OFFSET_TYPE];
}

uint64_t wire_packet_message(struct span packet)
{
    return le64_load(packet.data + OFFSET_MESSAGE_ID);
}

uint16_t wire_packet_sender(struct span packet)
{
    return le16_load(packet.data + OFFSET_SENDER);
}

uint64_t wire_packet_cluster(struct span packet)
{
    return le64_load(packet.data + OFFSET_CLUSTER_ID);
}

enum error wire_packet_decode(struct span packet, const struct wire_keys *keys, uint64_t cluster_id,
                              struct wire_packet *ret_packet)
{
    enum error error = packet_check_origin(packet, keys, cluster_id);
    if (error != OK)
        return error;
    const uint8_t *data = packet.data;
    struct wire_packet decoded = {
        .header = {.type = data[OFFSET_TYPE],
                   .version = data[OFFSET_VERSION] & (uint8_t)~WIRE_VERSION_SEALED,
                   .known = data[OFFSET_KNOWN],
                   .shard = le16_load(data + OFFSET_SHARD),
                   .sender = le16_load(data + OFFSET_SENDER),
                   .answer_size_bytes = answer_size_of(data),
                   .cluster_id = cluster_id,
                   .message_id = le64_load(data + OFFSET_MESSAGE_ID),
                   .cookie = !keys->is_sealed && has_cookie_bytes(data) ? data + OFFSET_TAG : NULL},
        .piece = le16_load(data + OFFSET_PIECE),
        .piece_count = le16_load(data + OFFSET_PIECE_COUNT),
        .message_size_bytes = le32_load(data + OFFSET_MESSAGE_SIZE),
        .payload =
            span_of(data + PACKET_HEADER_SIZE_BYTES, packet.size_bytes - PACKET_HEADER_SIZE_BYTES),
    };
    error = packet_check_piece(&decoded);
    if (error == OK)
        *ret_packet = decoded;
    return error;
}
