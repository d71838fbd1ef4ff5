/* Names of contents. See content_name.h. */
#include "security/content_name.h"

#include "base/check.h"
#include "base/le.h"

#include <sodium.h>
#include <string.h>

void content_name(const char *label, const struct span *parts, uint32_t part_count,
                  uint8_t ret_name[CONTENT_NAME_SIZE_BYTES])
{
    uint8_t personal[crypto_generichash_blake2b_PERSONALBYTES] = {0};
    size_t label_bytes = strlen(label);
    crypto_generichash_blake2b_state state;
    CHECK(label_bytes <= sizeof(personal));
    memcpy(personal, label, label_bytes);
    CHECK(crypto_generichash_blake2b_init_salt_personal(&state, NULL, 0, CONTENT_NAME_SIZE_BYTES,
                                                        NULL, personal) == 0);
    for (uint32_t i = 0; i < part_count; i++) {
        uint8_t length[8];
        le64_store(length, parts[i].size_bytes);
        (void)crypto_generichash_blake2b_update(&state, length, sizeof(length));
        if (parts[i].size_bytes > 0)
            (void)crypto_generichash_blake2b_update(&state, parts[i].data, parts[i].size_bytes);
    }
    (void)crypto_generichash_blake2b_final(&state, ret_name, CONTENT_NAME_SIZE_BYTES);
}
