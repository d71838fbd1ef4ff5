/* See seal.h. */
#include "security/seal.h"

#include "base/check.h"
#include "base/le.h"

#include <endian.h>
#include <intel-ipsec-mb.h>
#include <sodium.h>
#include <string.h>

#define NONCE_BYTES 12

static_assert(sizeof(struct gcm_key_data) <= SEAL_EXPANDED_SIZE_BYTES, "an expanded key fits");
static_assert(_Alignof(struct gcm_key_data) <= 64, "and lies as the library wants it");

static struct gcm_key_data *key_data(struct seal_key *key)
{
    return (struct gcm_key_data *)(void *)key->expanded;
}

/* Test case 2 of the GCM specification (McGrew and Viega, appendix B). */
static bool computes_known_answer(const struct seal_engine *engine)
{
    static const uint8_t key[16] = {0};
    static const uint8_t iv[NONCE_BYTES] = {0};
    static const uint8_t text[16] = {0};
    static const uint8_t cipher[16] = {0x03, 0x88, 0xda, 0xce, 0x60, 0xb6, 0xa3, 0x92,
                                       0xf3, 0x28, 0xc2, 0xb9, 0x71, 0xb2, 0xfe, 0x78};
    static const uint8_t expected[16] = {0xab, 0x6e, 0x47, 0xd4, 0x2c, 0xec, 0x13, 0xbd,
                                         0xf5, 0x3a, 0x67, 0xb2, 0x12, 0x57, 0xbd, 0xdf};
    struct seal_key expanded;
    struct gcm_context_data context;
    uint8_t out[16];
    uint8_t tag[16];
    engine->expand(key, key_data(&expanded));
    engine->encrypt(key_data(&expanded), &context, out, text, sizeof(text), iv, iv, 0, tag, 16);
    return memcmp(out, cipher, sizeof(out)) == 0 && memcmp(tag, expected, sizeof(tag)) == 0;
}

enum error seal_engine_init(struct seal_engine *engine)
{
    IMB_MGR *manager = alloc_mb_mgr(0);
    IMB_ARCH arch = IMB_ARCH_NONE;
    if (manager == NULL)
        return ERR_NO_MEMORY;
    init_mb_mgr_auto(manager, &arch);
    bool is_usable = arch != IMB_ARCH_NONE && imb_get_errno(manager) == 0 && sodium_init() >= 0;
    *engine = (struct seal_engine){.expand = manager->gcm128_pre,
                                   .encrypt = manager->gcm128_enc,
                                   .decrypt = manager->gcm128_dec};
    free_mb_mgr(manager);
    return is_usable && computes_known_answer(engine) ? OK : ERR_UNSUPPORTED;
}

static void key_init(struct seal_key *key, const struct seal_engine *engine,
                     const struct seal_secret *secret)
{
    engine->expand(secret->key, key_data(key));
    memcpy(key->salt, secret->salt, sizeof(key->salt));
}

void seal_tx_init(struct seal_tx *tx, const struct seal_engine *engine,
                  const struct seal_secret *secret)
{
    key_init(&tx->key, engine, secret);
    tx->last_number = 0;
    tx->is_number_used = true;
}

void seal_rx_init(struct seal_rx *rx, const struct seal_engine *engine,
                  const struct seal_secret *secret)
{
    key_init(&rx->key, engine, secret);
    rx->window = (struct replay_window){0};
}

enum error seal_tx_number(struct seal_tx *tx, const struct fork_guard *guard, uint64_t *ret_number)
{
    if (fork_guard_is_forked(guard))
        return ERR_OUTDATED;
    if (tx->last_number >= SEAL_NUMBERS_MAX)
        return ERR_FULL;
    tx->is_number_used = false;
    *ret_number = ++tx->last_number;
    return OK;
}

static void nonce_of(const struct seal_key *key, uint64_t number, uint8_t nonce[NONCE_BYTES])
{
    uint64_t big_endian = htobe64(number);
    memcpy(nonce, key->salt, sizeof(key->salt));
    memcpy(nonce + sizeof(key->salt), &big_endian, sizeof(big_endian));
}

static void seal_layout_check(const struct seal_packet *packet)
{
    CHECK(packet->clear_bytes <= packet->size_bytes);
    CHECK(packet->tag_offset + SEAL_TAG_SIZE_BYTES <= packet->clear_bytes);
}

void seal_packet_close(const struct seal_engine *engine, struct seal_tx *tx,
                       const struct seal_packet *packet)
{
    struct gcm_context_data context;
    uint8_t nonce[NONCE_BYTES];
    uint8_t tag[SEAL_TAG_SIZE_BYTES];
    uint8_t *text = packet->data + packet->clear_bytes;
    seal_layout_check(packet);
    CHECK(!tx->is_number_used);
    tx->is_number_used = true;
    memset(packet->data + packet->tag_offset, 0, sizeof(tag));
    nonce_of(&tx->key, tx->last_number, nonce);
    engine->encrypt(key_data(&tx->key), &context, text, text,
                    packet->size_bytes - packet->clear_bytes, nonce, packet->data,
                    packet->clear_bytes, tag, sizeof(tag));
    memcpy(packet->data + packet->tag_offset, tag, sizeof(tag));
}

/* In words, which is faster than byte by byte; as long wherever the two differ. */
static bool tags_are_equal(const uint8_t a[SEAL_TAG_SIZE_BYTES],
                           const uint8_t b[SEAL_TAG_SIZE_BYTES])
{
    uint64_t low = le64_load(a) ^ le64_load(b);
    uint64_t high = le64_load(a + 8) ^ le64_load(b + 8);
    return (low | high) == 0;
}

enum error seal_packet_open(const struct seal_engine *engine, struct seal_rx *rx, uint64_t number,
                            const struct seal_packet *packet)
{
    struct gcm_context_data context;
    uint8_t nonce[NONCE_BYTES];
    uint8_t told[SEAL_TAG_SIZE_BYTES];
    uint8_t tag[SEAL_TAG_SIZE_BYTES];
    uint8_t *text = packet->data + packet->clear_bytes;
    seal_layout_check(packet);
    enum error error = replay_window_check(&rx->window, number);
    if (error != OK)
        return error;
    memcpy(told, packet->data + packet->tag_offset, sizeof(told));
    memset(packet->data + packet->tag_offset, 0, sizeof(told));
    nonce_of(&rx->key, number, nonce);
    engine->decrypt(key_data(&rx->key), &context, text, text,
                    packet->size_bytes - packet->clear_bytes, nonce, packet->data,
                    packet->clear_bytes, tag, sizeof(tag));
    if (!tags_are_equal(tag, told))
        return ERR_FORGED;
    replay_window_note(&rx->window, number);
    return OK;
}
