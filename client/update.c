/*
 * "Change this value by a function": read, swap, and again after a lost race.
 *
 * Of many who change one key, one wins each round trip. If all tried again at once, whoever lost
 * would lose for ever to those who happen to be nearer. So a loser waits, a random share of a
 * window. The window first grows, so that few try at a time; then it shrinks, so that those who
 * have waited for long go first.
 */
#include "client/client_internal.h"

/* Windows in round trips, by the number of lost races, from 1; behind the last one: 1. */
static const uint8_t windows[] = {2, 8, 32, 64, 32, 16, 8, 4, 2};
#define WINDOWS_MAX      (sizeof(windows) / sizeof(windows[0]))
#define ROUND_TRIP_LEAST 10000 /* ns */

struct update {
    struct plx_client *client;
    struct plx_bytes key;
    plx_modify *modify;
    void *context;
    struct plx_call call;
    uint64_t until_ns;
    uint32_t epoch;
    uint32_t losses;
};

/* What is left of the call's time for its next step; false: nothing, or plx_cancel came. */
static bool update_has_time(struct update *update)
{
    uint64_t now_ns = clock_monotonic_ns();
    if (is_cancelled_since(update->client, update->epoch) || now_ns >= update->until_ns)
        return false;
    if (!update->call.is_blocking)
        update->call.timeout_ns = update->until_ns - now_ns;
    return true;
}

static struct plx_response update_get(struct update *update)
{
    const struct plx_op op = {.type = PLX_OP_GET, .key = update->key, .call = update->call};
    return call_run(update->client, &op, update->epoch);
}

/* A random share of the window, turning meanwhile. */
static void update_step_back(struct update *update, uint64_t round_trip_ns)
{
    struct plx_client *client = update->client;
    uint64_t window = update->losses <= WINDOWS_MAX ? windows[update->losses - 1] : 1;
    if (round_trip_ns < ROUND_TRIP_LEAST)
        round_trip_ns = ROUND_TRIP_LEAST;
    if (round_trip_ns > ROUND_TRIP_MAX_NS / 8)
        round_trip_ns = ROUND_TRIP_MAX_NS / 8;
    client->now_ns = clock_monotonic_ns();
    uint64_t wait_ns = prng_range(&client->prng, 0, window * round_trip_ns);
    uint64_t end_ns = earlier_ns(client->now_ns + wait_ns, update->until_ns);
    while (client->now_ns < end_ns && !is_cancelled_since(client, update->epoch)) {
        client_turn(client);
        client_wait(client, end_ns);
        client->now_ns = clock_monotonic_ns();
    }
}

/* What the value is to be; the caller's function must not call the handle. */
static struct plx_bytes update_modify(struct update *update, const struct plx_response *stored)
{
    update->client->is_in_callback = true;
    struct plx_bytes value = {NULL, 0};
    update->modify(update->context, stored->value, &value);
    update->client->is_in_callback = false;
    return value;
}

/* Tries once, from what is stored; PLX_MISMATCH: somebody else was first. */
static struct plx_response update_swap(struct update *update, const struct plx_response *stored,
                                       bool *ret_is_wanted)
{
    struct plx_bytes value = update_modify(update, stored);
    *ret_is_wanted = value.data != NULL;
    if (!*ret_is_wanted) {
        struct plx_response response = *stored;
        response.outcome = PLX_MISMATCH;
        response.valid = false;
        return response;
    }
    const struct plx_op op = {.type = PLX_OP_SWAP,
                              .key = update->key,
                              .value = value,
                              .old_value = stored->value,
                              .call = update->call};
    return call_run(update->client, &op, update->epoch);
}

static bool is_known(const struct plx_response *stored)
{
    return stored->value.data != NULL;
}

static struct plx_response update_run(struct update *update)
{
    const struct plx_response late = {.outcome = PLX_TIMEOUT, .timeout = true};
    struct plx_response stored = {.outcome = PLX_TIMEOUT};
    while (update_has_time(update)) {
        if (!is_known(&stored)) {
            stored = update_get(update);
            if (!is_known(&stored))
                return stored; /* neither a value nor known to be absent: that is how it ended */
            if (!update_has_time(update))
                break;
        }
        bool is_wanted;
        uint64_t begin_ns = clock_monotonic_ns();
        stored = update_swap(update, &stored, &is_wanted);
        if (stored.outcome != PLX_MISMATCH || !is_wanted)
            return stored;
        update->losses++;
        update_step_back(update, clock_monotonic_ns() - begin_ns);
        stored = (struct plx_response){.outcome = PLX_TIMEOUT}; /* it is old after that */
    }
    return late;
}

struct plx_response plx_update(struct plx_client *client, struct plx_bytes key, plx_modify *modify,
                               void *context, const struct plx_call *call)
{
    struct update update = {.client = client,
                            .key = key,
                            .modify = modify,
                            .context = context,
                            .epoch = cancel_epoch_of(client)};
    if (call != NULL)
        update.call = *call;
    update.call.buffer = NULL; /* a value that is cut short would be lost */
    enum plx_outcome outcome = client_enter(client);
    if (outcome != PLX_OK)
        return (struct plx_response){.outcome = outcome};
    struct plx_response response = {.outcome = PLX_E_ARGUMENT};
    if (!client->is_in_callback && modify != NULL && !update.call.is_relaxed) {
        update.until_ns = call_until(client, &update.call);
        response = update_run(&update);
    }
    client_unlock(client);
    return response;
}
