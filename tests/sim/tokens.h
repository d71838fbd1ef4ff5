/*
 * Unknown outcomes whose tokens were kept: who finds one here may resolve it, in whatever process.
 */
#ifndef POLLUX_TESTS_SIM_TOKENS_H
#define POLLUX_TESTS_SIM_TOKENS_H

#include "client/include/pollux.h"

#define TOKENS_MAX 4096

struct token {
    struct plx_token token;
    uint32_t op;     /* number in the history */
    uint32_t client; /* whose handle has it, */
    uint32_t life;   /* and in which of its lives */
    uint64_t due_ns; /* not to be asked for earlier */
    bool is_claimed; /* somebody is asking */
    uint32_t claimant;
    bool is_settled;   /* the outcome is known, or lost for good */
    bool is_forgotten; /* its handle was told that it needs no more be kept */
};

struct tokens {
    struct token *tokens;
    uint32_t count;
    uint32_t open_count; /* not settled */
};

void tokens_init(struct tokens *tokens);
void tokens_deinit(struct tokens *tokens);
/* The board has room for every operation of a run (CHECK). */
void tokens_add(struct tokens *tokens, const struct token *token);
/* One that is due and nobody asks for; NULL: none. The client is asking from here on. */
struct token *tokens_claim(struct tokens *tokens, uint32_t client, uint64_t now_ns);
/* Gives it back, to be asked for again from `due_ns` on; or settles it. */
void tokens_return(struct token *token, uint64_t due_ns);
void tokens_settle(struct tokens *tokens, struct token *token);
/* The client's process has died: what it was asking for is free again. */
void tokens_release(struct tokens *tokens, uint32_t client);

#endif
