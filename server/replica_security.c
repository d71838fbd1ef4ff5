/* What this shard's packets are sealed by: the handshakes, in and out. */
#include "server/replica_internal.h"

size_t replica_security_arena_bytes(const struct replica_options *options)
{
    return (options->security.mode == SECURITY_NONE ? 0 : peer_seals_arena_bytes()) +
           (options->security.clients == SECURITY_NONE ? 0 : client_seals_arena_bytes());
}

static void open_clients(struct replica *replica, const struct peer_seals_options *options)
{
    struct lane_shared *shared = replica->shared;
    if (replica->options.security.clients == SECURITY_NONE)
        return;
    replica->client_seals = client_seals_init(&shared->arena, options);
    shared->client_seals[options->shard] = replica->client_seals;
}

void replica_open_security(struct replica *replica)
{
    struct lane_shared *shared = replica->shared;
    const struct peer_seals_options options = {
        .security = &replica->options.security,
        .engine = &shared->engine,
        .guard = &shared->guard,
        .cluster_id = replica->options.cluster_id,
        .shard = replica->options.shard,
        .self = replica->options.raft.self.id,
        .incarnation = replica->options.engine.incarnation,
        .retry_ns = replica->options.raft.heartbeat_interval_ns,
        .now_ns = shared->now_ns,
    };
    open_clients(replica, &options);
    if (replica->options.security.mode == SECURITY_NONE)
        return;
    replica->seals = peer_seals_init(&shared->arena, &options);
    shared->seals[options.shard] = replica->seals;
    /* So that the first election has not to wait for it. */
    for (uint16_t id = 1; id <= VOTER_ID_MAX; id++) {
        if (id != options.self && replica_peer_address(replica, id) != NULL)
            peer_seals_ask(replica->seals, id, shared->now_ns);
    }
}

void replica_shake_hands(struct replica *replica)
{
    uint8_t initiation[HANDSHAKE_INITIATION_BYTES];
    uint16_t node;
    /* One for each place at most: each is due again later. */
    while (replica->seals != NULL &&
           peer_seals_next(replica->seals, replica->shared->now_ns, &node, initiation)) {
        const struct address *to = replica_peer_address(replica, node);
        /* Of a node that is no member, and not in [peers]: it may have to be told that. */
        if (to == NULL)
            to = peer_seals_heard_from(replica->seals, node);
        if (to != NULL)
            replica_send(replica, to, WIRE_HANDSHAKE, span_of(initiation, sizeof(initiation)));
    }
}

uint64_t replica_security_deadline_ns(const struct replica *replica)
{
    return replica->seals == NULL ? UINT64_MAX : peer_seals_deadline_ns(replica->seals);
}

/* A node has a number, a client has none. */
static enum error answer_initiation(struct replica *replica,
                                    const struct peer_seals_question *question,
                                    uint8_t *ret_response)
{
    if (question->node == 0)
        return replica->client_seals == NULL
                   ? ERR_KEY
                   : client_seals_answer(replica->client_seals, question, ret_response);
    return replica->seals == NULL ? ERR_KEY
                                  : peer_seals_answer(replica->seals, question, ret_response);
}

bool replica_receive_handshake(struct replica *replica, const struct replica_message *message)
{
    uint8_t response[HANDSHAKE_RESPONSE_BYTES];
    uint64_t now_ns = replica->shared->now_ns;
    if (message->type == WIRE_HANDSHAKE_REPLY)
        return replica->seals != NULL &&
               peer_seals_finish(replica->seals, message->sender, message->body, now_ns) == OK;
    const struct peer_seals_question question = {.node = message->sender,
                                                 .from = message->from,
                                                 .initiation = message->body,
                                                 .now_ns = now_ns};
    if (answer_initiation(replica, &question, response) != OK)
        return false;
    replica_send(replica, &message->from, WIRE_HANDSHAKE_REPLY,
                 span_of(response, sizeof(response)));
    return true;
}
