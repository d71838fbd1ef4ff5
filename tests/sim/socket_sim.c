/* See socket_sim.h. */
#include "tests/sim/socket_sim.h"

#include "base/check.h"

#define TURN_NS           2000u /* what a turn of a client takes */
#define IDLE_IN_A_ROW_MAX 1000
#define WAIT_NS_MAX       UINT64_C(1000000000000)

static struct socket_sim *current;

void socket_sim_use(struct socket_sim *sim)
{
    current = sim;
}

void socket_sim_init(struct socket_sim *sim)
{
    fiber_init(&sim->fiber);
}

static struct packet *inbox_take(struct socket_sim *sim)
{
    if (sim->inbox_count == 0)
        return NULL;
    struct packet *packet = sim->inbox[sim->inbox_head];
    sim->inbox_head = (sim->inbox_head + 1) % SOCKET_SIM_INBOX_MAX;
    sim->inbox_count--;
    return packet;
}

static void inbox_clear(struct socket_sim *sim)
{
    while (sim->inbox_count > 0)
        network_release(sim->network, inbox_take(sim));
}

void socket_sim_deinit(struct socket_sim *sim)
{
    inbox_clear(sim);
    fiber_deinit(&sim->fiber);
    if (current == sim)
        current = NULL;
}

/* ---- when it runs ---- */

void socket_sim_plan(struct socket_sim *sim, uint64_t at_ns)
{
    uint64_t now_ns = sim->network->verdict->now_ns;
    if (at_ns < sim->paused_until_ns)
        at_ns = sim->paused_until_ns;
    if (sim->wake_at_ns != 0 && sim->wake_at_ns <= at_ns)
        return;
    sim->wake_at_ns = at_ns > now_ns ? at_ns : now_ns + 1;
    agenda_plan(sim->network->agenda, &(struct event){.at_ns = sim->wake_at_ns,
                                                      .kind = EVENT_CLIENT,
                                                      .who = sim->who,
                                                      .stamp = ++sim->stamp});
}

void socket_sim_pause(struct socket_sim *sim, uint64_t until_ns)
{
    sim->paused_until_ns = until_ns;
    sim->wake_at_ns = 0;
    socket_sim_plan(sim, until_ns);
}

bool socket_sim_is_due(const struct socket_sim *sim, uint64_t stamp)
{
    return sim->stamp == stamp && sim->wake_at_ns != 0;
}

void socket_sim_run(struct socket_sim *sim)
{
    sim->wake_at_ns = 0;
    if (!sim->fiber.is_live)
        return;
    socket_sim_use(sim);
    fiber_enter(&sim->fiber);
}

void socket_sim_die(struct socket_sim *sim)
{
    sim->is_muted = true;
    sim->is_dying = true;
    socket_sim_run(sim);
    CHECK(!sim->fiber.is_live);
    sim->is_dying = false;
    inbox_clear(sim);
}

void socket_sim_forsake(struct plx_client *client)
{
    client->options.close_wait_ns = 0;
}

void socket_sim_deliver(struct socket_sim *sim, struct packet *packet)
{
    bool is_open = packet->to_port != 0 && packet->to_port == sim->network->ports[sim->host];
    if (!is_open || sim->inbox_count == SOCKET_SIM_INBOX_MAX) {
        sim->network->tally->fault_packets_to_dead_hosts++;
        network_release(sim->network, packet);
        return;
    }
    sim->inbox[(sim->inbox_head + sim->inbox_count++) % SOCKET_SIM_INBOX_MAX] = packet;
    socket_sim_plan(sim, sim->network->verdict->now_ns);
}

/* ---- the clocks ---- */

uint64_t clock_monotonic_ns(void)
{
    uint64_t now_ns = current->network->verdict->now_ns;
    int64_t drift_ns = (int64_t)(now_ns / 1000) * current->drift_per_million / 1000;
    return current->monotonic_base_ns + now_ns + (uint64_t)drift_ns;
}

uint64_t clock_realtime_us(void)
{
    return (current->wall_base_ns + current->network->verdict->now_ns) / 1000;
}

uint64_t entropy_draw(void)
{
    return prng_next(&current->entropy);
}

/* ---- the socket ---- */

enum plx_outcome socket_open(struct plx_client *client, char *ret_reason, size_t reason_size)
{
    (void)client;
    (void)ret_reason;
    (void)reason_size;
    network_port_open(current->network, current->host);
    current->is_muted = false;
    return PLX_OK;
}

void socket_close(struct plx_client *client)
{
    (void)client;
    network_port_close(current->network, current->host);
    inbox_clear(current);
}

bool socket_is_forked(const struct plx_client *client)
{
    (void)client;
    return false;
}

void socket_flush(struct plx_client *client)
{
    current->watch.before_flush(current->watch.context, client);
    for (uint32_t i = 0; i < client->out_count && !current->is_muted; i++) {
        const struct packet_out *packet = &client->out[i];
        struct address to = endpoint_address(client, packet->endpoint, packet->shard);
        network_send(current->network, (struct network_sender){.host = current->host}, &to,
                     span_of(packet->bytes, packet->size_bytes));
        client->statistics.packets_sent++;
    }
    client->out_count = 0;
}

void socket_receive(struct plx_client *client)
{
    for (uint32_t i = 0; i < PACKETS_IN_BURSTS * PACKETS_IN_BURST; i++) {
        struct packet *packet = inbox_take(current);
        if (packet == NULL)
            return;
        current->idle_in_a_row = 0;
        network_note_received(current->network, packet);
        uint64_t dropped_before = client->statistics.packets_dropped;
        packet_receive(client, &packet->from, span_of(packet->data, packet->size_bytes));
        if (packet->is_hostile && client->statistics.packets_dropped == dropped_before)
            verdict_break(current->network->verdict, RULE_HOSTILE,
                          "the client on host %u has taken a packet of an attacker, of type %u",
                          current->host, packet->data[3]);
        network_release(current->network, packet);
    }
}

/* The virtual time at which the host's clock will show `until_ns` or a little more. */
static uint64_t wake_time_ns(const struct socket_sim *sim, uint64_t until_ns)
{
    uint64_t now_ns = sim->network->verdict->now_ns;
    uint64_t local_ns = clock_monotonic_ns();
    if (sim->inbox_count > 0 || sim->is_woken || until_ns <= local_ns + TURN_NS)
        return now_ns + TURN_NS;
    uint64_t left_ns = until_ns - local_ns < WAIT_NS_MAX ? until_ns - local_ns : WAIT_NS_MAX;
    uint64_t rate = (uint64_t)(1000000 + sim->drift_per_million);
    return now_ns + left_ns * 1000 / rate * 1000 + TURN_NS;
}

void socket_wait(struct plx_client *client, uint64_t until_ns)
{
    struct socket_sim *sim = current;
    bool is_at_once = until_ns <= clock_monotonic_ns() && sim->inbox_count == 0 && !sim->is_woken;
    sim->idle_in_a_row = is_at_once ? sim->idle_in_a_row + 1 : 0;
    if (sim->idle_in_a_row > IDLE_IN_A_ROW_MAX)
        verdict_break(sim->network->verdict, RULE_BUSY_LOOP,
                      "the client on host %u waits for what is past", sim->host);
    socket_sim_plan(sim, wake_time_ns(sim, until_ns));
    fiber_give_way();
    sim->is_woken = false;
    if (!sim->is_dying)
        return;
    /* Whoever waits holds the handle once. */
    client_unlock(client);
    fiber_end();
}

void socket_wake(struct plx_client *client)
{
    (void)client;
    current->is_woken = true;
    socket_sim_plan(current, current->network->verdict->now_ns);
}
