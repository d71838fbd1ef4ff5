/*
 * Recovery of a log from arbitrary bytes, on the simulated medium. The first byte chooses: the file
 * holds the input as it stands, or a log that the input's first bytes have written through the real
 * code, and that its other bytes then deface. Whatever is there, opening ends in an error or in a
 * log that agrees with itself; a second opening after a power loss finds the same; and what is then
 * appended is found by a third.
 */
#include "base/check.h"
#include "tests/fuzz/canary.h"
#include "tests/sim/log_model.h"

#include <string.h>

#define OPERATIONS_MAX     24u
#define PATCH_HEADER_BYTES 3u
#define PAYLOAD_BYTES_MAX  255u
#define KIND_MAX           2u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void append(struct log *log, uint64_t term, uint32_t size_bytes)
{
    uint8_t payload[PAYLOAD_BYTES_MAX];
    memset(payload, (int)(term + size_bytes) & 0xFF, sizeof(payload));
    const struct log_record record = {.index = log_last_index(log) + 1,
                                      .term = term,
                                      .kind = (uint8_t)(1 + size_bytes % KIND_MAX),
                                      .payload = span_of(payload, size_bytes)};
    enum error error = log_append(log, &record);
    CHECK(error == OK || error == ERR_FULL);
}

/* Two bytes an operation: which, and its argument. Returns how many bytes it used. */
static size_t write_log(struct log *log, const uint8_t *data, size_t size_bytes)
{
    uint64_t term = 1;
    size_t at = 0;
    for (uint32_t i = 0; i < OPERATIONS_MAX && at + 2 <= size_bytes; i++, at += 2) {
        uint8_t argument = data[at + 1];
        uint64_t last = log_last_index(log);
        if (data[at] == 0)
            return at + 1;
        if (data[at] % 8 < 3)
            append(log, term, argument);
        else if (data[at] % 8 == 3 && last > 0)
            log_truncate(log, 1 + argument % last);
        else if (data[at] % 8 == 4)
            log_write_hard_state(log, ++term, argument);
        else if (data[at] % 8 == 5)
            log_write_commit_hint(log, argument);
        else if (data[at] % 8 == 6)
            log_settle(log);
        else
            (void)log_persist(log);
    }
    return at;
}

/* Offset (two bytes), length, then so many bytes. */
static void deface(struct medium *medium, const uint8_t *data, size_t size_bytes)
{
    for (size_t at = 0; at + PATCH_HEADER_BYTES <= size_bytes;) {
        size_t offset = (data[at] | (size_t)data[at + 1] << 8) % MODEL_FILE_BYTES;
        size_t length = data[at + 2];
        at += PATCH_HEADER_BYTES;
        if (length > size_bytes - at)
            length = size_bytes - at;
        if (length > MODEL_FILE_BYTES - offset)
            length = MODEL_FILE_BYTES - offset;
        medium_write(medium, offset, data + at, length);
        at += length > 0 ? length : 1;
    }
}

static void file_fill(const uint8_t *data, size_t size_bytes)
{
    const struct medium_options options = {
        .path = MODEL_PATH, .size_bytes = MODEL_FILE_BYTES, .is_created = true};
    struct medium *medium = NULL;
    char reason[256];
    bool is_raw = size_bytes > 0 && data[0] % 2 == 1;
    size_t used = size_bytes > 0 ? 1 : 0;
    if (!is_raw) {
        struct log_subject subject = {0};
        CHECK(log_subject_open(&subject) == OK);
        used += write_log(subject.log, data + used, size_bytes - used);
        (void)log_persist(subject.log);
        log_subject_close(&subject);
        arena_deinit(&subject.arena);
    }
    CHECK(medium_open(&options, &medium, reason, sizeof(reason)) == OK);
    if (is_raw)
        medium_write(medium, 0, data + used,
                     size_bytes - used < MODEL_FILE_BYTES ? size_bytes - used : MODEL_FILE_BYTES);
    else
        deface(medium, data + used, size_bytes - used);
    CHECK(medium_persist_wait(medium) == OK);
    medium_close(medium);
}

/* A sum over the log that was recovered; every record must follow from the one before it. */
static uint64_t log_walk(const struct log_subject *subject)
{
    uint64_t sum = 0;
    uint64_t term = 0;
    const struct log_recovery *recovery = &subject->recovery;
    CHECK(recovery->last_index == log_last_index(subject->log));
    CHECK(recovery->commit_index <= recovery->last_index);
    CHECK(memchr(recovery->note, '\0', sizeof(recovery->note)) != NULL);
    CHECK(recovery->vote <= VOTER_ID_MAX && recovery->term <= TERM_MAX);
    for (uint64_t index = 1; index <= recovery->last_index; index++) {
        struct log_record record;
        log_read(subject->log, index, &record);
        CHECK(record.index == index);
        CHECK(record.term >= term && record.kind != 0);
        CHECK(record.payload.size_bytes == log_payload_size_bytes(subject->log, index));
        CHECK(record.payload.size_bytes <= MODEL_FILE_BYTES);
        term = record.term;
        for (size_t i = 0; i < record.payload.size_bytes; i++)
            sum = sum * 31 + record.payload.data[i];
        sum = sum * 31 + record.term + record.kind;
    }
    return sum;
}

/* Power is lost, and the file is opened again. */
static void reopen(struct medium_sim *sim, struct log_subject *subject)
{
    medium_sim_lose_power(sim, MODEL_PATH, 0);
    log_subject_close(subject);
    CHECK(log_subject_open(subject) == OK);
}

static void recover(struct medium_sim *sim, struct log_subject *subject)
{
    if (log_subject_open(subject) != OK) {
        CHECK(subject->recovery.note[0] != '\0');
        return;
    }
    /* A torn record is accepted. */
    CANARY(subject->recovery.last_index += subject->recovery.torn_bytes > 0);
    struct log_recovery first = subject->recovery;
    uint64_t sum = log_walk(subject);
    reopen(sim, subject);
    CHECK(log_walk(subject) == sum);
    CHECK(subject->recovery.last_index == first.last_index);
    CHECK(subject->recovery.term == first.term && subject->recovery.vote == first.vote);
    CHECK(subject->recovery.commit_index == first.commit_index);
    CHECK(subject->recovery.is_suspect == first.is_suspect);
    if (log_room_bytes(subject->log) >= log_record_room_bytes(PAYLOAD_BYTES_MAX)) {
        append(subject->log, TERM_MAX, PAYLOAD_BYTES_MAX);
        (void)log_persist(subject->log);
        sum = 0;
        reopen(sim, subject);
        CHECK(subject->recovery.last_index == first.last_index + 1);
        (void)log_walk(subject);
    }
    log_subject_close(subject);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    const struct medium_sim_options options = {.seed = 1, .granularity = MEDIUM_CACHE_LINE};
    struct medium_sim *sim = medium_sim_create(&options);
    struct log_subject subject = {0};
    medium_sim_use(sim);
    file_fill(data, size_bytes);
    recover(sim, &subject);
    arena_deinit(&subject.arena);
    medium_sim_destroy(sim);
    return 0;
}
