/* See file_reader_sim.h. */
#include "tests/sim/file_reader_sim.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

/* A journal has two files, and nothing else is open meanwhile. */
#define READERS_MAX 8

static const struct medium_sim *media;
static const uint8_t *opened[READERS_MAX]; /* NULL: free */

void file_reader_sim_use(const struct medium_sim *sim)
{
    media = sim;
}

static ssize_t read_some(void *context, void *to, size_t size_bytes, uint64_t offset)
{
    const struct file_reader *reader = context;
    size_t left_bytes = offset < reader->size_bytes ? (size_t)(reader->size_bytes - offset) : 0;
    if (size_bytes > left_bytes)
        size_bytes = left_bytes;
    memcpy(to, opened[reader->fd] + offset, size_bytes);
    return (ssize_t)size_bytes;
}

enum error file_reader_open(const char *path, struct file_reader *ret_reader, char *ret_reason,
                            size_t reason_size)
{
    int place = 0;
    if (!medium_sim_exists(media, path)) {
        snprintf(ret_reason, reason_size, "%.140s: is not there", path);
        return ERR_NOT_FOUND;
    }
    while (place < READERS_MAX && opened[place] != NULL)
        place++;
    CHECK(place < READERS_MAX);
    opened[place] = medium_sim_persisted(media, path);
    *ret_reader = (struct file_reader){
        .read = read_some, .size_bytes = medium_file_size_bytes(path), .fd = place};
    ret_reader->context = ret_reader;
    return OK;
}

void file_reader_close(struct file_reader *reader)
{
    opened[reader->fd] = NULL;
    reader->fd = -1;
}
