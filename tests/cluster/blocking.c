/*
 * Blocking calls, for tests/cluster/blocking and tests/cluster/cancel. Exit status 0: every outcome
 * was as it must be.
 *
 *   blocking SERVERS CLUSTER chain HOME
 * swaps a key from each number to the next and reads it back, until a line comes in; prints a line
 * for each step.
 *
 *   blocking SERVERS CLUSTER cancel
 * for each key that comes in swaps it in another thread, and cancels that when one more line comes;
 * prints KEY OUTCOME TOKEN.
 */
#include "client/include/pollux.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_KEY "blocking/chain"

static struct plx_client *client;

static bool has_input(void)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};
    return poll(&input, 1, 0) > 0;
}

static bool is_text(const struct plx_response *response, const char *text)
{
    return response->outcome == PLX_OK && response->value.size_bytes == strlen(text) &&
           memcmp(response->value.data, text, strlen(text)) == 0;
}

/* One step: false when an outcome was not as it must be. */
static bool step(unsigned long number)
{
    const struct plx_call blocking = {.is_blocking = true};
    const struct plx_call relaxed = {.is_blocking = true, .is_relaxed = true};
    char before[32];
    char after[32];
    snprintf(before, sizeof(before), "%lu", number);
    snprintf(after, sizeof(after), "%lu", number + 1);
    struct plx_response response = plx_swap(client, plx_text(CHAIN_KEY), plx_text(after),
                                            number == 0 ? PLX_ABSENT : plx_text(before), &blocking);
    bool is_good = response.outcome == PLX_OK;
    response = plx_get(client, plx_text(CHAIN_KEY), &blocking);
    is_good = is_good && is_text(&response, after);
    /* The home alone: an older number, or none yet; but an answer. */
    response = plx_get(client, plx_text(CHAIN_KEY), &relaxed);
    return is_good && (response.outcome == PLX_OK || response.outcome == PLX_NOT_FOUND);
}

static int chain(void)
{
    unsigned long number = 0;
    unsigned long wrong = 0;
    while (!has_input() && wrong == 0) {
        wrong += !step(number++);
        printf("%lu\n", number);
        fflush(stdout);
    }
    printf("steps=%lu wrong=%lu\n", number, wrong);
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A call of another thread. */
struct swap_call {
    const char *key;
    struct plx_response response;
    _Atomic bool is_done; /* release after the response is written; acquire before it is read */
};

static void *swap_run(void *context)
{
    struct swap_call *call = context;
    call->response = plx_swap(client, plx_text(call->key), plx_text("done"), PLX_ABSENT,
                              &(struct plx_call){.is_blocking = true});
    atomic_store_explicit(&call->is_done, true, memory_order_release);
    return NULL;
}

/* False: the call did not block, or ended as no cancelled call may. */
static bool cancel_one(const char *key)
{
    struct swap_call call = {.key = key};
    char token[PLX_TOKEN_TEXT_SIZE] = "-";
    char line[16];
    pthread_t thread;
    if (pthread_create(&thread, NULL, swap_run, &call) != 0)
        return false;
    bool has_blocked = fgets(line, sizeof(line), stdin) != NULL &&
                       !atomic_load_explicit(&call.is_done, memory_order_acquire);
    plx_cancel(client);
    pthread_join(thread, NULL);
    enum plx_outcome outcome = call.response.outcome;
    if (outcome == PLX_UNKNOWN)
        plx_token_format(&call.response.token, token);
    printf("%s %s %s\n", key, plx_outcome_name(outcome), token);
    fflush(stdout);
    return has_blocked &&
           (outcome == PLX_TIMEOUT || (outcome == PLX_UNKNOWN && call.response.token.session != 0));
}

static int cancel(void)
{
    char key[128];
    int status = EXIT_SUCCESS;
    /* The session of what is to come, while there is somebody to open it. */
    if (plx_set(client, plx_text("blocking/warm"), plx_text("up"),
                &(struct plx_call){.is_blocking = true})
            .outcome != PLX_OK)
        return EXIT_FAILURE;
    printf("ready\n");
    fflush(stdout);
    while (fgets(key, sizeof(key), stdin) != NULL) {
        key[strcspn(key, "\n")] = '\0';
        if (!cancel_one(key))
            status = EXIT_FAILURE;
    }
    return status;
}

int main(int argc, char **argv)
{
    struct plx_options options;
    char reason[256];
    bool is_chain = argc == 5 && strcmp(argv[3], "chain") == 0;
    if (!is_chain && (argc != 4 || strcmp(argv[3], "cancel") != 0))
        return EXIT_FAILURE;
    plx_options_init(&options);
    options.endpoints = argv[1];
    options.cluster = argv[2];
    if (is_chain)
        options.preferred_endpoint = (int32_t)strtol(argv[4], NULL, 10);
    if (plx_open(&options, &client, reason, sizeof(reason)) != PLX_OK) {
        fprintf(stderr, "blocking: %s\n", reason);
        return EXIT_FAILURE;
    }
    int status = is_chain ? chain() : cancel();
    plx_close(client);
    return status;
}
