/* A block of a snapshot on its way: its parts are asked for together. Owner: as of the handle. */
#ifndef POLLUX_CLIENT_BACKUP_H
#define POLLUX_CLIENT_BACKUP_H

#include "base/span.h"
#include "client/packet.h"

struct backup_fetch {
    bool is_active;
    uint8_t refusal; /* enum wire_backup_status, for good; 0: none */
    struct source asked;
    uint64_t number;     /* of the question for part 0; those of the others follow */
    uint32_t missing;    /* part n: bit n */
    uint32_t wanted;     /* those that were asked for last */
    uint64_t silence_ns; /* that is waited out before they are asked for again; kept, too */
    uint64_t id;         /* of the snapshot */
    uint64_t ask_ns;     /* what is missing is asked for then */
    uint8_t *buffer;     /* of a whole block */
    size_t size_bytes;   /* that the block has */
    uint64_t due_ns;     /* when the rate allows the next block; kept from fetch to fetch */
};

/* An answer about a snapshot, of whatever kind. False: nobody waits for it. */
bool backup_receive(struct plx_client *client, const struct source *from, struct span body);

#endif
