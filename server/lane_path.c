/*
 * How large the packets are that a lane sends: to each node by what it has found out
 * (wire/path_limit.h), to a client by what that has found out, and says in its questions. No packet
 * is larger than the lane's own port takes.
 *
 * A lane asks for itself. Nodes are asked when something is sent to them, and so are never asked
 * while nothing is. The answer to a question is as large as the question, so it makes no amplifier.
 */
#include "server/lane_internal.h"

#include "base/check.h"

#include <stdio.h>

void lane_path_init(struct lane_shared *shared, uint16_t mtu_bytes, uint64_t number)
{
    shared->packet_bytes_max = path_limit_of_mtu(mtu_bytes);
    for (uint32_t node = 0; node <= VOTER_ID_MAX; node++)
        path_limit_init(&shared->paths[node], shared->packet_bytes_max, number);
}

/* A packet for a node that passes it on, or around one that a node has passed on. It was in one
 * piece before there were questions, and is until the node has answered one. */
static uint16_t carrier_bytes(struct lane_shared *shared, struct path_limit *path)
{
    uint16_t size_bytes = path_limit_bytes(path, shared->now_ns);
    if (!path->is_answered && size_bytes < PACKET_SIZE_BYTES_USUAL &&
        shared->packet_bytes_max >= PACKET_SIZE_BYTES_USUAL)
        return PACKET_SIZE_BYTES_USUAL;
    return size_bytes;
}

static uint16_t bytes_to_client(const struct lane_shared *shared, const struct address *to)
{
    if (to->via != 0)
        return RELAY_PACKET_SIZE_BYTES_MAX;
    if (to->packet_bytes < PACKET_SIZE_BYTES_BASE)
        return PACKET_SIZE_BYTES_BASE;
    return to->packet_bytes < shared->packet_bytes_max ? to->packet_bytes
                                                       : shared->packet_bytes_max;
}

void lane_message_fit(struct lane_shared *shared, struct lane_message *message)
{
    struct wire_message_header *header = &message->header;
    if (message->body.size_bytes <= RELAY_PIECE_SIZE_BYTES && !wire_type_is_relay(header->type)) {
        header->piece_size_bytes = RELAY_PIECE_SIZE_BYTES; /* fits any path */
        return;
    }
    struct path_limit *path = &shared->paths[header->receiver];
    uint16_t packet_bytes;
    if (header->type == WIRE_PATH || header->type == WIRE_PATH_REPLY)
        packet_bytes = PACKET_SIZE_BYTES_MAX; /* of the size that is asked for, in one */
    else if (header->receiver == 0)
        packet_bytes = bytes_to_client(shared, &message->to);
    else if (wire_type_is_relay(header->type))
        packet_bytes = carrier_bytes(shared, path);
    else
        packet_bytes = path_limit_bytes(path, shared->now_ns);
    header->piece_size_bytes = (uint16_t)(packet_bytes - PACKET_HEADER_SIZE_BYTES);
}

/* The body of a question, or of its answer: nothing else is written there. */
static struct span body_of(struct lane_shared *shared, uint64_t number, uint32_t packet_bytes)
{
    struct wire_writer writer = {.data = shared->path_data,
                                 .capacity_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX};
    wire_path_encode(&writer, number, packet_bytes - PACKET_HEADER_SIZE_BYTES);
    CHECK(!writer.is_overflow);
    return span_of(writer.data, writer.size_bytes);
}

void lane_path_ask(struct lane_shared *shared, const struct lane_message *about)
{
    struct path_limit *path = &shared->paths[about->header.receiver];
    uint16_t sizes[PATH_QUESTIONS_MAX];
    bool is_large = about->body.size_bytes > PACKET_PAYLOAD_SIZE_BYTES_BASE;
    if (!is_large && path->size_bytes == path->size_max)
        return; /* most messages are small, and most paths carry all */
    uint32_t count = path_limit_questions(path, is_large, shared->now_ns, sizes);
    for (uint32_t i = 0; i < count; i++) {
        struct lane_message question = {.header = about->header, .to = about->to};
        question.header.type = WIRE_PATH;
        question.header.version = 0;
        question.header.message_id = shared->next_message_id++;
        question.body = body_of(shared, path->number, sizes[i]);
        lane_message_fit(shared, &question);
        lane_shared_send_pieces(shared, &question, 0, 1);
    }
    shared->path_questions += count;
}

void lane_path_receive(struct lane *lane, const struct arrival *arrival, uint16_t peer)
{
    const struct wire_packet *packet = &arrival->packet;
    struct lane_shared *shared = &lane->shared;
    uint32_t size_bytes = PACKET_HEADER_SIZE_BYTES + (uint32_t)packet->payload.size_bytes;
    uint64_t number;
    if (packet->piece_count != 1 || wire_path_decode(packet->payload, &number) != OK) {
        lane->counters.drop_path++;
        return;
    }
    if (packet->header.type == WIRE_PATH_REPLY) {
        bool is_asked = peer != 0 && path_limit_answered(&shared->paths[peer], number, size_bytes,
                                                         shared->now_ns);
        lane->counters.drop_path += !is_asked;
        return;
    }
    /* What this port cannot send is not answered, so it is not sent here either. */
    if (size_bytes > shared->packet_bytes_max || arrival->from.via != 0)
        return;
    struct lane_message answer = {
        .header = lane_message_header(lane, WIRE_PATH_REPLY, packet->header.shard),
        .to = arrival->from};
    answer.header.receiver = peer;
    answer.body = body_of(shared, number, size_bytes);
    lane_message_fit(shared, &answer);
    lane_shared_send_pieces(shared, &answer, 0, 1);
}

void lane_path_add_counters(struct wire_writer *writer, const struct lane *lane)
{
    const struct lane_shared *shared = &lane->shared;
    uint64_t falls = 0;
    uint32_t told = 0;
    for (uint32_t node = 1; node <= VOTER_ID_MAX; node++) {
        const struct path_limit *path = &shared->paths[node];
        char name[32];
        falls += path->falls;
        if (path->first_ns == 0 || told == LANE_PATHS_TOLD_MAX)
            continue; /* nothing was sent to it, or it does not fit an answer */
        told++;
        uint64_t mtu_bytes = (uint64_t)path->size_bytes + PACKET_FRONT_SIZE_BYTES;
        snprintf(name, sizeof(name), "path_mtu_%u", node);
        wire_counter_add(writer, name, path->is_answered ? mtu_bytes : 0);
    }
    wire_counter_add(writer, "path_questions", shared->path_questions);
    wire_counter_add(writer, "path_falls", falls);
}
