/* What arrives, told apart by its type. Whatever does not decode is counted and dropped. */
#include "client/client_internal.h"

/* The answer to the one question that is asked outside of sessions. */
static bool exchange_takes(struct plx_client *client, uint32_t endpoint, uint8_t wire_type,
                           uint64_t number, struct span body)
{
    struct exchange *exchange = &client->exchange;
    if (!exchange->is_active || exchange->is_done || exchange->endpoint != endpoint ||
        exchange->reply_type != wire_type || body.size_bytes > sizeof(exchange->body))
        return false;
    if (wire_type != WIRE_STATUS_REPLY && exchange->number != number)
        return false;
    memcpy(exchange->body, body.data, body.size_bytes);
    exchange->size_bytes = body.size_bytes;
    exchange->round_trip_ns = client->now_ns - exchange->sent_ns;
    exchange->is_done = true;
    return true;
}

static bool receive_hello_reply(struct plx_client *client, uint32_t endpoint, uint8_t wire_type,
                                struct span body)
{
    struct wire_hello_reply reply;
    size_t end;
    if (wire_hello_reply_decode(body, &end, &reply) != OK)
        return false;
    if (wire_type == WIRE_HELLO_REPLY && end != body.size_bytes)
        return false;
    if (!exchange_takes(client, endpoint, wire_type, reply.nonce, body) &&
        wire_type == WIRE_HELLO_REPLY)
        endpoint_hello_reply(client, endpoint, &reply);
    return true;
}

static bool receive_reply(struct plx_client *client, uint32_t endpoint, uint8_t wire_type,
                          struct span body)
{
    struct wire_reply reply;
    if (wire_reply_decode(body, &reply) != OK || reply.node == 0 || reply.node > VOTER_ID_MAX)
        return false;
    if (wire_type == WIRE_TRANSFER_REPLY)
        (void)exchange_takes(client, endpoint, wire_type, reply.number, body);
    else
        reply_receive(client, endpoint, wire_type == WIRE_READ_REPLY, &reply);
    return true;
}

void receive_message(struct plx_client *client, uint32_t endpoint, uint8_t wire_type,
                     struct span body)
{
    bool is_taken = false;
    if (wire_type == WIRE_HELLO_REPLY || wire_type == WIRE_STATUS_REPLY)
        is_taken = receive_hello_reply(client, endpoint, wire_type, body);
    else if (wire_type == WIRE_WRITE_REPLY || wire_type == WIRE_READ_REPLY ||
             wire_type == WIRE_TRANSFER_REPLY)
        is_taken = receive_reply(client, endpoint, wire_type, body);
    if (!is_taken)
        client->statistics.packets_dropped++;
}
