/*
 * Packets: the header that every datagram carries, and the pieces that a message is cut into.
 *
 * Packet, offset, size and meaning of each field:
 *    0  u16  magic "PX"
 *    2  u8   version
 *    3  u8   type
 *    4  u32  crc32c over the packet with this field zero
 *    8  u64  cluster id
 *   16  u16  shard
 *   18  u16  sender (voter id; 0: a client)
 *   20  u16  piece
 *   22  u16  pieces of the message
 *   24  u64  message id
 *   32  u32  message size
 *   36  u8   key id (0: not sealed)
 *   37  u8   version 10: the newest format that the sender knows, not 0 (base/format.h); else zero
 *   38  [1]  zero
 *   39  u8   of a client's question: MTU that its answer may have, in units of 50 bytes; or zero
 *   40  [16] authentication tag; if not sealed: of and to clients a cookie, or zero; else zero
 *   56       payload
 *
 * All pieces of a message are of one size but the last, which has the rest. The size is not in the
 * packet; it follows from what is: that of a piece which is not the last is its payload's; that of
 * the last is what the message has besides, divided by the number of the other pieces.
 *
 * A sealed packet differs in some fields: wire_seal.h.
 *
 * There are two versions. A node knows both, whatever format is in force; to a node of an older
 * program it speaks version 9, as it always does to clients.
 *
 * Pure; any thread. Decoding borrows from the packet; outputs are untouched on an error.
 */
#ifndef POLLUX_WIRE_WIRE_PACKET_H
#define POLLUX_WIRE_WIRE_PACKET_H

#include "base/error.h"
#include "base/format.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_keys.h"
#include "wire/wire_seal.h"

#define WIRE_VERSION_OLDEST 9
#define WIRE_VERSION_NEWEST 10

enum wire_type {
    WIRE_RAFT = 1,
    WIRE_HELLO = 16,
    WIRE_HELLO_REPLY,
    WIRE_WRITE,
    WIRE_WRITE_REPLY,
    WIRE_READ,
    WIRE_READ_REPLY,
    WIRE_STATUS,
    WIRE_STATUS_REPLY,
    WIRE_TRANSFER, /* operator: hand leadership over */
    WIRE_TRANSFER_REPLY,
    WIRE_FORWARD,  /* node to leader: wire_forward.h */
    WIRE_MISSING,  /* to the sender of a message: pieces that have not come */
    WIRE_SNAPSHOT, /* between nodes: wire_snapshot.h */
    WIRE_STORAGE,  /* between nodes: wire_storage.h */
    WIRE_MEMBERS,  /* operator: wire_members.h */
    WIRE_MEMBERS_REPLY,
    WIRE_REPLACE, /* operator: a storage is lost, take the one in its place */
    WIRE_REPLACE_REPLY,
    WIRE_START,    /* between nodes: wire_start.h */
    WIRE_PRESENCE, /* between nodes, also strangers: wire_presence.h */
    WIRE_CHANGE,   /* operator: change which nodes are wanted as members; wire_members.h */
    WIRE_CHANGE_REPLY,
    WIRE_BACKUP, /* operator: a snapshot, and parts of its blocks; wire_backup.h */
    WIRE_BACKUP_REPLY,
    WIRE_FORMAT,    /* between nodes: wire_format.h */
    WIRE_HANDSHAKE, /* between nodes: what is in it, security/handshake.h says */
    WIRE_HANDSHAKE_REPLY,
    WIRE_COOKIE,      /* to a client: to ask again with this cookie. Echoes its message id */
    WIRE_COOKIE_NEXT, /* to a client: to use this one from now on. Likewise */
    WIRE_LIST,        /* a page of keys; wire_list.h */
    WIRE_LIST_REPLY,
    WIRE_RELAY,      /* client to a node: a packet for another node; wire_relay.h */
    WIRE_RELAYED,    /* between nodes: a packet of a client; wire_relay.h, as the next one */
    WIRE_RELAY_BACK, /* between nodes: a packet for a client */
    WIRE_PATH,       /* node or client to a node: how large packets may be; wire_path.h */
    WIRE_PATH_REPLY,
    WIRE_SESSIONS = 52, /* operator: a page of the table of sessions; wire_sessions.h */
    WIRE_SESSIONS_REPLY,
    WIRE_SESSION_END, /* operator: end one */
    WIRE_SESSION_END_REPLY,
};

/* Whether a packet of the type is around another one. */
static inline bool wire_type_is_relay(uint8_t type)
{
    return type >= WIRE_RELAY && type <= WIRE_RELAY_BACK;
}

/* Whether clients ask it, and whoever asks expects an answer. */
bool wire_type_is_question(uint8_t type);

/* Whether nodes say it to one another, in the packets of the format in force. WIRE_MISSING, which
 * clients are asked for, too, is none of these. */
bool wire_type_is_between_nodes(uint8_t type);

/* What all packets of one message have in common. */
struct wire_message_header {
    uint8_t type;    /* enum wire_type */
    uint8_t version; /* of the packet; 0, when encoding: the oldest */
    uint8_t known;   /* the newest format that the sender knows; 0: it has not said */
    uint16_t shard;
    uint16_t sender;   /* voter id; 0: a client */
    uint16_t receiver; /* voter id; 0: a client, or whoever it is. Not a field of the packet */
    /*
     * Payload of every piece but the last: PIECE_SIZE_BYTES_MIN .. PACKET_PAYLOAD_SIZE_BYTES_MAX.
     * The sender's choice, by what its path carries. Not a field of the packet: decoding derives it
     * from a message of several pieces, and gives the largest for a message of one.
     */
    uint16_t piece_size_bytes;
    /* Of a client's question: the largest packets that its answer may come in, above
     * PACKET_SIZE_BYTES_BASE; 0: those of that size (wire/path_limit.h). */
    uint16_t answer_size_bytes;
    uint64_t cluster_id;
    uint64_t message_id; /* the sender's; never of two messages that differ */
    /* COOKIE_SIZE_BYTES; NULL: none. In a decoded packet it lies in the packet. */
    const uint8_t *cookie;
};

struct wire_packet {
    struct wire_message_header header;
    uint16_t piece;
    uint16_t piece_count;
    uint32_t message_size_bytes;
    struct span payload;
    uint64_t waited_ns; /* as its receiver says: it may have arrived so long ago; at most now */
};

/* Cluster id of a cluster's name: what every packet carries, so that strangers are told apart. */
uint64_t wire_cluster_id(const char *name);

/* Pieces that a body of this size (0 .. MESSAGE_SIZE_BYTES_MAX) is cut into; at least 1. */
uint32_t wire_piece_count(size_t body_size_bytes, uint16_t piece_size_bytes);

/* Writes piece `piece` of the body as one packet to `to` (PACKET_SIZE_BYTES_MAX); returns its
 * size. */
uint32_t wire_piece_encode(uint8_t *to, const struct wire_keys *keys,
                           const struct wire_message_header *header, struct span body,
                           uint32_t piece);

/* What a packet's header says that was refused for it: of at least a header (wire_packet_shard). */
uint8_t wire_packet_version(struct span packet);
uint64_t wire_packet_cluster(struct span packet);

/* Of at least a header, nothing checked. */
uint8_t wire_packet_type(struct span packet);
uint64_t wire_packet_message(struct span packet);
uint16_t wire_packet_sender(struct span packet);

/* The shard that a packet's header names, nothing checked; false: too short for a header. */
bool wire_packet_shard(struct span packet, uint16_t *ret_shard);

/*
 * Checks and decodes one packet of cluster `cluster_id`. `keys` says whether it is sealed, and was
 * opened. The shard is the caller's to check. Errors, in the order of the checks: ERR_SHORT,
 * ERR_TOO_LARGE, ERR_MAGIC, ERR_VERSION, ERR_CHECKSUM, ERR_CLUSTER, ERR_KEY (sealed, or not,
 * against what `keys` says), ERR_TYPE, ERR_RESERVED, ERR_RANGE (a field by itself, or pieces and
 * sizes that contradict one another), ERR_TRAILING.
 */
MUST_USE enum error wire_packet_decode(struct span packet, const struct wire_keys *keys,
                                       uint64_t cluster_id, struct wire_packet *ret_packet);

#endif
