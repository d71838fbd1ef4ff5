/* A handle: opened, turned, closed. Its memory is one arena, sized from the options and sealed. */
#include "client/client_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MILLISECOND_NS     (1000 * 1000)
#define ARENA_SLACK_BYTES  4096
#define RELAXED_KEYS_LIMIT (1024 * 1024)

void plx_options_init(struct plx_options *options)
{
    *options = (struct plx_options){
        .timeout_ns = 50 * MILLISECOND_NS,
        .fence_wait_ns = 1000 * MILLISECOND_NS,
        .close_wait_ns = 1000 * MILLISECOND_NS,
        .spin_ns = 50 * 1000,
        .leader_fresh_ns = 100 * MILLISECOND_NS,
        .rto_min_ns = 2 * MILLISECOND_NS,
        .window = PLX_WINDOW_MAX,
        .packet_ops_max = 32,
        .preferred_endpoint = -1,
        .relaxed_keys_max = 4096,
    };
}

void reason_write(char *ret_reason, size_t reason_size, const char *format, ...)
{
    if (ret_reason == NULL || reason_size == 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ret_reason, reason_size, format, arguments);
    va_end(arguments);
}

static enum plx_outcome client_options_check(const struct plx_options *options, char *ret_reason,
                                             size_t reason_size)
{
    const char *fault = NULL;
    if (options == NULL)
        fault = "options: NULL";
    else if (options->cluster == NULL || options->cluster[0] == '\0')
        fault = "cluster: no name given";
    else if (strlen(options->cluster) >= PLX_CLUSTER_SIZE_MAX)
        fault = "cluster: name longer than 63 bytes";
    else if (options->window == 0 || options->window > PLX_WINDOW_MAX)
        fault = "window: not 1 to 128";
    else if (options->packet_ops_max == 0 || options->packet_ops_max > PLX_PACKET_OPS_MAX)
        fault = "packet_ops_max: not 1 to 64";
    else if (options->timeout_ns == 0)
        fault = "timeout_ns: zero";
    else if (options->rto_min_ns == 0 || options->rto_min_ns > RTO_MAX_NS)
        fault = "rto_min_ns: not 1 ns to 100 ms";
    else if (options->leader_fresh_ns == 0)
        fault = "leader_fresh_ns: zero";
    else if (options->relaxed_keys_max == 0 || options->relaxed_keys_max > RELAXED_KEYS_LIMIT)
        fault = "relaxed_keys_max: not 1 to 1048576";
    if (fault == NULL)
        return PLX_OK;
    reason_write(ret_reason, reason_size, "%s", fault);
    return PLX_E_ARGUMENT;
}

static size_t client_arena_bytes(const struct plx_options *options)
{
    size_t operations =
        options->window * sizeof(struct op) + VALUE_BUFFERS_MAX * (size_t)VALUE_SIZE_BYTES_MAX;
    size_t large = LARGE_SENDS_MAX * (size_t)MESSAGE_SIZE_BYTES_MAX;
    size_t packets = PACKETS_OUT_MAX * sizeof(struct packet_out) + PACKETS_OUT_BYTES +
                     PACKETS_IN_BURST * (PACKET_SIZE_BYTES_MAX + 1);
    return sizeof(struct plx_client) + operations + large + packets +
           pending_arena_bytes(options->relaxed_keys_max) + shards_arena_bytes() +
           VALUE_SIZE_BYTES_MAX + reassembly_arena_bytes(REPLY_SLOTS) + seals_arena_bytes(options) +
           cookies_arena_bytes() + ARENA_SLACK_BYTES;
}

static void client_take_memory(struct plx_client *client)
{
    struct arena *arena = &client->arena;
    client->ops = arena_take(arena, client->options.window * sizeof(struct op), 64);
    client->shards = shards_take(arena);
    pending_init(&client->pending, arena, client->options.relaxed_keys_max);
    client->out = arena_take(arena, PACKETS_OUT_MAX * sizeof(struct packet_out), 64);
    client->out_bytes = arena_take(arena, PACKETS_OUT_BYTES, 64);
    client->in = arena_take(arena, PACKETS_IN_BURST * (PACKET_SIZE_BYTES_MAX + 1), 64);
    client->reassembly = reassembly_init(arena, REPLY_SLOTS);
    client->cookies = cookies_take(arena);
    client->sync_value = arena_take(arena, VALUE_SIZE_BYTES_MAX, 64);
    if (seals_arena_bytes(&client->options) > 0)
        client->seals.nodes = arena_take(arena, seals_arena_bytes(&client->options), 64);
    for (uint32_t i = 0; i < LARGE_SENDS_MAX; i++)
        client->large[i].body = arena_take(arena, MESSAGE_SIZE_BYTES_MAX, 64);
    for (uint32_t i = 0; i < VALUE_BUFFERS_MAX; i++)
        client->value_buffers[i] = arena_take(arena, VALUE_SIZE_BYTES_MAX, 64);
    client->value_buffer_count = VALUE_BUFFERS_MAX;
    arena_seal(arena);
}

static void client_init(struct plx_client *client, const struct plx_options *options)
{
    client->options = *options;
    client->options.endpoints = NULL;
    memcpy(client->cluster, options->cluster, strlen(options->cluster) + 1);
    client->options.cluster = client->cluster;
    client->cluster_id = wire_cluster_id(client->cluster);
    client->socket_fd = -1;
    client->fork_guard.page = NULL;
    atomic_init(&client->wake_fd, -1);
    client->now_ns = clock_monotonic_ns();
    prng_init(&client->prng, options->seed != 0 ? options->seed : entropy_draw());
    prng_init(&client->names, entropy_draw());
    client->message_id = prng_next(&client->prng);
    pthread_mutexattr_t attributes;
    CHECK(pthread_mutexattr_init(&attributes) == 0);
    CHECK(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE) == 0);
    CHECK(pthread_mutex_init(&client->mutex, &attributes) == 0);
    pthread_mutexattr_destroy(&attributes);
    client_take_memory(client);
    ops_init(client);
    shards_init(client);
}

static void client_free(struct plx_client *client)
{
    bool is_forked = socket_is_forked(client);
    seals_close(client);
    socket_close(client);
    lookup_close(client->lookup, is_forked);
    if (!is_forked) /* another thread of the parent may have been in a call */
        pthread_mutex_destroy(&client->mutex);
    struct arena arena = client->arena;
    arena_deinit(&arena);
}

static bool has_names(const struct plx_client *client)
{
    bool has_name = false;
    for (uint32_t i = 0; i < client->endpoint_count; i++)
        has_name = has_name || client->endpoints[i].is_name;
    return has_name;
}

enum plx_outcome plx_open(const struct plx_options *options, struct plx_client **ret_client,
                          char *ret_reason, size_t reason_size)
{
    reason_write(ret_reason, reason_size, "%s", "");
    if (ret_client == NULL) {
        reason_write(ret_reason, reason_size, "ret_client: NULL");
        return PLX_E_ARGUMENT;
    }
    *ret_client = NULL;
    enum plx_outcome outcome = client_options_check(options, ret_reason, reason_size);
    if (outcome != PLX_OK)
        return outcome;
    struct arena arena;
    if (arena_init(&arena, client_arena_bytes(options)) != OK) {
        reason_write(ret_reason, reason_size, "no memory for a window of %u", options->window);
        return PLX_E_NO_MEMORY;
    }
    struct plx_client *client = arena_take(&arena, sizeof(*client), 64);
    client->arena = arena;
    client_init(client, options);
    outcome = endpoints_parse(client, options->endpoints, ret_reason, reason_size);
    if (outcome == PLX_OK && options->preferred_endpoint >= (int32_t)client->endpoint_count) {
        reason_write(ret_reason, reason_size, "preferred_endpoint: no such endpoint");
        outcome = PLX_E_ARGUMENT;
    }
    paths_init(client);
    if (outcome == PLX_OK)
        outcome = seals_open(client, ret_reason, reason_size);
    if (outcome == PLX_OK)
        outcome = socket_open(client, ret_reason, reason_size);
    if (outcome == PLX_OK && has_names(client) && (client->lookup = lookup_open()) == NULL) {
        reason_write(ret_reason, reason_size, "no memory to look up names");
        outcome = PLX_E_NO_MEMORY;
    }
    if (outcome != PLX_OK) {
        client_free(client);
        return outcome;
    }
    *ret_client = client;
    return PLX_OK;
}

/* A turn of a handle that is closed. Returns when the next one is due; UINT64_MAX: all is given
 * back. */
static uint64_t closing_turn(struct plx_client *client)
{
    uint64_t due_ns = UINT64_MAX;
    client->now_ns = clock_monotonic_ns();
    socket_receive(client);
    for (uint32_t i = 0; i < client->open_count; i++) {
        struct shard_state *shard = shard_at(client, i);
        sessions_end_turn(client, shard);
        relaxed_end_turn(client, shard);
        uint64_t end_ns = earlier_ns(sessions_end_due_ns(shard), relaxed_end_due_ns(client, shard));
        if (end_ns == UINT64_MAX)
            continue;
        members_turn(client, shard);
        relays_turn(client, shard);
        due_ns = earlier_ns(due_ns, end_ns);
        if (member_is_sought(client, shard))
            due_ns = earlier_ns(due_ns, shard->hello_due_ns);
    }
    packets_flush(client);
    return due_ns;
}

/* A packet may be lost, and the leader may change. Nobody is there later to say it again, so the
 * nodes are asked until they have answered, for as long as the caller waits. */
static void client_give_back(struct plx_client *client)
{
    uint32_t epoch = cancel_epoch_of(client);
    client->now_ns = clock_monotonic_ns();
    uint64_t until_ns = time_after(client->now_ns, client->options.close_wait_ns);
    client->is_closing = true;
    for (uint32_t i = 0; i < client->open_count; i++)
        session_give_back(client, shard_at(client, i));
    for (;;) {
        uint64_t due_ns = closing_turn(client);
        if (due_ns == UINT64_MAX || client->now_ns >= until_ns || is_cancelled_since(client, epoch))
            return;
        socket_wait(client, earlier_ns(due_ns, until_ns));
    }
}

void plx_close(struct plx_client *client)
{
    if (client == NULL)
        return;
    if (client_enter(client) == PLX_OK) {
        client_give_back(client);
        client_unlock(client);
    }
    client_free(client);
}

enum plx_outcome client_check(const struct plx_client *client)
{
    if (client == NULL)
        return PLX_E_ARGUMENT;
    return socket_is_forked(client) ? PLX_E_FORKED : PLX_OK;
}

/* In a child the mutex may be another thread's for ever, so it is not touched there. */
enum plx_outcome client_enter(struct plx_client *client)
{
    enum plx_outcome outcome = client_check(client);
    if (outcome == PLX_OK)
        client_lock(client);
    return outcome;
}

void client_lock(struct plx_client *client)
{
    CHECK(pthread_mutex_lock(&client->mutex) == 0);
}

void client_unlock(struct plx_client *client)
{
    if (socket_is_forked(client))
        return; /* by a callback: the mutex is the parent's */
    CHECK(pthread_mutex_unlock(&client->mutex) == 0);
}

void client_turn(struct plx_client *client)
{
    client->now_ns = clock_monotonic_ns();
    ops_cancel(client);
    socket_receive(client);
    ops_turn(client);
    roster_turn(client);
    lookup_turn(client);
    for (uint32_t i = 0; i < client->open_count; i++) {
        sessions_turn(client, shard_at(client, i));
        members_turn(client, shard_at(client, i));
        relays_turn(client, shard_at(client, i));
    }
    packets_ask_missing(client);
    op_wake_at(client, large_turn(client));
    paths_turn(client);
    packets_flush(client);
}

void client_wait(struct plx_client *client, uint64_t until_ns)
{
    until_ns = earlier_ns(until_ns, client->timer_ns);
    until_ns = earlier_ns(until_ns, reassembly_ask_ns(client->reassembly));
    for (uint32_t i = 0; i < client->open_count; i++) {
        const struct shard_state *shard = shard_at(client, i);
        if (member_is_sought(client, shard))
            until_ns = earlier_ns(until_ns, shard->hello_due_ns);
        until_ns = earlier_ns(until_ns, sessions_due_ns(client, shard));
    }
    socket_wait(client, until_ns);
}

size_t plx_endpoint_count(const struct plx_client *client)
{
    return client == NULL ? 0 : client->endpoint_count;
}

const char *plx_endpoint_name(const struct plx_client *client, size_t endpoint)
{
    return endpoint < plx_endpoint_count(client) ? client->endpoints[endpoint].name : NULL;
}

void plx_statistics(struct plx_client *client, struct plx_statistics *ret_statistics)
{
    *ret_statistics = (struct plx_statistics){.packets_sent = 0};
    if (client_enter(client) != PLX_OK)
        return;
    *ret_statistics = client->statistics;
    client_unlock(client);
}
