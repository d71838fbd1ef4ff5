/*
 * Clients that live for a moment, each a process of its own: it opens a handle, writes once, stays
 * for a while and closes the handle, unless it is killed before.
 *
 * usage: short_lived ENDPOINTS CLUSTER COUNT AT_ONCE
 *
 * Prints how many ended well, were killed, and were refused, and how many were killed while their
 * write was under way: their sessions stay for its outcome. What refused them goes to standard
 * error. Exit status 0: nobody was refused.
 */
#include "base/prng.h"
#include "client/include/pollux.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MILLISECOND   UINT64_C(1000000)
#define STAY_MS_MAX   2000
#define TIMEOUT_NS    (30000 * MILLISECOND)
#define KILLED_OF     3 /* one of so many */
#define NUMBER_BASE   10
#define CLOSE_LATE_MS 5

/* How far a client has come, told to the parent whenever it dies. */
enum stage { STAGE_BEFORE, STAGE_CALL, STAGE_AFTER };
static enum stage *stages;

static void wait_ms(struct plx_client *client, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i += CLOSE_LATE_MS)
        plx_poll(client, CLOSE_LATE_MS * MILLISECOND);
}

static int live(const struct plx_options *options, uint32_t number, uint64_t stay_ms)
{
    volatile enum stage *stage = &stages[number];
    struct plx_client *client;
    char text[64] = "";
    if (plx_open(options, &client, text, sizeof(text)) != PLX_OK) {
        fprintf(stderr, "client %u: %s\n", number, text);
        return EXIT_FAILURE;
    }
    snprintf(text, sizeof(text), "short/%u", number);
    const struct plx_call call = {.timeout_ns = TIMEOUT_NS};
    *stage = STAGE_CALL;
    struct plx_response response = plx_set(client, plx_text(text), plx_text("here"), &call);
    *stage = STAGE_AFTER;
    if (response.outcome != PLX_OK)
        fprintf(stderr, "client %u: %s\n", number, plx_outcome_text(response.outcome));
    wait_ms(client, stay_ms);
    plx_close(client);
    return response.outcome == PLX_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A process for the client; 0: there is none to be had. */
static pid_t begin(const struct plx_options *options, uint32_t number, struct prng *prng)
{
    uint64_t stay_ms = prng_range(prng, 0, STAY_MS_MAX);
    bool is_killed = prng_range(prng, 1, KILLED_OF) == 1;
    pid_t pid = fork();
    if (pid != 0)
        return pid < 0 ? 0 : pid;
    if (is_killed) /* the signal ends it, wherever it is */
        ualarm((useconds_t)(1000 + 1000 * (stay_ms / 2)), 0);
    _exit(live(options, number, stay_ms));
}

struct tally {
    uint32_t ended;
    uint32_t killed;
    uint32_t refused;
};

static bool take_one(struct tally *tally)
{
    int status;
    if (wait(&status) < 0)
        return false;
    if (WIFSIGNALED(status))
        tally->killed++;
    else if (WEXITSTATUS(status) == EXIT_SUCCESS)
        tally->ended++;
    else
        tally->refused++;
    return true;
}

int main(int argc, char **argv)
{
    struct plx_options options;
    struct tally tally = {0};
    struct prng prng;
    if (argc != 5)
        return 2;
    uint32_t count = (uint32_t)strtoul(argv[3], NULL, NUMBER_BASE);
    uint32_t at_once = (uint32_t)strtoul(argv[4], NULL, NUMBER_BASE);
    plx_options_init(&options);
    options.endpoints = argv[1];
    options.cluster = argv[2];
    options.spin_ns = 0;
    prng_init(&prng, 1);
    stages = mmap(NULL, (count + 1) * sizeof(*stages), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (stages == MAP_FAILED)
        return EXIT_FAILURE;
    for (uint32_t number = 0; number < count; number++) {
        if (number >= at_once)
            (void)take_one(&tally);
        if (begin(&options, number, &prng) == 0)
            tally.refused++;
    }
    while (take_one(&tally))
        continue;
    uint32_t open = 0;
    for (uint32_t number = 0; number < count; number++)
        open += stages[number] == STAGE_CALL;
    printf("clients=%u at_once=%u ended=%u killed=%u refused=%u in_a_call=%u\n", count, at_once,
           tally.ended, tally.killed, tally.refused, open);
    return tally.refused == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
