/* See tokens.h. */
#include "tests/sim/tokens.h"

#include "base/check.h"

#include <stdlib.h>

void tokens_init(struct tokens *tokens)
{
    *tokens = (struct tokens){.count = 0};
    tokens->tokens = calloc(TOKENS_MAX, sizeof(*tokens->tokens));
    CHECK(tokens->tokens != NULL);
}

void tokens_deinit(struct tokens *tokens)
{
    free(tokens->tokens);
    *tokens = (struct tokens){0};
}

void tokens_add(struct tokens *tokens, const struct token *token)
{
    CHECK(tokens->count < TOKENS_MAX);
    tokens->tokens[tokens->count++] = *token;
    tokens->open_count++;
}

struct token *tokens_claim(struct tokens *tokens, uint32_t client, uint64_t now_ns)
{
    for (uint32_t i = 0; i < tokens->count && tokens->open_count > 0; i++) {
        struct token *token = &tokens->tokens[i];
        if (token->is_settled || token->is_claimed || token->due_ns > now_ns)
            continue;
        token->is_claimed = true;
        token->claimant = client;
        return token;
    }
    return NULL;
}

void tokens_return(struct token *token, uint64_t due_ns)
{
    token->is_claimed = false;
    token->due_ns = due_ns;
}

void tokens_settle(struct tokens *tokens, struct token *token)
{
    CHECK(!token->is_settled);
    token->is_claimed = false;
    token->is_settled = true;
    tokens->open_count--;
}

void tokens_release(struct tokens *tokens, uint32_t client)
{
    for (uint32_t i = 0; i < tokens->count; i++) {
        if (tokens->tokens[i].claimant == client)
            tokens->tokens[i].is_claimed = false;
    }
}
