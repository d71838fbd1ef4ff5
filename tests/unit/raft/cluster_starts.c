/*
 * The starts of the nodes' storages in cluster.h: what server/replica_starts.c does with messages,
 * here in one step. Whoever hears of another start asks at once, and what it learns is durable.
 */
#include "tests/unit/raft/cluster.h"

#include "base/check.h"

#include <string.h>

static void learn_now(struct cluster_node *node, uint64_t birth, uint64_t start)
{
    static const struct raft_configuration nobody;
    (void)peer_starts_learn(&node->heard, birth, start, &nobody);
    peer_starts_stamp(&node->heard, 1);
    peer_starts_durable(&node->heard, 1);
}

static bool stands_by(struct cluster *cluster, struct cluster_node *node, uint16_t from)
{
    const struct cluster_node *sender = &cluster->nodes[from];
    const uint64_t birth = sender->options.self.birth;
    struct start_own own = sender->own_start;
    struct start_question question;
    bool is_reached = sender->is_alive && !cluster->is_cut[node->options.self.id][from];
    if (!is_reached || !peer_starts_ask(&node->heard, birth, ++cluster->question_ns, 0, &question))
        return false;
    for (uint32_t i = 0; i < sender->durable->start_count; i++)
        own.had_start |= sender->durable->starts[i] == question.start;
    if (start_answer_of(&question, &own) != START_STANDS) {
        cluster_crash(cluster, from); /* it is told so, and takes part in nothing any more */
        return false;
    }
    return peer_starts_may_learn(&node->heard, birth, question.start, &own);
}

bool cluster_is_start_known(struct cluster *cluster, const struct cluster_packet *packet)
{
    struct cluster_node *node = &cluster->nodes[packet->message.to.id];
    const struct raft_storage *from = &packet->message.from;
    switch (peer_starts_judge(&node->heard, from->birth, packet->start)) {
    case PEER_START_COUNTS:
    case PEER_START_WRITTEN:
        return true;
    case PEER_START_NEW:
        learn_now(node, from->birth, packet->start);
        return true;
    case PEER_START_OTHER:
        break;
    }
    if (!stands_by(cluster, node, from->id))
        return false;
    learn_now(node, from->birth, cluster->nodes[from->id].own_start.start);
    return true; /* also what is late, of an earlier start: the core must be safe by itself */
}

void cluster_starts_begin(struct cluster *cluster, uint16_t id, bool is_suspect)
{
    struct cluster_node *node = &cluster->nodes[id];
    struct cluster_image *image = node->durable;
    CHECK(image->start_count < CLUSTER_STARTS_MAX);
    image->starts[image->start_count++] = ++cluster->start_last;
    node->own_start = (struct start_own){.start = cluster->start_last,
                                         .term = image->hard_state.term,
                                         .last_index = image->last,
                                         .is_suspect = is_suspect};
    for (uint32_t i = 0; i < node->heard.count; i++) {
        struct peer_start *heard = &node->heard.entries[i];
        *heard = (struct peer_start){.birth = heard->birth, .start = heard->start};
    }
}

/* As a node does at its start: whoever is reached asks at once. */
void cluster_tell_start(struct cluster *cluster, uint16_t id)
{
    struct cluster_packet packet = {.message = {.from = cluster->nodes[id].options.self},
                                    .start = cluster->nodes[id].own_start.start};
    for (uint16_t to = 1; to <= cluster->node_count; to++) {
        packet.message.to.id = to;
        if (to != id && cluster->nodes[to].is_alive && cluster->nodes[id].is_alive &&
            !cluster->is_cut[id][to])
            (void)cluster_is_start_known(cluster, &packet);
    }
}

void cluster_note_start(struct cluster *cluster, const struct raft_message *message)
{
    struct cluster_node *node = &cluster->nodes[message->to.id];
    bool is_own_term = message->type == RAFT_APPEND_REPLY &&
                       raft_term_at(node->raft, message->append_reply.match_index) == message->term;
    peer_starts_note(&node->heard, message, is_own_term);
}

static void image_keep(struct cluster_image *to, const struct cluster_image *from)
{
    memcpy(to, from, sizeof(*to));
}

void cluster_save(struct cluster *cluster, uint16_t id)
{
    image_keep(cluster->saved, cluster->nodes[id].durable);
    cluster->saved_birth = cluster->nodes[id].options.self.birth;
}

void cluster_set_back(struct cluster *cluster, uint16_t id)
{
    struct cluster_node *node = &cluster->nodes[id];
    CHECK(!node->is_alive && cluster->saved_birth == node->options.self.birth);
    image_keep(node->durable, cluster->saved);
    image_keep(node->written, cluster->saved);
}
