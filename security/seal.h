/*
 * Sealing packets: AES-128-GCM (NIST SP 800-38D) by Intel's library of the IPsec multi-buffer.
 *
 * A packet is sealed where it lies. Its first `clear_bytes` are authenticated and stay readable;
 * what is behind them is encrypted, too. With clear_bytes == size_bytes nothing is encrypted: that
 * is GMAC, integrity alone. The tag lies inside of the clear bytes, at `tag_offset`, and counts as
 * zero there.
 *
 * Nonce: the salt of the key (4 bytes), then the number of the packet (8 bytes, big endian). Each
 * key has one sender, which counts from 1 and never takes a number twice: seal_tx has the key and
 * the count in one place, and refuses after a fork. A key ends after SEAL_NUMBERS_MAX packets, long
 * before the bounds of GCM: at 2^36 packets of 91 blocks the odds of a forgery are below 2^-43 for
 * each 2^36 tries (Iwata, Ohashi, Minematsu: "Breaking and Repairing GCM Security Proofs").
 *
 * Owner: one thread for each seal_tx and seal_rx. The engine: any thread, constant after its start.
 */
#ifndef POLLUX_SECURITY_SEAL_H
#define POLLUX_SECURITY_SEAL_H

#include "base/error.h"
#include "base/limits.h"
#include "security/fork_guard.h"
#include "security/replay_window.h"

#include <stdint.h>

struct gcm_key_data;
struct gcm_context_data;

/* The functions of the library for this processor. */
struct seal_engine {
    void (*expand)(const void *key, struct gcm_key_data *to);
    void (*encrypt)(const struct gcm_key_data *key, struct gcm_context_data *context, uint8_t *out,
                    const uint8_t *in, uint64_t in_bytes, const uint8_t *iv, const uint8_t *clear,
                    uint64_t clear_bytes, uint8_t *tag, uint64_t tag_bytes);
    void (*decrypt)(const struct gcm_key_data *key, struct gcm_context_data *context, uint8_t *out,
                    const uint8_t *in, uint64_t in_bytes, const uint8_t *iv, const uint8_t *clear,
                    uint64_t clear_bytes, uint8_t *tag, uint64_t tag_bytes);
};

/* What two sides agree on for one direction. */
struct seal_secret {
    uint8_t key[16];
    uint8_t salt[4];
};

/* The key as the library wants it. */
struct seal_key {
    _Alignas(64) uint8_t expanded[SEAL_EXPANDED_SIZE_BYTES];
    uint8_t salt[4];
};

struct seal_tx {
    struct seal_key key;
    uint64_t last_number; /* given last; 0: none */
    bool is_number_used;  /* a packet was sealed under it */
};

struct seal_rx {
    struct seal_key key;
    struct replay_window window;
};

struct seal_packet {
    uint8_t *data;
    uint32_t size_bytes;
    uint32_t clear_bytes; /* at least the tag's end */
    uint32_t tag_offset;
};

/* A packet of ours: all of it is authenticated, and with encryption what is behind its header is
 * encrypted, too. */
static inline struct seal_packet seal_packet_of(uint8_t *data, uint32_t size_bytes,
                                                bool is_encrypted)
{
    return (struct seal_packet){.data = data,
                                .size_bytes = size_bytes,
                                .clear_bytes = is_encrypted ? PACKET_HEADER_SIZE_BYTES : size_bytes,
                                .tag_offset = SEAL_TAG_OFFSET};
}

/* At the start: takes memory for the while. ERR_NO_MEMORY; ERR_UNSUPPORTED: the processor lacks
 * what the library needs, or the library does not compute a known answer. */
MUST_USE enum error seal_engine_init(struct seal_engine *engine);

void seal_tx_init(struct seal_tx *tx, const struct seal_engine *engine,
                  const struct seal_secret *secret);
void seal_rx_init(struct seal_rx *rx, const struct seal_engine *engine,
                  const struct seal_secret *secret);

/*
 * The next number, which the caller writes into the packet before it seals it. Each call gives
 * another one. ERR_OUTDATED: the process has forked since the guard was made. ERR_FULL: the key has
 * no numbers left.
 */
MUST_USE enum error seal_tx_number(struct seal_tx *tx, const struct fork_guard *guard,
                                   uint64_t *ret_number);

/* Seals the packet under the number that seal_tx_number gave last: once for each number (CHECK). */
void seal_packet_close(const struct seal_engine *engine, struct seal_tx *tx,
                       const struct seal_packet *packet);

/*
 * Verifies and decrypts a packet that bears this number. Whatever it returns, the bytes of the
 * packet are changed; on an error nobody may believe them. ERR_RANGE, ERR_REPLAYED: of its number
 * (replay_window.h). ERR_FORGED: the tag is not that of the packet.
 */
MUST_USE enum error seal_packet_open(const struct seal_engine *engine, struct seal_rx *rx,
                                     uint64_t number, const struct seal_packet *packet);

#endif
