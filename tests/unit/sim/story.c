/* See story.h. */
#include "tests/unit/sim/story.h"

void story_init(struct story *story)
{
    *story = (struct story){.now_ns = STORY_STEP_NS};
    history_init(&story->history);
    story->history.is_log_known = true;
    story->history.is_settled = true;
}

void story_deinit(struct story *story)
{
    history_deinit(&story->history);
}

struct history_op *story_at(struct story *story, uint32_t number)
{
    return &story->history.ops[number];
}

uint32_t story_write(struct story *story, struct history_op op)
{
    bool is_del = op.type == HISTORY_DEL || op.type == HISTORY_RELAXED_DEL;
    enum history_outcome outcome = op.outcome == HISTORY_PENDING ? HISTORY_OK : op.outcome;
    op.value = is_del ? HISTORY_ABSENT : 1;
    op.client = op.client == 0 ? 1 : op.client;
    uint32_t number = history_invoke(&story->history, &op, story->now_ns);
    story_at(story, number)->outcome = outcome;
    story_at(story, number)->return_ns = story->now_ns + STORY_STEP_NS / 2;
    story->now_ns += STORY_STEP_NS;
    return number;
}

uint32_t story_relaxed(struct story *story, uint16_t node, uint64_t seq)
{
    return story_write(story, (struct history_op){.type = HISTORY_RELAXED_SET,
                                                  .node = node,
                                                  .journal_seq = seq,
                                                  .version = seq,
                                                  .is_pending = true});
}

void story_decide(struct story *story, uint32_t number, uint64_t index)
{
    struct history_op *op = story_at(story, number);
    const struct history_place place = {.index = index, .leader = 1};
    if (!history_is_relaxed_write(op))
        op->version = index;
    bool is_over = op->outcome == HISTORY_OK && !history_is_relaxed_write(op);
    history_decided(&story->history, number, &place, is_over ? op->return_ns - 100 : story->now_ns);
    story->now_ns += STORY_STEP_NS;
}

uint32_t story_set(struct story *story, uint32_t client, uint64_t index)
{
    uint32_t number =
        story_write(story, (struct history_op){.type = HISTORY_SET, .client = client});
    story_decide(story, number, index);
    return number;
}

uint32_t story_get(struct story *story, struct history_op op, uint32_t number)
{
    const struct history_op *write = story_at(story, number);
    op.client = op.client == 0 ? 9 : op.client;
    op.node = op.node == 0 ? 1 : op.node;
    op.incarnation = op.incarnation == 0 ? 1 : op.incarnation;
    op.seen = write->value;
    uint64_t version = op.is_pending ? write->journal_seq : write->place.index;
    bool is_found = write->value != HISTORY_ABSENT;
    if (op.version == 0)
        op.version = is_found || op.is_pending ? version : 0;
    uint32_t get = history_invoke(&story->history, &op, story->now_ns);
    story_at(story, get)->outcome = is_found ? HISTORY_OK : HISTORY_NOT_FOUND;
    story_at(story, get)->return_ns = story->now_ns + STORY_STEP_NS / 2;
    story->now_ns += STORY_STEP_NS;
    return get;
}

uint32_t story_get_relaxed(struct story *story, uint16_t node, uint64_t applied, uint32_t number)
{
    return story_get(
        story,
        (struct history_op){.type = HISTORY_RELAXED_GET, .node = node, .applied_index = applied},
        number);
}

uint32_t story_get_pending(struct story *story, uint16_t node, uint64_t applied, uint32_t number)
{
    return story_get(story,
                     (struct history_op){.type = HISTORY_RELAXED_GET,
                                         .node = node,
                                         .applied_index = applied,
                                         .is_pending = true},
                     number);
}

uint32_t story_get_absent(struct story *story, uint16_t node, uint64_t applied)
{
    struct history_op op = {.type = HISTORY_RELAXED_GET,
                            .client = 9,
                            .node = node,
                            .incarnation = 1,
                            .applied_index = applied};
    uint32_t get = history_invoke(&story->history, &op, story->now_ns);
    story_at(story, get)->outcome = HISTORY_NOT_FOUND;
    story_at(story, get)->return_ns = story->now_ns + STORY_STEP_NS / 2;
    story->now_ns += STORY_STEP_NS;
    return get;
}

enum rule story_judge(const struct story *story)
{
    struct verdict verdict = {0};
    struct tally tally = {0};
    history_check(&story->history, &verdict, &tally);
    return verdict.rule;
}
