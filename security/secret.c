/* Derivation of secrets. See secret.h. */
#include "security/secret.h"

#include "base/check.h"
#include "base/le.h"

#include <sodium.h>
#include <sys/random.h>

static_assert(SECRET_LABEL_SIZE_BYTES == crypto_generichash_blake2b_PERSONALBYTES,
              "a label fills the personalisation field");
static_assert(SECRET_SIZE_BYTES == crypto_generichash_blake2b_KEYBYTES, "a secret is a key");

void secret_digest(const struct secret_digest *digest, uint8_t *ret_bytes, size_t size_bytes)
{
    struct secret_label label = {{0}};
    size_t label_bytes = strlen(digest->label);
    crypto_generichash_blake2b_state state;
    CHECK(label_bytes <= sizeof(label.bytes));
    CHECK(size_bytes >= crypto_generichash_blake2b_BYTES_MIN);
    CHECK(size_bytes <= crypto_generichash_blake2b_BYTES_MAX);
    memcpy(label.bytes, digest->label, label_bytes);
    CHECK(crypto_generichash_blake2b_init_salt_personal(&state, digest->secret->bytes,
                                                        SECRET_SIZE_BYTES, size_bytes, NULL,
                                                        label.bytes) == 0);
    for (uint32_t i = 0; i < digest->part_count; i++) {
        uint8_t length[8];
        le64_store(length, digest->parts[i].size_bytes);
        (void)crypto_generichash_blake2b_update(&state, length, sizeof(length));
        if (digest->parts[i].size_bytes > 0)
            (void)crypto_generichash_blake2b_update(&state, digest->parts[i].data,
                                                    digest->parts[i].size_bytes);
    }
    (void)crypto_generichash_blake2b_final(&state, ret_bytes, size_bytes);
    secret_wipe(&state, sizeof(state));
}

void secret_of_nodes(const struct secret *root, struct secret *ret_secret)
{
    const struct secret_digest digest = {.secret = root, .label = "pollux nodes"};
    secret_digest(&digest, ret_secret->bytes, sizeof(ret_secret->bytes));
}

void secret_of_client(const struct secret *root, struct span name, uint32_t generation,
                      struct secret *ret_secret)
{
    uint8_t number[4];
    le32_store(number, generation);
    const struct span parts[] = {name, span_of(number, sizeof(number))};
    const struct secret_digest digest = {
        .secret = root, .label = "pollux client", .parts = parts, .part_count = 2};
    secret_digest(&digest, ret_secret->bytes, sizeof(ret_secret->bytes));
}

bool secret_bytes_are_equal(const uint8_t *a, const uint8_t *b, size_t size_bytes)
{
    return sodium_memcmp(a, b, size_bytes) == 0;
}

void secret_wipe(void *memory, size_t size_bytes)
{
    explicit_bzero(memory, size_bytes);
}

void secret_draw(uint8_t *ret_bytes, size_t size_bytes)
{
    /* At most 256 bytes are never cut short, and a signal does not interrupt them. */
    CHECK(size_bytes <= 256);
    CHECK(getrandom(ret_bytes, size_bytes, 0) == (ssize_t)size_bytes);
}
