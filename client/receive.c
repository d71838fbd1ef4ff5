/* What arrives, told apart by its type. Whatever does not decode is counted and dropped. */
#include "client/client_internal.h"

/* The answer to a question about one node. Whichever cluster it is of, the caller gets it. */
static void node_told(struct plx_client *client, const struct source *from,
                      const struct wire_hello_reply *reply)
{
    bool is_of_us = client->kept.number == 0 || client->kept.number == reply->cluster;
    if (from->shard != 0 || reply->cluster == 0 || is_of_us)
        shard_count_told(client, reply->shard_count);
}

static bool receive_hello_reply(struct plx_client *client, const struct source *from,
                                const struct wire_message_header *header, struct span body)
{
    struct shard_state *shard = shard_find(client, from->shard);
    uint8_t wire_type = header->type;
    struct wire_hello_reply reply;
    size_t end;
    if (wire_hello_reply_decode(body, &end, &reply) != OK)
        return false;
    bool is_of_hello = wire_type == WIRE_HELLO_REPLY;
    if (is_of_hello && end != body.size_bytes)
        return false;
    if (is_of_hello && shard != NULL && relay_awaits(shard, from, reply.nonce)) {
        cookie_told(client, from, header->cookie);
        relay_heard(client, from);
        return true;
    }
    bool is_asked = exchange_takes(client, from, wire_type, reply.nonce, body);
    bool is_awaited = is_of_hello && shard != NULL && member_awaits(shard, from->endpoint, &reply);
    if (is_of_hello && from->relay == 0 && (is_asked || is_awaited))
        cookie_told(client, from, header->cookie);
    if (is_awaited)
        relay_heard(client, from);
    if (is_asked)
        node_told(client, from, &reply);
    else if (is_of_hello && shard != NULL)
        member_hello_reply(client, shard, from->endpoint, &reply);
    return true;
}

static bool receive_reply(struct plx_client *client, const struct source *from, uint8_t wire_type,
                          struct span body)
{
    struct wire_reply reply;
    if (wire_reply_decode(body, &reply) != OK || reply.node == 0 || reply.node > VOTER_ID_MAX)
        return false;
    bool is_taken =
        wire_type != WIRE_READ_REPLY && exchange_takes(client, from, wire_type, reply.number, body);
    if (!is_taken && (wire_type == WIRE_READ_REPLY || wire_type == WIRE_WRITE_REPLY))
        reply_receive(client, from, wire_type == WIRE_READ_REPLY, &reply);
    return true;
}

/* False also where nobody waits for it any more. */
static bool receive_members(struct plx_client *client, const struct source *from, struct span body)
{
    struct wire_members members;
    return wire_members_decode(body, &members) == OK &&
           (roster_takes(client, from, &members) ||
            exchange_takes(client, from, WIRE_MEMBERS_REPLY, members.number, body));
}

static bool receive_list(struct plx_client *client, const struct source *from, struct span body)
{
    struct wire_list_reply reply;
    return wire_list_reply_decode(body, &reply) == OK && reply.head.node != 0 &&
           reply.head.node <= VOTER_ID_MAX &&
           exchange_takes(client, from, WIRE_LIST_REPLY, reply.head.number, body);
}

static bool receive_sessions(struct plx_client *client, const struct source *from, struct span body)
{
    struct wire_sessions_reply reply;
    return wire_sessions_reply_decode(body, &reply) == OK && reply.head.node != 0 &&
           reply.head.node <= VOTER_ID_MAX &&
           exchange_takes(client, from, WIRE_SESSIONS_REPLY, reply.head.number, body);
}

void receive_message(struct plx_client *client, const struct source *from,
                     const struct wire_message_header *header, struct span body)
{
    uint8_t wire_type = header->type;
    bool is_taken = false;
    if (wire_type == WIRE_HELLO_REPLY || wire_type == WIRE_STATUS_REPLY)
        is_taken = receive_hello_reply(client, from, header, body);
    else if (wire_type == WIRE_WRITE_REPLY || wire_type == WIRE_READ_REPLY ||
             wire_type == WIRE_TRANSFER_REPLY || wire_type == WIRE_REPLACE_REPLY ||
             wire_type == WIRE_CHANGE_REPLY || wire_type == WIRE_SESSION_END_REPLY)
        is_taken = receive_reply(client, from, wire_type, body);
    else if (wire_type == WIRE_MEMBERS_REPLY)
        is_taken = receive_members(client, from, body);
    else if (wire_type == WIRE_LIST_REPLY)
        is_taken = receive_list(client, from, body);
    else if (wire_type == WIRE_SESSIONS_REPLY)
        is_taken = receive_sessions(client, from, body);
    else if (wire_type == WIRE_BACKUP_REPLY)
        is_taken = backup_receive(client, from, body);
    else if (wire_type == WIRE_PATH_REPLY)
        is_taken = paths_receive(client, from, body);
    else if (wire_type == WIRE_MISSING)
        is_taken = large_missing(client, from, body);
    if (!is_taken)
        client->statistics.packets_dropped++;
}
