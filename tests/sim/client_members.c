/* A client as an operator: nodes are added and removed, one change at a time. */
#include "tests/sim/client.h"

#include <string.h>

#define MS             UINT64_C(1000000)
#define ASK_NS         (50 * MS)
#define CHANGE_NS      (50 * MS)
#define ADD_FINALLY_NS (2000 * MS) /* as long as a slow network may take */
#define WAIT_NS        (50 * MS)

/* Which change was the last one, as the leader of shard 0 says. False: nobody said it. */
static bool change_look(struct client *client, struct plx_change *change)
{
    struct plx_members members;
    for (size_t endpoint = 0; endpoint < plx_endpoint_count(client->handle); endpoint++) {
        if (plx_members(client->handle, endpoint, 0, ASK_NS, &members) != PLX_OK ||
            members.role != PLX_LEADER || !members.has_fresh_quorum)
            continue;
        change->after = members.change;
        return true;
    }
    return false;
}

static enum plx_outcome change_make(struct client *client, const struct plx_change *change,
                                    uint64_t timeout_ns)
{
    struct tally *tally = client->world->tally;
    enum plx_outcome outcome = plx_change(client->handle, change, timeout_ns);
    bool is_add = change->action == PLX_CHANGE_ADD;
    tally->members_added += outcome == PLX_OK && is_add;
    tally->members_removed += outcome == PLX_OK && !is_add;
    verdict_say(client->world->verdict, "c%u asked for n%u to be %s after change %u: %s",
                client->number, change->node, is_add ? "added" : "removed", change->after,
                plx_outcome_name(outcome));
    return outcome;
}

void client_change_turn(struct client *client)
{
    if (!client->is_change_wanted || client->world->is_winding_down)
        return;
    struct plx_change change = client->change;
    if (!client->is_change_looked) {
        client->is_change_looked = change_look(client, &change);
        client->change.after = change.after;
        return;
    }
    enum plx_outcome outcome = change_make(client, &change, CHANGE_NS);
    if (outcome == PLX_OK || outcome == PLX_MISMATCH)
        client->is_change_wanted = false;
}

void client_ask_change(struct client *client, const struct plx_change *change)
{
    client->change = *change;
    client->is_change_wanted = true;
    client->is_change_looked = false;
}

/* Until it is known to be so, or somebody else's change came between. */
static bool add_node(struct client *client, uint32_t number)
{
    struct address address = network_address(number);
    struct plx_change change = {
        .action = PLX_CHANGE_ADD, .node = (uint16_t)(number + 1), .port = address.port};
    memcpy(change.ip, address.ip, sizeof(change.ip));
    if (!change_look(client, &change))
        return false;
    enum plx_outcome outcome = PLX_UNKNOWN;
    while ((outcome == PLX_UNKNOWN || outcome == PLX_E_UNREACHABLE || outcome == PLX_TIMEOUT) &&
           (client->world->nodes_gone >> number & 1) == 0) {
        (void)plx_poll(client->handle, WAIT_NS);
        outcome = change_make(client, &change, ADD_FINALLY_NS);
    }
    return outcome == PLX_OK;
}

void client_add_nodes(struct client *client)
{
    const struct client_world *world = client->world;
    while ((client->nodes_to_add & ~world->nodes_gone) != 0) {
        uint32_t number = (uint32_t)__builtin_ctz(client->nodes_to_add & ~world->nodes_gone);
        if (add_node(client, number))
            client->nodes_to_add &= ~(UINT32_C(1) << number);
        else
            (void)plx_poll(client->handle, WAIT_NS);
    }
}
