/*
 * The identity of a replica's storage: which births it has had. The birth of a storage is in the
 * header of its log, and goes with the log when that is lost. The identity lies in a file of its
 * own. When the log is gone and the identity is there, the node makes a new storage with a new
 * birth, and can say which births it takes the place of.
 *
 * The file (little endian) is one page, with two copies of this, at 0 and at 2048:
 *    0  u64  magic "PLLUXWHO"
 *    8  u32  version, 2
 *   12  u32  crc32c of the 1960 bytes with this field zero
 *   16  u64  cluster
 *   24  u16  node
 *   26  u16  shard
 *   28  u32  number of births that were ever noted; 0: the storage has not been made yet
 *   32  u64  each: the last IDENTITY_BIRTHS_MAX births, the newest first; 0: none
 * 1952  u64  the cluster that its storages have belonged to, as drawn when it formed; 0: none yet
 *
 * The older copy is written first, and is durable before the newer one is written. So one of them
 * is always whole.
 *
 * Owner: the thread that opens the replica, at the start; then the main thread.
 */
#ifndef POLLUX_PMEM_IDENTITY_H
#define POLLUX_PMEM_IDENTITY_H

#include "pmem/log.h"

#define IDENTITY_COPIES  2u
#define IDENTITY_VERSION 2u

struct identity_births {
    uint64_t births[IDENTITY_BIRTHS_MAX]; /* the newest first; 0: none, the storage is to be made */
    uint64_t formed; /* the cluster that they have belonged to; 0: none, as far as was noted */
};

/*
 * Makes the file, of a storage that is to be made; durable on return. Again where a power loss came
 * between. ERR_EXISTS: a storage was made. Others as identity_read.
 */
MUST_USE enum error identity_make(const char *path, const struct log_identity *owner,
                                  char *ret_note, size_t note_size);

/*
 * Reads the file. ERR_NOT_FOUND; ERR_CLUSTER, ERR_NODE, ERR_SHARD: of somebody else; ERR_VERSION;
 * ERR_CHECKSUM: both copies are damaged; and medium_open's. `ret_note` then explains.
 */
MUST_USE enum error identity_read(const char *path, const struct log_identity *owner,
                                  struct identity_births *ret_births, char *ret_note,
                                  size_t note_size);

/*
 * Writes a copy that is not whole again, from the other one; durable on return. A power loss while
 * the file was written may have left it, or rot. Errors as identity_read, and ERR_SYNC.
 */
MUST_USE enum error identity_mend(const char *path, const struct log_identity *owner,
                                  bool *ret_is_mended, char *ret_note, size_t note_size);

/* What the bytes of such a file say, whosever it is. */
struct identity_contents {
    uint32_t version;
    struct log_identity owner;
    uint32_t count; /* of births that were ever noted */
    struct identity_births births;
    /* Of each copy: OK; ERR_NOT_FOUND: zero; ERR_MAGIC, ERR_VERSION, ERR_CHECKSUM, ERR_SHORT. */
    enum error copies[IDENTITY_COPIES];
};

/*
 * Reads the bytes of a file, or as many as there are. OK: one copy is whole, or (count 0) none was
 * ever made. ERR_VERSION: it is of the version in `ret_contents`; ERR_MAGIC, ERR_CHECKSUM,
 * ERR_SHORT. `copies` is filled in any case. Pure.
 */
MUST_USE enum error identity_decode(const uint8_t *file, size_t size_bytes,
                                    struct identity_contents *ret_contents);

/* Where copy 0 or 1 begins. */
uint32_t identity_copy_offset(uint32_t copy);

/* Notes the birth as the newest one; durable on return. Errors as identity_read, and ERR_SYNC. */
MUST_USE enum error identity_note(const char *path, const struct log_identity *owner,
                                  uint64_t birth, char *ret_note, size_t note_size);

/* Notes the cluster that the storage belongs to; durable on return. Errors as identity_note. */
MUST_USE enum error identity_note_formed(const char *path, const struct log_identity *owner,
                                         uint64_t formed, char *ret_note, size_t note_size);

#endif
