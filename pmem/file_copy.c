/* See file_copy.h. */
#include "pmem/file_copy.h"

#include "base/check.h"

#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096u
#define STEP_BYTES (16u * PAGE_BYTES)

/* Of a page. CUT_OFF: the file ends in it, or before. */
enum page_state { PAGE_UNREAD, PAGE_READ, PAGE_UNREADABLE, PAGE_CUT_OFF };

/* Memory that is there once it is written to. */
static uint8_t *map_zeros(size_t size_bytes)
{
    void *data = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return data == MAP_FAILED ? NULL : (uint8_t *)data;
}

enum error file_copy_init(const struct file_reader *reader, size_t size_bytes,
                          struct file_copy *ret_copy)
{
    struct file_copy copy = {.reader = reader,
                             .size_bytes = (size_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES};
    CHECK(copy.size_bytes > 0);
    copy.data = map_zeros(copy.size_bytes);
    if (copy.data == NULL)
        return ERR_NO_MEMORY;
    copy.pages = map_zeros(copy.size_bytes / PAGE_BYTES);
    if (copy.pages == NULL) {
        munmap(copy.data, copy.size_bytes);
        return ERR_NO_MEMORY;
    }
    *ret_copy = copy;
    return OK;
}

void file_copy_deinit(struct file_copy *copy)
{
    munmap(copy->data, copy->size_bytes);
    munmap(copy->pages, copy->size_bytes / PAGE_BYTES);
}

/* A page goes into the copy only where it differs: so a page of zeros takes no memory. */
static bool page_take(struct file_copy *copy, size_t at, const uint8_t *page, enum page_state state)
{
    copy->pages[at / PAGE_BYTES] = (uint8_t)state;
    if (memcmp(copy->data + at, page, PAGE_BYTES) == 0)
        return false;
    memcpy(copy->data + at, page, PAGE_BYTES);
    return true;
}

/* The pages of a step; `got_bytes` of them are there, the rest is zero. */
static bool step_take(struct file_copy *copy, size_t from, size_t to, const uint8_t *step,
                      size_t got_bytes)
{
    bool has_changed = false;
    for (size_t at = from; at < to; at += PAGE_BYTES) {
        bool is_whole = at - from + PAGE_BYTES <= got_bytes;
        has_changed |= page_take(copy, at, step + (at - from), is_whole ? PAGE_READ : PAGE_CUT_OFF);
    }
    return has_changed;
}

/* Page by page, because one of them cannot be read. */
static bool pages_read(struct file_copy *copy, size_t from, size_t to)
{
    bool has_changed = false;
    for (size_t at = from; at < to; at += PAGE_BYTES) {
        uint8_t page[PAGE_BYTES] = {0};
        ssize_t got_bytes = file_reader_fill(copy->reader, page, sizeof(page), at);
        enum page_state state = got_bytes == (ssize_t)sizeof(page) ? PAGE_READ : PAGE_CUT_OFF;
        if (got_bytes < 0) {
            state = PAGE_UNREADABLE;
            memset(page, 0, sizeof(page));
            copy->error_number = copy->error_number != 0 ? copy->error_number : (int)-got_bytes;
        }
        has_changed |= page_take(copy, at, page, state);
    }
    return has_changed;
}

/* Behind the end of the file. What was never read is zero already. */
static bool rest_take(struct file_copy *copy, size_t from, size_t to)
{
    static const uint8_t zeros[PAGE_BYTES];
    bool has_changed = false;
    for (size_t at = from; at < to; at += PAGE_BYTES) {
        uint8_t *state = &copy->pages[at / PAGE_BYTES];
        if (*state == PAGE_READ || *state == PAGE_UNREADABLE)
            has_changed |= page_take(copy, at, zeros, PAGE_CUT_OFF);
        *state = PAGE_CUT_OFF;
    }
    return has_changed;
}

bool file_copy_read(struct file_copy *copy, size_t from, size_t to)
{
    bool has_changed = false;
    CHECK(from <= to && to <= copy->size_bytes);
    size_t end = (to + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    for (size_t at = from / PAGE_BYTES * PAGE_BYTES; at < end;) {
        uint8_t step[STEP_BYTES] = {0};
        size_t step_end = end - at < sizeof(step) ? end : at + sizeof(step);
        ssize_t got_bytes = file_reader_fill(copy->reader, step, step_end - at, at);
        if (got_bytes < 0)
            has_changed |= pages_read(copy, at, step_end);
        else
            has_changed |= step_take(copy, at, step_end, step, (size_t)got_bytes);
        bool has_ended = got_bytes >= 0 && (size_t)got_bytes < step_end - at;
        at = step_end;
        if (has_ended)
            return rest_take(copy, at, end) || has_changed;
    }
    return has_changed;
}

void file_copy_read_rest(struct file_copy *copy)
{
    size_t page_count = copy->size_bytes / PAGE_BYTES;
    for (size_t page = 0; page < page_count; page++) {
        size_t begin = page;
        while (page < page_count && copy->pages[page] == PAGE_UNREAD)
            page++;
        if (page > begin)
            (void)file_copy_read(copy, begin * PAGE_BYTES, page * PAGE_BYTES);
    }
}

bool file_copy_is_read(const struct file_copy *copy, size_t from, size_t to)
{
    CHECK(from < to && to <= copy->size_bytes);
    for (size_t page = from / PAGE_BYTES; page <= (to - 1) / PAGE_BYTES; page++) {
        if (copy->pages[page] != PAGE_READ)
            return false;
    }
    return true;
}

void file_copy_tell(const struct file_copy *copy, const char *what, const struct finding_sink *sink)
{
    struct finding finding = {.kind = FINDING_UNREADABLE, .what = what};
    size_t page_count = copy->size_bytes / PAGE_BYTES;
    for (size_t page = 0; page < page_count;) {
        size_t begin = page;
        while (page < page_count && copy->pages[page] == PAGE_UNREADABLE)
            page++;
        finding.offset = (uint64_t)begin * PAGE_BYTES;
        finding.size_bytes = (uint64_t)(page - begin) * PAGE_BYTES;
        if (page > begin)
            finding_tell(sink, &finding);
        page += page == begin;
    }
}
