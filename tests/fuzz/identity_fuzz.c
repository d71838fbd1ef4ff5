/*
 * The identities of a node and of a storage, from defaced files. The first byte chooses which of
 * the two, and whether the checksums of its copies are made right again; the other bytes deface a
 * file that the real code has written. Whatever is there is refused with a reason, or it is read,
 * and what is written over it is found again.
 */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/le.h"
#include "pmem/identity.h"
#include "pmem/node_identity.h"
#include "tests/fuzz/canary.h"
#include "tests/sim/medium_sim.h"

#include <string.h>

#define PATH               "/media/shard-1.identity"
#define FILE_BYTES         NODE_IDENTITY_FILE_BYTES
#define COPY_STEP          2048u
#define NODE_COPY_BYTES    320u
#define STORAGE_COPY_BYTES 1952u
#define CRC_OFFSET         12u
#define PATCH_HEADER_BYTES 3u

enum choice { CHOICE_STORAGE = 1, CHOICE_CHECKSUMS = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static const struct log_identity owner = {.cluster_id = 7, .node = 2, .shard = 1};
static char note[512];

/* Offset (two bytes), length, then so many bytes. */
static void deface(uint8_t *file, const uint8_t *data, size_t size_bytes)
{
    for (size_t at = 0; at + PATCH_HEADER_BYTES <= size_bytes;) {
        size_t offset = (data[at] | (size_t)data[at + 1] << 8) % FILE_BYTES;
        size_t length = data[at + 2];
        at += PATCH_HEADER_BYTES;
        length = length > size_bytes - at ? size_bytes - at : length;
        length = length > FILE_BYTES - offset ? FILE_BYTES - offset : length;
        memcpy(file + offset, data + at, length);
        at += length > 0 ? length : 1;
    }
}

static void mend_checksums(uint8_t *file, size_t copy_bytes)
{
    for (size_t at = 0; at < FILE_BYTES; at += COPY_STEP) {
        le32_store(file + at + CRC_OFFSET, 0);
        le32_store(file + at + CRC_OFFSET, crc32c(0, file + at, copy_bytes));
    }
}

static void try_node(const uint8_t *file)
{
    struct node_identity found = {.node = 999};
    struct node_identity again;
    uint8_t written[NODE_IDENTITY_FILE_BYTES];
    enum error error = node_identity_decode(file, FILE_BYTES, &found);
    CHECK(node_identity_decode(file, FILE_BYTES - 1, &again) == ERR_SHORT);
    if (error != OK) {
        CHECK(found.node == 999);
        return;
    }
    /* A number that no node has is accepted. */
    CANARY(found.shard_count = 0);
    node_identity_encode(&found, written);
    CHECK(node_identity_decode(written, FILE_BYTES, &again) == OK);
    CHECK(again.node == found.node && again.shard_count == found.shard_count);
    CHECK(again.cluster_id == found.cluster_id && again.medium == found.medium);
    CHECK(strcmp(again.cluster, found.cluster) == 0);
}

static void try_storage(void)
{
    struct identity_births found = {.births = {999}};
    struct identity_births again;
    note[0] = '\0';
    enum error error = identity_read(PATH, &owner, &found, note, sizeof(note));
    if (error != OK) {
        CHECK(found.births[0] == 999 && note[0] != '\0');
        CHECK(identity_note(PATH, &owner, 77, note, sizeof(note)) == error);
        return;
    }
    CHECK(identity_note(PATH, &owner, 77, note, sizeof(note)) == OK);
    CHECK(identity_read(PATH, &owner, &again, note, sizeof(note)) == OK);
    /* The predecessor is forgotten. */
    CANARY(again.births[1] = 0);
    CHECK(again.births[0] == 77);
    for (uint32_t i = 1; i < IDENTITY_BIRTHS_MAX; i++)
        CHECK(again.births[i] == found.births[i - 1]);
}

static void write_whole(struct medium *medium, const uint8_t *file)
{
    medium_write(medium, 0, file, FILE_BYTES);
    CHECK(medium_persist_wait(medium) == OK);
    medium_close(medium);
}

static void storage_fill(uint8_t choice, const uint8_t *data, size_t size_bytes)
{
    static const struct medium_options options = {.path = PATH, .size_bytes = FILE_BYTES};
    uint8_t file[FILE_BYTES];
    struct medium *medium;
    CHECK(identity_make(PATH, &owner, note, sizeof(note)) == OK);
    CHECK(identity_note(PATH, &owner, 11, note, sizeof(note)) == OK);
    CHECK(identity_note(PATH, &owner, 12, note, sizeof(note)) == OK);
    CHECK(medium_open(&options, &medium, note, sizeof(note)) == OK);
    memcpy(file, medium_data(medium), sizeof(file));
    deface(file, data, size_bytes);
    if ((choice & CHOICE_CHECKSUMS) != 0)
        mend_checksums(file, STORAGE_COPY_BYTES);
    write_whole(medium, file);
}

static void fuzz_storage(uint8_t choice, const uint8_t *data, size_t size_bytes)
{
    const struct medium_sim_options options = {.seed = 1, .granularity = MEDIUM_CACHE_LINE};
    struct medium_sim *sim = medium_sim_create(&options);
    medium_sim_use(sim);
    storage_fill(choice, data, size_bytes);
    try_storage();
    medium_sim_destroy(sim);
}

static void fuzz_node(uint8_t choice, const uint8_t *data, size_t size_bytes)
{
    static const struct node_identity good = {
        .cluster_id = 7, .node = 2, .shard_count = 3, .medium = MEDIUM_FILE, .cluster = "fuzz"};
    uint8_t file[FILE_BYTES];
    node_identity_encode(&good, file);
    deface(file, data, size_bytes);
    if ((choice & CHOICE_CHECKSUMS) != 0)
        mend_checksums(file, NODE_COPY_BYTES);
    try_node(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes == 0)
        return 0;
    if ((data[0] & CHOICE_STORAGE) != 0)
        fuzz_storage(data[0], data + 1, size_bytes - 1);
    else
        fuzz_node(data[0], data + 1, size_bytes - 1);
    return 0;
}
