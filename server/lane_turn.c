/* One turn of the polling loop: data flows one way round, and everything is made durable once. */
#include "server/lane_internal.h"

static uint32_t receive_burst(struct lane *lane)
{
    struct dp_datagram datagrams[RX_BURST_MAX];
    uint32_t count = dp_port_rx(lane->shared.port, lane->shared.now_ns, datagrams, RX_BURST_MAX);
    for (uint32_t i = 0; i < count; i++)
        lane_receive(lane, &datagrams[i]);
    return count;
}

/* The worse of two results. */
static enum lane_result join_result(enum lane_result result, enum replica_result of_replica)
{
    switch (of_replica) {
    case REPLICA_IDLE:
        break;
    case REPLICA_WORKED:
        return result == LANE_IDLE ? LANE_WORKED : result;
    case REPLICA_SYNC_FAILED:
        return LANE_SYNC_FAILED;
    case REPLICA_LOG_EXHAUSTED:
        return LANE_LOG_EXHAUSTED;
    }
    return result;
}

static enum lane_result run_replicas(struct lane *lane)
{
    enum lane_result result = LANE_IDLE;
    for (uint32_t i = 0; i < lane->replica_count; i++)
        replica_propose(lane->replicas[i]);
    for (uint32_t i = 0; i < lane->replica_count; i++)
        replica_persist(lane->replicas[i]);
    for (uint32_t i = 0; i < lane->replica_count && result != LANE_SYNC_FAILED; i++)
        result = join_result(result, replica_end_turn(lane->replicas[i]));
    return result;
}

enum lane_result lane_turn(struct lane *lane, uint64_t now_ns)
{
    lane->shared.now_ns = now_ns;
    lane->shared.is_flushed = false;
    for (uint32_t i = 0; i < lane->replica_count; i++)
        replica_begin_turn(lane->replicas[i]);
    uint32_t count = receive_burst(lane);
    enum lane_result result = run_replicas(lane);
    if (result == LANE_SYNC_FAILED)
        return result;
    dp_port_tick(lane->shared.port, now_ns);
    dp_port_tx_flush(lane->shared.port);
    if (result == LANE_LOG_EXHAUSTED)
        return result;
    lane->counters.turns++;
    if (count == 0 && result == LANE_IDLE)
        return LANE_IDLE;
    lane->counters.turns_worked++;
    return LANE_WORKED;
}
