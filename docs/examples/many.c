/*
 * Keeps many operations in flight on one handle. usage: many ENDPOINTS CLUSTER
 *
 * plx_submit accepts, plx_poll sends, receives and calls back. Operations in flight have no order.
 */
#include "client/include/pollux.h"

#include <stdio.h>

#define KEYS 1000

struct counts {
    size_t ended;
    size_t stored;
};

static void on_stored(void *context, const struct plx_response *response)
{
    struct counts *counts = context;
    counts->ended++;
    counts->stored += response->valid;
}

/* Submits one set; polls while the window is full. */
static enum plx_outcome submit(struct plx_client *client, const struct plx_op *op)
{
    enum plx_outcome outcome = plx_submit(client, op);
    while (outcome == PLX_E_FULL) {
        plx_poll(client, UINT64_C(1000000));
        outcome = plx_submit(client, op);
    }
    return outcome;
}

int main(int argc, char **argv)
{
    static char keys[KEYS][32]; /* keys and values stay valid until the callback */
    struct counts counts = {0};
    struct plx_options options;
    struct plx_client *client;
    char reason[256];
    if (argc != 3)
        return 2;
    plx_options_init(&options);
    options.endpoints = argv[1];
    options.cluster = argv[2];
    if (plx_open(&options, &client, reason, sizeof(reason)) != PLX_OK) {
        fprintf(stderr, "many: %s\n", reason);
        return 1;
    }
    for (int i = 0; i < KEYS; i++) {
        snprintf(keys[i], sizeof(keys[i]), "example/many/%d", i);
        struct plx_op op = {
            .type = PLX_OP_SET,
            .key = plx_text(keys[i]),
            .value = plx_text("1"),
            .call = {.timeout_ns = UINT64_C(5000000000)},
            .done = on_stored,
            .context = &counts,
        };
        if (submit(client, &op) != PLX_OK)
            break;
    }
    while (plx_in_flight(client) > 0)
        plx_poll(client, UINT64_C(10000000));
    printf("%zu of %d ended, %zu stored\n", counts.ended, KEYS, counts.stored);
    plx_close(client);
    return counts.stored == KEYS ? 0 : 1;
}
