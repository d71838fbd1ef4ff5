/*
 * One turn of the polling loop: data flows one way round, and everything is made durable once. A
 * replica that has nothing to do sleeps: it takes no part in turns until its deadline or a message,
 * so idle shards cost a lane next to nothing.
 */
#include "engine/state/rcu.h"
#include "server/lane_internal.h"

void lane_wake(struct lane *lane, uint32_t place)
{
    if (lane->is_awake[place])
        return;
    lane->is_awake[place] = true;
    lane->awake[lane->awake_count++] = place;
    replica_begin_turn(lane->replicas[place]);
}

static void wake_due(struct lane *lane)
{
    for (uint32_t i = 0; i < lane->awake_count; i++)
        replica_begin_turn(lane->replicas[lane->awake[i]]);
    for (uint32_t place = 0; place < lane->replica_count; place++) {
        if (lane->deadlines_ns[place] <= lane->shared.now_ns)
            lane_wake(lane, place);
    }
}

/* Clients' packets wait behind those of peers, and where more may lie in the port, those too. */
static void clients_wait(struct lane *lane, const struct dp_datagram *datagram)
{
    if (client_queue_add(lane->client_queue, datagram) != OK)
        lane->counters.drop_clients++;
}

/* Peers' packets, and those for other lanes, in their order; then clients', if nothing can lie in
 * the port any more that goes first. Returns how many packets of clients that were. */
static uint32_t take_burst(struct lane *lane, const struct dp_datagram *datagrams, uint32_t count)
{
    uint8_t clients[RX_BURST_MAX];
    uint32_t client_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (lane_goes_first(lane, &datagrams[i]))
            lane_receive(lane, &datagrams[i]);
        else
            clients[client_count++] = (uint8_t)i;
    }
    bool is_all = count < RX_BURST_MAX && client_queue_count(lane->client_queue) == 0;
    for (uint32_t i = 0; i < client_count; i++) {
        if (is_all)
            lane_receive(lane, &datagrams[clients[i]]);
        else
            clients_wait(lane, &datagrams[clients[i]]);
    }
    return is_all ? client_count : 0;
}

/* Shard 0 may live on another lane. Another table may drop what is pending in any shard: each
 * replica takes part in this turn, and drops it before it does anything else. */
static void lane_follow_rights(struct lane *lane)
{
    const struct engine *engine = NULL;
    uint32_t number = lane->shared.rights.number;
    if (lane->place_of[0] != LANE_NOWHERE)
        engine = replica_engine(lane->replicas[lane->place_of[0]]);
    else if (lane->directory != NULL)
        engine = shard_directory_find(lane->directory, 0);
    lane_rights_follow(&lane->shared.rights, engine);
    if (lane->shared.rights.number == number)
        return;
    for (uint32_t place = 0; place < lane->replica_count; place++)
        lane->deadlines_ns[place] = 0;
}

/*
 * Peers first: however many clients send, what peers have sent until now is received in this turn,
 * before the clients' packets, of which a turn takes a burst. Returns whether there was anything.
 */
static bool receive(struct lane *lane)
{
    struct dp_datagram datagrams[RX_BURST_MAX];
    struct dp_datagram waiting;
    uint32_t count = RX_BURST_MAX;
    uint32_t served = 0;
    bool is_any = false;
    for (uint32_t i = 0; i < RX_BURSTS_MAX && count == RX_BURST_MAX; i++) {
        count = dp_port_rx(lane->shared.port, lane->shared.now_ns, datagrams, RX_BURST_MAX);
        served += take_burst(lane, datagrams, count);
        is_any |= count > 0;
    }
    for (; served < RX_BURST_MAX && client_queue_take(lane->client_queue, &waiting); served++) {
        lane_receive(lane, &waiting);
        is_any = true;
    }
    lane->is_drained = count < RX_BURST_MAX && client_queue_count(lane->client_queue) == 0;
    return is_any;
}

/* The worse of two results. */
static enum lane_result join_result(enum lane_result result, enum replica_result of_replica)
{
    switch (of_replica) {
    case REPLICA_ASLEEP:
    case REPLICA_IDLE:
        break;
    case REPLICA_WORKED:
        return result == LANE_IDLE ? LANE_WORKED : result;
    case REPLICA_SYNC_FAILED:
        return LANE_SYNC_FAILED;
    }
    return result;
}

/* Ends the turns of the replicas that took part; those with something left to do take part in the
 * next turn, too. */
static enum lane_result end_turns(struct lane *lane)
{
    enum lane_result result = LANE_IDLE;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < lane->awake_count && result != LANE_SYNC_FAILED; i++) {
        uint32_t place = lane->awake[i];
        enum replica_result of_replica = replica_end_turn(lane->replicas[place]);
        if (of_replica == REPLICA_SYNC_FAILED)
            lane->failed = lane->replicas[place];
        lane->deadlines_ns[place] = replica_deadline_ns(lane->replicas[place]);
        lane->is_awake[place] = of_replica != REPLICA_ASLEEP;
        if (lane->is_awake[place])
            lane->awake[kept++] = place;
        result = join_result(result, of_replica);
    }
    lane->awake_count = kept;
    return result;
}

static enum lane_result run_replicas(struct lane *lane)
{
    for (uint32_t i = 0; i < lane->awake_count; i++)
        replica_propose(lane->replicas[lane->awake[i]]);
    for (uint32_t i = 0; i < lane->awake_count; i++)
        replica_persist(lane->replicas[lane->awake[i]]);
    return end_turns(lane);
}

enum lane_result lane_turn(struct lane *lane, uint64_t now_ns)
{
    lane->shared.now_ns = now_ns;
    lane->shared.is_flushed = false;
    lane->foreign_reads = 0;
    engine_reader_begin_turn(lane->reader, now_ns);
    lane_follow_rights(lane);
    wake_due(lane);
    bool is_any = receive(lane);
    /* What seems to be missing may be waiting. */
    if (lane->is_drained && lane_ask_ns(lane) <= now_ns)
        lane_ask_missing(lane);
    enum lane_result result = run_replicas(lane);
    if (result == LANE_SYNC_FAILED)
        return result;
    dp_port_tick(lane->shared.port, now_ns);
    dp_port_tx_flush(lane->shared.port);
    rcu_turn();
    lane->counters.turns++;
    if (!is_any && result == LANE_IDLE)
        return LANE_IDLE;
    lane->counters.turns_worked++;
    return LANE_WORKED;
}
