/* The messages of the handshake, and the keys that follow from them. See handshake.h. */
#include "security/handshake.h"

#include "base/check.h"
#include "base/le.h"

#define VERSION 1

#define OFFSET_KEY_ID      1
#define OFFSET_KIND        2
#define OFFSET_ATTEMPT     8
#define OFFSET_INCARNATION 16
#define OFFSET_RANDOM      32

#define INITIATION_GENERATION  4
#define INITIATION_ASSOCIATION 24
#define INITIATION_NAME_BYTES  28
#define INITIATION_NAME        64
#define INITIATION_COOKIE      128
#define INITIATION_TAG         144

#define RESPONSE_ASSOCIATION 4
#define RESPONSE_ZERO        24
#define RESPONSE_TAG         64

#define TAG_BYTES     16
#define CONTEXT_BYTES 14

static_assert(INITIATION_TAG + TAG_BYTES == HANDSHAKE_INITIATION_BYTES, "as the header says");
static_assert(RESPONSE_TAG + TAG_BYTES == HANDSHAKE_RESPONSE_BYTES, "as the header says");
static_assert(INITIATION_COOKIE - INITIATION_NAME == KEY_NAME_BYTES_MAX + 1, "a name fits");
static_assert(INITIATION_COOKIE + COOKIE_SIZE_BYTES == INITIATION_TAG, "so does a cookie");
static_assert(HANDSHAKE_RESPONSE_BYTES <= HANDSHAKE_INITIATION_BYTES, "no amplifier");

static bool is_all_zero(const uint8_t *bytes, size_t size_bytes)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size_bytes; i++)
        any |= bytes[i];
    return any == 0;
}

static void context_encode(const struct handshake_context *context, uint8_t to[CONTEXT_BYTES])
{
    le64_store(to, context->cluster_id);
    le16_store(to + 8, context->shard);
    le16_store(to + 10, context->initiator);
    le16_store(to + 12, context->responder);
}

void handshake_secret_of(const struct secret *secret, struct handshake_secret *ret_secret)
{
    struct secret_digest digest = {.secret = secret, .label = "pollux hs tags"};
    secret_digest(&digest, ret_secret->tags.bytes, SECRET_SIZE_BYTES);
    digest.label = "pollux hs traf";
    secret_digest(&digest, ret_secret->traffic.bytes, SECRET_SIZE_BYTES);
}

/* The tag of `bytes`, whose last TAG_BYTES are its place; an initiation has no `before`. */
static void tag_of(const struct handshake *handshake, struct span before, struct span bytes,
                   uint8_t ret_tag[TAG_BYTES])
{
    uint8_t context[CONTEXT_BYTES];
    context_encode(&handshake->context, context);
    const struct span parts[] = {span_of(context, sizeof(context)), before,
                                 span_of(bytes.data, bytes.size_bytes - TAG_BYTES)};
    const struct secret_digest digest = {
        .secret = &handshake->secret->tags, .label = "pollux hs", .parts = parts, .part_count = 3};
    secret_digest(&digest, ret_tag, TAG_BYTES);
}

static enum error tag_check(const struct handshake *handshake, struct span before,
                            struct span bytes)
{
    uint8_t expected[TAG_BYTES];
    const uint8_t *told = bytes.data + bytes.size_bytes - TAG_BYTES;
    tag_of(handshake, before, bytes, expected);
    return secret_bytes_are_equal(expected, told, TAG_BYTES) ? OK : ERR_FORGED;
}

void handshake_initiation_encode(uint8_t *to, const struct handshake *handshake,
                                 const struct handshake_initiation *initiation)
{
    CHECK(initiation->key_id != 0);
    CHECK(initiation->name_bytes <= KEY_NAME_BYTES_MAX);
    memset(to, 0, HANDSHAKE_INITIATION_BYTES);
    to[0] = VERSION;
    to[OFFSET_KEY_ID] = initiation->key_id;
    to[OFFSET_KIND] = initiation->initiator;
    le32_store(to + INITIATION_GENERATION, initiation->generation);
    le64_store(to + OFFSET_ATTEMPT, initiation->attempt);
    le64_store(to + OFFSET_INCARNATION, initiation->incarnation);
    le32_store(to + INITIATION_ASSOCIATION, initiation->association);
    to[INITIATION_NAME_BYTES] = (uint8_t)initiation->name_bytes;
    memcpy(to + OFFSET_RANDOM, initiation->random, HANDSHAKE_RANDOM_BYTES);
    memcpy(to + INITIATION_NAME, initiation->name, initiation->name_bytes);
    memcpy(to + INITIATION_COOKIE, initiation->cookie, COOKIE_SIZE_BYTES);
    tag_of(handshake, (struct span){0}, span_of(to, HANDSHAKE_INITIATION_BYTES),
           to + INITIATION_TAG);
}

/* What both messages begin with. */
static enum error handshake_head_check(struct span bytes, size_t size_bytes)
{
    if (bytes.size_bytes < size_bytes)
        return ERR_SHORT;
    if (bytes.size_bytes > size_bytes)
        return ERR_TRAILING;
    if (bytes.data[0] != VERSION)
        return ERR_VERSION;
    if (bytes.data[OFFSET_KEY_ID] == 0)
        return ERR_KEY;
    /* Two values each: enum handshake_initiator, enum handshake_answer. */
    if (bytes.data[OFFSET_KIND] < 1 || bytes.data[OFFSET_KIND] > 2)
        return ERR_TYPE;
    return bytes.data[OFFSET_KIND + 1] == 0 ? OK : ERR_RESERVED;
}

enum error handshake_initiation_decode(struct span bytes,
                                       struct handshake_initiation *ret_initiation)
{
    enum error error = handshake_head_check(bytes, HANDSHAKE_INITIATION_BYTES);
    if (error != OK)
        return error;
    const uint8_t *data = bytes.data;
    struct handshake_initiation initiation = {
        .key_id = data[OFFSET_KEY_ID],
        .initiator = data[OFFSET_KIND],
        .generation = le32_load(data + INITIATION_GENERATION),
        .attempt = le64_load(data + OFFSET_ATTEMPT),
        .incarnation = le64_load(data + OFFSET_INCARNATION),
        .association = le32_load(data + INITIATION_ASSOCIATION),
        .name_bytes = data[INITIATION_NAME_BYTES],
    };
    bool is_client = initiation.initiator == HANDSHAKE_CLIENT;
    if (initiation.name_bytes > KEY_NAME_BYTES_MAX || is_client != (initiation.name_bytes > 0))
        return ERR_RANGE;
    if (!is_all_zero(data + INITIATION_NAME_BYTES + 1, 3) ||
        !is_all_zero(data + INITIATION_NAME + initiation.name_bytes,
                     INITIATION_COOKIE - INITIATION_NAME - initiation.name_bytes) ||
        (!is_client && initiation.generation != 0))
        return ERR_RESERVED;
    memcpy(initiation.random, data + OFFSET_RANDOM, HANDSHAKE_RANDOM_BYTES);
    memcpy(initiation.name, data + INITIATION_NAME, initiation.name_bytes);
    memcpy(initiation.cookie, data + INITIATION_COOKIE, COOKIE_SIZE_BYTES);
    *ret_initiation = initiation;
    return OK;
}

enum error handshake_initiation_check(struct span bytes, const struct handshake *handshake)
{
    CHECK(bytes.size_bytes == HANDSHAKE_INITIATION_BYTES);
    return tag_check(handshake, (struct span){0}, bytes);
}

static void response_head_encode(uint8_t *to, const struct handshake_response *response)
{
    memset(to, 0, HANDSHAKE_RESPONSE_BYTES);
    to[0] = VERSION;
    to[OFFSET_KEY_ID] = response->key_id;
    to[OFFSET_KIND] = response->answer;
    le32_store(to + RESPONSE_ASSOCIATION, response->association);
    le64_store(to + OFFSET_ATTEMPT, response->attempt);
    le64_store(to + OFFSET_INCARNATION, response->incarnation);
    memcpy(to + OFFSET_RANDOM, response->random, HANDSHAKE_RANDOM_BYTES);
}

void handshake_response_encode(uint8_t *to, const struct handshake *handshake,
                               struct span initiation, const struct handshake_response *response)
{
    CHECK(response->answer == HANDSHAKE_AGREED);
    CHECK(initiation.size_bytes == HANDSHAKE_INITIATION_BYTES);
    response_head_encode(to, response);
    tag_of(handshake, initiation, span_of(to, HANDSHAKE_RESPONSE_BYTES), to + RESPONSE_TAG);
}

void handshake_cookie_encode(uint8_t *to, struct span initiation,
                             const uint8_t cookie[COOKIE_SIZE_BYTES])
{
    CHECK(initiation.size_bytes == HANDSHAKE_INITIATION_BYTES);
    struct handshake_response response = {.key_id = initiation.data[OFFSET_KEY_ID],
                                          .answer = HANDSHAKE_COOKIE,
                                          .attempt = le64_load(initiation.data + OFFSET_ATTEMPT)};
    memcpy(response.random, cookie, COOKIE_SIZE_BYTES);
    response_head_encode(to, &response);
    memcpy(to + RESPONSE_TAG, initiation.data + INITIATION_TAG, TAG_BYTES);
}

enum error handshake_response_decode(struct span bytes, struct handshake_response *ret_response)
{
    enum error error = handshake_head_check(bytes, HANDSHAKE_RESPONSE_BYTES);
    if (error != OK)
        return error;
    const uint8_t *data = bytes.data;
    struct handshake_response response = {
        .key_id = data[OFFSET_KEY_ID],
        .answer = data[OFFSET_KIND],
        .association = le32_load(data + RESPONSE_ASSOCIATION),
        .attempt = le64_load(data + OFFSET_ATTEMPT),
        .incarnation = le64_load(data + OFFSET_INCARNATION),
    };
    bool is_cookie = response.answer == HANDSHAKE_COOKIE;
    if (!is_all_zero(data + RESPONSE_ZERO, OFFSET_RANDOM - RESPONSE_ZERO) ||
        (is_cookie && (response.association != 0 || response.incarnation != 0 ||
                       !is_all_zero(data + OFFSET_RANDOM + COOKIE_SIZE_BYTES,
                                    HANDSHAKE_RANDOM_BYTES - COOKIE_SIZE_BYTES))))
        return ERR_RESERVED;
    memcpy(response.random, data + OFFSET_RANDOM, HANDSHAKE_RANDOM_BYTES);
    *ret_response = response;
    return OK;
}

enum error handshake_response_check(struct span bytes, const struct handshake *handshake,
                                    struct span initiation)
{
    CHECK(bytes.size_bytes == HANDSHAKE_RESPONSE_BYTES);
    CHECK(initiation.size_bytes == HANDSHAKE_INITIATION_BYTES);
    if (bytes.data[OFFSET_KEY_ID] != initiation.data[OFFSET_KEY_ID] ||
        memcmp(bytes.data + OFFSET_ATTEMPT, initiation.data + OFFSET_ATTEMPT, 8) != 0)
        return ERR_FORGED;
    if (bytes.data[OFFSET_KIND] == HANDSHAKE_AGREED)
        return tag_check(handshake, initiation, bytes);
    return secret_bytes_are_equal(bytes.data + RESPONSE_TAG, initiation.data + INITIATION_TAG,
                                  TAG_BYTES)
               ? OK
               : ERR_FORGED;
}

static const uint8_t *take_seal_secret(const uint8_t *from, struct seal_secret *to)
{
    memcpy(to->key, from, sizeof(to->key));
    memcpy(to->salt, from + sizeof(to->key), sizeof(to->salt));
    return from + sizeof(to->key) + sizeof(to->salt);
}

void handshake_agree(const struct handshake *handshake, struct span initiation,
                     struct span response, struct handshake_traffic *ret_traffic)
{
    uint8_t context[CONTEXT_BYTES];
    uint8_t bytes[2 * sizeof(struct seal_secret)];
    context_encode(&handshake->context, context);
    CHECK(response.data[OFFSET_KIND] == HANDSHAKE_AGREED);
    const struct span parts[] = {span_of(context, sizeof(context)), initiation, response};
    const struct secret_digest digest = {.secret = &handshake->secret->traffic,
                                         .label = "pollux traffic",
                                         .parts = parts,
                                         .part_count = 3};
    secret_digest(&digest, bytes, sizeof(bytes));
    const uint8_t *at = take_seal_secret(bytes, &ret_traffic->to_responder);
    (void)take_seal_secret(at, &ret_traffic->to_initiator);
    secret_wipe(bytes, sizeof(bytes));
}
