/*
 * Messages of several packets that a lane has sent, bytes and all, the newest that fit a fixed
 * room: their receivers may ask for pieces that were lost. Not append requests: see
 * sent_appends.h.
 *
 * Owner: the lane.
 */
#ifndef POLLUX_SERVER_SENT_MESSAGES_H
#define POLLUX_SERVER_SENT_MESSAGES_H

#include "base/address.h"
#include "base/arena.h"
#include "base/span.h"
#include "wire/wire_packet.h"

#define SENT_MESSAGES_MAX        256
#define SENT_MESSAGES_ROOM_BYTES ((size_t)4 * 1024 * 1024)

/* Pieces of one message are sent again so often in the mean. */
#define SENT_MESSAGE_REPEATS 4

struct sent_message {
    struct wire_message_header header;
    struct address to;
    uint64_t begin; /* in the room, counted through all its rounds */
    uint32_t size_bytes;
    uint32_t pieces_left; /* that may be sent again */
};

struct sent_messages;

size_t sent_messages_arena_bytes(void);
struct sent_messages *sent_messages_init(struct arena *arena);

/* Copies the body, over the oldest ones. */
void sent_messages_keep(struct sent_messages *messages, const struct wire_message_header *header,
                        const struct address *to, struct span body);

/* What was sent to that address about that shard under that id. NULL: not there any more, or
 * repeated often enough. The body is borrowed until the next sent_messages_keep. */
struct sent_message *sent_messages_find(struct sent_messages *messages, const struct address *to,
                                        uint16_t shard, uint64_t message_id, struct span *ret_body);

#endif
