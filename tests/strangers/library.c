/*
 * What strangers do with libpollux, on a running cluster.
 *
 * usage: strangers_library ENDPOINTS CLUSTER
 *
 * - A name that leads nowhere stands among the endpoints.
 * - The process forks: the child's calls on the parent's handle are refused, and it opens its own.
 * - Threads with a handle each count in one key, by plx_update.
 */
#include "client/include/pollux.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNTERS      8
#define ROUNDS        20
#define NUMBER_SIZE   32
#define MILLISECOND   UINT64_C(1000000)
#define CHILD_REFUSED 3

static struct plx_options options;

struct counter {
    pthread_t thread;
    char next[NUMBER_SIZE];
    uint32_t tries;
    uint32_t tries_max; /* of one call */
    uint64_t longest_ns;
    uint32_t failures;
};

static struct plx_client *library_open(void)
{
    struct plx_client *client;
    char reason[256];
    if (plx_open(&options, &client, reason, sizeof(reason)) == PLX_OK)
        return client;
    fprintf(stderr, "strangers_library: %s\n", reason);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 * MILLISECOND + (uint64_t)now.tv_nsec;
}

static void one_more(void *context, struct plx_bytes stored, struct plx_bytes *ret_value)
{
    struct counter *counter = context;
    char text[NUMBER_SIZE] = "0";
    counter->tries++;
    if (stored.size_bytes < sizeof(text))
        memcpy(text, stored.data, stored.size_bytes);
    snprintf(counter->next, sizeof(counter->next), "%lu", strtoul(text, NULL, 10) + 1);
    *ret_value = plx_text(counter->next);
}

static void *count(void *context)
{
    struct counter *counter = context;
    const struct plx_call blocking = {.is_blocking = true};
    struct plx_client *client = library_open();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint64_t begin_ns = now_ns();
        counter->tries = 0;
        counter->failures +=
            plx_update(client, plx_text("counter"), one_more, counter, &blocking).outcome != PLX_OK;
        if (now_ns() - begin_ns > counter->longest_ns)
            counter->longest_ns = now_ns() - begin_ns;
        if (counter->tries > counter->tries_max)
            counter->tries_max = counter->tries;
    }
    plx_close(client);
    return NULL;
}

static int counters_run(struct plx_client *client)
{
    static struct counter counters[COUNTERS];
    const struct plx_call blocking = {.is_blocking = true};
    uint64_t longest_ns = 0;
    uint32_t tries_max = 0;
    uint32_t failures = 0;
    char wanted[NUMBER_SIZE];
    for (uint32_t i = 0; i < COUNTERS; i++) {
        if (pthread_create(&counters[i].thread, NULL, count, &counters[i]) != 0)
            return 1;
    }
    for (uint32_t i = 0; i < COUNTERS; i++) {
        pthread_join(counters[i].thread, NULL);
        failures += counters[i].failures;
        if (counters[i].longest_ns > longest_ns)
            longest_ns = counters[i].longest_ns;
        if (counters[i].tries_max > tries_max)
            tries_max = counters[i].tries_max;
    }
    struct plx_response read = plx_get(client, plx_text("counter"), &blocking);
    snprintf(wanted, sizeof(wanted), "%d", COUNTERS * ROUNDS);
    printf("counted=%.*s longest=%lu ms tries=%u\n", (int)read.value.size_bytes,
           (const char *)read.value.data, (unsigned long)(longest_ns / MILLISECOND), tries_max);
    return failures > 0 || read.value.size_bytes != strlen(wanted) ||
           memcmp(read.value.data, wanted, strlen(wanted)) != 0;
}

static int child_run(struct plx_client *parents)
{
    const struct plx_call blocking = {.is_blocking = true};
    struct plx_response response = plx_set(parents, plx_text("child"), plx_text("1"), &blocking);
    if (response.outcome != PLX_E_FORKED)
        return 1;
    plx_close(parents);
    struct plx_client *own = library_open();
    response = plx_set(own, plx_text("child"), plx_text("own"), &blocking);
    plx_close(own);
    return response.outcome == PLX_OK ? CHILD_REFUSED : 2;
}

static int fork_run(struct plx_client *client)
{
    const struct plx_call blocking = {.is_blocking = true};
    int status = 0;
    int failures = plx_set(client, plx_text("parent"), plx_text("1"), &blocking).outcome != PLX_OK;
    pid_t child = fork();
    if (child == 0)
        _exit(child_run(client));
    for (int i = 0; i < ROUNDS; i++)
        failures += plx_set(client, plx_text("parent"), plx_text("2"), &blocking).outcome != PLX_OK;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) != CHILD_REFUSED)
        failures++;
    struct plx_response read = plx_get(client, plx_text("child"), &blocking);
    if (read.value.size_bytes != 3 || memcmp(read.value.data, "own", 3) != 0)
        failures++;
    printf("fork: %s\n", failures == 0 ? "refused" : "not refused");
    return failures != 0;
}

int main(int argc, char **argv)
{
    static char endpoints[1024];
    if (argc != 3)
        return 2;
    snprintf(endpoints, sizeof(endpoints), "nowhere.invalid:7400,%s", argv[1]);
    plx_options_init(&options);
    options.endpoints = endpoints;
    options.cluster = argv[2];
    struct plx_client *client = library_open();
    int status = fork_run(client);
    status |= counters_run(client);
    plx_close(client);
    return status;
}
