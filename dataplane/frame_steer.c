/*
 * Flow rules: a network card that knows them delivers each UDP port's datagrams to the queue of the
 * lane that serves it. One rule a UDP port and IP version; a port that takes only some of the rules
 * is left without any. A port without rules (memif) leaves the choice to the sender or to a hash;
 * the lanes then hand over what came to the wrong queue. Source: DPDK programmer's guide, "Generic
 * flow API (rte_flow)".
 */
#include "dataplane/frame_port_internal.h"

#include <rte_byteorder.h>
#include <rte_ethdev.h>
#include <rte_flow.h>

#define STEER_ITEMS   4
#define STEER_ACTIONS 2

/* The parts of a rule, which point to each other. */
struct steer_rule {
    struct rte_flow_attr attr;
    struct rte_flow_item_udp udp;
    struct rte_flow_item_udp udp_mask;
    struct rte_flow_action_queue queue;
    struct rte_flow_item pattern[STEER_ITEMS];
    struct rte_flow_action actions[STEER_ACTIONS];
};

static void rule_fill(struct steer_rule *rule, bool is_ipv4, uint16_t udp_port, uint16_t queue)
{
    *rule = (struct steer_rule){
        .attr = {.ingress = 1},
        .udp = {.hdr = {.dst_port = rte_cpu_to_be_16(udp_port)}},
        .udp_mask = {.hdr = {.dst_port = rte_cpu_to_be_16(UINT16_MAX)}},
        .queue = {.index = queue},
    };
    rule->pattern[0].type = RTE_FLOW_ITEM_TYPE_ETH;
    rule->pattern[1].type = is_ipv4 ? RTE_FLOW_ITEM_TYPE_IPV4 : RTE_FLOW_ITEM_TYPE_IPV6;
    rule->pattern[2].type = RTE_FLOW_ITEM_TYPE_UDP;
    rule->pattern[2].spec = &rule->udp;
    rule->pattern[2].mask = &rule->udp_mask;
    rule->pattern[3].type = RTE_FLOW_ITEM_TYPE_END;
    rule->actions[0].type = RTE_FLOW_ACTION_TYPE_QUEUE;
    rule->actions[0].conf = &rule->queue;
    rule->actions[1].type = RTE_FLOW_ACTION_TYPE_END;
}

/* Tries the rules of one UDP port, or makes them. */
static bool port_steer(const struct dp_frame_port *port, uint16_t udp_port, uint16_t queue,
                       bool is_trial)
{
    for (int version = 0; version < 2; version++) {
        struct steer_rule rule;
        struct rte_flow_error error;
        rule_fill(&rule, version == 0, udp_port, queue);
        bool is_taken =
            is_trial
                ? rte_flow_validate(port->id, &rule.attr, rule.pattern, rule.actions, &error) == 0
                : rte_flow_create(port->id, &rule.attr, rule.pattern, rule.actions, &error) != NULL;
        if (!is_taken) {
            return false;
        }
    }
    return true;
}

bool frame_steer_open(const struct dp_frame_port *port, uint16_t udp_port_first,
                      uint16_t udp_port_count)
{
    struct rte_flow_error error;
    if (port->queue_count == 1 || udp_port_count == 0 || !port->is_started ||
        !port_steer(port, udp_port_first, 0, true)) {
        return false;
    }
    for (uint16_t shard = 0; shard < udp_port_count; shard++) {
        if (!port_steer(port, (uint16_t)(udp_port_first + shard),
                        (uint16_t)(shard % port->queue_count), false)) {
            (void)rte_flow_flush(port->id, &error);
            return false;
        }
    }
    return true;
}
