/* Two tracks, links and nodes, are drawn for each episode and put in the order of time. */
#include "tests/chaos/schedule.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/prng.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define MILLION       1000000
#define FIRST_MS      1000
#define EPISODE_MS    5000 /* the shortest, but for a last one */
#define HOLDS_MAX     NODES_MAX
#define MASK_TEXT_MAX 32
#define ALL           "*"

struct planner {
    struct schedule *schedule;
    struct prng prng;
    uint32_t node_count;
    bool has_losses;
    uint64_t now_ms;
    uint64_t end_ms;             /* of the episode */
    uint32_t down_max;           /* nodes killed or stopped at one time */
    uint64_t free_ms[HOLDS_MAX]; /* when each hold is over */
};

static uint64_t draw(struct planner *planner, uint64_t low, uint64_t high)
{
    return prng_range(&planner->prng, low, high);
}

static bool chance(struct planner *planner, uint32_t percent)
{
    return prng_chance(&planner->prng, percent * (MILLION / 100)) != 0;
}

__attribute__((format(printf, 3, 4))) static void add(struct planner *planner, uint64_t at_ms,
                                                      const char *format, ...)
{
    struct schedule *schedule = planner->schedule;
    if (schedule->count == SCHEDULE_EVENTS_MAX)
        return;
    struct schedule_event *event = &schedule->events[schedule->count];
    event->at_ms = at_ms;
    event->order = schedule->count++;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(event->text, sizeof(event->text), format, arguments);
    va_end(arguments);
    CHECK(length > 0 && length < SCHEDULE_TEXT_MAX);
}

/* ---- links ---- */

struct split {
    char left[MASK_TEXT_MAX];
    char right[MASK_TEXT_MAX];
    char third[MASK_TEXT_MAX];
};

static void mask_add(char text[MASK_TEXT_MAX], uint32_t node)
{
    char longer[MASK_TEXT_MAX];
    int length = snprintf(longer, sizeof(longer), "%.*s%s%u", MASK_TEXT_MAX - 4, text,
                          text[0] == '\0' ? "" : ",", node);
    CHECK(length < MASK_TEXT_MAX);
    snprintf(text, MASK_TEXT_MAX, "%s", longer);
}

/* Deals `counts[0]` random nodes to the left, `counts[1]` to the right, all others to the third. */
static struct split deal(struct planner *planner, uint32_t left, uint32_t right)
{
    struct split split = {0};
    uint32_t nodes[NODES_MAX];
    for (uint32_t i = 0; i < planner->node_count; i++) {
        uint32_t at = (uint32_t)draw(planner, 0, i);
        nodes[i] = nodes[at];
        nodes[at] = i + 1;
    }
    for (uint32_t i = 0; i < planner->node_count; i++)
        mask_add(i < left ? split.left : i < left + right ? split.right : split.third, nodes[i]);
    return split;
}

static uint32_t any_node(struct planner *planner)
{
    return (uint32_t)draw(planner, 1, planner->node_count);
}

static void cut_minority(struct planner *planner)
{
    uint32_t minority = (uint32_t)draw(planner, 1, (planner->node_count - 1) / 2);
    struct split split = deal(planner, minority, planner->node_count - minority);
    static const char *const forms[] = {"net partition %s %s", "net partition 0,%s %s"};
    bool is_client_inside = chance(planner, 30);
    if (is_client_inside)
        add(planner, planner->now_ms, forms[1], split.left, split.right);
    else
        add(planner, planner->now_ms, forms[chance(planner, 30)], split.right, split.left);
}

/* Both halves reach the nodes in the middle, and not each other. */
static void cut_bridge(struct planner *planner)
{
    uint32_t half = (planner->node_count - 1) / 2;
    struct split split = deal(planner, half, half);
    add(planner, planner->now_ms, "net partition %s %s", split.left, split.right);
}

/* No group has a majority. */
static void cut_shatter(struct planner *planner)
{
    uint32_t part = (planner->node_count - 1) / 2;
    struct split split = deal(planner, part, part);
    add(planner, planner->now_ms, "net partition %s %s %s", split.left, split.right, split.third);
}

/* Each node reaches a majority, and no two the same one. */
static void cut_ring(struct planner *planner)
{
    uint32_t count = planner->node_count;
    uint32_t reach = (count / 2 + 1) / 2;
    for (uint32_t from = 1; from <= count; from++) {
        char mask[MASK_TEXT_MAX] = "";
        for (uint32_t to = 1; to <= count; to++) {
            uint32_t away = from > to ? from - to : to - from;
            if (away > reach && count - away > reach)
                mask_add(mask, to);
        }
        if (mask[0] != '\0')
            add(planner, planner->now_ms, "net cut %u %s", from, mask);
    }
}

static void cut_one_way(struct planner *planner)
{
    uint32_t node = any_node(planner);
    struct split split = deal(planner, (uint32_t)draw(planner, 1, 3), 0);
    if (chance(planner, 25))
        add(planner, planner->now_ms, "net cut %u " ALL, node);
    else if (chance(planner, 33))
        add(planner, planner->now_ms, "net cut " ALL " %u", node);
    else if (chance(planner, 50))
        add(planner, planner->now_ms, "net cut %u %s", node, split.left);
    else
        add(planner, planner->now_ms, "net cut %s %u", split.left, node);
}

static void cut_clients(struct planner *planner)
{
    struct split split = deal(planner, (uint32_t)draw(planner, 1, planner->node_count), 0);
    if (chance(planner, 50))
        add(planner, planner->now_ms, "net cut 0 %s", split.left);
    else
        add(planner, planner->now_ms, "net cut %s 0", split.left);
}

/* Clients still reach whoever leads alone now. */
static void cut_leader(struct planner *planner)
{
    add(planner, planner->now_ms, "part leader:%u", any_node(planner));
}

static void cut_off(struct planner *planner)
{
    add(planner, planner->now_ms, "net isolate %u", any_node(planner));
}

/* One kind of noise, on all links or on those of some ports. */
static void noise(struct planner *planner)
{
    struct split split = deal(planner, (uint32_t)draw(planner, 1, planner->node_count), 0);
    const char *from = chance(planner, 60) ? ALL : split.left;
    unsigned long long at_ms = planner->now_ms;
    unsigned share = (unsigned)draw(planner, 1, 25);
    switch (draw(planner, 0, 4)) {
    case 0:
        add(planner, at_ms, "net loss %s " ALL " %u", from, share);
        break;
    case 1:
        add(planner, at_ms, "net duplicate %s " ALL " %u", from, share);
        break;
    case 2:
        add(planner, at_ms, "net reorder %s " ALL " %u %u", from, share,
            (unsigned)draw(planner, 1, 20));
        break;
    case 3:
        add(planner, at_ms, "net delay %s " ALL " %u %u", from, (unsigned)draw(planner, 0, 15),
            (unsigned)draw(planner, 1, 30));
        break;
    default:
        add(planner, at_ms, "net corrupt %s " ALL " %u.%u", from, share / 5, share % 10);
        break;
    }
}

static void links_track(struct planner *planner, uint64_t begin_ms)
{
    static void (*const shapes[])(struct planner *) = {
        cut_minority, cut_minority, cut_bridge, cut_shatter, cut_ring,   cut_one_way,
        cut_one_way,  cut_clients,  cut_off,    cut_leader,  cut_leader,
    };
    planner->now_ms = begin_ms + draw(planner, 0, 1500);
    while (planner->now_ms + 500 < planner->end_ms) {
        bool has_cuts = chance(planner, 65);
        if (has_cuts)
            shapes[draw(planner, 0, sizeof(shapes) / sizeof(shapes[0]) - 1)](planner);
        for (uint64_t i = draw(planner, has_cuts ? 0 : 1, 3); i > 0; i--)
            noise(planner);
        planner->now_ms += draw(planner, 300, 3500);
        if (planner->now_ms >= planner->end_ms)
            return;
        add(planner, planner->now_ms, "net heal");
        planner->now_ms += chance(planner, 50) ? draw(planner, 100, 1500) : 1;
    }
}

/* ---- nodes ---- */

static uint32_t count_down(const struct planner *planner)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < planner->node_count; i++)
        count += planner->free_ms[i] > planner->now_ms;
    return count;
}

/* Takes one node down for a while, within the episode. */
static void node_down(struct planner *planner, bool is_killed, uint64_t hold_ms)
{
    uint32_t hold = 0;
    uint64_t until_ms = planner->now_ms + hold_ms;
    if (count_down(planner) >= planner->down_max)
        return;
    while (planner->free_ms[hold] > planner->now_ms)
        hold++;
    if (until_ms > planner->end_ms)
        until_ms = planner->end_ms;
    /* An event at the very time of the end would come after its own mending. */
    planner->free_ms[hold] = until_ms + 1;
    if (is_killed && planner->has_losses && chance(planner, 40))
        add(planner, until_ms, "%s %u", chance(planner, 45) ? "lose" : "setback", hold);
    bool is_leader = chance(planner, 45);
    add(planner, planner->now_ms, "%s %u %s%u", is_killed ? "kill" : "stop", hold,
        is_leader ? "leader:" : "", any_node(planner));
    add(planner, until_ms, "%s %u", is_killed ? "start" : "cont", hold);
}

/* A majority, or everybody, dies in one moment. */
static void many_down(struct planner *planner)
{
    uint64_t count = draw(planner, planner->node_count / 2 + 1, planner->node_count);
    uint64_t hold_ms = draw(planner, 200, 2000);
    bool is_killed = chance(planner, 70);
    planner->down_max = planner->node_count;
    for (uint64_t i = 0; i < count; i++)
        node_down(planner, is_killed, hold_ms + draw(planner, 0, 500));
}

static void nodes_track(struct planner *planner, uint64_t begin_ms)
{
    bool is_harsh = chance(planner, 30);
    planner->down_max = (planner->node_count - 1) / 2;
    planner->now_ms = begin_ms + draw(planner, 0, 1000);
    while (planner->now_ms + 300 < planner->end_ms) {
        uint64_t dice = draw(planner, 0, 99);
        if (dice < 40)
            node_down(planner, true, draw(planner, 200, 4000));
        else if (dice < 60)
            node_down(planner, false, draw(planner, 10, 500));
        else if (dice < 75)
            node_down(planner, false, draw(planner, 300, 3000));
        else if (dice < 90)
            add(planner, planner->now_ms, "transfer %u", any_node(planner));
        else if (planner->has_losses && chance(planner, 80))
            add(planner, planner->now_ms, "remove %u", any_node(planner));
        else if (is_harsh)
            many_down(planner);
        planner->now_ms += draw(planner, 200, 2000);
    }
}

/* ---- the whole ---- */

static int compare_events(const void *a, const void *b)
{
    const struct schedule_event *left = a;
    const struct schedule_event *right = b;
    if (left->at_ms != right->at_ms)
        return left->at_ms < right->at_ms ? -1 : 1;
    return left->order < right->order ? -1 : left->order > right->order;
}

void schedule_draw(const struct schedule_options *options, struct schedule *ret_schedule)
{
    CHECK(options->node_count >= 3 && options->node_count <= NODES_MAX);
    struct planner planner = {.schedule = ret_schedule,
                              .node_count = options->node_count,
                              .has_losses = options->has_losses};
    prng_init(&planner.prng, options->seed);
    ret_schedule->count = 0;
    uint64_t at_ms = FIRST_MS;
    uint64_t last_ms = options->duration_ms;
    while (at_ms + SCHEDULE_CALM_MS_MIN < last_ms) {
        planner.end_ms = at_ms + draw(&planner, EPISODE_MS, SCHEDULE_EPISODE_MS_MAX);
        if (planner.end_ms > last_ms)
            planner.end_ms = last_ms;
        links_track(&planner, at_ms);
        nodes_track(&planner, at_ms);
        add(&planner, planner.end_ms, "net heal");
        add(&planner, planner.end_ms + 1, "calm");
        at_ms = planner.end_ms + SCHEDULE_CALM_MS_MIN + draw(&planner, 1, 1500);
    }
    qsort(ret_schedule->events, ret_schedule->count, sizeof(ret_schedule->events[0]),
          compare_events);
}
