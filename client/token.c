/*
 * Tokens as text: "plx2-" cluster id, cluster, era, shard, session and seq in hexadecimal, and the
 * crc32c of those bytes, so that a mistyped token is refused instead of fencing somebody else's
 * operation.
 */
#include "base/crc32c.h"
#include "base/le.h"
#include "client/include/pollux.h"

#include <inttypes.h>
#include <stdio.h>

static uint32_t token_crc(const struct plx_token *token)
{
    uint8_t bytes[38];
    le64_store(bytes, token->cluster_id);
    le64_store(bytes + 8, token->session);
    le64_store(bytes + 16, token->seq);
    le16_store(bytes + 24, token->shard);
    le32_store(bytes + 26, token->era);
    le64_store(bytes + 30, token->cluster);
    return crc32c(0, bytes, sizeof(bytes));
}

void plx_token_format(const struct plx_token *token, char ret_text[PLX_TOKEN_TEXT_SIZE])
{
    snprintf(ret_text, PLX_TOKEN_TEXT_SIZE,
             "plx2-%016" PRIx64 "-%016" PRIx64 "-%" PRIx32 "-%" PRIx16 "-%016" PRIx64 "-%" PRIx64
             "-%08" PRIx32,
             token->cluster_id, token->cluster, token->era, token->shard, token->session,
             token->seq, token_crc(token));
}

bool plx_token_parse(const char *text, struct plx_token *ret_token)
{
    struct plx_token token = {.shard = 0};
    uint32_t crc;
    *ret_token = token;
    if (text == NULL || strlen(text) >= PLX_TOKEN_TEXT_SIZE)
        return false;
    if (sscanf(text,
               "plx2-%16" SCNx64 "-%16" SCNx64 "-%8" SCNx32 "-%4" SCNx16 "-%16" SCNx64 "-%16" SCNx64
               "-%8" SCNx32,
               &token.cluster_id, &token.cluster, &token.era, &token.shard, &token.session,
               &token.seq, &crc) != 7)
        return false;
    if (crc != token_crc(&token))
        return false;
    /* What is accepted is exactly what is written: no other spelling, nothing behind it. */
    char canonical[PLX_TOKEN_TEXT_SIZE];
    plx_token_format(&token, canonical);
    if (strcmp(text, canonical) != 0)
        return false;
    *ret_token = token;
    return true;
}
