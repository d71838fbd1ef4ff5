/* See client/cookies.h. */
#include "client/cookies.h"

#include "client/client_internal.h"

#include <string.h>

/* A cookie for a message of longer ago than so many others answers nothing. */
#define MESSAGES_BACK_MAX (UINT64_C(1) << 20)

static size_t cookies_bytes(void)
{
    return (size_t)SHARDS_MAX * ENDPOINTS_MAX * sizeof(struct node_cookie);
}

size_t cookies_arena_bytes(void)
{
    return cookies_bytes() + 64;
}

struct node_cookie *cookies_take(struct arena *arena)
{
    return arena_take(arena, cookies_bytes(), 64);
}

static struct node_cookie *cookie_at(const struct plx_client *client, uint32_t endpoint,
                                     uint16_t shard)
{
    return &client->cookies[(size_t)shard * ENDPOINTS_MAX + endpoint];
}

const uint8_t *cookie_shown(const struct plx_client *client, uint32_t endpoint, uint16_t shard)
{
    const struct node_cookie *cookie = cookie_at(client, endpoint, shard);
    return cookie->is_there && !client->seals.is_on ? cookie->bytes : NULL;
}

static void cookie_keep(struct plx_client *client, struct node_cookie *cookie, const uint8_t *bytes)
{
    if (cookie->is_there && memcmp(cookie->bytes, bytes, sizeof(cookie->bytes)) == 0)
        return;
    cookie->is_there = true;
    cookie->since_id = client->message_id;
    memcpy(cookie->bytes, bytes, sizeof(cookie->bytes));
}

void cookie_told(struct plx_client *client, const struct source *from, const uint8_t *bytes)
{
    struct node_cookie *cookie = cookie_at(client, from->endpoint, from->shard);
    if (bytes != NULL)
        cookie_keep(client, cookie, bytes);
    else
        cookie->is_there = false;
}

/* ---- what is repeated with it ---- */

static void session_again(struct plx_client *client, struct shard_state *shard, uint64_t id)
{
    struct session *session = id == 0 ? session_current(shard) : session_find(shard, id);
    if (session == NULL)
        return;
    session->due_ns = client->now_ns;
    op_wake_at(client, client->now_ns);
}

/* As if the time to wait for its answer were over. */
static void transmission_again(struct plx_client *client, struct shard_state *shard,
                               struct transmission *transmission)
{
    transmission->message_id = 0; /* once */
    if (transmission->kind == TRANSMISSION_SESSION) {
        session_again(client, shard, transmission->session);
        return;
    }
    if (transmission->kind == TRANSMISSION_RELAXED_END) {
        shard->relaxed_end_due_ns = client->now_ns;
        return;
    }
    for (uint32_t i = 0; i < transmission->op_count; i++) {
        struct op *op = transmission_op(client, transmission, i);
        if (op != NULL)
            op_retry(client, op, 0);
    }
}

static void again(struct plx_client *client, const struct source *from, uint64_t message_id)
{
    struct shard_state *shard = shard_find(client, from->shard);
    exchange_again(client, from, message_id);
    for (uint32_t i = 0; i < TRANSMISSIONS_MAX && shard != NULL; i++) {
        struct transmission *transmission = &shard->transmissions[i];
        if (transmission->message_id != message_id || transmission->endpoint != from->endpoint)
            continue;
        if (transmission_find(shard, transmission->number) != NULL)
            transmission_again(client, shard, transmission);
        return;
    }
}

bool cookie_receive(struct plx_client *client, const struct source *from,
                    const struct wire_packet *packet)
{
    uint64_t id = packet->header.message_id;
    if (packet->header.cookie == NULL || packet->message_size_bytes != 0 || client->seals.is_on ||
        client->message_id - id >= MESSAGES_BACK_MAX)
        return false;
    struct node_cookie *cookie = cookie_at(client, from->endpoint, from->shard);
    cookie_keep(client, cookie, packet->header.cookie);
    /* What has shown this one and is refused nevertheless waits for its time. */
    bool is_new_to_it = cookie->since_id - id < MESSAGES_BACK_MAX;
    if (packet->header.type == WIRE_COOKIE && is_new_to_it)
        again(client, from, id);
    return true;
}
