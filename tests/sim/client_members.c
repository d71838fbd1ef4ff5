/* A client as an operator: nodes are added and removed, one change at a time. */
#include "base/format.h"
#include "tests/sim/client.h"

#include <string.h>

#define MS             UINT64_C(1000000)
#define ASK_NS         (50 * MS)
#define CHANGE_NS      (50 * MS)
#define ADD_FINALLY_NS (2000 * MS) /* as long as a slow network may take */
#define ASK_FINALLY_NS (500 * MS)
#define WAIT_NS        (50 * MS)

/* Which change was the last one, as the leader of shard 0 says. False: nobody said it. */
static bool change_look(struct client *client, struct plx_change *change, uint64_t timeout_ns)
{
    struct plx_members members;
    for (size_t endpoint = 0; endpoint < plx_endpoint_count(client->handle); endpoint++) {
        if (plx_members(client->handle, endpoint, 0, timeout_ns, &members) != PLX_OK ||
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
    tally->members_removed += outcome == PLX_OK && change->action == PLX_CHANGE_REMOVE;
    verdict_say(client->world->verdict, "c%u asked for n%u to be %s after change %u: %s",
                client->number, change->node,
                is_add                                ? "added"
                : change->action == PLX_CHANGE_REMOVE ? "removed"
                                                      : "raised",
                change->after, plx_outcome_name(outcome));
    return outcome;
}

static void change_forget(struct client *client)
{
    client->is_change_wanted = false;
    client->is_change_looked = false;
}

/* The next of the nodes that are to be members when all is over. */
static void change_choose(struct client *client)
{
    client->nodes_to_add &= ~client->world->nodes_gone;
    if (client->is_change_wanted || client->nodes_to_add == 0)
        return;
    uint32_t number = (uint32_t)__builtin_ctz(client->nodes_to_add);
    struct address address = network_address(number);
    client->change = (struct plx_change){
        .action = PLX_CHANGE_ADD, .node = (uint16_t)(number + 1), .port = address.port};
    memcpy(client->change.ip, address.ip, sizeof(client->change.ip));
    client->is_change_wanted = true;
}

/* Until its outcome is known, or somebody else's change came between. */
void client_change_turn(struct client *client)
{
    bool is_last = client->nodes_to_add != 0;
    change_choose(client);
    if (!client->is_change_wanted || (client->world->is_winding_down && !is_last))
        return;
    if (!client->is_change_looked) {
        client->is_change_looked =
            change_look(client, &client->change, is_last ? ASK_FINALLY_NS : ASK_NS);
        return;
    }
    enum plx_outcome outcome =
        change_make(client, &client->change, is_last ? ADD_FINALLY_NS : CHANGE_NS);
    if (outcome != PLX_OK && outcome != PLX_MISMATCH)
        return;
    if (outcome == PLX_OK && is_last)
        client->nodes_to_add &= ~(UINT32_C(1) << (client->change.node - 1));
    change_forget(client);
}

bool client_raise_format(struct client *client)
{
    struct plx_change change = {.action = PLX_CHANGE_RAISE, .format = FORMAT_KNOWN};
    return change_look(client, &change, ASK_NS) &&
           change_make(client, &change, CHANGE_NS) == PLX_OK;
}

void client_ask_change(struct client *client, const struct plx_change *change)
{
    client->change = *change;
    client->is_change_wanted = true;
    client->is_change_looked = false;
}

void client_ask_nodes(struct client *client, uint32_t nodes)
{
    change_forget(client);
    client->nodes_to_add = nodes;
}

void client_add_nodes(struct client *client)
{
    while (client->nodes_to_add != 0) {
        client_change_turn(client);
        (void)plx_poll(client->handle, WAIT_NS);
    }
}
