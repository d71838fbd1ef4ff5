/* See vouch.h. */
#include "server/vouch.h"

#include <stdbool.h>

void vouch_begin(struct vouch *vouch, uint64_t commit_index)
{
    *vouch = (struct vouch){.durable_commit = commit_index};
}

static bool is_watching(const struct vouch *vouch)
{
    return vouch->watched_commit > vouch->durable_commit;
}

void vouch_note_record(struct vouch *vouch, uint64_t index, uint64_t commit_index)
{
    /* One at a time: the next is chosen when this one is durable. */
    if (is_watching(vouch) && vouch->watched_index <= index)
        return;
    vouch->watched_index = index;
    vouch->watched_commit = commit_index;
}

uint64_t vouch_advance(struct vouch *vouch, uint64_t durable_index, struct vouch_mark decided)
{
    if (is_watching(vouch) && vouch->watched_index <= durable_index)
        vouch->durable_commit = vouch->watched_commit;
    if (vouch->mark.index > vouch->durable_commit)
        return vouch->forgettable_seq;
    vouch->forgettable_seq = vouch->mark.seq;
    vouch->mark = decided;
    return vouch->forgettable_seq;
}
