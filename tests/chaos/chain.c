/* Who followed whom, then a walk along each key's line, then everybody who must not be on it. */
#include "tests/chaos/chain.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NOBODY UINT32_MAX

/* Of each swap. */
struct link {
    uint32_t follower; /* that replaced its value, NOBODY: none */
    bool is_seen;      /* its value was read, or is what another replaced */
    bool is_linked;
};

/* A part of a key's line, from a creation to a deletion or to the end. */
struct piece {
    uint32_t creation;
    uint32_t length;
    uint64_t first_version;
    uint64_t last_version;
    uint64_t value; /* left behind */
};

/* Of each key. */
struct line {
    uint32_t first_piece; /* of its pieces, a range of all */
    uint32_t piece_count;
    uint32_t effect_count; /* swaps that took effect */
    uint32_t swap_count;
    uint64_t ended_ns; /* when the last of them had ended */
    bool is_read;      /* after that */
    uint64_t last_seen;
};

struct walk {
    const struct history *history; /* resolved */
    struct chain_report *report;
    struct link *links;
    struct line *lines;
    struct piece *pieces; /* sorted by key, then by versions */
    uint32_t key_count;
};

const char *chain_rule_text(enum chain_rule rule)
{
    static const char *const texts[] = {
#define X(name, text) text,
        CHAIN_LIST(X)
#undef X
    };
    return texts[rule];
}

__attribute__((format(printf, 3, 4))) static void broken(struct walk *walk, enum chain_rule rule,
                                                         const char *format, ...)
{
    struct chain_report *report = walk->report;
    if (report->broken_counts[rule]++ > 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(report->texts[rule], CHAIN_TEXT_MAX, format, arguments);
    va_end(arguments);
}

static bool took_effect(const struct history_op *op)
{
    return op->type == HISTORY_SWAP && op->outcome == HISTORY_OK;
}

/* ---- who followed whom ---- */

/* The swap that wrote the value; NOBODY: nobody wrote that to this key. */
static uint32_t writer_of(const struct walk *walk, uint64_t value, uint32_t key)
{
    const struct history *history = walk->history;
    if (value == HISTORY_ABSENT || value > history->count)
        return NOBODY;
    const struct history_op *writer = &history->ops[value - 1];
    bool is_one = writer->type == HISTORY_SWAP && writer->value == value && writer->key == key;
    return is_one ? (uint32_t)value - 1 : NOBODY;
}

static void see(struct walk *walk, uint64_t value, uint32_t key)
{
    uint32_t writer = writer_of(walk, value, key);
    if (writer != NOBODY)
        walk->links[writer].is_seen = true;
}

static void link_effect(struct walk *walk, uint32_t number)
{
    const struct history_op *op = &walk->history->ops[number];
    struct line *line = &walk->lines[op->key];
    line->effect_count++;
    walk->report->checked_counts[CHAIN_linked]++;
    if (op->old == HISTORY_ABSENT) {
        line->piece_count++;
        return;
    }
    uint32_t writer = writer_of(walk, op->old, op->key);
    if (writer == NOBODY || !took_effect(&walk->history->ops[writer])) {
        broken(walk, CHAIN_linked, "swap %u of key %u replaced value %" PRIu64 ", whose %s", number,
               op->key, op->old,
               writer == NOBODY ? "writer nobody knows" : "swap did not take effect");
    } else if (walk->links[writer].follower != NOBODY) {
        broken(walk, CHAIN_linked, "swaps %u and %u of key %u both replaced value %" PRIu64,
               walk->links[writer].follower, number, op->key, op->old);
    } else {
        walk->links[writer].follower = number;
    }
}

static void note_op(struct walk *walk, uint32_t number)
{
    const struct history_op *op = &walk->history->ops[number];
    CHECK(op->key < walk->key_count);
    CHECK(op->type != HISTORY_SET && op->type != HISTORY_DEL);
    if (op->type == HISTORY_SWAP) {
        struct line *line = &walk->lines[op->key];
        line->swap_count++;
        line->ended_ns = op->return_ns > line->ended_ns ? op->return_ns : line->ended_ns;
    }
    if (took_effect(op)) {
        link_effect(walk, number);
        see(walk, op->old, op->key);
    } else if (op->outcome == HISTORY_OK || op->outcome == HISTORY_MISMATCH) {
        see(walk, op->seen, op->key);
    }
}

/* The last of them, as operations are numbered in the order in which they began. */
static void note_last_read(struct walk *walk, const struct history_op *op)
{
    struct line *line = &walk->lines[op->key];
    bool is_answered = op->outcome == HISTORY_OK || op->outcome == HISTORY_NOT_FOUND;
    if (op->type != HISTORY_GET || !is_answered || op->invoke_ns < line->ended_ns)
        return;
    line->is_read = true;
    line->last_seen = op->outcome == HISTORY_OK ? op->seen : HISTORY_ABSENT;
}

/* ---- the lines ---- */

/* Pieces may begin in one record, with one version: whichever goes on came last. */
static int compare_pieces(const void *a, const void *b)
{
    const struct piece *left = a;
    const struct piece *right = b;
    bool is_left_open = left->value != HISTORY_ABSENT;
    bool is_right_open = right->value != HISTORY_ABSENT;
    if (left->first_version != right->first_version)
        return left->first_version < right->first_version ? -1 : 1;
    if (left->last_version != right->last_version)
        return left->last_version < right->last_version ? -1 : 1;
    return is_left_open - is_right_open;
}

/* Each step goes to a swap that nobody else leads to, and none leads back to the creation: it
 * ends. */
static struct piece walk_piece(struct walk *walk, uint32_t creation)
{
    struct piece piece = {.creation = creation};
    for (uint32_t at = creation; at != NOBODY; at = walk->links[at].follower) {
        const struct history_op *op = &walk->history->ops[at];
        walk->links[at].is_linked = true;
        walk->report->checked_counts[CHAIN_rising]++;
        if (op->version < piece.last_version)
            broken(walk, CHAIN_rising, "swap %u of key %u has version %" PRIu64 ", after %" PRIu64,
                   at, op->key, op->version, piece.last_version);
        piece.last_version = op->version;
        piece.value = op->value;
        piece.length++;
    }
    piece.first_version = walk->history->ops[creation].version;
    return piece;
}

static void walk_pieces(struct walk *walk)
{
    uint32_t end = 0;
    for (uint32_t key = 0; key < walk->key_count; key++) {
        walk->lines[key].first_piece = end;
        end += walk->lines[key].piece_count;
        walk->lines[key].piece_count = 0;
    }
    for (uint32_t i = 0; i < walk->history->count; i++) {
        const struct history_op *op = &walk->history->ops[i];
        struct line *line = &walk->lines[op->key];
        if (took_effect(op) && op->old == HISTORY_ABSENT)
            walk->pieces[line->first_piece + line->piece_count++] = walk_piece(walk, i);
    }
}

/* The value that the pieces of the key leave behind, put behind each other. */
static uint64_t join_pieces(struct walk *walk, uint32_t key, uint32_t *ret_length)
{
    const struct line *line = &walk->lines[key];
    struct piece *pieces = walk->pieces + line->first_piece;
    uint64_t value = HISTORY_ABSENT;
    uint64_t version = 0;
    qsort(pieces, line->piece_count, sizeof(*pieces), compare_pieces);
    *ret_length = 0;
    for (uint32_t i = 0; i < line->piece_count; i++) {
        if (value != HISTORY_ABSENT)
            broken(walk, CHAIN_whole,
                   "key %u was created by swap %u, value %" PRIu64 " being there", key,
                   pieces[i].creation, value);
        if (pieces[i].first_version < version)
            broken(walk, CHAIN_rising,
                   "swap %u created key %u at version %" PRIu64 ", before %" PRIu64,
                   pieces[i].creation, key, pieces[i].first_version, version);
        value = pieces[i].value;
        version = pieces[i].last_version;
        *ret_length += pieces[i].length;
    }
    return value;
}

static void judge_line(struct walk *walk, uint32_t key)
{
    const struct line *line = &walk->lines[key];
    uint32_t length;
    if (line->swap_count == 0)
        return;
    walk->report->checked_counts[CHAIN_whole]++;
    uint64_t value = join_pieces(walk, key, &length);
    if (length != line->effect_count)
        broken(walk, CHAIN_whole, "%u of %u swaps of key %u that took effect are on no line",
               line->effect_count - length, line->effect_count, key);
    if (!line->is_read)
        broken(walk, CHAIN_whole, "key %u was not read in the end", key);
    else if (line->last_seen != value)
        broken(walk, CHAIN_whole,
               "key %u ends with value %" PRIu64 ", and value %" PRIu64 " was read", key, value,
               line->last_seen);
}

/* ---- who is on no line ---- */

/* `told`: what the client of this swap was told. */
static void judge_swap(struct walk *walk, uint32_t number, enum history_outcome told)
{
    const struct history_op *op = &walk->history->ops[number];
    const struct link *link = &walk->links[number];
    bool is_shown = link->is_seen || link->is_linked;
    walk->report->shown_counts[told] += is_shown;
    if (told == HISTORY_OK)
        return;
    bool is_unknown = told == HISTORY_UNKNOWN || told == HISTORY_PENDING;
    enum chain_rule rule = is_unknown ? CHAIN_truthful : CHAIN_silent;
    walk->report->checked_counts[rule]++;
    bool is_decided = op->outcome != HISTORY_UNKNOWN && op->outcome != HISTORY_PENDING;
    if (!is_decided)
        broken(walk, rule, "swap %u of key %u was never resolved", number, op->key);
    else if (took_effect(op) != is_shown)
        broken(walk, rule, "swap %u of key %u ended with %s, resolved %s, and is %s", number,
               op->key, history_outcome_name(told), history_outcome_name(op->outcome),
               is_shown ? "there" : "not there");
}

static bool walk_init(struct walk *walk)
{
    uint32_t count = walk->history->count;
    walk->links = calloc((size_t)count + 1, sizeof(*walk->links));
    walk->pieces = calloc((size_t)count + 1, sizeof(*walk->pieces));
    walk->lines = calloc((size_t)walk->key_count + 1, sizeof(*walk->lines));
    for (uint32_t i = 0; walk->links != NULL && i < count; i++)
        walk->links[i].follower = NOBODY;
    return walk->links != NULL && walk->pieces != NULL && walk->lines != NULL;
}

void chain_check(const struct history *told, const struct history *resolved, uint32_t key_count,
                 struct chain_report *ret_report)
{
    struct walk walk = {.history = resolved, .report = ret_report, .key_count = key_count};
    *ret_report = (struct chain_report){0};
    CHECK(told->count == resolved->count);
    CHECK(walk_init(&walk));
    for (uint32_t i = 0; i < resolved->count; i++)
        note_op(&walk, i);
    for (uint32_t i = 0; i < resolved->count; i++)
        note_last_read(&walk, &resolved->ops[i]);
    walk_pieces(&walk);
    for (uint32_t key = 0; key < key_count; key++)
        judge_line(&walk, key);
    for (uint32_t i = 0; i < resolved->count; i++) {
        if (resolved->ops[i].type == HISTORY_SWAP)
            judge_swap(&walk, i, told->ops[i].outcome);
    }
    free(walk.links);
    free(walk.pieces);
    free(walk.lines);
}
