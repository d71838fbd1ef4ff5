/* See host_budget.h. */
#include "server/host_budget.h"

#include "base/budget.h"
#include "security/cookie.h"

/* What is free at once: a second's worth. */
#define BURST_NS UINT64_C(1000000000)

void host_budget_init(struct host_budget *budget, const struct secret *seed, uint64_t rate)
{
    static const char label[] = "pollux hosts";
    const struct secret_digest digest = {.secret = seed, .label = label};
    *budget = (struct host_budget){.rate = rate};
    secret_digest(&digest, (uint8_t *)&budget->key, sizeof(budget->key));
}

static uint32_t host_place(const struct host_budget *budget, const struct address *address)
{
    return (uint32_t)(siphash(&budget->key, address_host(address)) % HOST_BUDGET_HOSTS);
}

/* When it would be whole again after so many bytes; 0: they do not fit. */
static uint64_t whole_ns(uint64_t until_ns, uint64_t now_ns, uint64_t bytes, uint64_t rate)
{
    uint64_t end_ns = budget_spend_ns(until_ns, now_ns, budget_cost_ns(bytes, rate));
    return end_ns - now_ns <= BURST_NS ? end_ns : 0;
}

bool host_budget_has(const struct host_budget *budget, const struct address *address,
                     uint64_t bytes, uint64_t now_ns)
{
    return budget->rate != 0 &&
           whole_ns(budget->hosts_ns[host_place(budget, address)], now_ns, bytes, budget->rate) !=
               0 &&
           whole_ns(budget->all_ns, now_ns, bytes, HOSTS_AT_ONCE * budget->rate) != 0;
}

bool host_budget_take(struct host_budget *budget, const struct address *address, uint64_t bytes,
                      uint64_t now_ns)
{
    if (budget->rate == 0)
        return false;
    uint64_t *host_ns = &budget->hosts_ns[host_place(budget, address)];
    uint64_t host_end_ns = whole_ns(*host_ns, now_ns, bytes, budget->rate);
    uint64_t all_end_ns = whole_ns(budget->all_ns, now_ns, bytes, HOSTS_AT_ONCE * budget->rate);
    if (host_end_ns == 0 || all_end_ns == 0)
        return false;
    *host_ns = host_end_ns;
    budget->all_ns = all_end_ns;
    return true;
}
