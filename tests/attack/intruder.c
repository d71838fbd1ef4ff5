/*
 * A client with a key and few rights, that does for a while what it may not: reads and writes keys
 * of others in each way there is, makes itself an administrator, hands the leadership over, changes
 * members and limits, asks for a backup. Its key is in POLLUX_KEY; it may do everything to keys
 * that begin with "pub/", so that it has a session.
 *
 * usage: intruder SERVERS CLUSTER RATE SECONDS [control]
 * With `control` it does the same, at the same rate, to keys of its own, and asks for nothing that
 * operators do: what a client costs the others that does what it may. Prints how many calls were
 * made, how many of them were denied (control: done), how many had no answer in time, and how many
 * a busy node refused. Exit status 0: none ended in any other way. The script tests/attack/run says
 * whether the cluster held.
 */
#include "base/check.h"
#include "base/rights_table.h"
#include "client/include/pollux.h"
#include "client/include/pollux_backup.h"
#include "client/include/pollux_leadership.h"
#include "client/include/pollux_limits.h"
#include "client/include/pollux_members.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S    UINT64_C(1000000000)
#define CALL_NS     (NS_PER_S / 2)
#define WAIT_NS     1000000
#define OPS         6  /* of one round */
#define ROUNDS_EACH 64 /* rounds for each time that operators' requests are tried */

static struct plx_client *client;
static uint64_t sent;
static bool is_control;
static uint64_t denied; /* or, as the control, done */
static uint64_t lost;
static uint64_t overloaded;

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void note(enum plx_outcome outcome)
{
    bool is_done = outcome == PLX_OK || outcome == PLX_NOT_FOUND || outcome == PLX_MISMATCH;
    denied += is_control ? is_done : outcome == PLX_E_DENIED;
    lost += outcome == PLX_TIMEOUT || outcome == PLX_UNKNOWN || outcome == PLX_E_UNREACHABLE;
    overloaded += outcome == PLX_E_OVERLOADED;
    if (is_done && !is_control)
        fprintf(stderr, "intruder: a call was let in: %s\n", plx_outcome_name(outcome));
}

static void done(void *context, const struct plx_response *response)
{
    (void)context;
    note(response->outcome);
}

/* A table by which the intruder is an administrator. */
static struct plx_bytes own_table(void)
{
    static uint8_t data[VALUE_SIZE_BYTES_MAX];
    struct rights_builder builder;
    struct span bytes;
    rights_builder_begin(&builder, data);
    rights_builder_principal(&builder, span_of("few", 3), 0);
    rights_builder_line(&builder, RIGHTS_EVERY, (struct span){0});
    CHECK(rights_builder_end(&builder, &bytes) == OK);
    return (struct plx_bytes){(const char *)bytes.data, bytes.size_bytes};
}

static void round_of_keys(void)
{
    const struct plx_bytes rights = {(const char *)rights_key().data, rights_key().size_bytes};
    const struct plx_bytes table = is_control ? plx_text("pub/table") : rights;
    const struct plx_call relaxed = {.timeout_ns = CALL_NS, .is_relaxed = true};
    const struct plx_call call = {.timeout_ns = CALL_NS};
    const struct plx_bytes key = plx_text(is_control ? "pub/secret" : "secret");
    const struct plx_bytes value = plx_text("stolen");
    const struct plx_op ops[OPS] = {
        {.type = PLX_OP_GET, .key = key, .call = call, .done = done},
        {.type = PLX_OP_GET, .key = key, .call = relaxed, .done = done},
        {.type = PLX_OP_SET, .key = key, .value = value, .call = call, .done = done},
        {.type = PLX_OP_SET, .key = key, .value = value, .call = relaxed, .done = done},
        {.type = PLX_OP_SWAP,
         .key = key,
         .value = value,
         .old_value = PLX_ABSENT,
         .call = call,
         .done = done},
        {.type = PLX_OP_SWAP,
         .key = table,
         .value = own_table(),
         .old_value = PLX_ABSENT,
         .call = call,
         .done = done},
    };
    for (uint32_t i = 0; i < OPS; i++) {
        CHECK(plx_submit(client, &ops[i]) == PLX_OK);
        sent++;
    }
    while (plx_in_flight(client) > 0)
        (void)plx_poll(client, WAIT_NS);
}

static void round_of_operators(void)
{
    const struct plx_change change = {.action = PLX_CHANGE_REMOVE, .node = 1, .is_forced = true};
    const struct plx_limits limits = {
        .number = 1, .keys_max = 1, .store_size_bytes = 4096, .sessions_max = 1};
    const struct plx_backup_from from = {.timeout_ns = CALL_NS};
    struct plx_snapshot snapshot;
    note(plx_transfer(client, 0, 0, CALL_NS, NULL));
    note(plx_change(client, &change, CALL_NS));
    note(plx_limits_set(client, 0, &limits, CALL_NS));
    note(plx_backup_find(client, &from, 0, &snapshot));
    sent += 4;
}

static void pace(uint64_t begin_ns, uint64_t rate)
{
    uint64_t due_ns = begin_ns + sent * NS_PER_S / rate;
    for (uint64_t now_ns = clock_ns(); now_ns < due_ns; now_ns = clock_ns())
        (void)plx_poll(client, due_ns - now_ns);
}

int main(int argc, char **argv)
{
    struct plx_options options;
    char reason[256];
    is_control = argc == 6 && strcmp(argv[5], "control") == 0;
    if (argc != 5 && !is_control) {
        fprintf(stderr, "usage: intruder SERVERS CLUSTER RATE SECONDS [control]\n");
        return 2;
    }
    plx_options_init(&options);
    options.endpoints = argv[1];
    options.cluster = argv[2];
    options.key_file = getenv("POLLUX_KEY");
    if (plx_open(&options, &client, reason, sizeof(reason)) != PLX_OK) {
        fprintf(stderr, "intruder: %s\n", reason);
        return 2;
    }
    uint64_t rate = strtoull(argv[3], NULL, 10);
    uint64_t begin_ns = clock_ns();
    uint64_t end_ns = begin_ns + strtoull(argv[4], NULL, 10) * NS_PER_S;
    for (uint32_t rounds = 0; clock_ns() < end_ns; rounds++) {
        if (rounds % ROUNDS_EACH == 0 && !is_control)
            round_of_operators();
        round_of_keys();
        pace(begin_ns, rate > 0 ? rate : 1);
    }
    plx_close(client);
    printf("sent=%" PRIu64 " %s=%" PRIu64 " lost=%" PRIu64 " overloaded=%" PRIu64 "\n", sent,
           is_control ? "done" : "denied", denied, lost, overloaded);
    return denied + lost + overloaded == sent ? 0 : 1;
}
