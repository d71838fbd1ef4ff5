/*
 * What handles hold on the nodes, for tests/cluster/leftovers. Short-lived handles write; most are
 * closed a while after their last call, a third dies with its process. The nodes must have given
 * every session back soon. More handles than a node has relaxed sessions for one host write relaxed
 * and are closed, one after the other: none is refused. Then handles that stay open are idle: the
 * log must not grow, their sessions must end, and each must write on afterwards as if nothing had
 * happened.
 *
 * usage: leftovers SERVERS CLUSTER
 */
#include "client/include/pollux.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MILLISECOND   UINT64_C(1000000)
#define SHORT_LIVED   300
#define AT_A_TIME     20
#define IDLE_HANDLES  100
#define RELAXED_LIVES 700
#define WRITES        3
#define PAUSE_NS      (150 * MILLISECOND) /* longer than a leader counts as fresh */
#define PATIENCE_NS   (60000 * MILLISECOND)
#define QUIET_NS      (1500 * MILLISECOND) /* more than a notice waits at the leader */
#define LOOK_NS       (50 * MILLISECOND)
#define LOOK_AGAIN_NS (20000 * MILLISECOND)

static struct plx_options options;
static struct plx_client *watcher;

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 * MILLISECOND + (uint64_t)now.tv_nsec;
}

static struct plx_client *handle_open(void)
{
    struct plx_client *client;
    char reason[256];
    if (plx_open(&options, &client, reason, sizeof(reason)) == PLX_OK)
        return client;
    fprintf(stderr, "leftovers: %s\n", reason);
    exit(EXIT_FAILURE);
}

static bool can_write(struct plx_client *client)
{
    const struct plx_call call = {.timeout_ns = 15000 * MILLISECOND};
    return plx_set(client, plx_text("idle/key"), plx_text("value"), &call).outcome == PLX_OK;
}

/* What the leader says; false: nobody leads at the moment. */
static bool look(uint64_t *ret_sessions, uint64_t *ret_last_index)
{
    static struct plx_node node;
    for (size_t i = 0; i < plx_endpoint_count(watcher); i++) {
        if (plx_status(watcher, i, 0, 0, &node) != PLX_OK || !node.has_fresh_quorum)
            continue;
        *ret_last_index = node.last_index;
        for (uint32_t counter = 0; counter < node.counter_count; counter++) {
            if (strcmp(node.counters[counter].name, "engine_sessions_open") == 0)
                *ret_sessions = node.counters[counter].value;
        }
        return true;
    }
    return false;
}

/* How long it takes until the leader has so many sessions, in ms; -1: too long. */
static int64_t await_sessions(uint64_t wanted)
{
    uint64_t begin_ns = clock_ns();
    uint64_t sessions = UINT64_MAX;
    uint64_t last_index;
    while (clock_ns() - begin_ns < PATIENCE_NS) {
        if (look(&sessions, &last_index) && sessions == wanted)
            return (int64_t)((clock_ns() - begin_ns) / MILLISECOND);
        (void)plx_poll(watcher, LOOK_NS);
    }
    fprintf(stderr, "leftovers: %lu sessions are left\n", (unsigned long)sessions);
    return -1;
}

/* A process with a handle, which ends it in one of two ways. */
static void short_life(bool is_killed)
{
    struct plx_client *client = handle_open();
    for (int i = 0; i < WRITES; i++) {
        if (!can_write(client))
            _exit(EXIT_FAILURE);
    }
    if (is_killed)
        (void)raise(SIGKILL);
    (void)plx_poll(client, PAUSE_NS);
    plx_close(client);
    _exit(EXIT_SUCCESS);
}

static bool live_short_lives(void)
{
    int good = 0;
    for (int i = 0; i < SHORT_LIVED; i += AT_A_TIME) {
        for (int j = 0; j < AT_A_TIME; j++) {
            if (fork() == 0)
                short_life((i + j) % 3 == 0);
        }
        for (int j = 0; j < AT_A_TIME; j++) {
            int status;
            (void)wait(&status);
            good += WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0;
        }
    }
    return good == SHORT_LIVED;
}

/* How many of them were served. */
static int live_relaxed_lives(void)
{
    const struct plx_call call = {.timeout_ns = 15000 * MILLISECOND, .is_relaxed = true};
    int good = 0;
    for (int i = 0; i < RELAXED_LIVES; i++) {
        struct plx_client *client = handle_open();
        good += plx_set(client, plx_text("relaxed"), plx_text("value"), &call).outcome == PLX_OK;
        plx_close(client);
    }
    return good;
}

/* Waits until the log has not grown for QUIET_NS; false: it never stops. */
static bool log_stands_still(void)
{
    uint64_t begin_ns = clock_ns();
    uint64_t since_ns = begin_ns;
    uint64_t before = 0;
    while (clock_ns() - begin_ns < LOOK_AGAIN_NS) {
        uint64_t sessions;
        uint64_t last_index;
        if (look(&sessions, &last_index) && last_index != before) {
            before = last_index;
            since_ns = clock_ns();
        }
        if (clock_ns() - since_ns > QUIET_NS)
            return true;
        (void)plx_poll(watcher, LOOK_NS);
    }
    return false;
}

/* Nobody calls these handles while they are idle. Returns how many wrote on. */
static int be_idle(uint64_t before, bool *ret_is_quiet, int64_t *ret_gone_ms)
{
    static struct plx_client *handles[IDLE_HANDLES];
    int good = 0;
    for (int i = 0; i < IDLE_HANDLES; i++) {
        handles[i] = handle_open();
        (void)can_write(handles[i]);
    }
    *ret_is_quiet = log_stands_still();
    *ret_gone_ms = await_sessions(before);
    for (int i = 0; i < IDLE_HANDLES; i++) {
        struct plx_statistics statistics;
        bool is_written = can_write(handles[i]);
        plx_statistics(handles[i], &statistics);
        good += is_written && statistics.sessions == 2 && statistics.unknowns == 0;
        plx_close(handles[i]);
    }
    return good;
}

int main(int argc, char **argv)
{
    uint64_t before = 0;
    uint64_t last_index;
    bool is_quiet;
    int64_t idle_ms;
    if (argc != 3)
        return EXIT_FAILURE;
    plx_options_init(&options);
    options.endpoints = argv[1];
    options.cluster = argv[2];
    watcher = handle_open();
    while (!look(&before, &last_index))
        (void)plx_poll(watcher, LOOK_NS);
    bool is_lived = live_short_lives();
    int64_t dead_ms = await_sessions(before);
    int relaxed = live_relaxed_lives();
    int good = be_idle(before, &is_quiet, &idle_ms);
    int64_t closed_ms = await_sessions(before);
    printf("sessions=%lu lived=%d back_ms=%ld relaxed=%d quiet=%d idle_back_ms=%ld wrote_on=%d "
           "closed_ms=%ld\n",
           (unsigned long)before, is_lived, (long)dead_ms, relaxed, is_quiet, (long)idle_ms, good,
           (long)closed_ms);
    plx_close(watcher);
    bool is_good = is_lived && dead_ms >= 0 && relaxed == RELAXED_LIVES && is_quiet &&
                   idle_ms >= 0 && good == IDLE_HANDLES && closed_ms >= 0;
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
