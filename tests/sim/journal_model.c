/* The model of one journal; told in journal_model.h. */
#include "tests/sim/journal_model.h"

#include "base/check.h"
#include "base/prng.h"

void journal_model_init(struct journal_model *model)
{
    memset(model, 0, sizeof(*model));
    model->next_id = 1;
}

void journal_model_options(struct journal_options *ret_options)
{
    *ret_options = (struct journal_options){.path = MODEL_JOURNAL_PATH,
                                            .size_bytes = MODEL_BANK_BYTES,
                                            .identity = {.cluster_id = 11, .node = 3, .shard = 0}};
}

enum error journal_subject_open(struct journal_subject *subject)
{
    struct journal_options options;
    journal_model_options(&options);
    if (subject->arena.base == NULL)
        CHECK(arena_init(&subject->arena, journal_arena_bytes(&options)) == OK);
    /* One arena serves every start: taken afresh, zeroed as a new one as far as that is read. */
    size_t dirty_bytes = 2 * log_arena_bytes(MODEL_BANK_BYTES) + 4096;
    memset(subject->arena.base, 0, dirty_bytes);
    subject->arena.used_bytes = 0;
    return journal_open(&options, &subject->arena, &subject->journal, &subject->recovery);
}

void journal_subject_close(struct journal_subject *subject)
{
    journal_close(subject->journal);
    subject->journal = NULL;
}

static struct span payload_of(uint64_t id, uint8_t *bytes)
{
    struct prng prng;
    prng_init(&prng, id);
    size_t size_bytes = prng_range(&prng, 0, MODEL_PAYLOAD_MAX);
    for (size_t i = 0; i < size_bytes; i++)
        bytes[i] = (uint8_t)prng_next(&prng);
    return span_of(bytes, size_bytes);
}

bool journal_model_append(struct journal_model *model, struct journal_subject *subject)
{
    uint8_t bytes[MODEL_PAYLOAD_MAX];
    uint64_t seq = model->last_seq + 1;
    struct span payload = payload_of(model->next_id, bytes);
    bool has_room =
        journal_entry_room_bytes(payload.size_bytes) <= journal_room_bytes(subject->journal);
    CHECK(seq < MODEL_SEQS_MAX);
    enum error error = journal_append(subject->journal, seq, payload);
    if (error == ERR_NOT_YET) {
        journal_make_room(subject->journal);
        error = journal_append(subject->journal, seq, payload);
    }
    CHECK(error == (has_room ? OK : ERR_FULL));
    if (error != OK)
        return false;
    model->ids[seq] = model->next_id++;
    model->last_seq = seq;
    return true;
}

void journal_model_forget(struct journal_model *model, struct journal_subject *subject,
                          uint64_t seq)
{
    if (seq > model->forgotten_seq)
        model->forgotten_seq = seq;
    journal_forget(subject->journal, seq);
}

void journal_model_persist(struct journal_model *model, struct journal_subject *subject)
{
    (void)model;
    journal_persist(subject->journal);
}

void journal_model_wait(struct journal_model *model, struct journal_subject *subject,
                        struct medium_sim *sim)
{
    uint64_t seq = 0;
    model->now_ns += 1000;
    medium_sim_set_now(sim, model->now_ns);
    if (journal_persisted(subject->journal, &seq) != OK)
        return;
    CHECK(seq <= model->last_seq);
    CHECK(seq >= model->acknowledged_seq);
    model->acknowledged_seq = seq;
}

/* The entry behind `seq`; last_seq + 1: none. */
static uint64_t entry_behind(const struct journal_model *model, uint64_t seq)
{
    do
        seq++;
    while (seq <= model->last_seq && model->ids[seq] == 0);
    return seq;
}

/* The last entry up to `seq`; 0: none. */
static uint64_t entry_up_to(const struct journal_model *model, uint64_t seq)
{
    while (seq > 0 && model->ids[seq] == 0)
        seq--;
    return seq;
}

/* No gaps, the right bytes, from what had to be there on. */
static const char *entries_check(const struct journal_model *model,
                                 const struct journal_subject *subject, uint64_t *ret_first,
                                 uint64_t *ret_last)
{
    uint8_t bytes[MODEL_PAYLOAD_MAX];
    struct span payload;
    uint64_t cursor = 0;
    uint64_t seq = 0;
    *ret_first = 0;
    *ret_last = 0;
    while (journal_next(subject->journal, &cursor, &seq, &payload)) {
        if (seq > model->last_seq || (*ret_last != 0 && seq != entry_behind(model, *ret_last)))
            return "an entry that was not appended, or one is missing in between";
        if (!span_is_equal(payload, payload_of(model->ids[seq], bytes)))
            return "an entry with other bytes than were appended";
        *ret_last = seq;
        if (*ret_first == 0)
            *ret_first = seq;
    }
    return NULL;
}

const char *journal_model_check(struct journal_model *model, struct journal_subject *subject)
{
    const struct journal_recovery *found = &subject->recovery;
    uint64_t first = 0;
    uint64_t last = 0;
    uint64_t owed =
        entry_up_to(model, model->has_rot ? model->vouched_seq : model->acknowledged_seq);
    const char *wrong = entries_check(model, subject, &first, &last);
    if (wrong != NULL)
        return wrong;
    if (found->is_damaged && (!model->has_rot || found->note[0] == '\0'))
        return "damage that is none, or has no note";
    if (!found->is_damaged && owed > model->forgotten_seq &&
        (first == 0 || first > entry_behind(model, model->forgotten_seq) || last < owed))
        return "an acknowledged entry is missing";
    if (!found->is_damaged && found->last_seq < owed)
        return "the highest seq is forgotten";
    if (found->last_seq < last || found->last_seq > model->last_seq)
        return "the highest seq is wrong";

    for (uint64_t seq = 1; seq <= model->last_seq; seq++)
        if (seq < first || seq > last)
            model->ids[seq] = 0;
    model->last_seq = found->last_seq;
    model->acknowledged_seq = found->last_seq;
    model->vouched_seq = last;
    model->forgotten_seq = first == 0 ? found->last_seq : first - 1;
    return NULL;
}
