/* See majority_room.h. */
#include "server/majority_room.h"

#include "base/check.h"

#include <string.h>

/* How many voters beside the leader reach that place. */
static uint32_t count_reaching(const struct majority_room *majority,
                               const struct room_voters *voters, struct record_room place)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < voters->count; i++) {
        uint16_t id = voters->ids[i];
        count += id != voters->self && majority->peers[id].end.data_bytes >= place.data_bytes &&
                 majority->peers[id].end.log_bytes >= place.log_bytes;
    }
    return count;
}

/* The highest places that so many others reach as make a majority with the leader. */
static void find_end(struct majority_room *majority, const struct room_voters *voters)
{
    uint32_t needed = voters->count / 2;
    majority->end = (struct record_room){needed > 0 ? 0 : UINT64_MAX, needed > 0 ? 0 : UINT64_MAX};
    for (uint32_t i = 0; needed > 0 && i < voters->count; i++) {
        uint16_t id = voters->ids[i];
        if (id == voters->self)
            continue;
        struct record_room end = majority->peers[id].end;
        if (end.data_bytes > majority->end.data_bytes &&
            count_reaching(majority, voters, (struct record_room){end.data_bytes, 0}) >= needed)
            majority->end.data_bytes = end.data_bytes;
        if (end.log_bytes > majority->end.log_bytes &&
            count_reaching(majority, voters, (struct record_room){0, end.log_bytes}) >= needed)
            majority->end.log_bytes = end.log_bytes;
    }
}

void majority_room_recount(struct majority_room *majority, const struct room_voters *voters,
                           const bool *is_new)
{
    for (uint32_t i = 0; i < voters->count; i++) {
        if (is_new[i])
            memset(&majority->peers[voters->ids[i]], 0, sizeof(majority->peers[0]));
    }
    find_end(majority, voters);
}

void majority_room_begin(struct majority_room *majority, uint64_t term,
                         const struct room_voters *voters)
{
    memset(majority, 0, sizeof(*majority));
    majority->term = term;
    find_end(majority, voters);
}

static uint64_t sum(uint64_t position, uint64_t bytes)
{
    return bytes > UINT64_MAX - position ? UINT64_MAX : position + bytes;
}

void majority_room_note(struct majority_room *majority, const struct room_report *report,
                        const struct room_voters *voters)
{
    CHECK(report->voter <= VOTER_ID_MAX);
    if (report->match_index < majority->peers[report->voter].match_index)
        return;
    majority->peers[report->voter].match_index = report->match_index;
    majority->peers[report->voter].end =
        (struct record_room){.data_bytes = sum(report->position, report->room.data_bytes),
                             .log_bytes = sum(report->position, report->room.log_bytes)};
    find_end(majority, voters);
}

void majority_room_trust(struct majority_room *majority, uint16_t voter, uint64_t match_index,
                         const struct room_voters *voters)
{
    CHECK(voter <= VOTER_ID_MAX);
    if (majority->peers[voter].match_index <= match_index)
        return;
    majority->peers[voter].match_index = 0;
    majority->peers[voter].end = (struct record_room){0};
    find_end(majority, voters);
}

static uint64_t rest(uint64_t end, uint64_t position)
{
    return end > position ? end - position : 0;
}

struct record_room majority_room_behind(const struct majority_room *majority, uint64_t position)
{
    return (struct record_room){.data_bytes = rest(majority->end.data_bytes, position),
                                .log_bytes = rest(majority->end.log_bytes, position)};
}
