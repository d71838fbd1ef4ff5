/*
 * Clients that live for a moment, each a process of its own: it opens a handle, waits a little,
 * writes once, stays for a while and closes the handle. One of three is to be killed at a drawn
 * moment: before its write, in it (unless the write is over by then), or while it stays; each as
 * often as the others.
 *
 * usage: short_lived ENDPOINTS CLUSTER COUNT AT_ONCE
 *
 * Prints how many ended well, were killed in which part of their life, and were refused. `open`: of
 * those killed in their write, how many writes took effect. Their clients did not live to say that
 * they know, so their sessions stay. `just_after`: of those killed after their write, how many had
 * less than JUST_AFTER_MS to say so. What refused a client goes to standard error. Exit status 0:
 * nobody was refused.
 */
#include "base/prng.h"
#include "client/include/pollux.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MILLISECOND   UINT64_C(1000000)
#define BEFORE_MS_MAX 50
#define CALL_MS_MAX   50
#define JUST_AFTER_MS 100 /* what a client says may be lost; by then it has said so four times */
#define STAY_MS_MAX   2000
#define TIMEOUT_NS    (60000 * MILLISECOND)
#define KILLED_OF     3 /* one of so many */
#define NUMBER_BASE   10

/* How far a client has come, told to the parent whenever it dies. */
enum stage { STAGE_BEFORE, STAGE_CALL, STAGE_AFTER, STAGE_CLOSE, STAGE_ENDED, STAGE_COUNT };
struct progress {
    volatile enum stage stage;
    bool is_just_after;
};
static struct progress *clients;

/* What is drawn for a client. */
struct life {
    uint64_t before_ms;
    uint64_t stay_ms;
    enum stage killed_in; /* STAGE_ENDED: it is not killed */
    uint64_t kill_us;     /* from the begin of that */
};

static struct life life_draw(struct prng *prng)
{
    static const uint64_t stage_ms[] = {BEFORE_MS_MAX, CALL_MS_MAX, STAY_MS_MAX};
    struct life life = {.before_ms = prng_range(prng, 0, BEFORE_MS_MAX),
                        .stay_ms = prng_range(prng, 0, STAY_MS_MAX),
                        .killed_in = STAGE_ENDED};
    if (prng_range(prng, 1, KILLED_OF) != 1)
        return life;
    life.killed_in = (enum stage)prng_range(prng, STAGE_BEFORE, STAGE_AFTER);
    life.kill_us = prng_range(prng, 1, stage_ms[life.killed_in] * 1000);
    /* It is alive until then. */
    if (life.killed_in == STAGE_BEFORE)
        life.before_ms = BEFORE_MS_MAX;
    else
        life.stay_ms = STAY_MS_MAX;
    return life;
}

static void enter(uint32_t number, const struct life *life, enum stage stage)
{
    clients[number].stage = stage;
    if (life->killed_in == STAGE_CALL && stage == STAGE_AFTER)
        (void)setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    if (life->killed_in != stage)
        return;
    clients[number].is_just_after =
        stage == STAGE_AFTER && life->kill_us < JUST_AFTER_MS * UINT64_C(1000);
    const struct itimerval at = {.it_value = {.tv_sec = (time_t)(life->kill_us / 1000000),
                                              .tv_usec = (suseconds_t)(life->kill_us % 1000000)}};
    (void)setitimer(ITIMER_REAL, &at, NULL); /* the signal ends it, wherever it is */
}

static void wait_ms(struct plx_client *client, uint64_t ms)
{
    if (ms > 0)
        plx_poll(client, ms * MILLISECOND);
}

static void key_write(char *text, size_t size, uint32_t number)
{
    snprintf(text, size, "short/%u", number);
}

static int live(const struct plx_options *options, uint32_t number, const struct life *life)
{
    struct plx_client *client;
    char text[64] = "";
    enter(number, life, STAGE_BEFORE);
    if (plx_open(options, &client, text, sizeof(text)) != PLX_OK) {
        fprintf(stderr, "client %u: %s\n", number, text);
        return EXIT_FAILURE;
    }
    wait_ms(client, life->before_ms);
    key_write(text, sizeof(text), number);
    const struct plx_call call = {.timeout_ns = TIMEOUT_NS};
    enter(number, life, STAGE_CALL);
    struct plx_response response = plx_set(client, plx_text(text), plx_text("here"), &call);
    enter(number, life, STAGE_AFTER);
    if (response.outcome != PLX_OK)
        fprintf(stderr, "client %u: %s\n", number, plx_outcome_text(response.outcome));
    wait_ms(client, life->stay_ms);
    enter(number, life, STAGE_CLOSE);
    plx_close(client);
    enter(number, life, STAGE_ENDED);
    return response.outcome == PLX_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A process for the client; 0: there is none to be had. */
static pid_t begin(const struct plx_options *options, uint32_t number, struct prng *prng)
{
    struct life life = life_draw(prng);
    pid_t pid = fork();
    if (pid != 0)
        return pid < 0 ? 0 : pid;
    _exit(live(options, number, &life));
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

/* How many of the writes whose clients were killed meanwhile took effect; -1: nobody says so. */
static int64_t count_open(const struct plx_options *options, uint32_t count)
{
    struct plx_client *client;
    char text[64];
    int64_t open = 0;
    const struct plx_call call = {.is_blocking = true};
    if (plx_open(options, &client, text, sizeof(text)) != PLX_OK)
        return -1;
    for (uint32_t number = 0; number < count && open >= 0; number++) {
        if (clients[number].stage != STAGE_CALL)
            continue;
        key_write(text, sizeof(text), number);
        struct plx_response response = plx_get(client, plx_text(text), &call);
        if (response.outcome == PLX_OK)
            open++;
        else if (response.outcome != PLX_NOT_FOUND)
            open = -1;
    }
    plx_close(client);
    return open;
}

static int report(const struct plx_options *options, const struct tally *tally, uint32_t count)
{
    uint32_t at[STAGE_COUNT] = {0};
    uint32_t just_after = 0;
    for (uint32_t number = 0; number < count; number++) {
        at[clients[number].stage]++;
        just_after += clients[number].is_just_after;
    }
    int64_t open = count_open(options, count);
    printf("clients=%u ended=%u killed=%u before=%u in_the_write=%u after=%u in_close=%u "
           "refused=%u just_after=%u open=%lld\n",
           count, tally->ended, tally->killed, at[STAGE_BEFORE], at[STAGE_CALL], at[STAGE_AFTER],
           at[STAGE_CLOSE], tally->refused, just_after, (long long)open);
    return tally->refused == 0 && open >= 0 ? EXIT_SUCCESS : EXIT_FAILURE;
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
    clients = mmap(NULL, (count + 1) * sizeof(*clients), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (clients == MAP_FAILED)
        return EXIT_FAILURE;
    for (uint32_t number = 0; number < count; number++) {
        if (number >= at_once)
            (void)take_one(&tally);
        if (begin(&options, number, &prng) == 0)
            tally.refused++;
    }
    while (take_one(&tally))
        continue;
    return report(&options, &tally, count);
}
