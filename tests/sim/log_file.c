/* See log_file.h. */
#include "tests/sim/log_file.h"

#include "base/check.h"
#include "base/prng.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE_MAX 48

void log_file_init(struct log_file *file, uint64_t seed, uint32_t count, uint64_t until_ns)
{
    struct prng prng;
    prng_init(&prng, seed ^ 0x6c6f6773u);
    *file = (struct log_file){.count = count};
    file->logs = calloc((size_t)count + 1, sizeof(*file->logs));
    file->lines = calloc((size_t)count + 1, sizeof(*file->lines));
    CHECK(file->logs != NULL && file->lines != NULL);
    int64_t timestamp = (int64_t)prng_range(&prng, 0, 10) - 5;
    uint64_t at_ns = 0;
    uint32_t tie_chance = (uint32_t)prng_range(&prng, 0, 1000000);
    for (uint32_t i = 0; i < count; i++) {
        if (!prng_chance(&prng, tie_chance))
            timestamp += (int64_t)prng_range(&prng, 1, 3);
        /* Some appear together. */
        if (!prng_chance(&prng, 300000))
            at_ns += prng_range(&prng, 0, 2 * until_ns / count);
        file->lines[i] = (struct log_line){.number = i, .appears_ns = at_ns};
        file->logs[i] = (struct plx_log){.timestamp = timestamp,
                                         .payload = &file->lines[i].number,
                                         .payload_size_bytes = sizeof(file->lines[i].number)};
    }
}

void log_file_deinit(struct log_file *file)
{
    free(file->logs);
    free(file->lines);
    *file = (struct log_file){0};
}

uint32_t log_file_length(const struct log_file *file, uint64_t now_ns)
{
    uint32_t length = 0;
    while (length < file->count && file->lines[length].appears_ns <= now_ns)
        length++;
    return length;
}

static int line_write(const struct log_file *file, uint32_t line, char to[LINE_SIZE_MAX])
{
    return snprintf(to, LINE_SIZE_MAX, "%" PRId64 " %" PRIu32 "\n", file->logs[line].timestamp,
                    line);
}

size_t log_file_text_size(const struct log_file *file, uint32_t from, uint32_t to)
{
    char line[LINE_SIZE_MAX];
    size_t size = 0;
    for (uint32_t i = from; i < to; i++)
        size += (size_t)line_write(file, i, line);
    return size;
}

void log_file_text_write(const struct log_file *file, uint32_t from, uint32_t to, char *to_text)
{
    char line[LINE_SIZE_MAX];
    for (uint32_t i = from; i < to; i++) {
        int size = line_write(file, i, line);
        memcpy(to_text, line, (size_t)size);
        to_text += size;
    }
}
