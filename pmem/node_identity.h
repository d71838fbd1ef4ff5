/*
 * The identity of a node: whose a data directory is. It is made once, with the directory, and says
 * which node of which cluster the files beside it belong to, and on which kind of medium they lie.
 * pmem/identity.h has the identity of each shard's storage.
 *
 * The file `identity` (little endian) is one page, with two copies of this, at 0 and at 2048:
 *    0  u64  magic "PLLUXDIR"
 *    8  u32  version, 1
 *   12  u32  crc32c of the 320 bytes with this field zero
 *   16  u64  cluster
 *   24  u16  node
 *   26  u16  shards
 *   28  u8   kind of medium (enum medium_kind)
 *   29       zero
 *   64       name of the cluster, 255 bytes at most, zeros behind it
 *
 * The file is written under another name, made durable and renamed. So it is whole from the moment
 * when it has its name, and one copy may rot.
 *
 * Pure.
 */
#ifndef POLLUX_PMEM_NODE_IDENTITY_H
#define POLLUX_PMEM_NODE_IDENTITY_H

#include "base/limits.h"
#include "pmem/medium.h"

struct node_identity {
    uint64_t cluster_id;
    uint16_t node;
    uint16_t shard_count;
    enum medium_kind medium;
    char cluster[NODE_IDENTITY_NAME_BYTES];
};

/* The contents of the file. */
void node_identity_encode(const struct node_identity *identity,
                          uint8_t ret_file[NODE_IDENTITY_FILE_BYTES]);

/* Reads a file of these bytes. ERR_SHORT, ERR_MAGIC (neither copy is one), ERR_VERSION,
 * ERR_CHECKSUM (both copies are damaged), ERR_RANGE. */
MUST_USE enum error node_identity_decode(const uint8_t *file, size_t size_bytes,
                                         struct node_identity *ret_identity);

/* Of copy 0 or 1 of these bytes: OK or what is wrong with it, as node_identity_decode. *ret_version
 * is what it says, whatever the error but ERR_SHORT. */
MUST_USE enum error node_identity_check(const uint8_t *file, size_t size_bytes, uint32_t number,
                                        uint32_t *ret_version);

#define NODE_IDENTITY_COPIES  2u
#define NODE_IDENTITY_VERSION 1u
/* Where copy 0 or 1 begins. */
uint32_t node_identity_copy_offset(uint32_t copy);

#endif
