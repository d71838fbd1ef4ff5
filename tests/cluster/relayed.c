/*
 * Consistent calls by one handle: for each line "N" on standard input it does N of each kind, set,
 * get and swap, and tells how many did what they should, and how long the first and the longest of
 * the others took. For tests/cluster/relayed.
 *
 * usage: relayed SERVERS CLUSTER KEY-FILE|-
 */
#include "client/include/pollux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMEOUT_NS UINT64_C(2000000000)
#define LARGE_SIZE 100000

static struct plx_client *client;
static int number; /* of the value that is stored */
static char large[LARGE_SIZE];

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static struct plx_bytes value_of(int of, char text[32])
{
    snprintf(text, 32, "value %d", of);
    return plx_text(text);
}

/* Of each second set the value is one of many packets. */
static bool set_next(int i)
{
    char text[32];
    struct plx_bytes value = value_of(++number, text);
    if (i % 2 == 1 &&
        plx_set(client, plx_text("relayed/large"), (struct plx_bytes){large, sizeof(large)}, NULL)
                .outcome != PLX_OK)
        return false;
    return plx_set(client, plx_text("relayed/key"), value, NULL).outcome == PLX_OK;
}

static bool get_it(int i)
{
    char text[32];
    struct plx_bytes value = value_of(number, text);
    const bool is_large = i % 2 == 1;
    struct plx_response response =
        plx_get(client, plx_text(is_large ? "relayed/large" : "relayed/key"), NULL);
    if (is_large)
        value = (struct plx_bytes){large, sizeof(large)};
    return response.outcome == PLX_OK && response.value_size_bytes == value.size_bytes &&
           memcmp(response.value.data, value.data, value.size_bytes) == 0;
}

static bool swap_it(int i)
{
    char before[32];
    char after[32];
    struct plx_bytes old_value = value_of(number, before);
    (void)i;
    number++;
    return plx_swap(client, plx_text("relayed/key"), value_of(number, after), old_value, NULL)
               .outcome == PLX_OK;
}

static void round_of(int count)
{
    static bool (*const kinds[])(int) = {set_next, get_it, swap_it};
    int good[3] = {0};
    double first_ms = 0;
    double worst_ms = 0;
    for (int i = 0; i < 3 * count; i++) {
        double begin_ms = now_ms();
        good[i % 3] += kinds[i % 3](i / 3);
        double took_ms = now_ms() - begin_ms;
        if (i == 0)
            first_ms = took_ms;
        else if (took_ms > worst_ms)
            worst_ms = took_ms;
    }
    printf("sets=%d gets=%d swaps=%d of=%d first_ms=%.0f worst_ms=%.0f\n", good[0], good[1],
           good[2], count, first_ms, worst_ms);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct plx_options options;
    char reason[256];
    char line[16];
    if (argc != 4)
        return EXIT_FAILURE;
    plx_options_init(&options);
    options.endpoints = argv[1];
    options.cluster = argv[2];
    options.key_file = strcmp(argv[3], "-") == 0 ? NULL : argv[3];
    options.timeout_ns = TIMEOUT_NS;
    memset(large, 'x', sizeof(large));
    if (plx_open(&options, &client, reason, sizeof(reason)) != PLX_OK) {
        fprintf(stderr, "relayed: %s\n", reason);
        return EXIT_FAILURE;
    }
    while (fgets(line, sizeof(line), stdin) != NULL)
        round_of((int)strtol(line, NULL, 10));
    plx_close(client);
    return EXIT_SUCCESS;
}
