/*
 * Packets: the header that every datagram carries, and the cutting of a message into pieces. The
 * layout is at the head of wire/wire.h. A piece's size follows from the message's size and its
 * number, so a packet that is longer or shorter than that is refused, whatever its checksum says.
 *
 * The cluster id is FNV-1a (Fowler, Noll, Vo) over the name, finished by splitmix64's mixer.
 */
#include "base/crc32c.h"
#include "wire/wire_internal.h"

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
#define RESERVED_SIZE_BYTES (PACKET_HEADER_SIZE_BYTES - OFFSET_KEY_ID)

static_assert(PACKET_HEADER_SIZE_BYTES == 56, "the header as wire/wire.h lays it out");
static_assert(RESERVED_SIZE_BYTES == 20,
              "key id, padding and tag are zero until packets are signed");

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

uint32_t wire_piece_count(size_t body_size_bytes)
{
    CHECK(body_size_bytes <= MESSAGE_SIZE_BYTES_MAX);
    if (body_size_bytes == 0)
        return 1;
    return (uint32_t)((body_size_bytes + PACKET_PAYLOAD_SIZE_BYTES_MAX - 1) /
                      PACKET_PAYLOAD_SIZE_BYTES_MAX);
}

/* Payload bytes of one piece: full but for the last. */
static size_t piece_payload_bytes(size_t body_size_bytes, uint32_t piece)
{
    size_t begin = (size_t)piece * PACKET_PAYLOAD_SIZE_BYTES_MAX;
    size_t left = body_size_bytes - begin;
    return left < PACKET_PAYLOAD_SIZE_BYTES_MAX ? left : PACKET_PAYLOAD_SIZE_BYTES_MAX;
}

/* The checksum covers the packet as if its own field were zero. */
static uint32_t packet_crc(const uint8_t *packet, size_t size_bytes)
{
    static const uint8_t zero[4];
    uint32_t crc = crc32c(0, packet, OFFSET_CRC);
    crc = crc32c(crc, zero, sizeof(zero));
    return crc32c(crc, packet + OFFSET_CLUSTER_ID, size_bytes - OFFSET_CLUSTER_ID);
}

uint32_t wire_piece_encode(uint8_t *to, const struct wire_message_header *header, struct span body,
                           uint32_t piece)
{
    uint32_t piece_count = wire_piece_count(body.size_bytes);
    CHECK(piece < piece_count);
    size_t payload_bytes = piece_payload_bytes(body.size_bytes, piece);
    size_t size_bytes = PACKET_HEADER_SIZE_BYTES + payload_bytes;

    memset(to, 0, PACKET_HEADER_SIZE_BYTES);
    to[0] = PACKET_MAGIC_0;
    to[1] = PACKET_MAGIC_1;
    to[OFFSET_VERSION] = WIRE_VERSION;
    to[OFFSET_TYPE] = header->type;
    le64_store(to + OFFSET_CLUSTER_ID, header->cluster_id);
    le16_store(to + OFFSET_SHARD, header->shard);
    le16_store(to + OFFSET_SENDER, header->sender);
    le16_store(to + OFFSET_PIECE, (uint16_t)piece);
    le16_store(to + OFFSET_PIECE_COUNT, (uint16_t)piece_count);
    le64_store(to + OFFSET_MESSAGE_ID, header->message_id);
    le32_store(to + OFFSET_MESSAGE_SIZE, (uint32_t)body.size_bytes);
    if (payload_bytes > 0)
        memcpy(to + PACKET_HEADER_SIZE_BYTES,
               body.data + (size_t)piece * PACKET_PAYLOAD_SIZE_BYTES_MAX, payload_bytes);
    le32_store(to + OFFSET_CRC, packet_crc(to, size_bytes));
    return (uint32_t)size_bytes;
}

static bool type_is_known(uint8_t type)
{
    return type == WIRE_RAFT || (type >= WIRE_HELLO && type <= WIRE_FORWARD);
}

/* Whose packet it is: the checks that need no look at the pieces. */
static enum error packet_check_origin(struct span packet, uint64_t cluster_id)
{
    const uint8_t *data = packet.data;
    if (packet.size_bytes < PACKET_HEADER_SIZE_BYTES)
        return ERR_SHORT;
    if (packet.size_bytes > PACKET_SIZE_BYTES_MAX)
        return ERR_TOO_LARGE;
    if (data[0] != PACKET_MAGIC_0 || data[1] != PACKET_MAGIC_1)
        return ERR_MAGIC;
    if (data[OFFSET_VERSION] != WIRE_VERSION)
        return ERR_VERSION;
    if (le32_load(data + OFFSET_CRC) != packet_crc(data, packet.size_bytes))
        return ERR_CHECKSUM;
    if (le64_load(data + OFFSET_CLUSTER_ID) != cluster_id)
        return ERR_CLUSTER;
    if (!type_is_known(data[OFFSET_TYPE]))
        return ERR_TYPE;
    if (!wire_is_zero(data + OFFSET_KEY_ID, RESERVED_SIZE_BYTES))
        return ERR_RESERVED;
    if (le16_load(data + OFFSET_SENDER) > VOTER_ID_MAX)
        return ERR_RANGE;
    return OK;
}

/* Piece, piece count, message size and packet size must tell one story. */
static enum error packet_check_piece(struct span packet)
{
    uint32_t message_size_bytes = le32_load(packet.data + OFFSET_MESSAGE_SIZE);
    uint16_t piece = le16_load(packet.data + OFFSET_PIECE);
    uint16_t piece_count = le16_load(packet.data + OFFSET_PIECE_COUNT);
    if (message_size_bytes > MESSAGE_SIZE_BYTES_MAX)
        return ERR_TOO_LARGE;
    if (piece_count != wire_piece_count(message_size_bytes) || piece >= piece_count)
        return ERR_RANGE;
    size_t payload_bytes = packet.size_bytes - PACKET_HEADER_SIZE_BYTES;
    size_t expected_bytes = piece_payload_bytes(message_size_bytes, piece);
    if (payload_bytes < expected_bytes)
        return ERR_SHORT;
    return payload_bytes > expected_bytes ? ERR_TRAILING : OK;
}

enum error wire_packet_decode(struct span packet, uint64_t cluster_id,
                              struct wire_packet *ret_packet)
{
    enum error error = packet_check_origin(packet, cluster_id);
    if (error == OK)
        error = packet_check_piece(packet);
    if (error != OK)
        return error;
    const uint8_t *data = packet.data;
    *ret_packet = (struct wire_packet){
        .header = {.type = data[OFFSET_TYPE],
                   .shard = le16_load(data + OFFSET_SHARD),
                   .sender = le16_load(data + OFFSET_SENDER),
                   .cluster_id = cluster_id,
                   .message_id = le64_load(data + OFFSET_MESSAGE_ID)},
        .piece = le16_load(data + OFFSET_PIECE),
        .piece_count = le16_load(data + OFFSET_PIECE_COUNT),
        .message_size_bytes = le32_load(data + OFFSET_MESSAGE_SIZE),
        .payload =
            span_of(data + PACKET_HEADER_SIZE_BYTES, packet.size_bytes - PACKET_HEADER_SIZE_BYTES),
    };
    return OK;
}
