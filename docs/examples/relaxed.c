/*
 * Writes and reads at one node, with or without a quorum. usage: relaxed ENDPOINTS CLUSTER
 *
 * The answer says how old it may be. The program decides whether that is good enough.
 */
#include "client/include/pollux.h"

#include <inttypes.h>
#include <stdio.h>

static void tell_staleness(const struct plx_response *response)
{
    printf("node %u: %.*s%s, applied up to %" PRIu64 ", ", response->node,
           (int)response->value.size_bytes, (const char *)response->value.data,
           response->is_pending ? " (not in the log yet)" : "", response->applied_index);
    if (response->contact_age_ns == UINT64_MAX)
        printf("never had contact with a quorum\n");
    else
        printf("contact with a quorum %" PRIu64 " us ago\n", response->contact_age_ns / 1000);
}

int main(int argc, char **argv)
{
    struct plx_options options;
    struct plx_client *client;
    char reason[256];
    if (argc != 3)
        return 2;
    plx_options_init(&options);
    options.endpoints = argv[1];
    options.cluster = argv[2];
    options.read_your_writes = true; /* never less than this handle has seen */
    if (plx_open(&options, &client, reason, sizeof(reason)) != PLX_OK) {
        fprintf(stderr, "relaxed: %s\n", reason);
        return 1;
    }

    struct plx_call call = {.is_relaxed = true, .timeout_ns = UINT64_C(1000000000)};
    struct plx_bytes key = plx_text("example/heartbeat");
    struct plx_response response = plx_set(client, key, plx_text("alive"), &call);
    printf("set: %s\n", plx_outcome_text(response.outcome)); /* durable on that node */
    response = plx_get(client, key, &call);
    if (response.outcome == PLX_OK)
        tell_staleness(&response);

    /* Only an answer of a node that had contact with a quorum in the last second. */
    call.max_age_ns = UINT64_C(1000000000);
    response = plx_get(client, key, &call);
    if (response.outcome == PLX_E_TOO_STALE)
        printf("this node cannot promise that\n");
    else
        printf("fresh enough: %s\n", plx_outcome_name(response.outcome));
    plx_close(client);
    return response.outcome == PLX_OK ? 0 : 1;
}
