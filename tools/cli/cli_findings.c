/* See cli_findings.h. */
#include "tools/cli/cli_findings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_NAME    "state_index_"
#define DIGEST_NAME   "state_digest_"
#define OBSTACLE_NAME "obstacle_"

static const struct plx_counter *counter_find(const struct plx_node *node, const char *name)
{
    for (uint32_t i = 0; i < node->counter_count; i++) {
        if (strcmp(node->counters[i].name, name) == 0)
            return &node->counters[i];
    }
    return NULL;
}

/* The digest that belongs to a counter with an index; NULL: it is no such counter. */
static const struct plx_counter *digest_of(const struct plx_node *node,
                                           const struct plx_counter *counter)
{
    char name[sizeof(DIGEST_NAME) + sizeof(counter->name)];
    if (strncmp(counter->name, INDEX_NAME, strlen(INDEX_NAME)) != 0)
        return NULL;
    snprintf(name, sizeof(name), "%s%s", DIGEST_NAME, counter->name + strlen(INDEX_NAME));
    return counter_find(node, name);
}

/* The digest at that index; NULL: the node has none. */
static const struct plx_counter *digest_at(const struct plx_node *node, uint64_t index)
{
    for (uint32_t i = 0; i < node->counter_count; i++) {
        const struct plx_counter *digest = digest_of(node, &node->counters[i]);
        if (digest != NULL && node->counters[i].value == index)
            return digest;
    }
    return NULL;
}

bool findings_differ(const struct plx_node *one, const struct plx_node *other,
                     struct difference *ret_difference)
{
    for (uint32_t i = 0; i < one->counter_count; i++) {
        const struct plx_counter *ours = digest_of(one, &one->counters[i]);
        if (ours == NULL)
            continue;
        const struct plx_counter *theirs = digest_at(other, one->counters[i].value);
        if (theirs == NULL || theirs->value == ours->value)
            continue;
        *ret_difference = (struct difference){
            .index = one->counters[i].value, .one = ours->value, .other = theirs->value};
        return true;
    }
    return false;
}

const char *findings_obstacle(const struct plx_counter *counter)
{
    if (counter->value == 0 || strncmp(counter->name, OBSTACLE_NAME, strlen(OBSTACLE_NAME)) != 0)
        return NULL;
    return counter->name + strlen(OBSTACLE_NAME);
}

static uint64_t counter_value(const struct plx_node *node, const char *name)
{
    const struct plx_counter *counter = counter_find(node, name);
    return counter == NULL ? 0 : counter->value;
}

bool findings_looks_for_cluster(const struct plx_node *node)
{
    return counter_value(node, "looks_for_cluster") != 0;
}

bool findings_aside(const struct plx_node *node, struct aside *ret_aside)
{
    struct aside aside = {.journals = counter_value(node, "journals_aside"),
                          .writes = counter_value(node, "journals_aside_writes"),
                          .series = counter_value(node, "journals_aside_series")};
    if (aside.journals == 0)
        return false;
    *ret_aside = aside;
    return true;
}

bool findings_damage(const struct plx_node *node, struct damage *ret_damage)
{
    struct damage damage = {.age_s = counter_value(node, "scrub_age_s"),
                            .passes = counter_value(node, "scrub_passes"),
                            .bytes = counter_value(node, "scrub_bytes")};
    damage.found = counter_value(node, "records_rotten") + counter_value(node, "blocks_rotten") +
                   counter_value(node, "entries_rotten") + counter_value(node, "heads_rotten");
    if (damage.found == 0)
        return false;
    *ret_damage = damage;
    return true;
}

bool findings_counter(const struct plx_node *node, const char *name, uint64_t *ret_value)
{
    const struct plx_counter *counter = counter_find(node, name);
    if (counter == NULL)
        return false;
    *ret_value = counter->value;
    return true;
}

bool findings_pending(const struct plx_node *node, uint64_t *ret_pending)
{
    return findings_counter(node, "engine_relaxed_pending", ret_pending);
}
