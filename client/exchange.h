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
    uint64_t sent_ns;
    uint64_t round_trip_ns;
    size_t size_bytes;
    uint8_t body[EXCHANGE_BYTES_MAX];
};

/* Whether that is the answer which is waited for; it is kept. `number`: of the reply, where its
 * type has one. */
bool exchange_takes(struct plx_client *client, const struct source *from, uint8_t wire_type,
                    uint64_t number, struct span body);

#endif
