/*
 * Relaxed writes through one node, then consistent writes of half of the keys by the same handle,
 * then, after a line on standard input, what is stored at last: for tests/cluster/overrule.
 *
 * usage: overrule SERVERS CLUSTER HOME KEYS
 */
#include "client/include/pollux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS     3   /* of relaxed writes of each key: all but the last may be coalesced */
#define HOT        100 /* more of the first key, which is written later: no request names all */
#define READS_MAX  200
#define TIMEOUT_NS (UINT64_C(10) * 1000 * 1000 * 1000)

static struct plx_client *client;

static struct plx_bytes key_of(int number, char text[32])
{
    snprintf(text, 32, "overrule/%d", number);
    return plx_text(text);
}

/* Sets the keys from 0 in steps of `step`; returns how many were acknowledged. */
static int set_all(int keys, int step, const char *value, const struct plx_call *call)
{
    int good = 0;
    for (int i = 0; i < keys; i += step) {
        char key[32];
        good += plx_set(client, key_of(i, key), plx_text(value), call).outcome == PLX_OK;
    }
    return good;
}

/* How many of these keys hold another value than this. */
static int count_others(int keys, int first, const char *value)
{
    const struct plx_call call = {.is_blocking = true};
    int others = 0;
    for (int i = first; i < keys; i += 2) {
        char key[32];
        struct plx_response response = plx_get(client, key_of(i, key), &call);
        others += response.value_size_bytes != strlen(value) ||
                  memcmp(response.value.data, value, strlen(value)) != 0;
    }
    return others;
}

static int run(int keys)
{
    const struct plx_call relaxed = {.is_relaxed = true};
    char value[32] = "";
    char line[8];
    int accepted = 0;
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(value, sizeof(value), "relaxed %d", i);
        accepted += set_all(keys, 1, value, &relaxed);
    }
    for (int i = 0; i < HOT; i++)
        accepted += set_all(1, 1, value, &relaxed);
    printf("relaxed=%d ", accepted);
    printf("later=%d\n", set_all(keys, 2, "later", NULL));
    fflush(stdout);
    if (fgets(line, sizeof(line), stdin) == NULL)
        return EXIT_FAILURE;
    int missing = keys;
    for (int i = 0; i < READS_MAX && missing > 0; i++)
        missing = count_others(keys, 1, value);
    int overwritten = count_others(keys, 0, "later");
    printf("overwritten=%d missing=%d\n", overwritten, missing);
    return overwritten + missing == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct plx_options options;
    char reason[256];
    if (argc != 5)
        return EXIT_FAILURE;
    plx_options_init(&options);
    options.endpoints = argv[1];
    options.cluster = argv[2];
    options.preferred_endpoint = (int32_t)strtol(argv[3], NULL, 10);
    options.timeout_ns = TIMEOUT_NS;
    if (plx_open(&options, &client, reason, sizeof(reason)) != PLX_OK) {
        fprintf(stderr, "overrule: %s\n", reason);
        return EXIT_FAILURE;
    }
    int status = run((int)strtol(argv[4], NULL, 10));
    plx_close(client);
    return status;
}
