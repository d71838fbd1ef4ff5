/*
 * Leaders changed again and again, for tests/cluster/elections: whoever leads is asked to hand
 * leadership to the next node, and when that one leads it is asked in turn. After every thousandth
 * change a key is set and read back.
 *
 * usage: changes SERVERS CLUSTER COUNT [SECONDS]   (SECONDS: at most so long)
 * Prints the changes, the highest term and the time. Exit status 0: so many were made.
 */
#include "client/include/pollux_leadership.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MILLISECOND UINT64_C(1000000)
#define SECOND      (1000 * MILLISECOND)
#define CALL_NS     (200 * MILLISECOND)
#define LOOKS_MAX   200 /* at one node, before all are asked who leads */
#define STUCK_NS    (30 * SECOND)
#define SET_EVERY   1000

struct changes {
    struct plx_client *client;
    size_t nodes;
    size_t leader; /* endpoint */
    uint64_t term; /* that it leads */
    uint64_t count;
    uint64_t newest_ns;
};

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

/* True when the node leads a term that is higher than any before. */
static bool has_come(struct changes *changes, size_t endpoint)
{
    struct plx_node node;
    if (plx_ping(changes->client, endpoint, 0, CALL_NS, &node) != PLX_OK ||
        node.role != PLX_LEADER || node.term <= changes->term)
        return false;
    changes->count += changes->term != 0;
    changes->term = node.term;
    changes->leader = endpoint;
    changes->newest_ns = clock_ns();
    return true;
}

static bool find_leader(struct changes *changes)
{
    for (size_t endpoint = 0; endpoint < changes->nodes; endpoint++) {
        if (has_come(changes, endpoint))
            return true;
    }
    return false;
}

static void change(struct changes *changes)
{
    size_t next = (changes->leader + 1) % changes->nodes;
    (void)plx_transfer(changes->client, 0, (uint16_t)(next + 1), CALL_NS, NULL);
    for (int i = 0; i < LOOKS_MAX; i++) {
        if (has_come(changes, next))
            return;
    }
    (void)find_leader(changes);
}

static bool is_set_and_read(struct changes *changes)
{
    const struct plx_call blocking = {.is_blocking = true};
    char value[32];
    snprintf(value, sizeof(value), "%" PRIu64, changes->count);
    struct plx_bytes key = plx_text("changes");
    if (plx_set(changes->client, key, plx_text(value), &blocking).outcome != PLX_OK)
        return false;
    struct plx_response read = plx_get(changes->client, key, &blocking);
    return read.outcome == PLX_OK && read.value_size_bytes == strlen(value) &&
           memcmp(read.value.data, value, strlen(value)) == 0;
}

static int run(struct changes *changes, uint64_t count, uint64_t seconds)
{
    uint64_t begun_ns = clock_ns();
    uint64_t set_at = SET_EVERY;
    bool is_good = true;
    changes->nodes = plx_endpoint_count(changes->client);
    changes->newest_ns = begun_ns;
    while (is_good && changes->count < count && clock_ns() - begun_ns < seconds * SECOND &&
           clock_ns() - changes->newest_ns < STUCK_NS) {
        if (changes->term == 0)
            (void)find_leader(changes);
        else
            change(changes);
        if (changes->count < set_at)
            continue;
        set_at += SET_EVERY;
        is_good = is_set_and_read(changes);
    }
    is_good = is_good && is_set_and_read(changes);
    double elapsed = (double)(clock_ns() - begun_ns) / (double)SECOND;
    printf("changes=%" PRIu64 " highest_term=%" PRIu64 " seconds=%.1f a_second=%.1f read_back=%d\n",
           changes->count, changes->term, elapsed, (double)changes->count / elapsed, is_good);
    return is_good && changes->count >= count ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct changes changes = {0};
    struct plx_options options;
    char reason[256];
    if (argc < 4 || argc > 5)
        return EXIT_FAILURE;
    plx_options_init(&options);
    options.endpoints = argv[1];
    options.cluster = argv[2];
    if (plx_open(&options, &changes.client, reason, sizeof(reason)) != PLX_OK) {
        fprintf(stderr, "changes: %s\n", reason);
        return EXIT_FAILURE;
    }
    uint64_t seconds = argc == 5 ? strtoull(argv[4], NULL, 10) : UINT32_MAX;
    int status = run(&changes, strtoull(argv[3], NULL, 10), seconds);
    plx_close(changes.client);
    return status;
}
