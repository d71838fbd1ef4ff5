/* The calls: one operation at a time and waiting for it, or many in flight and polled. */
#include "client/client_internal.h"

#include <errno.h>
#include <string.h>

/* Where the response of a waiting call is left. */
struct sync_call {
    struct plx_client *client;
    bool is_done;
    struct plx_response response;
};

static void sync_done(void *context, const struct plx_response *response)
{
    struct sync_call *call = context;
    call->response = *response;
    call->is_done = true;
    /* What lies in the handle's own memory must outlive the packet that brought it. */
    uint8_t *to = call->client->sync_value;
    const struct plx_bytes *value = &response->value;
    if (response->has_value && value->size_bytes <= VALUE_SIZE_BYTES_MAX) {
        memmove(to, value->data, value->size_bytes);
        call->response.value.data = to;
    }
}

/* The caller's own buffer holds the value already: nothing to copy. */
static void sync_done_in_buffer(void *context, const struct plx_response *response)
{
    struct sync_call *call = context;
    call->response = *response;
    call->is_done = true;
}

/* Absent is by intent alone; from here on it has no data. What the type of the operation does not
 * need is ignored. */
static enum plx_outcome value_take(struct plx_bytes *value, bool is_needed)
{
    if (!is_needed || plx_is_absent(*value)) {
        *value = (struct plx_bytes){NULL, 0};
        return PLX_OK;
    }
    if (value->data == NULL)
        return PLX_E_ARGUMENT;
    return value->size_bytes > PLX_VALUE_SIZE_BYTES_MAX ? PLX_E_TOO_LARGE : PLX_OK;
}

/* The caller's operation, in the form that the handle keeps. */
static enum plx_outcome op_take(struct plx_op *op)
{
    if (op->type < PLX_OP_GET || op->type > PLX_OP_SWAP)
        return PLX_E_ARGUMENT;
    if (op->key.data == NULL || op->key.size_bytes == 0)
        return PLX_E_ARGUMENT;
    if (op->key.size_bytes > PLX_KEY_SIZE_BYTES_MAX)
        return PLX_E_TOO_LARGE;
    enum plx_outcome outcome = value_take(&op->value, op->type != PLX_OP_GET);
    if (outcome == PLX_OK)
        outcome = value_take(&op->old_value, op->type == PLX_OP_SWAP);
    return outcome;
}

uint32_t cancel_epoch_of(const struct plx_client *client)
{
    if (client == NULL)
        return 0;
    /* Pairs with the release in plx_cancel: whoever is woken sees the epoch. */
    return atomic_load_explicit(&client->cancel_epoch, memory_order_acquire);
}

/* A callback that forks ends the calls of the child. */
bool is_cancelled_since(const struct plx_client *client, uint32_t epoch)
{
    return cancel_epoch_of(client) != epoch || socket_is_forked(client);
}

uint64_t call_until(const struct plx_client *client, const struct plx_call *call)
{
    uint64_t timeout_ns = call->timeout_ns != 0 ? call->timeout_ns : client->options.timeout_ns;
    return call->is_blocking ? UINT64_MAX : time_after(clock_monotonic_ns(), timeout_ns);
}

/* Begins the operation; where asynchronous ones fill the window one of them must end first. NULL:
 * none did while there was time. */
static struct op *sync_begin(struct plx_client *client, const struct plx_op *request,
                             const struct plx_token *token, uint64_t until_ns, uint32_t epoch)
{
    struct op *op = op_begin(client, request, token, epoch);
    while (op == NULL && client->now_ns < until_ns && !is_cancelled_since(client, epoch)) {
        client_turn(client);
        op = op_begin(client, request, token, epoch);
        if (op == NULL)
            client_wait(client, until_ns);
    }
    if (op != NULL)
        op->phase_end_ns = earlier_ns(until_ns, op->phase_end_ns);
    return op;
}

/* Turns until the call is done; the mutex is held. */
static void sync_wait(struct plx_client *client, const struct sync_call *call)
{
    client->spin_until_ns = client->now_ns + client->options.spin_ns;
    for (client_turn(client); !call->is_done && !socket_is_forked(client); client_turn(client))
        client_wait(client, UINT64_MAX);
}

/* `token` NULL: the operation itself, which has been checked. */
static struct plx_response sync_run(struct plx_client *client, const struct plx_op *request,
                                    const struct plx_token *token, uint32_t epoch)
{
    struct sync_call call = {.client = client, .response = {.outcome = PLX_E_ARGUMENT}};
    struct plx_op op = *request;
    op.done = op.call.buffer != NULL ? sync_done_in_buffer : sync_done;
    op.context = &call;
    uint64_t until_ns = call_until(client, &op.call);
    enum plx_outcome outcome = client_enter(client);
    if (outcome != PLX_OK)
        return (struct plx_response){.outcome = outcome};
    if (client->is_in_callback) {
        client_unlock(client);
        return call.response;
    }
    struct op *begun = sync_begin(client, &op, token, until_ns, epoch);
    if (begun == NULL) {
        call.response.outcome = token != NULL ? PLX_UNKNOWN : PLX_TIMEOUT;
        call.response.timeout = token == NULL;
        if (token != NULL)
            call.response.token = *token;
    } else {
        sync_wait(client, &call);
    }
    client_unlock(client);
    if (socket_is_forked(client))
        return (struct plx_response){.outcome = PLX_E_FORKED};
    return call.response;
}

struct plx_response call_run(struct plx_client *client, const struct plx_op *op, uint32_t epoch)
{
    struct plx_op taken = *op;
    enum plx_outcome outcome = client_check(client);
    if (outcome == PLX_OK)
        outcome = op_take(&taken);
    if (outcome != PLX_OK)
        return (struct plx_response){.outcome = outcome};
    return sync_run(client, &taken, NULL, epoch);
}

static struct plx_call call_of(const struct plx_call *call)
{
    return call != NULL ? *call : (struct plx_call){.is_blocking = false};
}

struct plx_response plx_get(struct plx_client *client, struct plx_bytes key,
                            const struct plx_call *call)
{
    struct plx_op op = {.type = PLX_OP_GET, .key = key, .call = call_of(call)};
    return call_run(client, &op, cancel_epoch_of(client));
}

struct plx_response plx_set(struct plx_client *client, struct plx_bytes key, struct plx_bytes value,
                            const struct plx_call *call)
{
    struct plx_op op = {.type = PLX_OP_SET, .key = key, .value = value, .call = call_of(call)};
    return call_run(client, &op, cancel_epoch_of(client));
}

struct plx_response plx_del(struct plx_client *client, struct plx_bytes key,
                            const struct plx_call *call)
{
    return plx_set(client, key, PLX_ABSENT, call);
}

struct plx_response plx_swap(struct plx_client *client, struct plx_bytes key,
                             struct plx_bytes new_value, struct plx_bytes old_value,
                             const struct plx_call *call)
{
    struct plx_op op = {.type = PLX_OP_SWAP,
                        .key = key,
                        .value = new_value,
                        .old_value = old_value,
                        .call = call_of(call)};
    return call_run(client, &op, cancel_epoch_of(client));
}

struct plx_response call_resolve(struct plx_client *client, const struct plx_token *token,
                                 const struct plx_call *call, uint32_t epoch)
{
    enum plx_outcome outcome = client_check(client);
    if (outcome != PLX_OK)
        return (struct plx_response){.outcome = outcome};
    if (token == NULL || token->cluster_id != client->cluster_id || token->session == 0 ||
        token->seq == 0 || token->shard >= SHARDS_MAX)
        return (struct plx_response){.outcome = PLX_E_ARGUMENT};
    struct plx_op op = {.type = PLX_OP_SET, .key = {"", 0}, .call = call_of(call)};
    op.call.is_relaxed = false;
    /* A token is worth waiting for: as long as the operation's own fence would have been. */
    if (op.call.timeout_ns == 0)
        op.call.timeout_ns = time_after(client->options.timeout_ns, client->options.fence_wait_ns);
    uint64_t until_ns = call_until(client, &op.call);
    outcome = PLX_E_ARGUMENT;
    client_lock(client);
    if (!client->is_in_callback)
        outcome = cluster_check_token(client, token, until_ns, epoch);
    if (client->now_ns < until_ns)
        op.call.timeout_ns = until_ns - client->now_ns;
    client_unlock(client);
    if (outcome == PLX_UNKNOWN)
        return (struct plx_response){.outcome = outcome, .token = *token};
    if (outcome != PLX_OK)
        return (struct plx_response){.outcome = outcome};
    return sync_run(client, &op, token, epoch);
}

struct plx_response plx_resolve(struct plx_client *client, const struct plx_token *token,
                                const struct plx_call *call)
{
    return call_resolve(client, token, call, cancel_epoch_of(client));
}

void plx_cancel(struct plx_client *client)
{
    int error = errno; /* of whatever a signal handler has interrupted */
    if (client_check(client) != PLX_OK)
        return;
    /* Pairs with the acquire in cancel_epoch_of. */
    atomic_fetch_add_explicit(&client->cancel_epoch, 1, memory_order_release);
    socket_wake(client);
    errno = error;
}

enum plx_outcome plx_submit(struct plx_client *client, const struct plx_op *op)
{
    uint32_t epoch = cancel_epoch_of(client);
    if (op == NULL || op->done == NULL)
        return PLX_E_ARGUMENT;
    struct plx_op taken = *op;
    enum plx_outcome outcome = op_take(&taken);
    if (outcome == PLX_OK)
        outcome = client_enter(client);
    if (outcome != PLX_OK)
        return outcome;
    struct op *begun = op_begin(client, &taken, NULL, epoch);
    if (client->gathered_count >= client->options.packet_ops_max)
        plx_flush(client);
    client_unlock(client);
    return begun == NULL ? PLX_E_FULL : PLX_OK;
}

void plx_flush(struct plx_client *client)
{
    if (client_enter(client) != PLX_OK)
        return;
    /* A turn is under way around a callback: it sends what its callbacks have gathered. */
    if (!client->is_in_callback) {
        client->now_ns = clock_monotonic_ns();
        transmit_due(client);
        (void)large_turn(client);
        packets_flush(client);
    }
    client_unlock(client);
}

size_t plx_poll(struct plx_client *client, uint64_t max_wait_ns)
{
    uint32_t epoch = cancel_epoch_of(client);
    if (client_enter(client) != PLX_OK)
        return 0;
    if (client->is_in_callback) {
        client_unlock(client);
        return 0;
    }
    size_t before = client->ended_count;
    uint64_t begin_ns = clock_monotonic_ns();
    uint64_t until_ns = time_after(begin_ns, max_wait_ns);
    client->spin_until_ns = begin_ns + client->options.spin_ns;
    client_turn(client);
    while (client->ended_count == before && clock_monotonic_ns() < until_ns &&
           !is_cancelled_since(client, epoch)) {
        client_wait(client, until_ns);
        client_turn(client);
    }
    size_t ended = client->ended_count - before;
    client_unlock(client);
    return ended;
}

size_t plx_in_flight(struct plx_client *client)
{
    if (client_enter(client) != PLX_OK)
        return 0;
    size_t count = client->active_count;
    client_unlock(client);
    return count;
}

int plx_descriptor(const struct plx_client *client)
{
    return client == NULL ? -1 : client->socket_fd;
}
