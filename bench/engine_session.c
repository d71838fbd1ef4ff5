/*
 * What the session check costs: that of a request that arrives (find the session, tell a copied
 * packet, look for a remembered outcome), and what applying it does (find, touch, advance the
 * floor, remember the outcome). Random sessions of all that are open. Fixed work; the figures are
 * ns a request over groups of 64.
 *
 * Usage: engine_session [sessions [requests]]
 */
#include "bench/samples.h"

#include "base/check.h"
#include "base/prng.h"
#include "engine/state/machine.h"
#include "engine/state/sessions.h"

#include <stdio.h>
#include <stdlib.h>

#define GROUP         64
#define SESSIONS_MANY 10000
#define REQUESTS_MANY 4000000

struct table {
    struct arena arena;
    struct sessions sessions;
    struct prng prng;
    uint64_t count;
    uint64_t *seqs; /* the next one, by session */
    uint64_t packet_number;
    uint64_t log_time_ns;
    uint64_t checksum;
};

static void table_open(struct table *table, uint64_t count)
{
    *table = (struct table){.count = count, .log_time_ns = 1};
    prng_init(&table->prng, 42);
    table->seqs = calloc(count, sizeof(*table->seqs));
    CHECK(table->seqs != NULL);
    CHECK(arena_init(&table->arena, sessions_arena_bytes((uint32_t)count)) == OK);
    static const struct siphash_key hash_key = {{42, 43}};
    sessions_init(&table->sessions, &table->arena, (uint32_t)count, &hash_key);
    for (uint64_t i = 0; i < count; i++) {
        CHECK(sessions_open(&table->sessions, sessions_id(i + 1, 0), table->log_time_ns) != NULL);
        table->seqs[i] = 1;
    }
}

static void table_close(struct table *table)
{
    free(table->seqs);
    arena_deinit(&table->arena);
}

static void arrive(struct table *table, uint64_t number)
{
    struct op_result result;
    struct session *session = sessions_find(&table->sessions, sessions_id(number + 1, 0));
    CHECK(session != NULL);
    CHECK(packet_window_accept(&session->packets, ++table->packet_number));
    CHECK(!machine_recall(session, table->seqs[number], &result));
    table->checksum += session->floor;
}

static void apply(struct table *table, uint64_t number)
{
    uint64_t seq = table->seqs[number]++;
    struct session *session = sessions_find(&table->sessions, sessions_id(number + 1, 0));
    CHECK(session != NULL);
    sessions_touch(&table->sessions, session, ++table->log_time_ns);
    session->floor = seq;
    struct session_outcome outcome = {.seq = seq, .version = seq, .outcome = WIRE_OUTCOME_OK};
    session_remember(session, &outcome);
    table->checksum += session_outcome_of(session, seq)->version;
}

static void measure(struct table *table, struct samples *arrivals, struct samples *applies)
{
    uint64_t numbers[GROUP];
    for (uint32_t i = 0; i < GROUP; i++)
        numbers[i] = prng_range(&table->prng, 0, table->count - 1);
    uint64_t begin_ns = samples_clock_ns();
    for (uint32_t i = 0; i < GROUP; i++)
        arrive(table, numbers[i]);
    uint64_t arrived_ns = samples_clock_ns();
    for (uint32_t i = 0; i < GROUP; i++)
        apply(table, numbers[i]);
    samples_add(applies, samples_clock_ns() - arrived_ns, GROUP);
    samples_add(arrivals, arrived_ns - begin_ns, GROUP);
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : SESSIONS_MANY;
    uint64_t requests = argc > 2 ? strtoull(argv[2], NULL, 10) : REQUESTS_MANY;
    static struct table table;
    struct samples arrivals;
    struct samples applies;
    if (count == 0 || count > SESSIONS_MAX || requests < GROUP) {
        fprintf(stderr, "usage: engine_session [sessions [requests]]\n");
        return 2;
    }
    samples_init(&arrivals);
    samples_init(&applies);
    table_open(&table, count);
    for (uint64_t done = 0; done < requests; done += GROUP)
        measure(&table, &arrivals, &applies);
    sessions_check_invariants(&table.sessions, table.log_time_ns);
    printf("%llu sessions\n", (unsigned long long)count);
    samples_print(&arrivals, "check at the arrival", table.checksum);
    samples_print(&applies, "remember at the apply", table.checksum);
    table_close(&table);
    samples_deinit(&arrivals);
    samples_deinit(&applies);
    return 0;
}
