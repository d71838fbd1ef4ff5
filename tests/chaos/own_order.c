/* A set of values; an acknowledged write leaves its own alone. */
#include "tests/chaos/own_order.h"

#include "base/check.h"

void own_order_init(struct own_order *order)
{
    *order = (struct own_order){.values = {OWN_ABSENT}, .count = 1};
}

bool own_order_is_full(const struct own_order *order)
{
    return order->count == OWN_VALUES_MAX;
}

void own_order_wrote(struct own_order *order, uint64_t value, enum plx_outcome outcome,
                     bool may_be_lost)
{
    if (outcome != PLX_OK && outcome != PLX_UNKNOWN)
        return; /* it did not take effect, and never will */
    if (outcome == PLX_OK && !may_be_lost)
        order->count = 0;
    CHECK(order->count < OWN_VALUES_MAX);
    order->values[order->count++] = value;
}

bool own_order_allows(const struct own_order *order, uint64_t value)
{
    for (uint32_t i = 0; i < order->count; i++) {
        if (order->values[i] == value)
            return true;
    }
    return false;
}
