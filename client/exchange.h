/* One question to one shard of one node, outside of any session. Owner: as of the handle. */
#ifndef POLLUX_CLIENT_EXCHANGE_H
#define POLLUX_CLIENT_EXCHANGE_H

#include "base/span.h"
#include "client/packet.h"

#define EXCHANGE_BYTES_MAX (16 * 1024)

struct exchange {
    bool is_active;
    bool is_done;
    uint8_t reply_type;
    struct source asked;
    uint64_t number;
    uint64_t first_id; /* of the messages that ask it */
    uint64_t due_ns;   /* when it is asked again */
    uint64_t sent_ns;
    uint64_t round_trip_ns;
    size_t size_bytes;
    uint8_t body[EXCHANGE_BYTES_MAX];
};

struct question {
    struct source to;
    uint8_t wire_type;
    uint8_t reply_type;
    uint64_t number;
    struct span body;
    uint32_t cancel_epoch; /* when the caller entered */
};

/* False where there is no such endpoint or shard. */
bool exchange_is_possible(const struct plx_client *client, size_t endpoint, uint32_t shard);

/* Asks again and again until the reply is there, the time is over, or plx_cancel; false then. The
 * reply is in client->exchange. */
bool exchange_run(struct plx_client *client, const struct question *question, uint64_t until_ns);

/* The node wants the message that asked it once more, with a cookie: it is asked at once. */
void exchange_again(struct plx_client *client, const struct source *from, uint64_t message_id);
/* Turns without anything to do, until then or plx_cancel. */
void pause_until(struct plx_client *client, uint64_t until_ns, uint32_t epoch);

/* When a question that begins now is given up; timeout_ns 0: the handle's. */
uint64_t question_until_ns(struct plx_client *client, uint64_t timeout_ns);

/* What a program asks one shard of one endpoint. `encode`: the body of the question, with its
 * number; NULL: it has none. `take` reads the answer from client->exchange; the mutex is held. */
struct inquiry {
    uint8_t wire_type;
    uint8_t reply_type;
    size_t answer_size_bytes; /* all zero unless the answer came */
    void (*encode)(struct wire_writer *writer, uint64_t number);
    void (*take)(const struct plx_client *client, uint16_t shard, void *ret_answer);
};

/* Whom, and for how long; 0: as long as the handle waits. */
struct inquiry_to {
    size_t endpoint;
    uint16_t shard;
    uint64_t timeout_ns;
};

/* Asks, and takes the answer. PLX_OK, PLX_E_UNREACHABLE, PLX_E_ARGUMENT: no such endpoint or
 * shard. */
enum plx_outcome inquire(struct plx_client *client, const struct inquiry *inquiry,
                         const struct inquiry_to *to, void *ret_answer);

/* Whether that is the answer which is waited for; it is kept. `number`: of the reply, where its
 * type has one. */
bool exchange_takes(struct plx_client *client, const struct source *from, uint8_t wire_type,
                    uint64_t number, struct span body);

#endif
