/* See keeper.h. */
#include "tests/sim/keeper.h"

#define MS          UINT64_C(1000000)
#define CALL_NS     (300 * MS)
#define POLL_NS     (50 * MS)
#define ROUNDS_MAX  60
#define ROUNDS_TOLD 3 /* after it was told */

static struct plx_bytes key_of(const struct client *client)
{
    return (struct plx_bytes){client->world->keys[0], client->world->key_sizes_bytes[0]};
}

static void attach(struct keeper *keeper, struct client *client)
{
    const struct plx_call call = {.timeout_ns = CALL_NS};
    for (uint32_t round = 0; round < ROUNDS_MAX && keeper->kept.number == 0; round++) {
        struct plx_response response = plx_get(client->handle, key_of(client), &call);
        if (response.outcome == PLX_OK || response.outcome == PLX_NOT_FOUND)
            plx_cluster(client->handle, &keeper->kept);
    }
}

static void judge(const struct client *client, const char *what, enum plx_outcome outcome)
{
    verdict_say(client->world->verdict, "c%u, of the cluster before: %s: %s", client->number, what,
                plx_outcome_name(outcome));
    client->world->tally->calls_of_the_cluster_before++;
    if (outcome == PLX_OK || outcome == PLX_NOT_FOUND || outcome == PLX_MISMATCH)
        verdict_break(client->world->verdict, RULE_RESTORE,
                      "a handle of the cluster before is answered by the restored one: %s: %s",
                      what, plx_outcome_name(outcome));
}

static void try_all(struct client *client)
{
    struct plx_bytes key = key_of(client);
    struct plx_bytes value = plx_text("of the cluster before");
    const struct plx_call consistent = {.timeout_ns = CALL_NS};
    const struct plx_call relaxed = {.timeout_ns = CALL_NS, .is_relaxed = true};
    judge(client, "get", plx_get(client->handle, key, &consistent).outcome);
    judge(client, "set", plx_set(client->handle, key, value, &consistent).outcome);
    judge(client, "relaxed get", plx_get(client->handle, key, &relaxed).outcome);
    judge(client, "relaxed set", plx_set(client->handle, key, value, &relaxed).outcome);
}

static bool is_told(const struct keeper *keeper, struct client *client)
{
    struct plx_cluster theirs;
    for (size_t i = 0; i < plx_endpoint_count(client->handle); i++) {
        if (plx_endpoint_is_stranger(client->handle, i, &theirs) &&
            theirs.number != keeper->kept.number)
            return true;
    }
    return false;
}

static void program(void *argument)
{
    struct client *client = argument;
    struct keeper *keeper = client->keeper;
    uint32_t rounds_told = 0;
    client_open(client);
    attach(keeper, client);
    while (!keeper->is_given_up)
        (void)plx_poll(client->handle, POLL_NS);
    for (uint32_t round = 0; round < ROUNDS_MAX && rounds_told < ROUNDS_TOLD; round++) {
        try_all(client);
        keeper->is_told = keeper->is_told || is_told(keeper, client);
        rounds_told += keeper->is_told;
    }
    keeper->is_over = true;
    client_close(client);
}

void keeper_begin(struct keeper *keeper, struct client *client)
{
    client->keeper = keeper;
    client->hurt_at_ns = UINT64_MAX; /* its process is not begun anew */
    client_start(client, program);
}
