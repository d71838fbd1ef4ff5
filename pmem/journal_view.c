/* See journal_view.h. */
#include "pmem/journal_view.h"

#include "base/check.h"
#include "pmem/journal_internal.h"
#include "pmem/log_internal.h"

#include <stdio.h>
#include <stdlib.h>

struct journal_view {
    struct journal_view_options options;
    struct journal_view_bank banks[JOURNAL_BANKS];
    struct journal_bank contents[JOURNAL_BANKS];
    struct log_view *logs[JOURNAL_BANKS];
    uint32_t active;
};

static void bank_close(struct journal_view *view, uint32_t number)
{
    if (view->logs[number] != NULL)
        log_view_close(view->logs[number]);
    view->logs[number] = NULL;
    view->banks[number] = (struct journal_view_bank){.error = ERR_NOT_FOUND};
    view->contents[number] = (struct journal_bank){0};
}

static void bank_take(struct journal_view *view, uint32_t number)
{
    struct journal_view_bank *bank = &view->banks[number];
    struct journal_bank *contents = &view->contents[number];
    const struct log *log = log_view_log(view->logs[number]);
    uint64_t seq;
    struct span payload;
    contents->log = (struct log *)log; /* which is only read */
    bank->error = journal_bank_inspect(contents);
    if (bank->error != OK)
        snprintf(bank->note, sizeof(bank->note), "%.200s: a log, but not of a journal",
                 view->options.paths[number]);
    bank->is_blank = log_is_blank(log);
    bank->is_wiping = log_is_wiping(log);
    bank->is_ready = contents->ready_index != 0;
    bank->is_sealed = contents->is_sealed;
    bank->generation = contents->generation;
    bank->series = contents->series;
    bank->last_seq = contents->last_seq;
    bool has_entries = bank->error == OK && !bank->is_wiping;
    for (uint64_t index = 1; has_entries && index <= log->last_index; index++)
        bank->entries += journal_bank_read(contents, index, &seq, &payload);
}

/* ERR_NO_MEMORY. */
static enum error bank_read(struct journal_view *view, uint32_t number)
{
    struct journal_view_bank *bank = &view->banks[number];
    const struct log_view_options options = {.path = view->options.paths[number],
                                             .reader = view->options.readers[number],
                                             .identity = view->options.identity,
                                             .is_bank = true};
    bank_close(view, number);
    if (options.reader == NULL)
        return OK;
    bank->error = log_view_open(&options, &view->logs[number], bank->note);
    if (bank->error == OK)
        bank_take(view, number);
    return bank->error == ERR_NO_MEMORY ? ERR_NO_MEMORY : OK;
}

/* While none is active, entries may be on their way from one bank to the other. */
static bool may_be_moving(const struct journal_view *view)
{
    bool is_any_used = false;
    for (uint32_t i = 0; i < JOURNAL_BANKS; i++)
        is_any_used |= view->logs[i] != NULL && !view->banks[i].is_blank;
    return view->active == JOURNAL_BANKS && is_any_used;
}

enum error journal_view_open(const struct journal_view_options *options,
                             struct journal_view **ret_view)
{
    struct journal_view *view = (struct journal_view *)calloc(1, sizeof(*view));
    if (view == NULL)
        return ERR_NO_MEMORY;
    view->options = *options;
    view->active = JOURNAL_BANKS;
    for (uint32_t attempt = 0; attempt < LOG_VIEW_ATTEMPTS; attempt++) {
        enum error error = OK;
        for (uint32_t i = 0; i < JOURNAL_BANKS && error == OK; i++)
            error = bank_read(view, i);
        if (error != OK) {
            journal_view_close(view);
            return error;
        }
        view->active = journal_newest(view->contents);
        if (!may_be_moving(view))
            break;
    }
    if (view->active < JOURNAL_BANKS)
        view->banks[view->active].is_active = true;
    *ret_view = view;
    return OK;
}

void journal_view_close(struct journal_view *view)
{
    for (uint32_t i = 0; i < JOURNAL_BANKS; i++)
        bank_close(view, i);
    free(view);
}

const struct journal_view_bank *journal_view_bank(const struct journal_view *view, uint32_t bank)
{
    CHECK(bank < JOURNAL_BANKS);
    return &view->banks[bank];
}

const struct log_view *journal_view_log(const struct journal_view *view, uint32_t bank)
{
    CHECK(bank < JOURNAL_BANKS);
    return view->logs[bank];
}

uint32_t journal_view_active(const struct journal_view *view)
{
    return view->active;
}

bool journal_view_next(const struct journal_view *view, uint32_t bank, uint64_t *cursor,
                       uint64_t *ret_seq, struct span *ret_payload)
{
    CHECK(bank < JOURNAL_BANKS);
    if (view->logs[bank] == NULL || view->banks[bank].error != OK || view->banks[bank].is_wiping)
        return false;
    const struct journal_bank *contents = &view->contents[bank];
    uint64_t last_index = log_last_index(contents->log);
    while (*cursor < last_index) {
        if (journal_bank_read(contents, ++*cursor, ret_seq, ret_payload))
            return true;
    }
    return false;
}
