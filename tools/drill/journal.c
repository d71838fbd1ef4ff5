/* Keys, file form and proof. */
#include "tools/drill/journal.h"

#include "tools/drill/batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check {
    uint32_t worker;
    enum journal_kind kind;
    uint64_t number;
};

struct verify {
    const struct journal *journal;
    bool is_relaxed;
    struct journal_verdict verdict;
    uint64_t ends[JOURNAL_WORKERS_MAX]; /* number of the first check behind this worker's */
};

size_t journal_key(const struct journal *journal, uint32_t worker, enum journal_kind kind,
                   uint64_t number, char ret_key[PLX_KEY_SIZE_BYTES_MAX])
{
    static const char *const names[JOURNAL_KINDS] = {"set/", "register", "counter"};
    int length =
        snprintf(ret_key, PLX_KEY_SIZE_BYTES_MAX, "%s/%u/%s", journal->run, worker, names[kind]);
    if (kind == JOURNAL_SET)
        length +=
            snprintf(ret_key + length, PLX_KEY_SIZE_BYTES_MAX - (size_t)length, "%" PRIu64, number);
    return (size_t)length;
}

bool journal_write(const struct journal *journal, const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        perror(path);
        return false;
    }
    fprintf(file, "%s %u\n", journal->run, journal->worker_count);
    for (uint32_t i = 0; i < journal->worker_count; i++) {
        const struct journal_worker *worker = &journal->workers[i];
        fprintf(file, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %d\n", worker->done[JOURNAL_SET],
                worker->done[JOURNAL_REGISTER], worker->done[JOURNAL_COUNTER], worker->open);
    }
    if (fclose(file) != 0) {
        perror(path);
        return false;
    }
    return true;
}

static bool read_worker(FILE *file, struct journal_worker *worker)
{
    uint64_t *done = worker->done;
    return fscanf(file, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %d", &done[JOURNAL_SET],
                  &done[JOURNAL_REGISTER], &done[JOURNAL_COUNTER], &worker->open) == 4 &&
           worker->open >= -1 && worker->open < JOURNAL_KINDS;
}

bool journal_read(struct journal *ret_journal, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        perror(path);
        return false;
    }
    bool is_good = fscanf(file, "%31s %u", ret_journal->run, &ret_journal->worker_count) == 2 &&
                   ret_journal->worker_count <= JOURNAL_WORKERS_MAX;
    for (uint32_t i = 0; is_good && i < ret_journal->worker_count; i++)
        is_good = read_worker(file, &ret_journal->workers[i]);
    fclose(file);
    if (!is_good)
        fprintf(stderr, "%s: not a journal\n", path);
    return is_good;
}

/* Checks of a worker: register, counter, then each set, the open one too. */
static uint64_t checks_of(const struct journal_worker *worker)
{
    return 2 + worker->done[JOURNAL_SET] + (worker->open == JOURNAL_SET);
}

static struct check check_at(const struct verify *verify, uint64_t number)
{
    uint32_t worker = 0;
    while (number >= verify->ends[worker])
        worker++;
    uint64_t first = worker == 0 ? 0 : verify->ends[worker - 1];
    uint64_t within = number - first;
    if (within == 0)
        return (struct check){worker, JOURNAL_REGISTER, 0};
    if (within == 1)
        return (struct check){worker, JOURNAL_COUNTER, 0};
    return (struct check){worker, JOURNAL_SET, within - 2};
}

static void prepare_journal(void *context, struct batch_slot *slot, struct plx_op *op)
{
    const struct verify *verify = context;
    struct check check = check_at(verify, slot->number);
    op->type = PLX_OP_GET;
    op->key.size_bytes =
        journal_key(verify->journal, check.worker, check.kind, check.number, slot->key);
    op->key.data = slot->key;
    op->call.is_relaxed = verify->is_relaxed;
    op->call.is_blocking = !verify->is_relaxed;
}

/* The number that a value spells; 0 for absent, as no worker writes 0. */
static uint64_t number_of(const struct plx_response *response)
{
    char text[24] = {0};
    if (response->outcome == PLX_OK && response->value.size_bytes < sizeof(text))
        memcpy(text, response->value.data, response->value.size_bytes);
    return strtoull(text, NULL, 10);
}

static void judge(void *context, uint64_t number, const struct plx_response *response)
{
    struct verify *verify = context;
    struct journal_verdict *verdict = &verify->verdict;
    struct check check = check_at(verify, number);
    const struct journal_worker *worker = &verify->journal->workers[check.worker];
    verdict->checked_count++;
    if (response->outcome != PLX_OK && response->outcome != PLX_NOT_FOUND) {
        verdict->failed_count++;
        return;
    }
    /* The n-th set of a worker, from 0, has the value n + 1. */
    bool is_set = check.kind == JOURNAL_SET;
    uint64_t low = is_set ? check.number + 1 : worker->done[check.kind];
    uint64_t high = low;
    if ((int)check.kind == worker->open && is_set && check.number == worker->done[JOURNAL_SET])
        low = 0;
    else if ((int)check.kind == worker->open && !is_set)
        high = low + 1;
    uint64_t found = number_of(response);
    verdict->lost_count += found < low;
    verdict->twice_count += found > high;
}

bool journal_verify(const struct journal *journal, struct plx_client *client, bool is_relaxed,
                    struct journal_verdict *ret_verdict)
{
    static struct batch batch;
    struct verify verify = {.journal = journal, .is_relaxed = is_relaxed};
    uint64_t count = 0;
    for (uint32_t i = 0; i < journal->worker_count; i++) {
        count += checks_of(&journal->workers[i]);
        verify.ends[i] = count;
    }
    batch = (struct batch){.client = client,
                           .count = count,
                           .prepare = prepare_journal,
                           .judge = judge,
                           .context = &verify};
    bool is_good = batch_run(&batch);
    *ret_verdict = verify.verdict;
    return is_good;
}
