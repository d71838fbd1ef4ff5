/* See client_rates.h. */
#include "server/client_rates.h"

#include "base/budget.h"
#include "base/siphash.h"
#include "security/random_stream.h"

/* What is free at once: a second's worth. */
#define BURST_NS UINT64_C(1000000000)
#define WAYS     8u
#define SETS     (CLIENT_RATES_PLACES / WAYS)

static_assert(SETS * WAYS == CLIENT_RATES_PLACES, "whole sets");

enum payer_kind { PAYER_NAME, PAYER_HOST, PAYER_UNPROVEN, PAYER_KINDS };

/* When each budget is whole again. */
struct rate_place {
    uint64_t hash;
    uint64_t operations_ns;
    uint64_t bytes_ns;
    uint64_t told_ns; /* the time that was told last */
};

struct client_rates {
    struct client_rates_limits limits;
    struct siphash_key key; /* who is in which place nobody outside knows */
    struct rate_place places[PAYER_KINDS][SETS][WAYS];
};

bool client_rates_is_free(const struct client_rates_payer *payer)
{
    return span_is_equal(payer->name, span_of(SECRET_ROOT_CLIENT, sizeof(SECRET_ROOT_CLIENT) - 1));
}

size_t client_rates_arena_bytes(void)
{
    return sizeof(struct client_rates) + 64;
}

struct client_rates *client_rates_init(struct arena *arena, const struct secret *seed,
                                       const struct client_rates_limits *limits)
{
    static const char label[] = "pollux rates";
    const struct secret_digest digest = {.secret = seed, .label = label};
    struct client_rates *rates = arena_take(arena, sizeof(*rates), 64);
    *rates = (struct client_rates){.limits = *limits};
    secret_digest(&digest, (uint8_t *)&rates->key, sizeof(rates->key));
    return rates;
}

/* ---- places ---- */

static enum payer_kind payer_kind_of(const struct client_rates_payer *payer)
{
    if (payer->name.size_bytes > 0)
        return PAYER_NAME;
    return payer->from->room == ADDRESS_PROVEN ? PAYER_HOST : PAYER_UNPROVEN;
}

static struct span payer_bytes(const struct client_rates_payer *payer)
{
    return payer->name.size_bytes > 0 ? payer->name : address_host(payer->from);
}

static bool owes_nothing(const struct rate_place *place, uint64_t now_ns)
{
    return place->operations_ns <= now_ns && place->bytes_ns <= now_ns && place->told_ns <= now_ns;
}

static struct rate_place *rate_place_of(struct client_rates *rates,
                                        const struct client_rates_payer *payer, uint64_t now_ns)
{
    uint64_t hash = siphash(&rates->key, payer_bytes(payer));
    struct rate_place *set = rates->places[payer_kind_of(payer)][hash % SETS];
    struct rate_place *spare = NULL;
    for (uint32_t i = 0; i < WAYS; i++) {
        if (set[i].hash == hash)
            return &set[i];
        if (spare == NULL && owes_nothing(&set[i], now_ns))
            spare = &set[i];
    }
    if (spare == NULL)
        return &set[hash / SETS % WAYS];
    spare->hash = hash;
    return spare;
}

/* ---- budgets ---- */

static uint64_t latest_ns(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

static uint64_t cost_ns(uint64_t amount, uint64_t rate)
{
    return rate == 0 ? 0 : budget_cost_ns(amount, rate);
}

static void spend(uint64_t *whole_ns, uint64_t now_ns, uint64_t spent_ns)
{
    uint64_t end_ns = budget_spend_ns(*whole_ns, now_ns, spent_ns);
    *whole_ns = end_ns < now_ns + CLIENT_RATES_DEBT_NS ? end_ns : now_ns + CLIENT_RATES_DEBT_NS;
}

/* How long nothing is free; 0: something is. */
static uint64_t over_ns(uint64_t whole_ns, uint64_t now_ns)
{
    uint64_t owed_ns = budget_owed_ns(whole_ns, now_ns);
    return owed_ns >= BURST_NS ? owed_ns - BURST_NS + 1 : 0;
}

enum client_rates_verdict client_rates_take(struct client_rates *rates,
                                            const struct client_rates_payer *payer,
                                            const struct client_rates_request *request,
                                            uint64_t now_ns, uint64_t *ret_wait_ns)
{
    struct rate_place *place = rate_place_of(rates, payer, now_ns);
    uint64_t operations_ns = cost_ns(request->operations, rates->limits.operations);
    uint64_t bytes_ns = cost_ns(request->bytes, rates->limits.bytes);
    uint64_t wait_ns =
        latest_ns(over_ns(place->operations_ns, now_ns), over_ns(place->bytes_ns, now_ns));
    if (wait_ns == 0) {
        spend(&place->operations_ns, now_ns, operations_ns);
        spend(&place->bytes_ns, now_ns, bytes_ns);
        return RATE_WITHIN;
    }
    uint64_t ahead_ns = budget_owed_ns(place->told_ns, now_ns);
    if (ahead_ns > BURST_NS)
        return RATE_FLOOD;
    spend(&place->told_ns, now_ns, latest_ns(operations_ns, bytes_ns));
    *ret_wait_ns = wait_ns + ahead_ns;
    return RATE_OVER;
}

void client_rates_note_sent(struct client_rates *rates, const struct client_rates_payer *payer,
                            uint64_t bytes, uint64_t now_ns)
{
    uint64_t bytes_ns = cost_ns(bytes, rates->limits.bytes);
    if (bytes_ns == 0)
        return;
    struct rate_place *place = rate_place_of(rates, payer, now_ns);
    spend(&place->bytes_ns, now_ns, bytes_ns);
}
