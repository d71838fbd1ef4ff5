/*
 * The log and hard state of one shard on one medium.
 *
 * The record area is append-only: a logical truncation writes nothing; the next record, whose index
 * is not the successor of the last, supersedes everything from its index on. So bytes that may have
 * been acknowledged are never overwritten while the log needs them. The area is divided into
 * segments; the oldest are dropped, wiped and used again (segments.c). A record lies within one
 * segment. The first record of a segment is behind its base: whatever is later than the base in the
 * segments before is superseded. Every record names the place of the one before it in the
 * log (index - 1), so what was lost can never be passed over in silence: see recovery.c.
 *
 * A record validates itself: its crc32c (seeded with the file's identity) covers index, term, kind,
 * size, the commit index known when it was written, the offset up to which the log was durable
 * then, and the payload. That offset tells a torn tail from rot: an invalid record before an offset
 * that a later record calls durable was once whole, so it is rot (a hole); one that nobody vouches
 * for is a tail that power loss may have torn. Neither is taken for the end of the acknowledged log
 * in silence: both make the node suspect until a quorum settles it (Protocol-Aware Recovery,
 * FAST'18). So does a file that was just created: it looks exactly like one that was lost, and a
 * node that lost its log must not vote as if it had never acknowledged anything.
 *
 * The file (little endian):
 *      0  4096 bytes  header: see header.c; starts: see starts.c
 *   4096  4096 bytes  hard state, commit hint, settled mark: see hard_state.c; count of the starts
 *   8192  4096 bytes  table of segments: see segments.c; absent in a log of one segment
 *                     records, each aligned to RECORD_ALIGN_BYTES
 *
 * A record, offset, size and meaning of each field:
 *    0  u32  crc32c
 *    4  u32  payload size
 *    8  u64  index
 *   16  u64  term
 *   24  u64  commit index
 *   32  u64  durable position: the bytes of the row up to there were durable
 *   40  u8   kind
 *   41  u8   flags
 *   42  [2]  zero
 *   44  u32  place of record index - 1 in the file, in units of RECORD_ALIGN_BYTES; 0: none
 *   48       payload, then zero up to the alignment
 *
 * The hard state is one 8-byte word: term (40 bits), vote (8), checksum (16). It lies in two slots;
 * every change writes both, so that either may rot. The vote names an entry in a table of births.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_PMEM_LOG_H
#define POLLUX_PMEM_LOG_H

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "pmem/medium.h"

struct log;

/* As a vote: for a storage that is not known any more. No storage has this birth. */
#define LOG_VOTE_UNKNOWN UINT64_MAX

struct log_identity {
    uint64_t cluster_id;
    uint16_t node; /* voter id */
    uint16_t shard;
};

struct log_options {
    const char *path;
    /* Of a file to be created: a multiple of 4096, LOG_FILE_BYTES_MIN to LOG_FILE_BYTES_MAX. The
     * arena must have room for this size; an existing file may be smaller, not larger. */
    size_t size_bytes;
    /* Of a file to be created: as log_segment_size_bytes. 0: one segment, which is only wiped as a
     * whole. An existing file keeps its own. */
    size_t segment_size_bytes;
    bool is_created; /* create when missing */
    /* The records are of no term, and nobody votes: a file whose header or hard state is lost has
     * lost nothing by it. */
    bool is_journal;
    uint64_t birth; /* of a file to be created: random, not 0 */
    uint64_t start; /* of this start of its node: random; 0: not noted in this file */
    struct log_identity identity;
    uint32_t format_max; /* the newest format that is opened (base/format.h) */
    uint32_t format;     /* of a file to be created; an existing one keeps a higher one */
    /* The newest snapshot of what the log decides, durable and whole; index 0: none. A log that
     * does not go on from there begins anew behind it. */
    uint64_t snapshot_index;
    uint64_t snapshot_term;
};

/* What opening found. `note` is for the operator: names file, offset and what was or is to be
 * done. */
struct log_recovery {
    bool is_created;
    bool is_reset;        /* begins anew behind the snapshot */
    uint64_t first_index; /* of the records that are there; last_index + 1: none */
    uint64_t last_index;
    uint64_t birth;  /* of this storage */
    uint32_t format; /* of the file */
    uint64_t term;   /* hard state */
    uint64_t vote;
    uint64_t commit_index; /* highest commit index that records or hint vouch for, <= last_index */
    bool is_suspect;       /* records behind last_index may be missing: see raft_restored */
    bool is_history_lost;  /* it has had records, and none of them is left */
    bool is_repaired;      /* damage, of which nothing is left; `note` tells */
    bool is_beyond_repair; /* of an error: damage, after which nothing in the file can be trusted */
    uint64_t torn_bytes;
    uint64_t hole_first_index; /* 0: none; first record lost in the middle */
    char note[384];            /* empty when there is nothing to tell */
};

struct log_record {
    uint64_t index;
    uint64_t term;
    uint64_t commit_index;
    uint8_t kind;
    struct span payload;
};

/* Bytes of arena that log_open takes for a file of this size. */
size_t log_arena_bytes(size_t file_size_bytes);

/*
 * Opens or creates the file and recovers. ERR_CLUSTER, ERR_NODE, ERR_SHARD: of somebody else;
 * ERR_VERSION: a format above format_max; ERR_SHORT: shorter than its header says; ERR_CHECKSUM:
 * header rotten;
 * ERR_MAGIC; ERR_ARGUMENT: options; ERR_NO_MEMORY: the file is larger than the arena was made for;
 * ERR_SYNC; and medium_open's. `ret_recovery->note` then explains. Nothing is modified on an error.
 * What is found is made durable before this returns.
 */
MUST_USE enum error log_open(const struct log_options *options, struct arena *arena,
                             struct log **ret_log, struct log_recovery *ret_recovery);
void log_close(struct log *log);

/* Whether the log has had neither a record nor a term: nothing was ever answered from it. It may
 * begin behind a snapshot that was there before it. */
bool log_is_unused(const struct log_recovery *recovery);

/* The number of this start, durable since log_open: drawn (log_options.start), but for the low 24
 * bits, which count the starts. */
uint64_t log_start(const struct log *log);
/* How many starts the file has noted, this one among them; 0: none. */
uint32_t log_start_count(const struct log *log);
/* Whether the number is one of the last LOG_STARTS_MAX starts of this file, this one among them, or
 * of one before these by its count. */
bool log_had_start(const struct log *log, uint64_t start);

/* The last start of another storage that this one has heard of. */
struct log_heard {
    uint64_t birth;
    uint64_t start;
    uint32_t sequence; /* of its writing, rising */
};
/* Places 0 to LOG_HEARD_PLACES - 1, each birth once; NULL: nothing is there. */
const struct log_heard *log_heard(const struct log *log, uint32_t place);
/* Notes the last start of a birth; durable with the next persist. At most LOG_HEARD_MAX births are
 * in mind then (CHECK: there is a place); log_unhear forgets one, in memory only. */
void log_hear(struct log *log, uint64_t birth, uint64_t start);
void log_unhear(struct log *log, uint64_t birth);

/* Why a storage counts no more. */
enum log_end_reason {
    LOG_END_NONE,
    LOG_END_SET_BACK, /* it was set back to an earlier state */
    LOG_END_ERA_OVER, /* the cluster was put together anew by hand, without it */
};
/* Notes that this storage counts no more; durable with the next persist. The next start calls
 * log_set_aside. */
void log_end(struct log *log, enum log_end_reason reason);

struct log_aside {
    enum log_end_reason reason; /* NONE: the file is not there, or has no mark */
    char name[1024];            /* that the file has now; it says the birth */
};
/* Before log_open: gives a file that log_end has marked another name, which says its birth. It is
 * ERR_IO, and medium_open's. */
MUST_USE enum error log_set_aside(const struct log_options *options, struct log_aside *ret_aside,
                                  char *ret_note, size_t note_size);

/*
 * Before snapshots_open and log_set_aside: where the era of the log at `options` is over, the files
 * of the snapshots at `path` get other names as well, NAME.era-over.BIRTH. Their state may have
 * records in it that the later era lacks. Errors and `ret_note` as log_set_aside.
 */
MUST_USE enum error log_set_snapshots_aside(const struct log_options *options, const char *path,
                                            char *ret_note, size_t note_size);

/* After a log_open that has found damage beyond repair: gives the file another name,
 * NAME.damaged-N, which is written to `ret_name`. It is never deleted: what it has, nobody else may
 * have. ERR_FULL: too many such files are there; and medium_move's. */
MUST_USE enum error log_set_damaged_aside(const char *path, char *ret_name, size_t name_size,
                                          char *ret_note, size_t note_size);

/* The format that the file's header states; log_raise states a later one, durable with the next
 * persist. An older program does not open the file any more. */
uint32_t log_format(const struct log *log);
void log_raise(struct log *log, uint32_t format);

struct medium *log_medium(struct log *log);

/* A segment size that suits a file of this size: it takes the largest record. */
size_t log_segment_size_bytes(size_t file_size_bytes);

/* Records from the first to the last are there; none: first is last + 1. */
uint64_t log_first_index(const struct log *log);
uint64_t log_last_index(const struct log *log);

/* Bytes that records (headers and padding included) may still take, segments that are clean and
 * not yet ready among them. Where a segment ends, less than one record of it is lost. */
size_t log_room_bytes(const struct log *log);

/* Bytes that records can take in any case, whatever the ends of segments lose of them, and that
 * leave `kept_bytes` of room. */
size_t log_sure_room_bytes(const struct log *log, size_t kept_bytes);

/* Place in the row behind record `index`, first - 1 .. last (CHECK). Two places differ by the bytes
 * of the records between them, and what the ends of segments lost. */
uint64_t log_position_behind(const struct log *log, uint64_t index);

/* Whether records can be appended now, one behind the other: log_space_take for each. */
struct log_space {
    size_t left_bytes;
    uint32_t steps;
};
/* Bytes that records can take in an empty log. */
size_t log_capacity_bytes(const struct log *log);
/* Room that the largest record may take, ever. */
size_t log_record_room_max(const struct log *log);
/* Room of the largest single record that can be appended now. */
size_t log_append_room_bytes(const struct log *log);
struct log_space log_space_begin(const struct log *log, uint64_t index);
bool log_space_take(const struct log *log, struct log_space *space, size_t room_bytes);
/* Room that a record of this payload takes. */
size_t log_record_room_bytes(size_t payload_size_bytes);

/* Copies the record behind the last; record->index is log_last_index + 1, term at most
 * TERM_MAX, kind not 0, payload at most RECORD_PAYLOAD_SIZE_BYTES_MAX (CHECK). ERR_FULL changes
 * nothing: no room, or the next segment is not ready yet. */
MUST_USE enum error log_append(struct log *log, const struct log_record *record);

/* Forgets the records from `index` on (first .. last + 1). Written by the next append. */
void log_truncate(struct log *log, uint64_t index);

/*
 * The records up to `index` (at most the last) are in a durable snapshot, and the one before that
 * is not needed either: segments that hold nothing later are dropped, and log_first_index rises. A
 * log that is suspect stays so.
 */
void log_drop(struct log *log, uint64_t index);

/* Forgets all records; the next one is index + 1, behind a durable snapshot at `index`.
 * ERR_NOT_YET: no segment is ready; log_recycle will help. */
MUST_USE enum error log_reset(struct log *log, uint64_t index);
bool log_can_reset(const struct log *log);

/* One step of wiping what was dropped, at most `step_bytes` (a multiple of RECORD_ALIGN_BYTES), and
 * of making the segments behind the current one ready: in every turn, until log_is_recycled.
 * ERR_SYNC for ever after a failed sync. */
MUST_USE enum error log_recycle(struct log *log, size_t step_bytes);
bool log_is_recycled(const struct log *log);

/* Reads a record in place; the payload lives in the mapping until its segment is dropped, or
 * log_close. first .. last (CHECK). */
void log_read(const struct log *log, uint64_t index, struct log_record *ret_record);
/* Whether the record is on the medium as it was written; false: it has rotted, or cannot be read.
 * first .. last (CHECK). For whoever acts on a record that may have lain there for long. */
bool log_is_whole(const struct log *log, uint64_t index);
/*
 * For whoever looks for rot in what nobody reads (server/replica_scrub.c).
 *
 * log_is_intact compares a record with its checksum, however long it has lain there: first .. last
 * (CHECK). *ret_size_bytes: what it takes in the file; of one that is not intact as far as it is
 * known. The records up to log_durable_index have come to the medium.
 */
bool log_is_intact(const struct log *log, uint64_t index, size_t *ret_size_bytes);
uint64_t log_durable_index(const struct log *log);
/* The part of the file that record `index` lies in, and what follows it in its segment up to
 * `size_bytes_max`: whole pages. */
struct log_piece {
    size_t offset;
    size_t size_bytes;
};
/* Where a record ends, as far as the records beside it tell: without reading it. */
size_t log_extent_end(const struct log *log, uint64_t index);
struct log_piece log_piece_at(const struct log *log, uint64_t index, size_t size_bytes_max);
/* Bytes before the records. */
size_t log_head_bytes(const struct log *log);
/* Whether they are what was written; *ret_offset: the first that is not. */
bool log_head_is_whole(const struct log *log, size_t *ret_offset);
/* Writes the page with this offset again, as it should be; durable with the next persist. */
void log_head_mend(struct log *log, size_t offset);

/* Place of a record in the file: for messages. first .. last (CHECK). */
size_t log_offset_of(const struct log *log, uint64_t index);
uint32_t log_payload_size_bytes(const struct log *log, uint64_t index);

/* Stores one word of the file again as it is, and waits until that is durable: for whoever times
 * it. At the start only. ERR_SYNC as log_persisted. */
MUST_USE enum error log_probe(struct log *log);

/* Stores term, at most TERM_MAX, and vote; durable with the next persist. */
void log_write_hard_state(struct log *log, uint64_t term, uint64_t vote);

/* Notes a commit index for the next start: a hint, never needed for safety, durable whenever. An
 * index above the last record counts as the last. */
void log_write_commit_hint(struct log *log, uint64_t commit_index);

/*
 * A quorum has settled what this log may have lost (raft no longer calls its tail suspect). It
 * rests on what was written before, the hard state above all, so it counts once that is durable:
 * this asks for a persist, and when log_persisted reports it, records from then on say that they
 * are of a settled log, and a mark in the file says it of those before. Without this call a log
 * that was suspect is so again at the next start until it has as many records as it may have lost,
 * and one that was created for ever.
 */
void log_settle(struct log *log);

/* Nothing is on its way to the medium, as far as log_persisted was asked. */
bool log_is_quiet(const struct log *log);

/*
 * Wiping: a log that is needed no more becomes empty again, step by step, each at most `step_bytes`
 * (a multiple of RECORD_ALIGN_BYTES). First the word that begins the first record goes, durably:
 * from then on no start finds any record. The rest of the first line goes last, once everything
 * behind it is durably gone, so a start that finds it knows that a wipe was under way, and that the
 * next one must not stop where it sees zeros (a killed process may have left them in a cache).
 * When *ret_is_done, the log is as freshly created but for its hard state. Nothing else may be
 * called on the log before. ERR_SYNC for ever after a failed sync. Only for a log of one segment.
 */
MUST_USE enum error log_wipe(struct log *log, size_t step_bytes, bool *ret_is_done);
/* Nothing lies in the record area. */
bool log_is_blank(const struct log *log);
/* A wipe was begun, and not finished. */
bool log_is_wiping(const struct log *log);

/* One persist for everything since the last; returns its ticket (see medium_persist). */
uint64_t log_persist(struct log *log);

/*
 * Where durability stands: the highest durable ticket and the last record durable under it, already
 * lowered by truncations made since the persist was asked for. ERR_SYNC for ever after a failed
 * sync.
 */
MUST_USE enum error log_persisted(struct log *log, uint64_t *ret_ticket, uint64_t *ret_index);

#endif
