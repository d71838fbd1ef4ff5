/* See peer_starts.h. */
#include "raft/peer_starts.h"

#include "base/check.h"

#include <string.h>

static struct peer_start *find_start(const struct peer_starts *starts, uint64_t birth)
{
    for (uint32_t i = 0; i < starts->count; i++) {
        if (starts->entries[i].birth == birth)
            return (struct peer_start *)&starts->entries[i];
    }
    return NULL;
}

void peer_starts_restore(struct peer_starts *starts, uint64_t birth, uint64_t start)
{
    CHECK(starts->count < LOG_HEARD_PLACES);
    starts->entries[starts->count++] = (struct peer_start){.birth = birth, .start = start};
}

enum peer_start_judgement peer_starts_judge(const struct peer_starts *starts, uint64_t birth,
                                            uint64_t start)
{
    const struct peer_start *known = find_start(starts, birth);
    if (known == NULL)
        return PEER_START_NEW;
    if (known->start != start)
        return PEER_START_OTHER;
    return known->ticket == 0 ? PEER_START_COUNTS : PEER_START_WRITTEN;
}

/* Those heard of first lie first. */
static uint64_t make_room(struct peer_starts *starts,
                          const struct raft_configuration *configuration)
{
    for (uint32_t i = 0; i < starts->count; i++) {
        const struct peer_start *entry = &starts->entries[i];
        uint64_t birth = entry->birth;
        if (entry->ticket != 0 || raft_configuration_slot(configuration, birth) != RAFT_SLOT_NONE)
            continue;
        starts->count--;
        memmove(&starts->entries[i], &starts->entries[i + 1],
                (starts->count - i) * sizeof(starts->entries[0]));
        return birth;
    }
    return 0;
}

uint64_t peer_starts_learn(struct peer_starts *starts, uint64_t birth, uint64_t start,
                           const struct raft_configuration *configuration)
{
    uint64_t gone = 0;
    struct peer_start *entry = find_start(starts, birth);
    if (entry == NULL) {
        if (starts->count >= LOG_HEARD_MAX)
            gone = make_room(starts, configuration);
        CHECK(starts->count < LOG_HEARD_PLACES);
        entry = &starts->entries[starts->count++];
        *entry = (struct peer_start){.birth = birth};
    }
    if (entry->ticket == 0)
        starts->unwritten_count++;
    entry->start = start;
    entry->ticket = PEER_START_UNSTAMPED;
    entry->is_denied = false;
    return gone;
}

void peer_starts_stamp(struct peer_starts *starts, uint64_t ticket)
{
    for (uint32_t i = 0; starts->unwritten_count > 0 && i < starts->count; i++) {
        if (starts->entries[i].ticket == PEER_START_UNSTAMPED)
            starts->entries[i].ticket = ticket;
    }
}

void peer_starts_durable(struct peer_starts *starts, uint64_t ticket)
{
    for (uint32_t i = 0; starts->unwritten_count > 0 && i < starts->count; i++) {
        struct peer_start *entry = &starts->entries[i];
        if (entry->ticket == 0 || entry->ticket > ticket)
            continue;
        entry->ticket = 0;
        starts->unwritten_count--;
    }
}

/* Whether the sender's term is durable when it says this. A candidate asks before its own is. */
static bool is_term_durable(const struct raft_message *message, bool is_own_term)
{
    switch (message->type) {
    case RAFT_VOTE_REPLY:
        return message->vote_reply.is_granted && !message->vote_reply.is_pre_vote;
    case RAFT_APPEND_REPLY:
        return message->append_reply.is_success && is_own_term;
    case RAFT_APPEND_REQUEST:
        return true;
    case RAFT_VOTE_REQUEST:
    case RAFT_TIMEOUT_NOW:
    case RAFT_MESSAGE_TYPE_END:
        break;
    }
    return false;
}

void peer_starts_note(struct peer_starts *starts, const struct raft_message *message,
                      bool is_own_term)
{
    if (!is_term_durable(message, is_own_term))
        return;
    struct peer_start *entry = find_start(starts, message->from.birth);
    if (entry == NULL)
        return;
    if (message->term > entry->told_term)
        entry->told_term = message->term;
    if (message->type != RAFT_APPEND_REPLY || message->term < entry->acked_term)
        return;
    if (message->term > entry->acked_term)
        entry->acked_index = 0;
    entry->acked_term = message->term;
    if (message->append_reply.match_index > entry->acked_index)
        entry->acked_index = message->append_reply.match_index;
}

static struct start_question heard_of(const struct peer_start *entry)
{
    return (struct start_question){.start = entry->start,
                                   .told_term = entry->told_term,
                                   .acked_term = entry->acked_term,
                                   .acked_index = entry->acked_index};
}

bool peer_starts_ask(struct peer_starts *starts, uint64_t birth, uint64_t now_ns,
                     uint64_t interval_ns, struct start_question *ret_question)
{
    struct peer_start *entry = find_start(starts, birth);
    if (entry == NULL || (entry->asked_ns != 0 && now_ns - entry->asked_ns < interval_ns))
        return false;
    entry->asked_ns = now_ns;
    *ret_question = heard_of(entry);
    return true;
}

/*
 * Who recovered a term has all that it acknowledged in that term, but for what a suspect may have
 * lost: only a leader of a later term makes it remove something, and is not answered before that
 * term is durable.
 */
enum start_answer start_answer_of(const struct start_question *question,
                                  const struct start_own *own)
{
    if (question->start == own->start)
        return START_STANDS; /* it tells of this run */
    if (!own->had_start)
        return START_MISSING;
    if (own->is_suspect)
        return START_STANDS;
    if (own->term < question->told_term)
        return START_TERM_LOWER;
    if (own->term == question->acked_term && own->last_index < question->acked_index)
        return START_LOG_SHORTER;
    return START_STANDS;
}

bool peer_starts_may_learn(struct peer_starts *starts, uint64_t birth, uint64_t asked,
                           const struct start_own *own)
{
    struct peer_start *entry = find_start(starts, birth);
    if (entry == NULL || entry->start != asked)
        return false;
    if (own->is_suspect) {
        entry->told_term = 0;
        entry->acked_term = 0;
        entry->acked_index = 0;
    }
    /* An acknowledgement may have come later than the question left. */
    const struct start_question question = heard_of(entry);
    return start_answer_of(&question, own) == START_STANDS;
}

bool peer_starts_deny(struct peer_starts *starts, uint64_t birth, uint64_t asked,
                      struct start_question *ret_heard)
{
    struct peer_start *entry = find_start(starts, birth);
    if (entry == NULL || entry->start != asked || entry->is_denied)
        return false;
    entry->is_denied = true;
    *ret_heard = heard_of(entry);
    return true;
}
