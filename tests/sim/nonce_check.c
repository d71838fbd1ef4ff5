/* See nonce_check.h. */
#include "tests/sim/nonce_check.h"

#include "security/seal.h"

#include <string.h>

#define KEYS_SEEN 65536u

/* The newest of the keys that share a place. */
struct key_seen {
    uint64_t key; /* digest; 0: none */
    uint64_t number;
};

static struct verdict *judge;
static struct key_seen seen[KEYS_SEEN];

void __real_seal_packet_close(const struct seal_engine *engine, struct seal_tx *tx,
                              const struct seal_packet *packet);
void __wrap_seal_packet_close(const struct seal_engine *engine, struct seal_tx *tx,
                              const struct seal_packet *packet);

void nonce_check_begin(struct verdict *verdict)
{
    judge = verdict;
    memset(seen, 0, sizeof(seen));
}

void __wrap_seal_packet_close(const struct seal_engine *engine, struct seal_tx *tx,
                              const struct seal_packet *packet)
{
    uint64_t key = digest_bytes(1, tx->key.expanded, sizeof(tx->key.expanded));
    key = digest_bytes(key, tx->key.salt, sizeof(tx->key.salt)) | 1;
    struct key_seen *place = &seen[(key >> 1) % KEYS_SEEN];
    if (place->key == key && tx->last_number <= place->number)
        verdict_break(judge, RULE_NONCE, "number %llu of key %llx is used again, after %llu",
                      (unsigned long long)tx->last_number, (unsigned long long)key,
                      (unsigned long long)place->number);
    *place = (struct key_seen){.key = key, .number = tx->last_number};
    __real_seal_packet_close(engine, tx, packet);
}
