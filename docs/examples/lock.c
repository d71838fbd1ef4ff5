/*
 * Takes a lock, and knows in every case whether it has the lock. usage: lock ENDPOINTS CLUSTER NAME
 *
 * The lock is a key that must be absent to be taken. The value says who has it.
 */
#include "client/include/pollux.h"

#include <stdio.h>

/* Asks for the outcome of an operation until it is known. */
static enum plx_outcome outcome_of(struct plx_client *client, const struct plx_response *response)
{
    const struct plx_call patient = {.is_blocking = true};
    char text[PLX_TOKEN_TEXT_SIZE];
    if (response->outcome != PLX_UNKNOWN)
        return response->outcome;
    /* The text could be kept: any process can resolve it as long as the session lives. */
    plx_token_format(&response->token, text);
    fprintf(stderr, "lock: unknown, resolving %s\n", text);
    return plx_resolve(client, &response->token, &patient).outcome;
}

int main(int argc, char **argv)
{
    struct plx_options options;
    struct plx_client *client;
    char reason[256];
    if (argc != 4)
        return 2;
    plx_options_init(&options);
    options.endpoints = argv[1];
    options.cluster = argv[2];
    if (plx_open(&options, &client, reason, sizeof(reason)) != PLX_OK) {
        fprintf(stderr, "lock: %s\n", reason);
        return 1;
    }

    const struct plx_call call = {.timeout_ns = UINT64_C(2000000000)};
    struct plx_bytes key = plx_text("example/lock");
    struct plx_bytes owner = plx_text(argv[3]);
    struct plx_response response = plx_swap(client, key, owner, PLX_ABSENT, &call);
    switch (outcome_of(client, &response)) {
    case PLX_OK:
        printf("%s has the lock\n", argv[3]);
        /* ... the work ... */
        response = plx_swap(client, key, PLX_ABSENT, owner, &call);
        printf("given back: %s\n", plx_outcome_name(outcome_of(client, &response)));
        break;
    case PLX_MISMATCH:
        printf("%.*s has the lock\n", (int)response.value.size_bytes,
               (const char *)response.value.data);
        break;
    case PLX_TIMEOUT: /* a statement: this swap did not take the lock and never will */
        printf("nobody was given the lock by this call\n");
        break;
    default:
        printf("refused: %s\n", plx_outcome_text(response.outcome));
        break;
    }
    plx_close(client);
    return response.outcome == PLX_OK ? 0 : 1;
}
