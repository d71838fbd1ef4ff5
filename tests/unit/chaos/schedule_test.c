/* The drawn attack: equal for equal seeds, every node up in each calm, a quorum lost only
 * briefly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/chaos/schedule.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS       50
#define NODES       5
#define DURATION_MS 120000

static struct schedule schedule;
static struct schedule other;

static void draw_seed(uint64_t seed, struct schedule *ret_schedule)
{
    struct schedule_options options = {
        .seed = seed, .duration_ms = DURATION_MS, .node_count = NODES, .has_losses = true};
    schedule_draw(&options, ret_schedule);
    assert_in_range(ret_schedule->count, 1, SCHEDULE_EVENTS_MAX - 1);
}

static bool is_equal(void)
{
    if (schedule.count != other.count)
        return false;
    for (uint32_t i = 0; i < schedule.count; i++) {
        if (schedule.events[i].at_ms != other.events[i].at_ms ||
            strcmp(schedule.events[i].text, other.events[i].text) != 0)
            return false;
    }
    return true;
}

static void test_schedule_follows_from_its_seed(void **state)
{
    (void)state;
    draw_seed(7, &schedule);
    draw_seed(7, &other);
    assert_true(is_equal());
    draw_seed(8, &other);
    assert_false(is_equal());
}

/* Follows who is down; at each calm nobody is and no link is faulty. */
static void walk(void)
{
    bool is_down[NODES] = {false};
    bool is_faulty = false;
    uint64_t calm_ms = 0;
    for (uint32_t i = 0; i < schedule.count; i++) {
        const struct schedule_event *event = &schedule.events[i];
        char action[16] = "";
        char word[32] = "";
        assert_true(sscanf(event->text, "%15s %31s", action, word) >= 1);
        assert_true(event->at_ms >= calm_ms && event->at_ms <= DURATION_MS + 1);
        bool is_taking = strcmp(action, "kill") == 0 || strcmp(action, "stop") == 0;
        if (is_taking || strcmp(action, "start") == 0 || strcmp(action, "cont") == 0) {
            unsigned long hold = strtoul(word, NULL, 10);
            assert_true(hold < NODES && is_down[hold] != is_taking);
            is_down[hold] = is_taking;
        }
        if (strcmp(action, "lose") == 0 || strcmp(action, "setback") == 0)
            assert_true(is_down[strtoul(word, NULL, 10)]);
        if (strcmp(action, "net") == 0)
            is_faulty = strcmp(word, "heal") != 0;
        is_faulty |= strcmp(action, "part") == 0;
        if (strcmp(action, "calm") != 0)
            continue;
        assert_true(event->at_ms - calm_ms <= SCHEDULE_EPISODE_MS_MAX + 4000);
        calm_ms = event->at_ms;
        for (uint32_t node = 0; node < NODES; node++)
            assert_false(is_down[node]);
        assert_false(is_faulty);
        if (i + 1 < schedule.count)
            assert_true(schedule.events[i + 1].at_ms >= calm_ms + SCHEDULE_CALM_MS_MIN);
    }
    assert_true(strcmp(schedule.events[schedule.count - 1].text, "calm") == 0);
}

static void test_schedule_mends_everything_in_each_calm(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        draw_seed(seed, &schedule);
        walk();
    }
}

static void test_schedule_uses_every_kind_of_fault(void **state)
{
    (void)state;
    static const char *const kinds[] = {
        "kill ",      "leader:",        "stop ",        "transfer ", "net partition ", "net cut ",
        "net loss ",  "net duplicate ", "net reorder ", "net delay", "net corrupt ",   "net heal",
        "net cut 0 ", "net isolate ",   "part leader:", "lose ",     "setback ",       "remove ",
    };
    bool is_used[sizeof(kinds) / sizeof(kinds[0])] = {false};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        draw_seed(seed, &schedule);
        for (uint32_t i = 0; i < schedule.count; i++) {
            for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++)
                is_used[kind] |= strstr(schedule.events[i].text, kinds[kind]) != NULL;
        }
    }
    for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++)
        assert_true(is_used[kind]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedule_follows_from_its_seed),
        cmocka_unit_test(test_schedule_mends_everything_in_each_calm),
        cmocka_unit_test(test_schedule_uses_every_kind_of_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
