/*
 * Many requests for a transfer of leadership, for tests/cluster/transfers: so many a second, for so
 * many seconds, each to whoever is fittest.
 *
 * usage: transfer_storm SERVERS CLUSTER RATE SECONDS
 * Prints how they ended. Exit status 0: each of them began, was refused as too soon with a time
 * that makes sense, or met another that was under way.
 */
#include "client/include/pollux_leadership.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SECOND  UINT64_C(1000000000)
#define CALL_NS (SECOND)

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static int run(struct plx_client *client, uint64_t rate, uint64_t seconds)
{
    uint64_t begun = 0;
    uint64_t too_soon = 0;
    uint64_t busy = 0;
    uint64_t other = 0;
    uint64_t begun_ns = clock_ns();
    for (uint64_t i = 0; i < rate * seconds; i++) {
        uint64_t retry_ns;
        uint64_t due_ns = begun_ns + i * SECOND / rate;
        uint64_t now_ns;
        while ((now_ns = clock_ns()) < due_ns)
            plx_poll(client, due_ns - now_ns);
        enum plx_outcome outcome = plx_transfer(client, 0, 0, CALL_NS, &retry_ns);
        begun += outcome == PLX_OK;
        busy += outcome == PLX_E_OVERLOADED;
        if (outcome == PLX_E_TOO_SOON && retry_ns > 0 && retry_ns < 3600 * SECOND)
            too_soon++;
        else
            other += outcome != PLX_OK && outcome != PLX_E_OVERLOADED;
    }
    printf("requests=%" PRIu64 " begun=%" PRIu64 " too_soon=%" PRIu64 " busy=%" PRIu64
           " other=%" PRIu64,
           rate * seconds, begun, too_soon, busy, other);
    return other == 0 && too_soon > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct plx_options options;
    struct plx_client *client;
    char reason[256];
    if (argc != 5)
        return EXIT_FAILURE;
    plx_options_init(&options);
    options.endpoints = argv[1];
    options.cluster = argv[2];
    if (plx_open(&options, &client, reason, sizeof(reason)) != PLX_OK) {
        fprintf(stderr, "transfer_storm: %s\n", reason);
        return EXIT_FAILURE;
    }
    int status = run(client, strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    plx_close(client);
    return status;
}
