/*
 * Transmissions: each packet gets a number of its own, and what went out under it is remembered.
 *
 * The packet numbers of a shard rise by one, from the wall clock in microseconds at its opening, so
 * that no late reply to an earlier process at the same port answers anything. Other processes send
 * in a session only to resolve its tokens, and nodes take a fence under any number: clocks need not
 * agree.
 */
#include "client/client_internal.h"

#define JITTER_SHARE 4

/* Before the first sample: what RFC 6298 makes of one, and of the hello's for want of a better. */
static uint64_t first_timeout_ns(const struct shard_state *shard)
{
    uint64_t timeout_ns = 3 * shard->greeting_ns;
    return timeout_ns > RTO_INITIAL_NS ? timeout_ns : RTO_INITIAL_NS;
}

void round_trip_greeted(const struct plx_client *client, struct shard_state *shard,
                        uint64_t since_ns)
{
    uint64_t greeting_ns = client->now_ns - since_ns;
    if (greeting_ns <= 3 * (uint64_t)GREETING_MAX_NS) /* else its node was not there */
        shard->greeting_ns = greeting_ns < GREETING_MAX_NS ? greeting_ns : GREETING_MAX_NS;
}

uint64_t round_trip_timeout_ns(struct plx_client *client, const struct shard_state *shard,
                               bool is_read, uint32_t attempts)
{
    const struct round_trip *round_trip = &shard->round_trips[is_read];
    uint64_t margin_ns = 4 * round_trip->variation_ns;
    if (margin_ns < client->options.rto_min_ns)
        margin_ns = client->options.rto_min_ns;
    /* The margin comes on top: a round trip that hardly varies is not expected to the moment. */
    uint64_t timeout_ns = round_trip->smoothed_ns + margin_ns;
    if (timeout_ns > 2 * ROUND_TRIP_MAX_NS)
        timeout_ns = 2 * ROUND_TRIP_MAX_NS;
    if (round_trip->smoothed_ns == 0 && timeout_ns < first_timeout_ns(shard))
        timeout_ns = first_timeout_ns(shard);
    /* Backing off ends; but what takes longer than that end is not asked for more often. */
    uint64_t longest_ns = timeout_ns > RTO_MAX_NS ? timeout_ns : RTO_MAX_NS;
    for (uint32_t i = 0; i < attempts && timeout_ns < longest_ns; i++)
        timeout_ns *= 2;
    if (timeout_ns > longest_ns)
        timeout_ns = longest_ns;
    return timeout_ns + prng_range(&client->prng, 0, timeout_ns / JITTER_SHARE);
}

void round_trip_sample(const struct plx_client *client, struct shard_state *shard,
                       struct transmission *transmission)
{
    struct round_trip *round_trip = &shard->round_trips[transmission->is_read];
    uint64_t sample_ns = client->now_ns - transmission->sent_ns;
    if (transmission->is_timed)
        return;
    transmission->is_timed = true;
    if (sample_ns > ROUND_TRIP_MAX_NS)
        sample_ns = ROUND_TRIP_MAX_NS;
    if (round_trip->smoothed_ns == 0) {
        *round_trip = (struct round_trip){sample_ns, sample_ns / 2};
        return;
    }
    uint64_t error_ns = sample_ns > round_trip->smoothed_ns ? sample_ns - round_trip->smoothed_ns
                                                            : round_trip->smoothed_ns - sample_ns;
    round_trip->variation_ns = (3 * round_trip->variation_ns + error_ns) / 4;
    round_trip->smoothed_ns = (7 * round_trip->smoothed_ns + sample_ns) / 8;
}

/* The first position, at `end` or behind it, from which the ops of a packet lie side by side. */
static uint64_t ops_begin_behind(uint64_t end)
{
    uint64_t left = TRANSMISSION_OPS_MAX - end % TRANSMISSION_OPS_MAX;
    return left < REQUEST_OPS_MAX ? end + left : end;
}

struct transmission *transmission_new(struct plx_client *client, struct shard_state *shard,
                                      uint32_t endpoint)
{
    uint64_t number = ++shard->packet_number;
    /* The oldest gives way; operations in it stay unanswered, which is the careful side. */
    struct transmission *transmission = &shard->transmissions[number % TRANSMISSIONS_MAX];
    uint64_t begin = ops_begin_behind(shard->transmission_ops_end);
    *transmission =
        (struct transmission){.number = number,
                              .sent_ns = client->now_ns,
                              .endpoint = (uint8_t)endpoint,
                              .ops_begin = begin,
                              .ops = &shard->transmission_ops[begin % TRANSMISSION_OPS_MAX]};
    shard->transmission_ops_end = begin;
    client->statistics.transmissions++;
    return transmission;
}

void transmission_add(struct plx_client *client, struct transmission *transmission, struct op *op)
{
    uint16_t at = transmission->op_count++;
    CHECK(transmission->ops_begin + at == op->shard->transmission_ops_end);
    op->shard->transmission_ops_end++;
    transmission->ops[at] = (struct transmission_op){.place = (uint16_t)(op - client->ops),
                                                     .generation = op->generation,
                                                     .offset = op->value_received_bytes};
    if (op->attempts > 0)
        client->statistics.retransmissions++;
    op->is_sent = true;
    op->sent_to = transmission->endpoint;
    if (op->class == CLASS_RELAXED_READ || op->class == CLASS_RELAXED_WRITE)
        member_asked(client, op->shard, transmission->endpoint);
    op->due_ns = client->now_ns +
                 round_trip_timeout_ns(client, op->shard, transmission->is_read, op->attempts++);
    /* A fence changes nothing but what it is meant to, a recall nothing: they may be repeated
     * freely. */
    if (!transmission->is_read && !transmission->is_recall && !op_is_fence(op)) {
        if (op->unanswered++ == 0)
            op->first_transmitted_ns = client->now_ns;
        op->transmitted_ns = client->now_ns;
        if (op->class == CLASS_RELAXED_WRITE)
            op->shard->members[transmission->endpoint].has_relaxed = true;
    }
    op_wake_at(client, op->due_ns);
}

struct transmission *transmission_find(struct shard_state *shard, uint64_t number)
{
    struct transmission *transmission = &shard->transmissions[number % TRANSMISSIONS_MAX];
    if (number == 0 || transmission->number != number ||
        shard->transmission_ops_end - transmission->ops_begin > TRANSMISSION_OPS_MAX)
        return NULL;
    return transmission;
}

struct op *transmission_op(struct plx_client *client, const struct transmission *transmission,
                           uint32_t at)
{
    const struct transmission_op *sent = &transmission->ops[at];
    struct op *op = &client->ops[sent->place];
    if (op->phase == PHASE_DONE || op->generation != sent->generation ||
        (transmission->answered >> at & 1) != 0)
        return NULL;
    /* An op that began anew in another session has nothing to do with its former transmissions. */
    if (!transmission->is_read && op->session != transmission->session)
        return NULL;
    return op;
}

struct op *transmission_op_of_seq(struct plx_client *client,
                                  const struct transmission *transmission, uint64_t seq,
                                  uint32_t *ret_at)
{
    for (uint32_t i = 0; i < transmission->op_count; i++) {
        struct op *op = transmission_op(client, transmission, i);
        if (op != NULL && op->seq == seq) {
            *ret_at = i;
            return op;
        }
    }
    return NULL;
}
