/* Slots in flight, refilled as answers come. */
#include "tools/drill/batch.h"

#define POLL_WAIT_NS 10000000

static void on_batch_done(void *context, const struct plx_response *response)
{
    struct batch_slot *slot = context;
    struct batch *batch = slot->batch;
    batch->judge(batch->context, slot->number, response);
    batch->free[batch->free_count++] = slot;
}

/* Submits while slots and operations are left. */
static bool fill(struct batch *batch)
{
    while (batch->free_count > 0 && batch->next < batch->count) {
        struct batch_slot *slot = batch->free[batch->free_count - 1];
        struct plx_op op = {.done = on_batch_done, .context = slot};
        slot->number = batch->next;
        batch->prepare(batch->context, slot, &op);
        enum plx_outcome outcome = plx_submit(batch->client, &op);
        if (outcome == PLX_E_FULL)
            return true;
        if (outcome != PLX_OK)
            return false;
        batch->free_count--;
        batch->next++;
    }
    return true;
}

bool batch_run(struct batch *batch)
{
    batch->next = 0;
    batch->free_count = 0;
    for (uint32_t i = 0; i < BATCH_SLOTS; i++) {
        batch->slots[i].batch = batch;
        batch->free[batch->free_count++] = &batch->slots[i];
    }
    bool is_good = fill(batch);
    while (batch->free_count < BATCH_SLOTS) {
        plx_poll(batch->client, POLL_WAIT_NS);
        is_good = is_good && fill(batch);
    }
    return is_good;
}
