/* Reading many keys into one number. The answers come in any order, so the hashes are added. */
#include "tools/drill/digest.h"

#include "tools/drill/batch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define RELAXED_TIMEOUT_NS UINT64_C(5000000000)
#define NUMBER_BYTES       20u /* of the widest 64-bit number */
#define FNV_OFFSET         UINT64_C(14695981039346656037)
#define FNV_PRIME          UINT64_C(1099511628211)

static_assert(DIGEST_PREFIX_BYTES_MAX + NUMBER_BYTES < PLX_KEY_SIZE_BYTES_MAX, "a key has room");

static uint64_t fnv_add(uint64_t hash, const void *data, size_t size_bytes)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size_bytes; i++)
        hash = (hash ^ bytes[i]) * FNV_PRIME;
    return hash;
}

static void prepare_digest(void *context, struct batch_slot *slot, struct plx_op *op)
{
    const struct digest *digest = context;
    op->type = PLX_OP_GET;
    op->key.size_bytes = (size_t)snprintf(slot->key, sizeof(slot->key), "%s%08" PRIu64,
                                          digest->prefix, slot->number);
    op->key.data = slot->key;
    op->call.is_relaxed = digest->is_relaxed;
    op->call.is_blocking = !digest->is_relaxed;
    op->call.timeout_ns = RELAXED_TIMEOUT_NS;
}

static void judge_digest(void *context, uint64_t number, const struct plx_response *response)
{
    struct digest *digest = context;
    if (response->outcome == PLX_NOT_FOUND)
        return;
    if (response->outcome != PLX_OK) {
        digest->failed_count++;
        return;
    }
    digest->node = digest->stored_count == 0 || digest->node == response->node ? response->node : 0;
    uint64_t hash = fnv_add(FNV_OFFSET, &number, sizeof(number));
    hash = fnv_add(hash, &response->version, sizeof(response->version));
    digest->sum += fnv_add(hash, response->value.data, response->value.size_bytes);
    digest->stored_count++;
}

bool digest_read(struct digest *digest, struct plx_client *client)
{
    static struct batch batch;
    batch = (struct batch){.client = client,
                           .count = digest->count,
                           .prepare = prepare_digest,
                           .judge = judge_digest,
                           .context = digest};
    digest->stored_count = 0;
    digest->failed_count = 0;
    digest->sum = 0;
    return batch_run(&batch);
}
