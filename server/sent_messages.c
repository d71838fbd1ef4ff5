/* See sent_messages.h. Bodies lie side by side in a ring of bytes, each in one piece. */
#include "server/sent_messages.h"

#include "base/check.h"
#include "base/limits.h"

#include <string.h>

static_assert(SENT_MESSAGES_ROOM_BYTES >= MESSAGE_SIZE_BYTES_MAX, "the largest message fits");

struct sent_messages {
    uint64_t end;   /* of the newest body, counted through all rounds of the room */
    uint64_t count; /* kept since the start */
    struct sent_message messages[SENT_MESSAGES_MAX];
    uint8_t *room;
};

size_t sent_messages_arena_bytes(void)
{
    return sizeof(struct sent_messages) + SENT_MESSAGES_ROOM_BYTES + (size_t)2 * 64;
}

struct sent_messages *sent_messages_init(struct arena *arena)
{
    struct sent_messages *messages = arena_take(arena, sizeof(*messages), 64);
    messages->room = arena_take(arena, SENT_MESSAGES_ROOM_BYTES, 64);
    return messages;
}

void sent_messages_keep(struct sent_messages *messages, const struct wire_message_header *header,
                        const struct address *to, struct span body)
{
    CHECK(body.size_bytes <= MESSAGE_SIZE_BYTES_MAX);
    uint64_t begin = messages->end;
    size_t at = begin % SENT_MESSAGES_ROOM_BYTES;
    if (body.size_bytes > SENT_MESSAGES_ROOM_BYTES - at) {
        begin += SENT_MESSAGES_ROOM_BYTES - at;
        at = 0;
    }
    memcpy(messages->room + at, body.data, body.size_bytes);
    messages->end = begin + body.size_bytes;
    messages->messages[messages->count++ % SENT_MESSAGES_MAX] = (struct sent_message){
        .header = *header,
        .to = *to,
        .begin = begin,
        .size_bytes = (uint32_t)body.size_bytes,
        .pieces_left =
            SENT_MESSAGE_REPEATS * wire_piece_count(body.size_bytes, header->piece_size_bytes)};
}

struct sent_message *sent_messages_find(struct sent_messages *messages, const struct address *to,
                                        uint16_t shard, uint64_t message_id, struct span *ret_body)
{
    for (uint64_t i = 0; i < SENT_MESSAGES_MAX && i < messages->count; i++) {
        struct sent_message *message =
            &messages->messages[(messages->count - 1 - i) % SENT_MESSAGES_MAX];
        if (messages->end - message->begin > SENT_MESSAGES_ROOM_BYTES)
            return NULL; /* the room of this one, and of those before it, is taken */
        if (message->header.message_id != message_id || message->header.shard != shard ||
            !address_is_equal(&message->to, to))
            continue;
        if (message->pieces_left == 0)
            return NULL;
        *ret_body = span_of(messages->room + message->begin % SENT_MESSAGES_ROOM_BYTES,
                            message->size_bytes);
        return message;
    }
    return NULL;
}
