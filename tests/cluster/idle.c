/*
 * Handles that make one set each and are then idle, for tests/cluster/idle_handles: what do the
 * nodes write to their logs meanwhile? The handles are polled ten times a second.
 *
 * usage: idle SERVERS CLUSTER HANDLES SECONDS
 * Prints, every minute and at the end, what node 1 has appended since all sets were made: the
 * records, and the bytes of the log that they take (the room that is gone).
 */
#include "client/include/pollux.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define MILLISECOND UINT64_C(1000000)
#define SECOND      (1000 * MILLISECOND)
#define ROUND_NS    (100 * MILLISECOND)
#define CALL_NS     (20 * SECOND)
#define HANDLES_MAX 4000

struct logged {
    uint64_t at_ns;
    uint64_t records;
    uint64_t room_bytes;
    uint64_t snapshots;
    uint64_t sessions;
};

static struct plx_client *handles[HANDLES_MAX];

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static uint64_t counter_of(const struct plx_node *node, const char *name)
{
    for (uint32_t i = 0; i < node->counter_count; i++) {
        if (strcmp(node->counters[i].name, name) == 0)
            return node->counters[i].value;
    }
    fprintf(stderr, "idle: no counter %s\n", name);
    exit(EXIT_FAILURE);
}

static bool look(struct plx_client *client, struct logged *ret_logged)
{
    struct plx_node node;
    if (plx_status(client, 0, 0, CALL_NS, &node) != PLX_OK)
        return false;
    *ret_logged = (struct logged){.at_ns = clock_ns(),
                                  .records = counter_of(&node, "log_records_appended"),
                                  .room_bytes = counter_of(&node, "log_room_bytes"),
                                  .snapshots = counter_of(&node, "snapshots_taken"),
                                  .sessions = counter_of(&node, "engine_sessions_open")};
    return true;
}

/* False: a snapshot has given room back, so the bytes are not known. */
static bool report(int count, const struct logged *begin, const struct logged *now)
{
    double seconds = (double)(now->at_ns - begin->at_ns) / (double)SECOND;
    uint64_t bytes = begin->room_bytes - now->room_bytes;
    if (now->snapshots != begin->snapshots) {
        fprintf(stderr, "idle: a snapshot was taken; the log is too small to measure this\n");
        return false;
    }
    printf("handles=%d seconds=%.1f sessions=%" PRIu64 " records=%" PRIu64 " bytes=%" PRIu64
           " records_a_second=%.2f bytes_a_second=%.1f\n",
           count, seconds, now->sessions, now->records - begin->records, bytes,
           (double)(now->records - begin->records) / seconds, (double)bytes / seconds);
    fflush(stdout);
    return true;
}

static bool set_all(const struct plx_options *options, int count)
{
    const struct plx_call call = {.timeout_ns = CALL_NS};
    char reason[256];
    for (int i = 0; i < count; i++) {
        char key[32];
        snprintf(key, sizeof(key), "idle/%d", i);
        if (plx_open(options, &handles[i], reason, sizeof(reason)) != PLX_OK) {
            fprintf(stderr, "idle: %s\n", reason);
            return false;
        }
        struct plx_response response = plx_set(handles[i], plx_text(key), plx_text("value"), &call);
        if (response.outcome != PLX_OK) {
            fprintf(stderr, "idle: set %d: %s\n", i, plx_outcome_name(response.outcome));
            return false;
        }
    }
    return true;
}

/* Each waits for its part of the round. */
static void poll_all(int count)
{
    for (int i = 0; i < count; i++)
        (void)plx_poll(handles[i], ROUND_NS / (uint64_t)count);
}

static int run(const struct plx_options *options, int count, uint64_t seconds)
{
    struct plx_client *asking = NULL;
    struct logged begin;
    struct logged now;
    char reason[256];
    if (plx_open(options, &asking, reason, sizeof(reason)) != PLX_OK || !set_all(options, count) ||
        !look(asking, &begin))
        return EXIT_FAILURE;
    for (uint64_t told = 0; told < seconds;) {
        uint64_t next = told + 60 < seconds ? told + 60 : seconds;
        while (clock_ns() - begin.at_ns < next * SECOND)
            poll_all(count);
        if (!look(asking, &now) || !report(count, &begin, &now))
            return EXIT_FAILURE;
        told = next;
    }
    for (int i = 0; i < count; i++)
        plx_close(handles[i]);
    plx_close(asking);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct plx_options options;
    struct rlimit files;
    if (argc != 5)
        return EXIT_FAILURE;
    int count = (int)strtol(argv[3], NULL, 10);
    if (count < 1 || count > HANDLES_MAX || getrlimit(RLIMIT_NOFILE, &files) != 0)
        return EXIT_FAILURE;
    files.rlim_cur = files.rlim_max;
    (void)!setrlimit(RLIMIT_NOFILE, &files);
    plx_options_init(&options);
    options.endpoints = argv[1];
    options.cluster = argv[2];
    options.spin_ns = 0;
    return run(&options, count, strtoull(argv[4], NULL, 10));
}
