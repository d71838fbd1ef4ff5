/* See node_identity.h. */
#include "pmem/node_identity.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/le.h"

#include <string.h>

#define DIRECTORY_MAGIC   UINT64_C(0x52494458554c4c50) /* "PLLUXDIR" */
#define DIRECTORY_VERSION NODE_IDENTITY_VERSION
#define DIRECTORY_BYTES   320u
#define DIRECTORY_STEP    2048u
#define DIRECTORY_COPIES  NODE_IDENTITY_COPIES
#define DIRECTORY_CRC     12
#define DIRECTORY_CLUSTER 16
#define DIRECTORY_NODE    24
#define DIRECTORY_SHARDS  26
#define DIRECTORY_MEDIUM  28
#define DIRECTORY_ZERO    29
#define DIRECTORY_NAME    64

static_assert(DIRECTORY_NAME + NODE_IDENTITY_NAME_BYTES == DIRECTORY_BYTES &&
                  DIRECTORY_STEP * DIRECTORY_COPIES == NODE_IDENTITY_FILE_BYTES,
              "the name fits a copy, and the copies fit the file");

void node_identity_encode(const struct node_identity *identity,
                          uint8_t ret_file[NODE_IDENTITY_FILE_BYTES])
{
    size_t length = strlen(identity->cluster);
    CHECK(length < NODE_IDENTITY_NAME_BYTES);
    memset(ret_file, 0, NODE_IDENTITY_FILE_BYTES);
    le64_store(ret_file, DIRECTORY_MAGIC);
    le32_store(ret_file + 8, DIRECTORY_VERSION);
    le64_store(ret_file + DIRECTORY_CLUSTER, identity->cluster_id);
    le16_store(ret_file + DIRECTORY_NODE, identity->node);
    le16_store(ret_file + DIRECTORY_SHARDS, identity->shard_count);
    ret_file[DIRECTORY_MEDIUM] = (uint8_t)identity->medium;
    memcpy(ret_file + DIRECTORY_NAME, identity->cluster, length);
    le32_store(ret_file + DIRECTORY_CRC, crc32c_around(ret_file, DIRECTORY_BYTES, DIRECTORY_CRC));
    memcpy(ret_file + DIRECTORY_STEP, ret_file, DIRECTORY_BYTES);
}

static bool has_valid_fields(const uint8_t *copy)
{
    uint16_t node = le16_load(copy + DIRECTORY_NODE);
    uint16_t shards = le16_load(copy + DIRECTORY_SHARDS);
    uint8_t medium = copy[DIRECTORY_MEDIUM];
    for (size_t i = DIRECTORY_ZERO; i < DIRECTORY_NAME; i++) {
        if (copy[i] != 0)
            return false;
    }
    return node >= 1 && node <= VOTER_ID_MAX && shards >= 1 && shards <= SHARDS_MAX &&
           medium >= MEDIUM_PMEM && medium <= MEDIUM_EMULATED && copy[DIRECTORY_NAME] != 0 &&
           copy[DIRECTORY_BYTES - 1] == 0;
}

static enum error check_copy(const uint8_t *copy)
{
    if (le64_load(copy) != DIRECTORY_MAGIC)
        return ERR_MAGIC;
    if (le32_load(copy + 8) != DIRECTORY_VERSION)
        return ERR_VERSION;
    if (le32_load(copy + DIRECTORY_CRC) != crc32c_around(copy, DIRECTORY_BYTES, DIRECTORY_CRC))
        return ERR_CHECKSUM;
    return has_valid_fields(copy) ? OK : ERR_RANGE;
}

enum error node_identity_decode(const uint8_t *file, size_t size_bytes,
                                struct node_identity *ret_identity)
{
    if (size_bytes < NODE_IDENTITY_FILE_BYTES)
        return ERR_SHORT;
    const uint8_t *copy = file;
    enum error error = check_copy(copy);
    if (error != OK && check_copy(file + DIRECTORY_STEP) != ERR_MAGIC) {
        copy = file + DIRECTORY_STEP;
        error = check_copy(copy);
    }
    if (error != OK)
        return error;
    *ret_identity = (struct node_identity){
        .cluster_id = le64_load(copy + DIRECTORY_CLUSTER),
        .node = le16_load(copy + DIRECTORY_NODE),
        .shard_count = le16_load(copy + DIRECTORY_SHARDS),
        .medium = (enum medium_kind)copy[DIRECTORY_MEDIUM],
    };
    memcpy(ret_identity->cluster, copy + DIRECTORY_NAME, NODE_IDENTITY_NAME_BYTES);
    return OK;
}

enum error node_identity_check(const uint8_t *file, size_t size_bytes, uint32_t number,
                               uint32_t *ret_version)
{
    CHECK(number < DIRECTORY_COPIES);
    size_t begin = (size_t)number * DIRECTORY_STEP;
    *ret_version = 0;
    if (size_bytes < begin + DIRECTORY_BYTES)
        return ERR_SHORT;
    *ret_version = le32_load(file + begin + 8);
    return check_copy(file + begin);
}

uint32_t node_identity_copy_offset(uint32_t copy)
{
    CHECK(copy < DIRECTORY_COPIES);
    return copy * DIRECTORY_STEP;
}
