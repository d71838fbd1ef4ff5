/*
 * Files that are read and not opened, from defaced bytes. The first byte chooses the sort of file,
 * whether the checksums of its header are made right again, and whether it is known whose it is;
 * the second one a page that cannot be read, or where the file is cut off. The other bytes deface a
 * file that the real code has written. Whatever is there is refused with a reason, or shown, and
 * what is shown agrees with itself.
 */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/le.h"
#include "pmem/journal_view.h"
#include "pmem/snapshot_view.h"
#include "tests/fuzz/canary.h"
#include "tests/sim/snapshot_model.h"
#include "tests/sim/view_reader.h"
#include "tools/dump/batch_walk.h"
#include "tools/dump/stream.h"

#include <stdlib.h>
#include <string.h>

#define LOG_PATH           "/media/log"
#define JOURNAL_PATH       "/media/journal"
#define SEGMENT_BYTES      4096u
#define LOG_BYTES          (12u * 1024 + 6 * SEGMENT_BYTES)
#define JOURNAL_BYTES      (16u * 1024)
#define RECORDS            30u
#define RECORD_BYTES       400u
#define PATCH_HEADER_BYTES 4u
#define HEADER_BYTES       64u
#define COPY_STEP          2048u
#define CLAIM_BYTES_MAX    (64u * 1024 * 1024)

enum choice { CHOICE_SORT = 3, CHOICE_CHECKSUMS = 4, CHOICE_OWNER = 8, CHOICE_CUT = 16 };
enum sort { SORT_LOG, SORT_JOURNAL, SORT_SNAPSHOT, SORT_RAW };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static const struct log_identity owner = {.cluster_id = 7, .node = 2, .shard = 1};

/* A file in memory, as it will be read. */
struct subject {
    uint8_t *bytes;
    size_t size_bytes;
    struct view_reader reader;
    uint64_t findings;
};

static void take_finding(void *context, const struct finding *finding)
{
    struct subject *subject = context;
    CHECK(finding->kind < FINDING_KINDS && finding->what != NULL);
    CHECK(finding->size_bytes > 0);
    subject->findings++;
}

static void keep_bytes(struct subject *subject, const struct medium *medium)
{
    subject->size_bytes = medium_size_bytes(medium);
    subject->bytes = malloc(subject->size_bytes);
    memcpy(subject->bytes, medium_data(medium), subject->size_bytes);
}

static void make_log(struct subject *subject)
{
    const struct log_options options = {.path = LOG_PATH,
                                        .size_bytes = LOG_BYTES,
                                        .segment_size_bytes = SEGMENT_BYTES,
                                        .is_created = true,
                                        .birth = 77,
                                        .start = 99,
                                        .identity = owner};
    uint8_t payload[RECORD_BYTES] = {0};
    struct arena arena;
    struct log *log;
    struct log_recovery recovery;
    CHECK(arena_init(&arena, log_arena_bytes(LOG_BYTES)) == OK);
    CHECK(log_open(&options, &arena, &log, &recovery) == OK);
    for (uint64_t index = 1; index <= RECORDS; index++) {
        uint64_t ticket;
        uint64_t durable_index;
        const struct log_record record = {
            .index = index, .term = 3, .kind = 2, .payload = span_of(payload, sizeof(payload))};
        CHECK(log_append(log, &record) == OK);
        (void)log_persist(log);
        CHECK(log_persisted(log, &ticket, &durable_index) == OK);
    }
    log_write_hard_state(log, 3, 88);
    log_hear(log, 5, 6);
    keep_bytes(subject, log_medium(log));
    log_close(log);
    arena_deinit(&arena);
}

static void make_journal(struct medium_sim *sim, struct subject *subject)
{
    const struct journal_options options = {
        .path = JOURNAL_PATH, .size_bytes = JOURNAL_BYTES, .identity = owner, .series = 5};
    uint8_t payload[100] = {0};
    struct arena arena;
    struct journal *journal;
    struct journal_recovery recovery;
    CHECK(arena_init(&arena, journal_arena_bytes(&options)) == OK);
    CHECK(journal_open(&options, &arena, &journal, &recovery) == OK);
    for (uint64_t seq = 1; seq <= 10; seq++)
        CHECK(journal_append(journal, seq, span_of(payload, sizeof(payload))) == OK);
    journal_persist(journal);
    journal_close(journal);
    arena_deinit(&arena);
    subject->size_bytes = JOURNAL_BYTES;
    subject->bytes = malloc(JOURNAL_BYTES);
    memcpy(subject->bytes, medium_sim_persisted(sim, JOURNAL_PATH "-0"), JOURNAL_BYTES);
}

static void make_snapshot(struct medium_sim *sim, struct subject *subject)
{
    struct snapshot_subject model;
    const struct medium_options options = {.path = SNAPSHOT_MODEL_FILE_0};
    struct medium *medium;
    char reason[256];
    snapshot_subject_init(&model, sim);
    CHECK(snapshot_subject_open(&model) == OK);
    CHECK(snapshot_subject_write(&model, 1, SNAPSHOT_MODEL_BYTES).state == SNAPSHOTS_GOOD);
    snapshot_subject_deinit(&model);
    CHECK(medium_open(&options, &medium, reason, sizeof(reason)) == OK);
    keep_bytes(subject, medium);
    medium_close(medium);
}

static void make_file(struct subject *subject, enum sort sort, const uint8_t *data,
                      size_t size_bytes)
{
    const struct medium_sim_options options = {.seed = 1, .granularity = MEDIUM_CACHE_LINE};
    struct medium_sim *sim = medium_sim_create(&options);
    medium_sim_use(sim);
    if (sort == SORT_LOG)
        make_log(subject);
    else if (sort == SORT_JOURNAL)
        make_journal(sim, subject);
    else if (sort == SORT_SNAPSHOT)
        make_snapshot(sim, subject);
    else {
        subject->size_bytes = size_bytes + 1;
        subject->bytes = calloc(1, size_bytes + 1);
        if (size_bytes > 0)
            memcpy(subject->bytes, data, size_bytes);
    }
    medium_sim_destroy(sim);
}

/* Offset (three bytes), length, then so many bytes. */
static void deface(struct subject *subject, const uint8_t *data, size_t size_bytes)
{
    for (size_t at = 0; at + PATCH_HEADER_BYTES <= size_bytes;) {
        size_t offset = data[at] | (size_t)data[at + 1] << 8 | (size_t)data[at + 2] << 16;
        size_t length = data[at + 3];
        at += PATCH_HEADER_BYTES;
        offset %= subject->size_bytes;
        length = length > size_bytes - at ? size_bytes - at : length;
        length = length > subject->size_bytes - offset ? subject->size_bytes - offset : length;
        memcpy(subject->bytes + offset, data + at, length);
        at += length > 0 ? length : 1;
    }
}

static void mend_checksums(struct subject *subject)
{
    for (size_t at = 0; at <= COPY_STEP && at + HEADER_BYTES <= subject->size_bytes;
         at += COPY_STEP)
        le32_store(subject->bytes + at + 12, crc32c_around(subject->bytes + at, HEADER_BYTES, 12));
}

static void walk_batch(struct span payload)
{
    struct batch_walk walk;
    struct span request;
    if (batch_walk_begin(payload, &walk) != OK)
        return;
    while (batch_walk_next(&walk, &request) == OK)
        CHECK(request.data >= payload.data &&
              request.data + request.size_bytes <= payload.data + payload.size_bytes);
}

/* Every record that is in the log is a place, and every place lies in the file. */
static void walk_log(const struct log_view *view)
{
    const struct log_view_state *state = log_view_state(view);
    struct log_view_walk walk = {0};
    struct log_view_place place;
    uint64_t taken = 0;
    while (log_view_next(view, &walk, &place)) {
        CHECK(place.offset + place.size_bytes <= state->file_bytes && place.size_bytes > 0);
        if (place.fate == LOG_VIEW_INVALID)
            continue;
        walk_batch(place.record.payload);
        taken += place.fate == LOG_VIEW_TAKEN;
    }
    /* A record is passed over. */
    CANARY(taken -= taken > 0);
    CHECK(taken == state->last_index + 1 - state->first_index);
    CHECK(state->commit_index <= state->last_index);
    for (uint64_t index = state->first_index; index <= state->last_index; index++) {
        log_view_at(view, index, &place);
        CHECK(place.record.index == index && place.fate == LOG_VIEW_TAKEN);
    }
}

/* A header may claim so much that walking over the zeros takes too long here. */
static bool is_claim_small(const struct subject *subject)
{
    for (size_t at = 0; at <= COPY_STEP && at + HEADER_BYTES <= subject->size_bytes;
         at += COPY_STEP) {
        if (le64_load(subject->bytes + at + 32) > CLAIM_BYTES_MAX)
            return false;
    }
    return true;
}

static void try_log(struct subject *subject, const struct log_identity *identity)
{
    const struct finding_sink sink = {.take = take_finding, .context = subject};
    const struct log_view_options options = {.path = LOG_PATH,
                                             .reader = &subject->reader.reader,
                                             .identity = identity,
                                             .is_all_read = true};
    char note[VIEW_NOTE_BYTES];
    struct log_view *view;
    if (log_view_open(&options, &view, note) != OK) {
        CHECK(note[0] != '\0');
        return;
    }
    walk_log(view);
    log_view_findings(view, &sink);
    log_view_close(view);
}

static void try_journal(struct subject *subject, const struct log_identity *identity)
{
    const struct journal_view_options options = {.paths = {JOURNAL_PATH "-0", JOURNAL_PATH "-1"},
                                                 .readers = {&subject->reader.reader, NULL},
                                                 .identity = identity};
    struct journal_view *view;
    uint64_t cursor = 0;
    uint64_t entries = 0;
    uint64_t seq;
    struct span payload;
    CHECK(journal_view_open(&options, &view) == OK);
    while (journal_view_next(view, 0, &cursor, &seq, &payload))
        entries++;
    CHECK(entries == journal_view_bank(view, 0)->entries);
    CHECK(journal_view_bank(view, 0)->error == OK || journal_view_bank(view, 0)->note[0] != '\0');
    journal_view_close(view);
}

static void take_item(void *context, const struct stream_item *item)
{
    struct subject *subject = context;
    if (item->type == SNAPSHOT_ENTRY)
        subject->findings += stream_entry_of(item->body).key.size_bytes > KEY_SIZE_BYTES_MAX;
}

static void try_snapshot(struct subject *subject, const struct log_identity *identity)
{
    static uint8_t memory[SNAPSHOT_BLOCK_BYTES + STREAM_BUFFER_BYTES];
    const struct finding_sink sink = {.take = take_finding, .context = subject};
    struct stream stream = {.take = take_item, .context = subject};
    struct snapshot_view view;
    char note[VIEW_NOTE_BYTES];
    if (snapshot_view_open(SNAPSHOT_MODEL_FILE_0, &subject->reader.reader, identity, &view, note) !=
        OK) {
        CHECK(note[0] != '\0');
        return;
    }
    snapshot_view_findings(&view, &sink);
    stream_begin(&stream, memory + SNAPSHOT_BLOCK_BYTES);
    for (uint32_t i = 0; view.is_complete && i < view.info.block_count && i < 64; i++) {
        struct span raw;
        uint32_t stored_bytes;
        if (snapshot_view_block(&view, i, memory, &raw, &stored_bytes) == OK)
            stream_block(&stream, raw);
        else
            stream_gap(&stream, snapshot_view_block_bytes(&view, i));
    }
    stream_end(&stream);
    CHECK(stream.offset <= (uint64_t)64 * SNAPSHOT_BLOCK_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct subject subject = {0};
    if (size_bytes < 2)
        return 0;
    enum sort sort = (enum sort)(data[0] & CHOICE_SORT);
    make_file(&subject, sort, data + 2, size_bytes - 2);
    deface(&subject, data + 2, sort == SORT_RAW ? 0 : size_bytes - 2);
    if ((data[0] & CHOICE_CHECKSUMS) != 0)
        mend_checksums(&subject);
    view_reader_init_bytes(&subject.reader, subject.bytes, subject.size_bytes);
    if ((data[0] & CHOICE_CUT) != 0)
        view_reader_cut(&subject.reader, subject.size_bytes * data[1] / 256);
    else if (data[1] != 0)
        subject.reader.bad_offset = (uint64_t)(data[1] - 1) * 4096;
    subject.reader.bad_bytes = (data[0] & CHOICE_CUT) == 0 && data[1] != 0;
    const struct log_identity *identity = (data[0] & CHOICE_OWNER) != 0 ? &owner : NULL;
    if (is_claim_small(&subject)) {
        try_log(&subject, identity);
        try_journal(&subject, identity);
    }
    try_snapshot(&subject, identity);
    free(subject.bytes);
    return 0;
}
