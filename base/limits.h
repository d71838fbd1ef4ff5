/*
 * Every limit of Pollux in one place, with the relations between them proved at compile time. A
 * loop, table or queue elsewhere names one of these as its bound.
 */
#ifndef POLLUX_BASE_LIMITS_H
#define POLLUX_BASE_LIMITS_H

#include <assert.h> /* static_assert */
#include <stdint.h>

/* Cluster. A voter id is 1 to VOTER_ID_MAX: the hard state packs it into one byte. */
#define NODES_MAX    9
#define PEERS_MAX    (NODES_MAX - 1)
#define VOTER_ID_MAX 255

/* How much a node is wanted as a leader; 0: only where nobody else can. */
#define PRIORITY_MAX     100
#define PRIORITY_DEFAULT 50
/* Births of a storage and of those before it that its node keeps in mind. */
#define IDENTITY_BIRTHS_MAX 240
/* Starts that a storage keeps in mind: whoever heard of none of them takes it for set back. */
#define LOG_STARTS_MAX 248
/* Births whose last start a storage keeps in mind: beyond, those that are no members make way. And
 * their places in the file: a place that counts is never written over. */
#define LOG_HEARD_MAX    40
#define LOG_HEARD_PLACES 62
/* Storages in a configuration: those of two halves that share none, and two that catch up. */
#define RAFT_MEMBERS_MAX (2 * NODES_MAX + 2)
/* An encoded configuration. */
#define RAFT_CONFIGURATION_HEAD_BYTES   24
#define RAFT_CONFIGURATION_MEMBER_BYTES 40
#define RAFT_CONFIGURATION_BYTES_MAX                                                               \
    (RAFT_CONFIGURATION_HEAD_BYTES + RAFT_MEMBERS_MAX * RAFT_CONFIGURATION_MEMBER_BYTES)

/* Shards of a cluster, and lanes of a node. Shard s lives on lane s % lanes of each node. */
#define SHARDS_MAX 64
#define LANES_MAX  32

/* Frames handed over to a lane by others, and not yet received by it. */
#define HANDOVER_FRAMES_MAX 1024

/* Keys and values. */
#define KEY_SIZE_BYTES_MAX   512
#define VALUE_SIZE_BYTES_MAX (1024 * 1024)

/* What the keys begin with that the cluster keeps for itself: base/reserved_key.h. */
#define RESERVED_KEY_SIZE_BYTES 7

/* The engine's store: a block of its memory. */
#define ENGINE_BLOCK_SIZE_BYTES 128

/*
 * Packets. IPv6 (40) and UDP (8) lie in front of one; under IPv4 there is room to spare. Three
 * sizes: what every path carries, what one Ethernet frame of 1500 bytes has room for, and the
 * largest. Whoever knows nothing of a path uses the first (wire/path_limit.h).
 */
#define MTU_MIN   1280
#define MTU_USUAL 1500
#define MTU_MAX   9000

#define PACKET_FRONT_SIZE_BYTES         48
#define PACKET_HEADER_SIZE_BYTES        56
#define PACKET_SIZE_BYTES_BASE          (MTU_MIN - PACKET_FRONT_SIZE_BYTES)
#define PACKET_SIZE_BYTES_USUAL         (MTU_USUAL - PACKET_FRONT_SIZE_BYTES)
#define PACKET_SIZE_BYTES_MAX           (MTU_MAX - PACKET_FRONT_SIZE_BYTES)
#define PACKET_PAYLOAD_SIZE_BYTES_BASE  (PACKET_SIZE_BYTES_BASE - PACKET_HEADER_SIZE_BYTES)
#define PACKET_PAYLOAD_SIZE_BYTES_USUAL (PACKET_SIZE_BYTES_USUAL - PACKET_HEADER_SIZE_BYTES)
#define PACKET_PAYLOAD_SIZE_BYTES_MAX   (PACKET_SIZE_BYTES_MAX - PACKET_HEADER_SIZE_BYTES)

/* Sizes of paths are told in MTUs, in units of so many bytes, in one byte. */
#define MTU_UNIT_BYTES 50
static_assert(MTU_MAX % MTU_UNIT_BYTES == 0 && MTU_USUAL % MTU_UNIT_BYTES == 0 &&
                  MTU_MAX / MTU_UNIT_BYTES <= UINT8_MAX,
              "the sizes that matter are told exactly");

/* Questions how large packets may be, that are sent at once (wire/path_limit.h). */
#define PATH_QUESTIONS_MAX 8u

/* Pieces of a message in several packets: the sender chooses their size, by what the path takes. */
#define PIECE_SIZE_BYTES_MIN PACKET_PAYLOAD_SIZE_BYTES_BASE

/*
 * A relayed packet (wire/wire_relay.h): the head in front of it, and the pieces that leave room for
 * that head and for the header of the packet around it. It takes a path that carries a UDP payload
 * of RELAY_CARRIER_SIZE_BYTES_MAX.
 */
#define RELAY_HEAD_SIZE_BYTES  24
#define RELAY_PIECE_SIZE_BYTES PIECE_SIZE_BYTES_MIN
#define RELAY_CARRIER_SIZE_BYTES_MAX                                                               \
    (2 * PACKET_HEADER_SIZE_BYTES + RELAY_HEAD_SIZE_BYTES + RELAY_PIECE_SIZE_BYTES)
static_assert(RELAY_CARRIER_SIZE_BYTES_MAX <= PACKET_SIZE_BYTES_USUAL, "what is relayed fits");
#define RELAY_PACKET_SIZE_BYTES_MAX (PACKET_HEADER_SIZE_BYTES + RELAY_PIECE_SIZE_BYTES)

/* A swap carries two values of the largest size; the rest is headers. */
#define MESSAGE_SIZE_BYTES_MAX (2 * VALUE_SIZE_BYTES_MAX + 64 * 1024)
#define MESSAGE_PIECES_MAX                                                                         \
    ((MESSAGE_SIZE_BYTES_MAX + PIECE_SIZE_BYTES_MIN - 1) / PIECE_SIZE_BYTES_MIN)

/* Runs of missing pieces that one request for them names. */
#define MISSING_RANGES_MAX          64
#define WIRE_MISSING_SIZE_BYTES_MAX (16 + 4 * MISSING_RANGES_MAX)
/* Pieces that a node sends again for one such request; the receiver asks for the rest again. */
#define PIECES_AGAIN_MAX 256

/*
 * One value chunk in a reply: larger values are read on by range, so that no reply is a long burst.
 */
#define REPLY_CHUNK_SIZE_BYTES_MAX (32 * 1024)

/* A turn. */
#define RX_BURST_MAX       64
#define REQUEST_OPS_MAX    64
#define BATCH_REQUESTS_MAX RX_BURST_MAX
#define BATCH_SIZE_BYTES_SOFT                                                                      \
    (256 * 1024) /* a batch closes at this size; one request may exceed it */

/* Log records: one batch each. An append message carries several, or one that is larger than the
 * message's soft limit. */
#define RECORD_HEADER_SIZE_BYTES      48
#define RECORD_ALIGN_BYTES            64
#define RECORD_PAYLOAD_SIZE_BYTES_MAX (MESSAGE_SIZE_BYTES_MAX - 16 * 1024)
#define APPEND_ENTRIES_MAX            64
#define APPEND_SIZE_BYTES_SOFT        (32 * 1024)

/* The most that the configuration may give one shard. The engine has no numbers for more blocks or
 * more pending writes than fit into these. */
#define STORE_SIZE_BYTES_MAX   (UINT64_C(1) << 37)
#define RELAXED_SIZE_BYTES_MAX (UINT64_C(384) << 20)

/* Sessions: operations in flight whose outcome is remembered. */
#define SESSION_WINDOW 128

/* A session with nothing open ends after SESSION_IDLE_NS without a request, or after this share of
 * its lifetime if that is shorter. Nodes and clients must agree on it. */
#define SESSION_IDLE_NS    UINT64_C(30000000000)
#define SESSION_IDLE_SHARE 4

static inline uint64_t session_idle_ns(uint64_t session_ttl_ns)
{
    uint64_t share_ns = session_ttl_ns / SESSION_IDLE_SHARE;
    return share_ns < SESSION_IDLE_NS ? share_ns : SESSION_IDLE_NS;
}

/* Seqs that a client uses one after the other though none of them reaches the session, because
 * nodes refuse them: then it begins another session. Nodes take what is far ahead for the packet of
 * a stranger. */
#define SESSION_SEQS_AHEAD_MAX UINT64_C(8192)

/* Relaxed writes. A node may forget a relaxed session that was silent for RELAXED_SESSION_IDLE_NS,
 * and then does not know its writes any more. So a client transmits a write, to be executed, for
 * RELAXED_RETRY_NS after the first transmission at most. The difference is the time that a packet
 * may take. */
#define RELAXED_SESSION_IDLE_NS UINT64_C(60000000000)
#define RELAXED_RETRY_NS        UINT64_C(30000000000)
#define RELAXED_PACKET_NS       (RELAXED_SESSION_IDLE_NS - RELAXED_RETRY_NS)

/* Consensus. Terms fit the 40 bits that the hard state's one word has for them. No log comes near
 * the highest index, below which sums of indexes and counts cannot overflow. */
#define TERM_MAX  ((UINT64_C(1) << 40) - 1)
#define INDEX_MAX ((UINT64_C(1) << 56) - 1)
/* A storage that has a term believes no term that is further ahead: elections without a pause, ten
 * a second, take 19 days to get there. Who says so is wrong, or has sent what nobody meant. */
#define TERM_LEAP_MAX (UINT64_C(1) << 24)
/* Append requests in flight to one peer. */
#define RAFT_INFLIGHT_MAX 4096
/* Messages that one step can emit: appends to every peer, several each while a pipeline fills. */
#define RAFT_STEP_APPENDS_PER_PEER_MAX 4
#define RAFT_STEP_MESSAGES_MAX         (RAFT_MEMBERS_MAX * (RAFT_STEP_APPENDS_PER_PEER_MAX + 1))

/* Media. Places in a log are counted in units of RECORD_ALIGN_BYTES, in 32 bits. An entry of the
 * journal is a record that begins with its number. */
#define LOG_FILE_BYTES_MAX (UINT64_C(1) << 37)
/* What the layout of a log needs: header, state, one page of records. Small logs serve tests. */
#define LOG_FILE_BYTES_MIN (12u * 1024)
/* Segments of one log. The most: what the page of its table has words for. The least: one to append
 * to, two made ready behind it, and one kept for a new begin. */
#define LOG_SEGMENTS_MAX 64u
#define LOG_SEGMENTS_MIN 4u
/* The file with the identity of a node, and the name of a cluster in it, with its end. */
#define NODE_IDENTITY_FILE_BYTES 4096u
#define NODE_IDENTITY_NAME_BYTES 256u
/* A path to a bank of a journal, with its end. */
#define JOURNAL_BANK_PATH_SIZE 1024
/* What a shard is to be configured with at least: a log of as many segments as a row needs, each
 * with room for a record of the largest size, and a journal with room for a few. */
#define LOG_SIZE_BYTES_MIN     (16u * 1024 * 1024)
#define JOURNAL_SIZE_BYTES_MIN (8u * 1024 * 1024)
/*
 * The end of a log that is nearly full, one reserve behind the other. The last one is for no-ops of
 * new leaders alone: without room for them nobody could lead. The one before it is for fences and
 * for what ends or keeps a session as well, so that a client learns what became of its writes.
 */
#define LOG_NOOP_RESERVE_SIZE_BYTES (64u * 1024)
/* Only no-ops take the end of a segment: they must not wait until the next segment is ready. */
#define LOG_NOOP_TAIL_SIZE_BYTES     4096u
#define LOG_FENCE_RESERVE_SIZE_BYTES (64u * 1024)
#define JOURNAL_ENTRY_SIZE_BYTES_MAX (RECORD_PAYLOAD_SIZE_BYTES_MAX - 8)

/* Snapshots: a stream of bytes, cut into blocks. A block and its header fill a slot of whole pages,
 * so that writing one reads nothing first. The ring is what a lane may hand over ahead of the
 * thread that writes. */
#define SNAPSHOT_SLOT_BYTES         (64u * 1024)
#define SNAPSHOT_BLOCK_HEADER_BYTES 64u
#define SNAPSHOT_BLOCK_BYTES        (SNAPSHOT_SLOT_BYTES - SNAPSHOT_BLOCK_HEADER_BYTES)
#define SNAPSHOT_RING_BLOCKS        16u
#define SNAPSHOT_STREAM_BYTES_MAX   (UINT64_C(1) << 38)
/* Bytes that whoever takes the stream must be able to take at once; less room counts as none. */
#define SNAPSHOT_ROOM_MIN 64
/* Blocks that a node asks its leader for at a time. */
#define SNAPSHOT_ASK_BLOCKS_MAX 2u
/* A path to one of the two files, with its end. */
#define SNAPSHOT_PATH_SIZE 1024

/* A backup: a client asks for a block of a snapshot in parts. The question is as large as a packet
 * that takes every path, and the answer is a few packets. */
#define BACKUP_PARTS          12u
#define BACKUP_PART_BYTES     (SNAPSHOT_BLOCK_BYTES / BACKUP_PARTS)
#define BACKUP_QUESTION_BYTES PIECE_SIZE_BYTES_MIN

/* A list of keys: as for a backup, the question is as large as a packet, and the answer, a page, is
 * a few packets. */
#define LIST_QUESTION_BYTES PIECE_SIZE_BYTES_MIN
#define LIST_PAGE_BYTES_MIN 2048u
#define LIST_PAGE_BYTES_MAX (4u * PACKET_PAYLOAD_SIZE_BYTES_USUAL)
/* Keys that a node looks at for one page, and for all pages of a shard in one turn. */
#define LIST_STEPS_MAX      1024u
#define LIST_TURN_STEPS_MAX 4096u

/* The replicated machine. Blocks of the store have 32-bit numbers; pending relaxed writes lie in a
 * ring. */
#define STORE_BLOCKS_MAX       (1u << 30)
#define PENDING_WRITES_OPS_MAX (1u << 24)

/* Counters in one status reply. */
#define WIRE_COUNTERS_MAX 256

/* Round indexes of which a node keeps a digest of its state. */
#define STATE_MARKS_MAX 12

/* Bodies: of the shortest hello, and of its answer. */
#define WIRE_HELLO_SIZE_BYTES       8
#define WIRE_HELLO_REPLY_SIZE_BYTES 120

/* No table of rights (base/rights_table.h) says that pending writes were dropped so often: a node
 * that tells no clients apart says so of itself (wire/wire_forward.h). */
#define RIGHTS_DROPS_MAX UINT32_MAX
/* In front of the request of an entry of a journal: the longest name (wire/wire_entry.h). */
#define WIRE_ENTRY_HEAD_BYTES_MAX 80u

/* Security. Names of keys, and sizes of what they are made of and give. */
#define KEY_NAME_BYTES_MAX       63
#define SECRET_SIZE_BYTES        32
#define COOKIE_SIZE_BYTES        16
#define CONTENT_NAME_SIZE_BYTES  32
#define SEAL_TAG_SIZE_BYTES      16
#define SEAL_TAG_OFFSET          40 /* in a packet */
#define SEAL_EXPANDED_SIZE_BYTES 1024
#define KEY_FILE_SIZE_BYTES_MAX  320
#define KEY_FILE_REASON_BYTES    256
#define KEY_CHECK_SIZE_BYTES     17 /* the text: 16 digits and an end */
#define RIGHTS_LINES_MAX         64 /* of one principal */
/* Handshakes. */
#define HANDSHAKE_INITIATION_BYTES 160u
#define HANDSHAKE_RESPONSE_BYTES   80u
#define HANDSHAKE_RANDOM_BYTES     32u
/* Packets under one key. At ten million a second it lasts for two hours. */
#define SEAL_NUMBERS_MAX (UINT64_C(1) << 36)

/* Ports. */
#define DP_FRAME_BURST_MAX RX_BURST_MAX
#define DP_VDEVS_MAX       16
/* Multicast MACs of a port: of all nodes, and of the group of its own IPv6 address. */
#define DP_MULTICAST_MACS_MAX 2

/* Of a duration or a size as text (base/units.h). */
#define UNITS_TEXT_BYTES 24
/* Of an address without its port: INET6_ADDRSTRLEN. */
#define ADDRESS_IP_TEXT_BYTES 46

/* Neighbours whose MAC the configuration gives. */
#define DP_NEIGHBOURS_PINNED_MAX 32

static_assert(NODES_MAX % 2 == 1, "an even cluster gains nothing over the odd one below it");
static_assert(NODES_MAX <= VOTER_ID_MAX, "every node needs a voter id");
static_assert(RAFT_MEMBERS_MAX < LOG_HEARD_MAX &&
                  LOG_HEARD_MAX + RAFT_MEMBERS_MAX < LOG_HEARD_PLACES + 1,
              "each member's last start is kept, and there are places to write to");
static_assert(RAFT_MEMBERS_MAX <= 32, "sets of members are 32-bit masks");
static_assert(SHARDS_MAX <= UINT16_MAX, "the shard is 16 bits on the wire");
static_assert(LANES_MAX <= SHARDS_MAX, "a lane has at least one shard");
static_assert(PIECE_SIZE_BYTES_MIN <= PACKET_PAYLOAD_SIZE_BYTES_MAX, "a piece fits its packet");
static_assert(PACKET_PAYLOAD_SIZE_BYTES_MAX <= UINT16_MAX, "a piece size is kept in 16 bits");
static_assert(MESSAGE_PIECES_MAX <= 65535, "the piece number is 16 bits on the wire");
static_assert(WIRE_MISSING_SIZE_BYTES_MAX <= PIECE_SIZE_BYTES_MIN, "asking takes one packet");
static_assert(RECORD_PAYLOAD_SIZE_BYTES_MAX >= 2 * VALUE_SIZE_BYTES_MAX + KEY_SIZE_BYTES_MAX + 4096,
              "the largest swap must fit one record");
static_assert(BATCH_SIZE_BYTES_SOFT + 2 * VALUE_SIZE_BYTES_MAX + 8192 > BATCH_SIZE_BYTES_SOFT,
              "no overflow");
static_assert(SESSION_WINDOW >= 64 && (SESSION_WINDOW & (SESSION_WINDOW - 1)) == 0,
              "the contract promises at least 64 in flight; the window is indexed by a mask");
static_assert(RELAXED_RETRY_NS <= RELAXED_SESSION_IDLE_NS / 2,
              "what may be executed still arrives while the node remembers");
static_assert(LOG_FILE_BYTES_MAX / RECORD_ALIGN_BYTES <= UINT32_MAX, "a place is 32 bits");
static_assert(LOG_FILE_BYTES_MIN <= LOG_SIZE_BYTES_MIN, "what is configured has a layout");
static_assert(LOG_NOOP_RESERVE_SIZE_BYTES + LOG_FENCE_RESERVE_SIZE_BYTES +
                      2 * RECORD_PAYLOAD_SIZE_BYTES_MAX <=
                  LOG_SIZE_BYTES_MIN / 2,
              "the smallest log takes the largest write beside both reserves");
static_assert((LOG_SEGMENTS_MIN + 1) * (RECORD_PAYLOAD_SIZE_BYTES_MAX + 2u * 4096) <=
                  LOG_SIZE_BYTES_MIN,
              "the smallest log has enough segments of one largest record");
static_assert(2 * RECORD_PAYLOAD_SIZE_BYTES_MAX <= JOURNAL_SIZE_BYTES_MIN,
              "the smallest journal takes the largest write");
static_assert(SNAPSHOT_SLOT_BYTES % 4096 == 0, "a slot is whole pages");
static_assert((SNAPSHOT_RING_BLOCKS & (SNAPSHOT_RING_BLOCKS - 1)) == 0, "a ring has a mask");
static_assert(BACKUP_PARTS * BACKUP_PART_BYTES == SNAPSHOT_BLOCK_BYTES, "parts are of one size");
static_assert(SNAPSHOT_STREAM_BYTES_MAX / SNAPSHOT_BLOCK_BYTES < UINT32_MAX,
              "the number of a block is 32 bits");
static_assert(SNAPSHOT_STREAM_BYTES_MAX >= 2 * STORE_SIZE_BYTES_MAX,
              "the largest store has a snapshot");
static_assert(LIST_PAGE_BYTES_MAX <= 5 * LIST_QUESTION_BYTES,
              "whoever names another host's address has it sent little more than he sends");
static_assert(TERM_MAX << 24 >> 24 == TERM_MAX, "a term shares its word with vote and checksum");
static_assert(VOTER_ID_MAX <= UINT8_MAX, "a vote shares its word with term and checksum");
static_assert(INDEX_MAX <= UINT64_MAX - APPEND_ENTRIES_MAX,
              "the end of a message does not overflow");
static_assert(STORE_BLOCKS_MAX <= UINT32_MAX / 2, "block numbers and counts of them are 32 bits");
static_assert((PENDING_WRITES_OPS_MAX & (PENDING_WRITES_OPS_MAX - 1)) == 0, "a ring has a mask");
static_assert(DP_VDEVS_MAX > NODES_MAX, "a switch has a port for each node, and one for clients");
static_assert(UNITS_TEXT_BYTES >= sizeof("18446744073709551615KiB"), "any 64 bits, and a unit");

#endif
